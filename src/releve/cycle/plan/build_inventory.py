"""Blocks of what is owned, judged right -> the frozen `Inventory` of the domain. Pure, and can no longer fail."""

from __future__ import annotations

from releve.cycle.plan.inventory import AuditBlock, EquipmentBlock, HoldingBlock
from releve.cycle.plan.shape import Draft
from releve.domain.inventory import (
    AuditSpec,
    CopyPlace,
    Equipment,
    Flow,
    Holding,
    Inventory,
    LinkSpec,
    Network,
    Snmp,
    Socket,
    Supplier,
)


def inventory_of(draft: Draft, audit: AuditBlock | None) -> Inventory:
    """The values. `draft` must have no fault."""
    asked = audit or AuditBlock()
    return Inventory(
        networks=tuple(Network(**placed.item.model_dump()) for placed in draft.networks),
        links=tuple(
            LinkSpec(**{**placed.item.model_dump(), "behind": tuple(placed.item.behind)})
            for placed in draft.links
        ),
        equipment=tuple(_equipment(placed.item) for placed in draft.equipment),
        sockets=tuple(Socket(**placed.item.model_dump()) for placed in draft.sockets),
        suppliers=tuple(
            Supplier(
                **{
                    **placed.item.model_dump(),
                    "addresses": tuple(placed.item.addresses),
                    "applications": tuple(placed.item.applications),
                }
            )
            for placed in draft.suppliers
        ),
        flows=tuple(
            Flow(placed.item.source, placed.item.to, placed.item.port, placed.item.purpose)
            for placed in draft.flows
        ),
        holdings=tuple(_holding(placed.item) for placed in draft.holdings),
        audit=AuditSpec(asked.window, asked.rate, asked.at_once, asked.ports, asked.watch, asked.read_rate),
    )


def _equipment(block: EquipmentBlock) -> Equipment:
    snmp = block.snmp
    return Equipment(
        block.id,
        block.name,
        block.kind,
        block.site,
        block.address,
        Snmp(snmp.version, snmp.port, snmp.community, snmp.user, snmp.auth, snmp.privacy) if snmp else None,
        tuple(block.behind),
        block.ups,
        block.function,
        block.spare,
        block.nut,
        block.system,
    )


def _holding(block: HoldingBlock) -> Holding:
    return Holding(
        block.id,
        block.name,
        block.engine,
        block.host,
        block.path.rstrip("/") or block.path,
        block.port,
        block.socket,
        block.user,
        block.password,
        block.kind.value,
        block.sensitivity.value,
        tuple(CopyPlace(item.site, item.host, item.path.rstrip("/"), item.offline) for item in block.copies),
    )
