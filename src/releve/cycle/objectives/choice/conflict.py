"""Demands that cannot all hold: a set from which none can be dropped. Pure, and without any solver.

One protection more never breaks a demand, except that health data refuses uncertified hosts. So a set
of demands can be kept if, and only if, buying everything that it allows keeps it (`measure.most`): one
evaluation decides, and a deletion filter over the demands around a broken one gives a minimal set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from releve.cycle.objectives.choice.estate import Estate, rpo_bounds
from releve.cycle.objectives.choice.measure import Measure, broken, most
from releve.cycle.objectives.choice.wishes import (
    Demand,
    Duty,
    Objective,
    SubjectKind,
    Wish,
    say_demand,
)
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Path
from releve.domain.units import say_seconds

MOST_CORES = 50  # nobody reads more; the rest is counted


@dataclass(frozen=True, slots=True)
class Member:
    """A wish or a rule of a conflict.

    `best`: seconds that the wish could get at best with every rule kept and no other wish; None for a
    rule, or where nothing offered brings it back.
    """

    demand: Demand
    sentence: str
    best: int | None = None


@dataclass(frozen=True, slots=True)
class Core:
    """Demands that no purchase keeps together; without any one of them, the others can be kept."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why there is no choice. Each core must lose one member. `more`: broken demands not explained."""

    cores: tuple[Core, ...]
    more: int = 0


def conflict(home: Estate) -> Conflict | None:
    """The conflicts of everything asked, or None when it can be kept."""
    lost = broken(home, most(home, home.demands), home.demands)
    cores: dict[tuple[str, ...], Core] = {}
    explained: set[Demand] = set()
    for position, demand in enumerate(lost):
        if demand in explained:
            continue
        if len(cores) == MOST_CORES:
            return Conflict(tuple(cores.values()), len([d for d in lost[position:] if d not in explained]))
        core = _minimal(home, demand)
        explained |= {demand, *core}
        cores.setdefault(
            tuple(sorted(item.id for item in core)), Core(tuple(_member(home, item) for item in core))
        )
    return Conflict(tuple(cores.values())) if cores else None


def keepable(home: Estate, active: Iterable[Demand], within: Iterable[str] | None = None) -> bool:
    """Whether something that is offered keeps all of `active`. `within`: subjects that it is about."""
    asked = list(active)
    return not broken(home, most(home, asked, within), asked)


def _minimal(home: Estate, demand: Demand) -> list[Demand]:
    around, within = _around(home, demand)
    core = [demand, *(other for other in around if other != demand)]
    for candidate in reversed(core[:]):  # rules and far wishes are let go first
        rest = [other for other in core if other != candidate]
        if not keepable(home, rest, within):
            core = rest
    return core


def _around(home: Estate, demand: Demand) -> tuple[list[Demand], set[str]]:
    """What can weigh on a demand: what it stands on, what else is asked of that, and of whom uses it."""
    subject = home.subjects[demand.subject]
    within: set[str] = {subject.id}
    if subject.kind is SubjectKind.APPLICATION:
        within.update(home.below([subject.id]))
    within |= {used for name in within for used in home.subjects[name].uses}
    askers = within | {user for name in within for user in home.users.get(name, ())}
    found = []
    for name in sorted(askers):
        for other in home.asked_of.get(name, ()):
            fresh = isinstance(other, Wish) and other.objective is Objective.RPO
            if name in within or fresh:
                found.append(other)
    # an application only weighs by the freshness that it asks of shared data: its own copies come with it
    beside = {used for name in askers - within for used in home.subjects[name].uses}
    return sorted(found, key=lambda d: (isinstance(d, Duty), d.id)), within | beside


def _member(home: Estate, demand: Demand) -> Member:
    best = reachable(home, demand) if isinstance(demand, Wish) else None
    return Member(demand, say_demand(demand, home.subjects), best)


def reachable(home: Estate, wish: Wish) -> int | None:
    """The best that a wish can get, in seconds, with every rule kept and nothing else asked."""
    _, within = _around(home, wish)
    chosen = most(home, home.duties, within)
    bounds = {}
    if wish.objective is Objective.RPO:  # the freshest copy, however slow
        bounds = dict.fromkeys(rpo_bounds(home, [wish]), -1)
    return Measure(home, chosen, bounds).obtained(wish)


def out_of_reach(home: Estate, place: Callable[[Wish], Path] | Mapping[str, Path]) -> Iterator[Finding]:
    """Wishes that no protection of the price list can keep, whatever it costs, as faults of their file.

    `place`: where a wish is written, from the wish or from its id.
    """
    for wish in home.wishes:
        best = reachable(home, wish)
        if best is not None and best <= wish.seconds:
            continue
        yield Finding(
            place(wish) if callable(place) else place[wish.id],
            "objective-unreachable",
            f"aucune protection de la liste de prix ne tient « {say_demand(wish, home.subjects)} »",
            f"le mieux possible : {say_seconds(best)}"
            if best is not None
            else "rien de ce qui est proposé ne le remet en route",
        )
