"""What is known at one moment: for each thing to look at, the newest look, whichever audit made it. Pure.

An audit may be a part of the whole (some topics only, networks outside their hours): what it did not look at
stays as it was last seen, with its date, and is neither mended nor forgotten. A plan that no longer asks for a
look mends nothing either: what it showed stays as long as its subject is in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    good: Callable[[Look], bool] = lambda _look: True,
) -> tuple[Look, ...]:
    """The newest look of each errand, in their order; none for what no audit looked at. `audits`: the newest first.

    `good`: which looks are preferred, however old; where none is, the newest stands.
    """
    wanted = [errand.key for errand in errands]
    found: dict[str, Look] = {}
    last: dict[str, Look] = {}
    for _audit, looks in audits:
        for look in looks:
            last.setdefault(look.errand.key, look)
            if good(look):
                found.setdefault(look.errand.key, look)
        if found.keys() >= set(wanted):
            break  # what is older is not read at all
    known = last | found
    return tuple(known[key] for key in wanted if key in known)


def dropped(plan: Plan, asked: Iterable[Errand], audits: Iterable[Audit]) -> tuple[Errand, ...]:
    """What `plan` asked to look at in one of `audits` and no longer does, though its subject is still in the plan."""
    owned = plan.inventory
    things = (plan.hosts, plan.data_sets, owned.networks, owned.equipment, owned.holdings)
    there = {item.id for group in things for item in group}
    known = {errand.key for errand in asked}
    found: dict[str, Errand] = {}
    for errand in (errand for audit in audits for errand in audit.errands):
        if errand.key not in known and errand.subject in there:
            found.setdefault(errand.key, errand)
    return tuple(found.values())


def met(now: Sequence[Look], older: Iterable[Look]) -> tuple[Look, ...]:
    """What `older` looks (the newest first) met in passing and no later one did: addresses and connections.

    An address that answers `now` is known by what it says now; one that keeps silent, by its last answer.
    """
    known = {_identity(fact) for look in now for fact in look.facts}
    found = []
    for look in older:
        fresh = tuple(fact for fact in look.facts if _identity(fact) and _identity(fact) not in known)
        known |= {_identity(fact) for fact in fresh}
        if fresh:
            found.append(replace(look, facts=fresh, gaps=()))
    return tuple(found)


def _identity(fact: Fact) -> tuple[object, ...]:
    """What makes two sights one; empty for what is not met in passing."""
    match fact:
        case Neighbour():
            return (fact.address,)
        case Connection():
            return (fact.host, fact.peer, fact.port, fact.outgoing, fact.program)
        case _:
            return ()
