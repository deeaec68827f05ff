"""Blocks that were judged right -> the frozen `Plan` of the domain. Pure, and can no longer fail."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from releve.cycle.plan.build_inventory import inventory_of
from releve.cycle.plan.schema import (
    AppEndBlock,
    ApplicationBlock,
    AssociationBlock,
    CalendarBlock,
    DataSetBlock,
    EndBlock,
    HostBlock,
    ServiceBlock,
    ShareBlock,
    ShareEndBlock,
    SiteBlock,
    ToleranceBlock,
    VaultBlock,
)
from releve.cycle.plan.shape import Draft
from releve.domain.calendars import Calendar, Closure
from releve.domain.plan import (
    AppEnd,
    Application,
    Approval,
    Association,
    Contact,
    DataSet,
    GateSpec,
    HdsCertificate,
    HealthCheck,
    HostSpec,
    Plan,
    Protection,
    ReliefLost,
    ServerEnd,
    ServiceSpec,
    ShareEnd,
    Site,
    SshSpec,
    Tolerance,
    VaultPlace,
    VaultSpec,
    WorkerSpec,
)
from releve.domain.units import MAX_SPAN_SECONDS, Clock, Span

# An application without data has nothing to lose: its RPO is the longest span that a plan may
# hold, which every protection keeps.
NOTHING_TO_LOSE = Span(MAX_SPAN_SECONDS)


def build(draft: Draft, association: AssociationBlock, *, source: str, fingerprint: str) -> Plan:
    """The plan. `draft` must have no fault: references are followed without looking."""
    site_of = {host.item.id: host.item.site for host in draft.hosts}
    vaults = tuple(_vault(placed.item) for placed in draft.vaults)
    states = {site.item.id: site.item.worker.state for site in draft.sites if site.item.worker}
    ground = _Ground(site_of, {vault.id: vault.places for vault in vaults}, states)
    return Plan(
        association=Association(association.name, association.finess),
        sites=tuple(_site(placed.item) for placed in draft.sites),
        hosts=tuple(_host(placed.item) for placed in draft.hosts),
        contacts=tuple(
            Contact(c.item.id, c.item.name, c.item.role, c.item.phone, c.item.email) for c in draft.contacts
        ),
        applications=tuple(_application(placed.item, site_of) for placed in draft.applications),
        data_sets=tuple(_data_set(placed.item, ground) for placed in draft.data_sets),
        calendars={placed.item.id: calendar_of(placed.item) for placed in draft.calendars},
        approvals={
            question: Approval(placed.item.people, tuple(placed.item.who), placed.item.deadline)
            for question, placed in draft.approvals.items()
        },
        vaults=vaults,
        source=source,
        fingerprint=fingerprint,
        inventory=inventory_of(draft, draft.audit),
    )


def calendar_of(block: CalendarBlock) -> Calendar:
    """The calendar of a block."""
    days = (slots for _, slots in block.open)
    return Calendar(
        block.id,
        block.timezone,
        {number: tuple(slots) for number, slots in enumerate(days) if slots},
        block.holidays,
        tuple(Closure(closure.first, closure.last, closure.name) for closure in block.closed),
        block.school,
    )


def _site(block: SiteBlock) -> Site:
    hds, worker = block.hds, block.worker
    return Site(
        block.id,
        block.name,
        block.role,
        block.address,
        block.hosted_by,
        HdsCertificate(hds.number, hds.valid_until) if hds else None,
        WorkerSpec(worker.listen, worker.state, worker.secret) if worker else None,
    )


def _host(block: HostBlock) -> HostSpec:
    ssh = block.ssh
    access = (
        SshSpec(ssh.address, ssh.port, ssh.user, ssh.key, ssh.known_hosts, ssh.connect_timeout)
        if ssh
        else None
    )
    return HostSpec(
        block.id,
        block.site,
        block.reach,
        access,
        block.root,
        block.kind,
        tuple(block.addresses),
        tuple(block.behind),
        block.ups,
        block.function,
        block.spare,
    )


def _service(block: ServiceBlock) -> ServiceSpec:
    return ServiceSpec(
        block.manager,
        block.unit,
        block.version,
        block.cluster,
        tuple(block.start),
        tuple(block.stop),
        tuple(block.status),
    )


def _server(block: EndBlock) -> ServerEnd:
    return ServerEnd(
        host=block.host,
        address=block.address,
        port=block.port,
        data_dir=block.data_dir,
        bin_dir=block.bin_dir,
        service=_service(block.service),
        database=block.database,
        os_user=block.os_user,
        admin_user=block.admin.user,
        admin_password=block.admin.password,
        replication_user=block.replication.user,
        replication_password=block.replication.password,
        upstream_address=block.upstream.address if block.upstream else "",
        upstream_port=block.upstream.port if block.upstream else 0,
        tls_root=block.tls_root,
        socket_dir=block.socket_dir,
    )


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a data set stands on: site of a host, places of a vault, state folder of a site's worker."""

    site_of: Mapping[str, str]
    places: Mapping[str, Mapping[str, VaultPlace]]
    states: Mapping[str, str]


