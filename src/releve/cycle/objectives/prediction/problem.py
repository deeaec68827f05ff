"""Jobs, pools and dues made ready for computing: indices, whole seconds, and faults said before all else.

Seconds are whole: durations and releases rounded up, dues rounded down, so that rounding never flatters. What
holds a unit holds it for a second at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import ceil, floor, gcd

from releve.domain.errors import BadInput
from releve.domain.work import Due, Job, Pool

BROKEN_SECONDS = 14_400  # what breaking an RTO costs besides: as much as four hours of its own lateness
EARLY = 1000  # a second of finish weighs a thousandth of a second of lateness: it only breaks ties
WEIGHT_STEPS = 100  # weights are kept to a hundredth (at least one): costs are whole numbers


@dataclass(frozen=True, slots=True)
class Need:
    """What a job takes of a pool: `held` units while it runs, of which `kept` for good."""

    pool: int
    held: int
    kept: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A recovery in indices. Lists by job have n entries, by application a, by pool p.

    `order`: the jobs, predecessors first. `earliest`: by job, the release of the pools that it needs, in
    seconds. `kind`: jobs of one number need the same. `due`: None where an application has none. `weight`: whole hundredths (≥ 1).
    """

    jobs: tuple[str, ...]
    applications: tuple[str, ...]
    pools: tuple[str, ...]
    seconds: tuple[int, ...]
    application: tuple[int, ...]
    needs: tuple[tuple[Need, ...], ...]
    kind: tuple[int, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    capacity: tuple[int, ...]
    release: tuple[int, ...]
    earliest: tuple[int, ...]
    due: tuple[int | None, ...]
    weight: tuple[int, ...]

    def cost_of(self, application: int, finish: int) -> int:
        """What it costs that `application` is back at `finish` seconds, in 1/100,000 of a weighted second.

        Its lateness, `BROKEN_SECONDS` more when it is late at all, and `finish` / `EARLY`.
        Never decreases with `finish`: the bounds rest on it.
        """
        due = self.due[application]
        late = 0 if due is None or finish <= due else finish - due + BROKEN_SECONDS
        return self.weight[application] * (EARLY * late + finish)

    def finishes(self, starts: Sequence[int]) -> list[int]:
        """By application, the end of its last job, in seconds."""
        found = [0] * len(self.applications)
        for job, start in enumerate(starts):
            where = self.application[job]
            found[where] = max(found[where], start + self.seconds[job])
        return found

    def cost(self, starts: Sequence[int]) -> int:
        """The whole cost of a timetable given by its starts: the sum of `cost_of`."""
        return sum(self.cost_of(which, finish) for which, finish in enumerate(self.finishes(starts)))

    def heads(self) -> list[int]:
        """By job, the earliest start when pools have no limit but their release, in seconds."""
        found = list(self.earliest)
        for job in self.order:
            for earlier in self.before[job]:
                found[job] = max(found[job], found[earlier] + self.seconds[earlier])
        return found

    def ways(self) -> list[int]:
        """By job, seconds of the longest way from its start to the end of all that comes after it."""
        found = list(self.seconds)
        for job in reversed(self.order):
            for later in self.after[job]:
                found[job] = max(found[job], self.seconds[job] + found[later])
        return found


def problem(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    dues: Sequence[Due] = (),
    release: Mapping[str, float] | None = None,
) -> Problem:
    """The same work in indices; applications in the order in which jobs name them.

    Units of a pool are divided by what all demands of it have in common: 16 and 32 GiB of 100 are 1 and 2
    of 6 (exact, and cheaper). Dues of an application without jobs are left out: it has nothing to bring back.

    Raises BadInput: `duplicate-job`, `duplicate-pool`, `duplicate-due`, `unknown-pool`, `unknown-job`,
    `negative-demand`, `bad-due`, `dependency-cycle`, `relief-too-small`.
    """
    number = _numbered([job.id for job in jobs], "duplicate-job", "tâche")
    place = _numbered([pool.id for pool in pools], "duplicate-pool", "ressource")
    names = tuple(dict.fromkeys(job.application for job in jobs))
    which = {name: index for index, name in enumerate(names)}
    given = dict(release or {})
    for name in given:
        _known(name, place, "unknown-pool", "les arrivées")
    needs = [_needs(job, place) for job in jobs]
    before = [
        tuple(dict.fromkeys(_known(one, number, "unknown-job", job.id) for one in job.after)) for job in jobs
    ]
    order = _ordered(jobs, before)
    after: list[list[int]] = [[] for _ in jobs]
    for later, earlier in enumerate(before):
        for one in earlier:
            after[one].append(later)
    _judge(jobs, pools, needs, after, order)
    ready = [ceil(max(given.get(pool.id, 0.0), 0.0)) for pool in pools]
    shared = [_shared(needs, index) for index in range(len(pools))]
    due, weight = _dues(dues, which)
    kinds: dict[tuple[Need, ...], int] = {}
    return Problem(
        jobs=tuple(job.id for job in jobs),
        applications=names,
        pools=tuple(pool.id for pool in pools),
        seconds=tuple(
            max(ceil(job.seconds.p50), 1 if row else 0) for job, row in zip(jobs, needs, strict=True)
        ),
        application=tuple(which[job.application] for job in jobs),
        needs=tuple(
            tuple(Need(one.pool, one.held // shared[one.pool], one.kept // shared[one.pool]) for one in row)
            for row in needs
        ),
        kind=tuple(kinds.setdefault(row, len(kinds)) for row in needs),
        before=tuple(before),
        after=tuple(tuple(row) for row in after),
        order=tuple(order),
        capacity=tuple(pool.capacity // unit for pool, unit in zip(pools, shared, strict=True)),
        release=tuple(ready),
        earliest=tuple(max((ready[one.pool] for one in row), default=0) for row in needs),
        due=due,
        weight=weight,
    )


def _numbered(names: Sequence[str], code: str, noun: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in found:
            raise BadInput(
                code, f"la {noun} « {name} » est donnée deux fois", hint="donnez à chacune son nom"
            )
        found[name] = index
    return found


def _known(name: str, found: Mapping[str, int], code: str, asker: str) -> int:
    if name not in found:
        noun = "la ressource" if code == "unknown-pool" else "la tâche"
        raise BadInput(
            code,
            f"{noun} « {name} », nommée par « {asker} », n'existe pas",
            hint="corrigez le nom, ou décrivez ce qui manque",
            context={"name": name, "by": asker},
        )
    return found[name]


def _needs(job: Job, place: Mapping[str, int]) -> tuple[Need, ...]:
    found = []
    for name in sorted({*job.demands, *job.keeps}):
        demand, keep = job.demands.get(name, 0), job.keeps.get(name, 0)
        if demand < 0 or keep < 0:
            raise BadInput(
                "negative-demand", f"« {job.id} » demande moins que rien à la ressource « {name} »"
            )
        index = _known(name, place, "unknown-pool", job.id)
        if demand or keep:
            found.append(Need(index, max(demand, keep), keep))
    return tuple(found)


def _ordered(jobs: Sequence[Job], before: Sequence[Sequence[int]]) -> list[int]:
    try:
        return list(TopologicalSorter(dict(enumerate(before))).static_order())
    except CycleError as error:
        loop = " → ".join(jobs[index].id for index in error.args[1])
        raise BadInput(
            "dependency-cycle", f"dépendances en boucle : {loop}", hint="retirez un lien de la boucle"
        ) from error


def _shared(needs: Sequence[Sequence[Need]], pool: int) -> int:
    sizes = [size for row in needs for one in row if one.pool == pool for size in (one.held, one.kept)]
    return gcd(*sizes) or 1


def _judge(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    needs: Sequence[Sequence[Need]],
    after: Sequence[Sequence[int]],
    order: Sequence[int],
) -> None:
    """Refuse a relief on which some order of the work would be stuck for good.

    For every job: what it holds, plus all that jobs which may precede it keep, fits. Jobs that must come
    after it keep nothing yet. A relief that passes never deadlocks a list, whatever its order.
    """
    keepers: dict[int, dict[int, int]] = {}
    for index, row in enumerate(needs):
        for one in row:
            if one.kept:
                keepers.setdefault(one.pool, {})[index] = one.kept
    everything = {pool: sum(found.values()) for pool, found in keepers.items()}
    below: list[int] = []
    for index, row in enumerate(needs):
        for one in row:
            total = everything.get(one.pool, 0) - one.kept + one.held
            if total <= pools[one.pool].capacity:
                continue
            below = below or _descendants(after, order)
            later = below[index]
            total -= sum(kept for other, kept in keepers.get(one.pool, {}).items() if later >> other & 1)
            if total > pools[one.pool].capacity:
                raise _too_small(jobs[index], pools[one.pool], one.held, total)


def _descendants(after: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """By job, the set of all that comes after it, as the bits of a number."""
    found = [0] * len(after)
    for index in reversed(order):
        for later in after[index]:
            found[index] |= found[later] | 1 << later
    return found


def _too_small(job: Job, pool: Pool, held: int, total: int) -> BadInput:
    missing = total - pool.capacity
    beside = f" en plus des {total - held} gardées par ce qui tourne" if total > held else ""
    return BadInput(
        "relief-too-small",
        f"le secours est trop petit : « {job.title} » demande {held} de « {pool.name} »{beside}, "
        f"il y en a {pool.capacity}",
        hint=f"ajoutez-en {missing}, ou ramenez moins d'applications sur ce secours",
    )


def _dues(dues: Sequence[Due], which: Mapping[str, int]) -> tuple[tuple[int | None, ...], tuple[int, ...]]:
    due: list[int | None] = [None] * len(which)
    weight = [WEIGHT_STEPS] * len(which)
    seen = set()
    for one in dues:
        if one.application in seen:
            raise BadInput(
                "duplicate-due", f"« {one.application} » a deux échéances", hint="n'en gardez qu'une"
            )
        seen.add(one.application)
        if not (one.weight > 0 and 0 <= one.seconds < float("inf") and one.weight < float("inf")):
            raise BadInput(
                "bad-due",
                f"l'échéance de « {one.application} » n'est pas un nombre de secondes (≥ 0) et un poids (> 0)",
            )
        if one.application in which:
            due[which[one.application]] = floor(one.seconds)
            weight[which[one.application]] = max(round(one.weight * WEIGHT_STEPS), 1)
    return tuple(due), tuple(weight)
