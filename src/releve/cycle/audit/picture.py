"""What is known at one moment: for each thing to look at, the newest look, whichever audit made it. Pure.

An audit may be a part of the whole (some topics only, networks outside their hours): what it did not look at
stays as it was last seen, with its date, and is neither mended nor forgotten. A plan that no longer asks for a
look mends nothing either: what it showed stays as long as its subject is in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from releve.domain.audit import Audit, Errand, Look, Topic
from releve.domain.plan import Plan
from releve.domain.seen import Connection, Fact, Neighbour

PASSING = (Topic.NETWORK, Topic.CONNECTIONS)  # what they show is there or not from one hour to the next
KEPT = timedelta(days=90)  # how long what was met in passing is not forgotten (value of ours)


def newest(
    errands: Iterable[Errand],
    audits: Iterable[tuple[Audit, Sequence[Look]]],
    *goods: Callable[[Look], bool],
) -> tuple[tuple[Look, ...], ...]:
    """The newest look of each errand, in their order; none for what no audit looked at. `audits`: the newest first.

    One answer to each of `goods`, which says what looks are preferred, however old; where none is, the newest stands.
    An audit is read once, and none that is older than all that is wanted.
    """
    wanted = [errand.key for errand in errands]
    last: dict[str, Look] = {}
    found: list[dict[str, Look]] = [{} for _good in goods]
    for _audit, looks in audits:
        for look in looks:
            last.setdefault(look.errand.key, look)
            for good, preferred in zip(goods, found, strict=True):
                if good(look):
                    preferred.setdefault(look.errand.key, look)
        if all(preferred.keys() >= set(wanted) for preferred in found):
            break
    return tuple(
        tuple(known[key] for key in wanted if key in known)
        for known in (last | preferred for preferred in found)
    )


def dropped(plan: Plan, asked: Iterable[Errand], audits: Sequence[Audit]) -> tuple[Errand, ...]:
    """What `plan` asked to look at in one of `audits` and no longer does, though its subject is still in the plan.

    `audits`: the newest first. A way to a machine is asked for from one site: those of another are none of them.
    """
    owned = plan.inventory
    things = (plan.hosts, plan.data_sets, owned.networks, owned.equipment, owned.holdings)
    there = {item.id for group in things for item in group}
    known = {errand.key for errand in asked}
    found: dict[str, Errand] = {}
    for audit in audits:
        for errand in audit.errands:
            elsewhere = errand.topic is Topic.PATH and audit.site != audits[0].site
            if errand.key not in known and errand.subject in there and not elsewhere:
                found.setdefault(errand.key, errand)
    return tuple(found.values())


def met(now: Sequence[Look], older: Iterable[Look]) -> tuple[Look, ...]:
    """What `older` looks (the newest first) met in passing and no later one did: addresses and connections.

    An address that answers `now` is known by what it says now; one that keeps silent, by its last answer.
    """
    known: set[tuple[object, ...]] = set()
    for fact in (fact for look in now for fact in look.facts):
        known |= _signs(fact)
    found = []
    for look in older:
        fresh = tuple(fact for fact in look.facts if not _known(fact, known))
        for fact in fresh:
            known |= _signs(fact)
        if fresh:
            found.append(replace(look, facts=fresh, gaps=()))
    return tuple(found)


def _signs(fact: Fact) -> set[tuple[object, ...]]:
    """By what it is known again; empty for what is not met in passing."""
    match fact:
        case Neighbour():
            return {(fact.address,)}
        case Connection():
            return {_ends(fact), (*_ends(fact), fact.program)}
        case _:
            return set()


def _known(fact: Fact, known: AbstractSet[tuple[object, ...]]) -> bool:
    """Whether it was met already. A connection whose program nobody may know is any of those with the same ends."""
    match fact:
        case Neighbour():
            return (fact.address,) in known
        case Connection():
            ends = _ends(fact)
            same = {(*ends, fact.program), (*ends, "")} if fact.program else {ends}
            return not known.isdisjoint(same)
        case _:
            return True


def _ends(fact: Connection) -> tuple[object, ...]:
    return fact.host, fact.peer, fact.port, fact.outgoing
