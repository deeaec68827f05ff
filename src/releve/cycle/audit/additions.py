"""What was found and is not declared, as entries that the plan could take. Pure.

Nothing is invented: an entry holds what was seen, and what only people can say (what it is for, how long one
can do without it) is left for them. That is why applications are proposed as comments: a need is asked. What has a
name to say (`TO_SAY`) or no purpose stays as unknown to the rules as before: writing it down answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import Party, entry_at, exchanges, written
from releve.domain.inventory import TO_SAY, Device
from releve.domain.seen import Base, Documents, Listening, Neighbour

# What a machine is likely to be, from what it offers: the first that fits (IANA service names and ports; 8291
# and 8006 are the vendors'). A guess, and the entry says so.
_LIKELY: tuple[tuple[frozenset[int], Device], ...] = (
    (frozenset({9100, 515, 631}), Device.PRINTER),
    (frozenset({5000, 5001, 2049, 548}), Device.NAS),
    (frozenset({5060, 5061}), Device.PHONE),
    (frozenset({3389, 5900}), Device.WORKSTATION),
    (frozenset({8291, 179}), Device.ROUTER),
    (frozenset({22, 80, 443, 445, 3306, 5432}), Device.SERVER),
)
_ENGINES = {5432: "postgresql", 3306: "mariadb"}  # the ports that IANA gave them
# The ports that Linux gives to a client (ip_local_port_range, as shipped): over UDP, who asks waits there for an answer.
_PASSING = range(32_768, 61_000)
_LONGEST = 63  # characters of an identifier, as the plan takes it
_SYSTEM = frozenset(
    {"", "sshd", "systemd", "systemd-resolve", "chronyd", "ntpd", "snmpd", "lldpd", "rpcbind"}
)


@dataclass(frozen=True, slots=True)
class Addition:
    """One entry for one section of the plan. `why`: what was seen, in French, for the comment above it.

    `proposal`: to be written as a comment, because something in it must be asked first.
    """

    section: str
    entry: Mapping[str, object] = field(hash=False)
    why: str
    proposal: bool = False

    @property
    def unanswered(self) -> bool:
        """Whether people have still something to say of it: a need, a name, a purpose."""
        named = str(self.entry.get("name", "")).startswith(TO_SAY)
        return self.proposal or named or self.entry.get("purpose") == ""


def additions(estate: Estate) -> tuple[Addition, ...]:
    """Everything that was seen and is declared nowhere, section by section."""
    free = _Free(_ids(estate))
    unknown = dict(_equipment(estate, free))
    suppliers = dict(_suppliers(estate, free))
    return (
        *unknown.values(),
        *suppliers.values(),
        *_holdings(estate, free),
        *_flows(estate, unknown, suppliers),
        *_applications(estate, free),
    )


@dataclass(slots=True)
class _Free:
    """Identifiers that nothing has yet, in the plan or among what is proposed."""

    taken: set[str]

    def __call__(self, text: str) -> str:
        """One made of `text`, that nobody has from now on."""
        stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        ends = ("" if number == 1 else f"-{number}" for number in count(1))
        found = next(name for end in ends if (name := stem[: _LONGEST - len(end)] + end) not in self.taken)
        self.taken.add(found)
        return found


def _ids(estate: Estate) -> set[str]:
    """Every identifier of the plan: one is never said twice, even where two sections might share it."""
    plan, owned = estate.plan, estate.plan.inventory
    sections = (plan.sites, plan.hosts, plan.contacts, plan.applications, plan.data_sets)
    more = (owned.networks, owned.links, owned.equipment, owned.suppliers, owned.holdings)
    return {item.id for section in (*sections, *more) for item in section}


def _equipment(estate: Estate, free: _Free) -> Iterator[tuple[str, Addition]]:
    for fact in estate.all(Neighbour):
        if estate.thing_at(fact.address):
            continue
        ports = {service.port for service in fact.services}
        kind = next((kind for wanted, kind in _LIKELY if ports & wanted), Device.OTHER)
        offers = (
            ", ".join(f"{item.port} {item.name}".strip() for item in fact.services) or "aucun port ouvert"
        )
        name = free(f"appareil-{fact.address}")
        entry = {
            "id": name,
            "name": f"{TO_SAY} : appareil {fact.address}" + (f" ({fact.vendor})" if fact.vendor else ""),
            "kind": kind.value,
            "site": estate.site_of(fact.network),
            "address": fact.address,
        }
        why = f"a répondu sur {fact.network} ({offers}) ; son genre est une supposition"
        yield fact.address, Addition("equipment", entry, why)


def _suppliers(estate: Estate, free: _Free) -> Iterator[tuple[str, Addition]]:
    found: set[str] = set()
    for exchange in exchanges(estate):
        for end in (exchange.source, exchange.to):
            if not end.outside or end.known or end.address in found or estate.supplier_at(end.address):
                continue
            if not written(estate, exchange):
                found.add(end.address)
                entry = {
                    "id": free(f"inconnu-{end.address}"),
                    "name": f"{TO_SAY} : {end.address}",
                    "addresses": [end.address],
                }
                yield end.address, Addition("suppliers", entry, f"échange vu : {exchange.key} ; pays à dire")


def _holdings(estate: Estate, free: _Free) -> Iterator[Addition]:
    owned = estate.plan.inventory.holdings
    known = {(item.host, item.path) for item in owned if item.path}
    bases = {item.host for item in owned if item.engine.value != "files"}
    bases |= {end.host for item in estate.plan.data_sets if not item.shared for end in item.ends.values()}
    bases |= {fact.host for fact in estate.all(Base)}
    for spoken in dict.fromkeys(
        (fact.host, fact.port) for fact in estate.all(Listening) if fact.protocol.startswith("tcp")
    ):
        host, port = spoken
        if port in _ENGINES and host not in bases:
            entry = {
                "id": free(f"base-{host}-{port}"),
                "name": f"Base {_ENGINES[port]} de {host}",
                "engine": _ENGINES[port],
                "host": host,
                "port": port,
            }
            yield Addition("holdings", entry, f"{host} écoute sur le port {port}")
    for found in estate.all(Documents):
        count = sum(tally.files for tally in found.kinds)
        if count and (found.host, found.place) not in known:
            entry = {
                "id": free(f"documents-{found.host}-{found.place}"),
                "name": f"Documents de {found.host}",
                "engine": "files",
                "host": found.host,
                "path": found.place,
                "kind": "office",
            }
            yield Addition("holdings", entry, f"{count} documents sous {found.place}")


def _flows(
    estate: Estate, unknown: Mapping[str, Addition], suppliers: Mapping[str, Addition]
) -> Iterator[Addition]:
    for exchange in exchanges(estate):
        if written(estate, exchange):
            continue
        ends = [str(_declared_now(estate, end, unknown, suppliers)) for end in (exchange.source, exchange.to)]
        if not all(ends):
            continue
        entry = {"from": ends[0], "to": ends[1], "port": exchange.port, "purpose": ""}
        why = f"vu {exchange.fact.times} fois" + (f" ({exchange.program})" if exchange.program else "")
        yield Addition("flows", entry, f"{why} ; dites à quoi il sert, ou coupez-le")


def _declared_now(
    estate: Estate, end: Party, unknown: Mapping[str, Addition], suppliers: Mapping[str, Addition]
) -> object:
    """The name under which an end is declared, now or by one of these additions; empty when by none."""
    if end.address in unknown:
        return unknown[end.address].entry["id"]
    if end.address in suppliers:
        return suppliers[end.address].entry["id"]
    return entry_at(estate, end.address) if end.name == end.address else end.name


def _applications(estate: Estate, free: _Free) -> Iterator[Addition]:
    used = {end.host for item in estate.plan.applications for end in item.ends.values()}
    seen: dict[tuple[str, str], set[int]] = {}
    for fact in estate.all(Listening):
        passing = fact.protocol.startswith("udp") and fact.port in _PASSING
        if (
            fact.program not in _SYSTEM
            and fact.port not in _ENGINES
            and fact.host not in used
            and not passing
        ):
            seen.setdefault((fact.host, fact.program), set()).add(fact.port)
    for (host, program), ports in sorted(seen.items()):
        entry = {
            "id": free(f"{program}-{host}"),
            "name": f"{program} sur {host}",
            "owner": "",
            "tolerance": {"rto": ""},
        }
        shown = ", ".join(str(port) for port in sorted(ports))
        yield Addition(
            "applications",
            entry,
            f"{program} écoute sur {host} (ports {shown}) ; le besoin se demande à ses utilisateurs",
            proposal=True,
        )
