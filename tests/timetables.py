"""A second opinion on timetables: rules checked second by second, and optima found by trying everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from releve.cycle.objectives.prediction.problem import Problem
from releve.domain.work import Job, Pool, Spread


def sure(seconds: float) -> Spread:
    """A duration that never varies."""
    return Spread(seconds, seconds, seconds)


def faults(
    jobs: Sequence[Job],
    pools: Sequence[Pool],
    start: Mapping[str, float],
    end: Mapping[str, float],
    release: Mapping[str, float] | None = None,
) -> list[str]:
    """Every rule that the timetable breaks; jobs without a start are not done."""
    opens = release or {}
    found = []
    for job in jobs:
        if job.id not in start:
            continue
        found += [f"{job.id} before {one}" for one in job.after if one in start and start[job.id] < end[one]]
        found += [f"{job.id} before {pool}" for pool in job.demands if start[job.id] < opens.get(pool, 0)]
    for pool in pools:
        for at in sorted({*start.values(), *end.values()}):
            taken = sum(
                max(job.demands.get(pool.id, 0), job.keeps.get(pool.id, 0))
                if start[job.id] <= at < end[job.id]
                else job.keeps.get(pool.id, 0)
                for job in jobs
                if job.id in start and start[job.id] <= at
            )
            if taken > pool.capacity:
                found.append(f"{taken} of {pool.capacity} {pool.id} at {at}")
    return found


def everything(problem: Problem) -> Iterator[list[int]]:
    """The starts of each active timetable: an optimum of any cost that lateness raises is among them.

    Every order of the jobs that respects predecessors, each job at its first second that fits.
    """
    size = len(problem.jobs)
    horizon = sum(problem.seconds) + max(problem.earliest, default=0) + 1
    for order in permutations(range(size)):
        place = {job: index for index, job in enumerate(order)}
        if any(place[one] > place[job] for job in order for one in problem.before[job]):
            continue
        taken = [[0] * (horizon + 1) for _ in problem.capacity]
        starts = [0] * size
        for job in order:
            lasting = problem.seconds[job]
            at = max((starts[one] + problem.seconds[one] for one in problem.before[job]), default=0)
            at = max(at, problem.earliest[job])
            while not _fits(problem, taken, job, at):
                at += 1
            starts[job] = at
            for need in problem.needs[job]:
                for second in range(at, horizon + 1):
                    taken[need.pool][second] += need.held if second < at + lasting else need.kept
        yield starts


def _fits(problem: Problem, taken: list[list[int]], job: int, at: int) -> bool:
    return all(
        taken[need.pool][second] + (need.held if second < at + problem.seconds[job] else need.kept)
        <= problem.capacity[need.pool]
        for need in problem.needs[job]
        for second in range(at, len(taken[need.pool]))
    )