def _vault(block: VaultBlock) -> VaultSpec:
    return VaultSpec(
        block.id, block.name, {place.site: VaultPlace(place.address, place.key) for place in block.places}
    )


def _data_set(block: DataSetBlock | ShareBlock, ground: _Ground) -> DataSet:
    primary_site, relief_site = ground.site_of[block.primary.host], ground.site_of[block.relief.host]
    vault = ground.places[block.vault] if block.vault else {}
    if isinstance(block, ShareBlock):
        mode, rpo, at = block.protection.mode, block.protection.rpo, block.protection.at
        return DataSet(
            block.id,
            block.name,
            block.engine,
            block.kind,
            block.sensitivity,
            Protection(mode, rpo, daily_at=at),
            primary_site,
            relief_site,
            {
                primary_site: _share(block.id, block.primary, ground.states[primary_site]),
                relief_site: _share(block.id, block.relief, ground.states[relief_site]),
            },
            vault,
            tuple(block.exclude),
        )
    protection = block.protection
    return DataSet(
        block.id,
        block.name,
        block.engine,
        block.kind,
        block.sensitivity,
        Protection(
            protection.mode,
            protection.rpo,
            ReliefLost(protection.on_relief_lost.wait, protection.on_relief_lost.degrade_after),
            protection.slot_limit,
            protection.transport,
            protection.at,
        ),
        primary_site,
        relief_site,
        {primary_site: _server(block.primary), relief_site: _server(block.relief)},
        vault,
    )


def _share(name: str, block: ShareEndBlock, state: str) -> ShareEnd:
    return ShareEnd(block.host, block.path.rstrip("/") or "/", posixpath.join(state, "shares", name))


def _tolerance(block: ToleranceBlock, calendar: str) -> Tolerance:
    rpo = NOTHING_TO_LOSE if block.rpo is None else block.rpo
    return Tolerance(block.rto, rpo, block.calendar or calendar)


def _commitment(block: ApplicationBlock) -> Tolerance | None:
    """A commitment speaks of the calendar and of the loss of the need, where it says nothing itself."""
    if block.commitment is None:
        return None
    inherited = block.tolerance.calendar if block.commitment.rto.clock is Clock.BUSINESS else ""
    promise = _tolerance(block.commitment, inherited)
    if block.commitment.rpo is not None or block.tolerance.rpo is None:
        return promise
    return Tolerance(promise.rto, block.tolerance.rpo, promise.calendar)


def _app_end(block: AppEndBlock) -> AppEnd:
    gate = GateSpec(block.gate.kind, block.gate.path) if block.gate else None
    return AppEnd(block.host, block.url, _service(block.service), gate, block.warm)


def _application(block: ApplicationBlock, site_of: dict[str, str]) -> Application:
    ends = {site_of[end.host]: _app_end(end) for end in (block.primary, block.relief) if end is not None}
    return Application(
        block.id,
        block.name,
        block.owner,
        _tolerance(block.tolerance, ""),
        _commitment(block),
        tuple(block.needs),
        tuple(block.data),
        tuple(HealthCheck(check.path, check.expect, check.timeout) for check in block.health),
        block.without_it,
        tuple(block.do_not),
        ends,
    )
