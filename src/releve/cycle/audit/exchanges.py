"""Who talks to whom, as seen from both ends and told once; and whether the plan says so. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from releve.cycle.audit.estate import Estate
from releve.domain.inventory import INTERNET, Flow
from releve.domain.seen import Connection

UNKNOWN_COUNTRY = "pays inconnu"


@dataclass(frozen=True, slots=True)
class Party:
    """One end. `name`: a machine, equipment, supplier or network of the plan; else the address itself.

    An entry of which nobody has said what it is leaves its address unknown, under the same name as before.

    `site`: empty for what is outside. `country`: as the plan declares it, empty when nobody does.
    """

    name: str
    address: str
    site: str = ""
    country: str = ""
    known: bool = True

    @property
    def outside(self) -> bool:
        """Whether it is on no site of the plan."""
        return not self.site


@dataclass(frozen=True, slots=True)
class Exchange:
    """Connections of one client to one service, however many ends saw them. `port`: of the server.

    `programs`: all that were seen to hold one, in the order of names; empty where nobody may know.
    """

    source: Party
    to: Party
    port: int
    program: str
    fact: Connection
    programs: tuple[str, ...] = ()

    @property
    def crosses(self) -> bool:
        """Whether it leaves a site, for another one or for the outside."""
        return self.source.site != self.to.site

    @property
    def outside(self) -> Party | None:
        """The party that is on no site of the plan, whichever end it is; None when both are on one."""
        return next((end for end in (self.to, self.source) if end.outside), None)

    @property
    def key(self) -> str:
        """Stable from one audit to the next."""
        return f"{self.source.name}→{self.to.name}:{self.port}"


def exchanges(estate: Estate) -> tuple[Exchange, ...]:
    """Every exchange seen, once, in the order of names."""
    found: dict[tuple[str, str, int], Exchange] = {}
    programs: dict[tuple[str, str, int], set[str]] = {}
    for fact in estate.all(Connection):
        ours = Party(
            fact.host, fact.local, estate.site_of(fact.host), _country(estate, fact.host, fact.local)
        )
        peer = party(estate, fact.peer)
        source, to = (ours, peer) if fact.outgoing else (peer, ours)
        one = Exchange(source, to, fact.port, fact.program, fact)
        key = (source.name, to.name, fact.port)
        programs.setdefault(key, set()).update({fact.program} - {""})
        if key not in found or (fact.outgoing and not found[key].fact.outgoing):
            found[key] = one
    return tuple(replace(found[key], programs=tuple(sorted(programs[key]))) for key in sorted(found))


def party(estate: Estate, address: str) -> Party:
    """Who stands at `address`."""
    thing, network = estate.thing_at(address), estate.network_at(address)
    if thing:
        said = not estate.unsaid(thing)
        site, country = estate.site_of(thing), _country(estate, thing, address)
        return Party(thing if said else address, address, site, country, known=said)
    if network:
        return Party(address, address, estate.site_of(network), _country(estate, "", address), known=False)
    supplier = estate.supplier_at(address)
    if supplier:
        country = next(item.country for item in estate.plan.inventory.suppliers if item.id == supplier)
        said = not estate.unsaid(supplier)
        return Party(supplier if said else address, address, "", country, known=said)
    return Party(address, address, known=False)


def _country(estate: Estate, thing: str, address: str) -> str:
    """The country of the network that holds the address; else of the only network of the thing's site that says one."""
    owned = estate.plan.inventory.networks
    held = next((item for item in owned if item.holds(address)), None)
    if held is not None:
        return held.country
    site = estate.site_of(thing)
    said = {item.country for item in owned if item.site == site and item.country}
    return said.pop() if len(said) == 1 else ""


def entry_at(estate: Estate, address: str) -> str:
    """The thing or the supplier that the plan has at `address`, said or not; empty: none."""
    return estate.thing_at(address) or estate.supplier_at(address)


def declared(estate: Estate, exchange: Exchange) -> bool:
    """Whether a flow of the plan covers it and says what it is for."""
    return any(flow.purpose for flow in _flows(estate, exchange))


def written(estate: Estate, exchange: Exchange) -> bool:
    """Whether a flow of the plan covers it, even one that does not say what it is for."""
    return any(True for _flow in _flows(estate, exchange))


def _flows(estate: Estate, exchange: Exchange) -> Iterator[Flow]:
    """Those that cover it: by the names of both ends, their networks or their sites."""
    sources, targets = set(_names(estate, exchange.source)), set(_names(estate, exchange.to))
    for flow in estate.plan.inventory.flows:
        if flow.source in sources and flow.to in targets and flow.port in {0, exchange.port}:
            yield flow


def _names(estate: Estate, end: Party) -> Iterator[str]:
    yield end.name
    yield from (name for name in (entry_at(estate, end.address),) if name and not end.known)
    if end.outside:
        yield INTERNET
        return
    yield end.site
    network = estate.network_at(end.address)
    if network:
        yield network
