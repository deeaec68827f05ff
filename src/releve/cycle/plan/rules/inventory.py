"""What is owned and what joins it: names of things of any kind, ranges that overlap, copies that are elsewhere. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from releve.cycle.plan.fields import quote
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.shape import Draft
from releve.domain.bounds import guard_device
from releve.domain.errors import Refused
from releve.domain.inventory import INTERNET, Network


def inventory_rules(draft: Draft) -> Iterator[Finding]:
    """What needs two blocks: shared names, ranges that overlap, names of things of any kind."""
    yield from _one_name_a_thing(draft)
    yield from _overlaps(draft)
    yield from _public(draft)
    things = {placed.item.id for section in (draft.hosts, draft.equipment) for placed in section}
    supports = things | {placed.item.id for placed in draft.links}
    ends = (
        supports
        | {INTERNET}
        | {placed.item.id for section in (draft.sites, draft.networks, draft.suppliers) for placed in section}
    )
    if not all(
        draft.whole(name) for name in ("hosts", "equipment", "links", "sites", "networks", "suppliers")
    ):
        return  # a block that could not be read may be the one that is named
    sites = {placed.item.id for placed in draft.sites}
    for link in draft.links:
        if link.item.to != INTERNET and link.item.to not in sites:
            yield _unknown((*link.path, "to"), link.item.to, "un site, ou internet")
    for flow in draft.flows:
        for key, word in (("from", flow.item.source), ("to", flow.item.to)):
            if word not in ends:
                yield _unknown(
                    (*flow.path, key),
                    word,
                    "une machine, un équipement, un réseau, un site, un fournisseur ou internet",
                )
    behind = [
        (placed.path, placed.item.behind)
        for section in (draft.hosts, draft.equipment, draft.links)
        for placed in section
    ]
    for path, words in behind:
        for index, word in enumerate(words):
            if word not in supports:
                yield _unknown((*path, "behind", index), word, "un équipement, une machine ou un lien")
    calendars = {placed.item.id for placed in draft.calendars}
    if draft.audit is not None and draft.audit.window and draft.whole("calendars"):
        window = draft.audit.window
        if window not in calendars:
            yield _unknown(("audit", "window"), window, "un calendrier")
    yield from _strange_copies(draft)
    yield from _out_of_bounds(draft)
    for socket in draft.sockets:
        if socket.item.equipment and socket.item.equipment not in things:
            yield _unknown((*socket.path, "equipment"), socket.item.equipment, "un équipement ou une machine")


def _strange_copies(draft: Draft) -> Iterator[Finding]:
    """A copy is where its machine is: a line that says another site is looked at again by a person."""
    at = {placed.item.id: placed.item.site for placed in draft.hosts}
    for holding in draft.holdings:
        for index, copy in enumerate(holding.item.copies):
            if at.get(copy.host, copy.site) != copy.site:
                yield Finding(
                    (*holding.path, "copies", index, "site"),
                    "copy-site",
                    f"la copie de « {quote(holding.item.id)} » est dite à « {quote(copy.site)} », et sa machine"
                    f" « {quote(copy.host)} » est à « {quote(at[copy.host])} »",
                    "l'audit la compte là où est sa machine : corrigez « site » ou « host »",
                    grave=False,
                )


def _out_of_bounds(draft: Draft) -> Iterator[Finding]:
    """An audit asks nothing of an address that no declared network holds: better known now than by a gap."""
    known = [Network(**placed.item.model_dump()) for placed in draft.networks]
    for device in draft.equipment:
        item = device.item
        if item.snmp is None or not item.address:
            continue
        try:
            guard_device(item.address, known)
        except Refused as error:
            yield Finding(
                (*device.path, "address"),
                "device-out-of-bounds",
                f"l'audit ne demandera rien à « {quote(item.id)} » : {error.sentence}",
                "déclarez son réseau (networks), ou enlevez « snmp »",
                grave=False,
            )


def _unknown(path: tuple[str | int, ...], word: str, wanted: str) -> Finding:
    return Finding(
        path, "unknown-reference", f"« {quote(word)} » n'est déclaré nulle part", f"attendu : {wanted}"
    )


def _one_name_a_thing(draft: Draft) -> Iterator[Finding]:
    """Machines, equipment and links are named by the same words (`behind`, `flows`): one word, one thing."""
    first: dict[str, str] = {}
    for section in ("sites", "hosts", "equipment", "links", "networks", "suppliers"):
        for placed in getattr(draft, section):
            name = placed.item.id
            if first.get(name, section) != section:
                yield Finding(
                    (*placed.path, "id"),
                    "id-shared",
                    f"« {quote(name)} » est aussi un nom de « {first[name]} »",
                    "sites, machines, équipements, liens, réseaux et fournisseurs ont chacun leur nom",
                )
            first.setdefault(name, section)


def _public(draft: Draft) -> Iterator[Finding]:
    """Addresses of the whole Internet are somebody's: a typing error there would scan a stranger."""
    for placed in draft.networks:
        if placed.item.audit and ipaddress.ip_network(placed.item.range).is_global:
            yield Finding(
                (*placed.path, "range"),
                "range-public",
                f"les adresses de « {quote(placed.item.id)} » ({quote(placed.item.range)}) ne sont pas privées :"
                " l'audit les interrogerait sur Internet",
                "n'y laissez que ce que vous avez le droit d'interroger ; sinon corrigez « range », ou notez « audit: false »",
                grave=False,
            )


def _overlaps(draft: Draft) -> Iterator[Finding]:
    seen: list[tuple[str, Any]] = []
    for placed in draft.networks:
        addresses = ipaddress.ip_network(placed.item.range)
        for name, other in seen:
            if addresses.version == other.version and addresses.overlaps(other):
                yield Finding(
                    (*placed.path, "range"),
                    "range-shared",
                    f"les réseaux « {name} » et « {placed.item.id} » partagent des adresses",
                    "une adresse n'a qu'un réseau",
                )
        seen.append((placed.item.id, addresses))
