"""When each application is back: one timetable of all the work, and what no timetable could beat.

The recovery is a resource-constrained project (jobs, predecessors, pools of whole units), and the timetable
minimises, over the applications,

    weight · (seconds late  +  14,400 when late at all  +  finish / 1000)

so a broken RTO counts as four hours of lateness more (few are broken, and none is given up for good), and
what is not late still comes as early as it can. Durations are the medians; `simulate` has the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from releve.cycle.objectives.prediction.bound import least_makespan, lower_bound
from releve.cycle.objectives.prediction.listing import by_start, parallel
from releve.cycle.objectives.prediction.problem import EARLY, WEIGHT_STEPS, Problem, problem
from releve.cycle.objectives.prediction.search import improve
from releve.cycle.objectives.prediction.solver import solve
from releve.domain.work import Due, Job, Pool

SOLVER_JOBS = 400  # beyond, CP-SAT gains nothing on the search within any limit that a page waits for
SOLVER_SHARE = 0.05  # of the limit, in CP-SAT's deterministic time: a unit is some seconds of computing
LIMIT = 1.0  # about a second of computing for 40 applications


@dataclass(frozen=True, slots=True)
class Timetable:
    """A timetable in seconds after the outage.

    `start`, `end`: by job. `finish`: by application. `order`: job ids by start, predecessors first: the
    priority list that `simulate` replays. `lateness`: weighted seconds late; `broken`: how many RTOs are
    not kept. `cost`: what was minimised, in weighted seconds; `bound`: what no timetable of these jobs is
    below, `gap` = 1 - bound / cost (0 when both are 0), `proven`: nothing better exists.
    """

    start: Mapping[str, int] = field(repr=False)
    end: Mapping[str, int] = field(repr=False)
    finish: Mapping[str, int]
    order: tuple[str, ...] = field(repr=False)
    lateness: float
    broken: int
    cost: float
    bound: float
    gap: float
    proven: bool


@dataclass(frozen=True, slots=True)
class Makespan:
    """The shortest time to have everything done: seconds found, proven bound, and the starts by job."""

    seconds: int
    bound: int
    proven: bool
    start: Mapping[str, int] = field(repr=False)


def schedule(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    dues: Sequence[Due],
    *,
    release: Mapping[str, float] | None = None,
    limit: float = LIMIT,
    seed: int = 0,
) -> Timetable:
    """The best timetable found within `limit`, with its bound.

    `release`: by pool, seconds before which none of it is there (people arrive). `limit` is deterministic
    (1 is about a second for 40 applications; no clock is read): same arguments, same timetable.

    Raises BadInput: `relief-too-small` when some work can never fit, and those of `problem`.
    """
    work = problem(jobs, pools, dues, release)
    starts, cost = improve(work, limit / 2, seed)
    bound = min(lower_bound(work), cost)
    if 0 < len(work.jobs) <= SOLVER_JOBS and bound < cost:
        solved = solve(work, starts, limit=limit * SOLVER_SHARE, seed=seed)
        if solved.starts is not None and work.cost(solved.starts) < cost:
            starts, cost = list(solved.starts), work.cost(solved.starts)
        bound = min(max(bound, solved.bound), cost)
        bound = cost if solved.proven else bound
    return _timetable(work, starts, cost, bound)


def timetable(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    dues: Sequence[Due],
    start: Mapping[str, float],
    *,
    release: Mapping[str, float] | None = None,
) -> Timetable:
    """A timetable made elsewhere, counted the same way: its own costs, and the cheap bound.

    Raises BadInput: those of `problem`. Does not judge whether the starts are feasible.
    """
    work = problem(jobs, pools, dues, release)
    starts = [int(start[name]) for name in work.jobs]
    cost = work.cost(starts)
    return _timetable(work, starts, cost, min(lower_bound(work), cost))


def makespan(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    *,
    release: Mapping[str, float] | None = None,
    limit: float = LIMIT,
    seed: int = 0,
) -> Makespan:
    """The shortest time found in which everything is done, dues aside: the RCPSP of the literature.

    Same model, limit and errors as `schedule`.
    """
    work = problem(jobs, pools, (), release)
    if not work.jobs:
        return Makespan(0, 0, proven=True, start={})
    bound = least_makespan(work)
    ways = work.ways()
    keys = [(-float(ways[job]), -float(len(work.after[job])), job) for job in range(len(work.jobs))]
    starts = parallel(work, keys)
    found = _last(work, starts)
    if bound < found:
        solved = solve(work, starts, limit=limit, seed=seed, makespan=True)
        if solved.starts is not None and _last(work, solved.starts) < found:
            starts, found = list(solved.starts), _last(work, solved.starts)
        bound = found if solved.proven else min(max(bound, solved.bound), found)
    return Makespan(found, bound, proven=bound == found, start=dict(zip(work.jobs, starts, strict=True)))


def _last(work: Problem, starts: Sequence[int]) -> int:
    return max(start + lasting for start, lasting in zip(starts, work.seconds, strict=True))


def _timetable(work: Problem, starts: Sequence[int], cost: int, bound: int) -> Timetable:
    finishes = work.finishes(starts)
    late = [
        0 if due is None else max(finish - due, 0) for due, finish in zip(work.due, finishes, strict=True)
    ]
    unit = WEIGHT_STEPS * EARLY
    return Timetable(
        start=dict(zip(work.jobs, starts, strict=True)),
        end={
            job: start + lasting for job, start, lasting in zip(work.jobs, starts, work.seconds, strict=True)
        },
        finish=dict(zip(work.applications, finishes, strict=True)),
        order=tuple(work.jobs[job] for job in by_start(work, starts)),
        lateness=sum(weight * one for weight, one in zip(work.weight, late, strict=True)) / WEIGHT_STEPS,
        broken=sum(one > 0 for one in late),
        cost=cost / unit,
        bound=bound / unit,
        gap=0.0 if bound == cost else 1 - bound / cost,
        proven=bound == cost,
    )
