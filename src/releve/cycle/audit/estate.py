"""What is declared and what was seen, side by side: what every rule is given. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from typing import TypeVar

from releve.domain.audit import Answer, Audit, Gap, Look, Topic
from releve.domain.inventory import TO_SAY
from releve.domain.plan import Plan
from releve.domain.seen import Fact, System

F = TypeVar("F")


@dataclass(frozen=True)
class Estate:
    """A plan, an audit of it, and what people answered. `earlier`: looks of audits before, of one or of several.

    `answers` holds the one in force of each (question, subject). `now` is aware, UTC. `dropped`: those of the looks
    that the plan asked for once and no longer does.
    """

    plan: Plan
    audit: Audit
    looks: tuple[Look, ...]
    now: datetime
    answers: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    earlier: tuple[Look, ...] = ()
    dropped: tuple[Look, ...] = ()

    def all(self, kind: type[F]) -> Iterator[F]:
        """Every fact of that type, in the order of the errands."""
        yield from (fact for look in self.looks for fact in look.facts if isinstance(fact, kind))

    def before(self, look: Look, apart: timedelta) -> Look | None:
        """The newest earlier look of the same errand, at the same site, so long before at least, that brought something."""
        found = (
            one
            for one in self.earlier
            if one.errand == look.errand and look.at - one.at >= apart and brought(one)
        )
        return max(found, key=lambda one: one.at, default=None)

    def seen_at(self, fact: Fact) -> datetime:
        """When a fact of this audit was seen. Raises KeyError for a fact of another."""
        return self._dates[id(fact)]

    def look(self, topic: Topic, subject: str) -> Look | None:
        """The look of that errand, when it was made."""
        return self._by_errand.get(f"{topic}:{subject}")

    def looked(self, topic: Topic, subject: str) -> bool:
        """Whether that errand brought something back: only then may a rule say "there is none"."""
        look = self.look(topic, subject)
        return look is not None and brought(look)

    def gaps(self) -> Iterator[tuple[Topic, str, str, Gap]]:
        """(topic, subject, site, gap) of everything that was not seen, errands never made included."""
        for errand in self.audit.errands:
            look = self._by_errand.get(errand.key)
            if look is None:
                yield (
                    errand.topic,
                    errand.subject,
                    errand.site,
                    Gap("not-looked", "pas encore regardé"),
                )
                continue
            for gap in look.gaps:
                yield errand.topic, errand.subject, errand.site, gap

    def thing_at(self, address: str) -> str:
        """The machine or piece of equipment of the plan at `address`, declared there or seen there; empty: none.

        What the plan says comes first. An address that several machines have (the bridge of their containers)
        tells none of them.
        """
        return self._at.get(_plain(address), "")

    def known_at(self, address: str) -> str:
        """As `thing_at`, of what somebody has said what it is."""
        thing = self.thing_at(address)
        return "" if self.unsaid(thing) else thing

    def supplier_at(self, address: str) -> str:
        """The supplier whose ranges hold `address`; empty when there is none."""
        return next((item.id for item in self.plan.inventory.suppliers if item.holds(address)), "")

    def network_at(self, address: str) -> str:
        """The declared network that holds `address`; empty when there is none."""
        return next((item.id for item in self.plan.inventory.networks if item.holds(address)), "")

    def site_of(self, thing: str) -> str:
        """The site of a machine, piece of equipment, link, network or site; empty when nobody knows."""
        return self._sites.get(thing, "")

    def name_of(self, thing: str) -> str:
        """How a person calls a thing of the plan; its identifier when it has no other name."""
        return self._names.get(thing, thing)

    def unsaid(self, thing: str) -> bool:
        """Whether the plan has an entry for that thing, and nobody has said yet what it is (`releve audit import`)."""
        return self.name_of(thing).casefold().startswith(TO_SAY.casefold())

    def socket_of(self, device: str, port: str) -> str:
        """The label of the wall socket that ends at this port; empty when the plan does not say."""
        return next(
            (
                item.label
                for item in self.plan.inventory.sockets
                if (item.equipment, item.port) == (device, port)
            ),
            "",
        )

    @cached_property
    def _by_errand(self) -> dict[str, Look]:
        return {look.errand.key: look for look in self.looks}

    @cached_property
    def _dates(self) -> dict[int, datetime]:
        return {id(fact): look.at for look in self.looks for fact in look.facts}

    @cached_property
    def _at(self) -> dict[str, str]:
        found = {}
        for item in self.plan.inventory.equipment:
            if item.address:
                found[_plain(item.address)] = item.id
        for host in self.plan.hosts:
            for address in (*host.addresses, *((host.ssh.address,) if host.ssh else ())):
                found.setdefault(_plain(address), host.id)
        seen: dict[str, set[str]] = {}
        for fact in self.all(System):
            for address in fact.addresses:
                seen.setdefault(_plain(address), set()).add(fact.host)
        alone = {address: hosts.pop() for address, hosts in seen.items() if len(hosts) == 1}
        return alone | found

    @cached_property
    def _sites(self) -> dict[str, str]:
        owned = self.plan.inventory
        found = {site.id: site.id for site in self.plan.sites}
        found |= {item.id: item.site for item in self.plan.hosts}
        found |= {item.id: item.site for item in owned.equipment}
        found |= {item.id: item.site for item in owned.links}
        return found | {item.id: item.site for item in owned.networks}

    @cached_property
    def _names(self) -> dict[str, str]:
        owned = self.plan.inventory
        found = {site.id: site.name for site in self.plan.sites}
        found |= {item.id: item.name for item in self.plan.applications}
        found |= {item.id: item.name for item in self.plan.data_sets}
        found |= {item.id: item.name for item in owned.networks}
        found |= {item.id: item.name for item in owned.links}
        found |= {item.id: item.name for item in owned.equipment}
        found |= {item.id: item.name for item in owned.suppliers}
        return found | {item.id: item.name for item in owned.holdings}


def brought(look: Look) -> bool:
    """Whether a look saw something of its subject: its gaps name parts only, and not all that there was to see."""
    return (bool(look.facts) or not look.gaps) and all(gap.what for gap in look.gaps)


def complete(look: Look) -> bool:
    """Whether a look saw all that it was sent for."""
    return not look.gaps


def _plain(address: str) -> str:
    """One spelling an address; what is no address stays as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
