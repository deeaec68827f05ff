"""Timetables made from a list of priorities: the serial and the parallel schedule generation schemes.

Both are those of R. Kolisch, "Serial and parallel resource-constrained project scheduling methods revisited"
(European Journal of Operational Research 90, 1996). *Serial*: the next job of the list at its earliest
feasible instant, gaps between earlier ones included. *Parallel*: time goes forward, and whatever is ready and
fits starts, the most urgent first; this is how a team works. Neither breaks a constraint; seconds are whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from releve.cycle.objectives.prediction.problem import Need, Problem

Key = tuple[float, float, int]  # smaller is sooner


def parallel(problem: Problem, keys: Sequence[Key]) -> list[int]:
    """Starts by job, in seconds, when the ready job with the smallest of `keys` (by job) goes first."""
    starts = [0] * len(problem.jobs)
    free = list(problem.capacity)
    missing = [len(row) for row in problem.before]
    waiting: list[list[tuple[Key, int]]] = [[] for _ in range(max(problem.kind, default=-1) + 1)]
    events = [(problem.earliest[job], 1, job) for job, count in enumerate(missing) if not count]
    heapify(events)  # (instant, 0 = ends or 1 = is ready, job)
    while events:
        now = events[0][0]
        while events and events[0][0] <= now:
            _, ready, job = heappop(events)
            if ready:
                heappush(waiting[problem.kind[job]], (keys[job], job))
                continue
            for need in problem.needs[job]:
                free[need.pool] += need.held - need.kept
            for later in problem.after[job]:
                missing[later] -= 1
                if not missing[later]:
                    heappush(events, (max(now, problem.earliest[later]), 1, later))
        heads = [row[0] for row in waiting if row]
        heapify(heads)
        while heads:
            _, job = heappop(heads)
            if any(free[need.pool] < need.held for need in problem.needs[job]):
                continue  # nor does another of its kind fit now
            row = waiting[problem.kind[job]]
            heappop(row)
            for need in problem.needs[job]:
                free[need.pool] -= need.held
            starts[job] = now
            heappush(events, (now + problem.seconds[job], 0, job))
            if row:
                heappush(heads, row[0])
    return starts


class _Profile:
    """Units taken of one pool over time: steps `times[i]`, `taken[i]` from there to the next step."""

    def __init__(self, capacity: int, release: float) -> None:
        self.capacity = capacity
        self.times: list[float] = [0.0, release] if release else [0.0]
        self.taken: list[int] = [capacity, 0] if release else [0]

    def fits_from(self, start: float, seconds: float, need: Need) -> float:
        """The earliest instant ≥ `start` from which `need` fits for `seconds`, and what it keeps for good."""
        at = bisect_right(self.times, start) - 1
        index = at
        while index < len(self.times):
            wanted = need.held if self.times[index] < start + seconds or index == at else need.kept
            if self.taken[index] + wanted > self.capacity:
                at = index + 1
                start = self.times[at]
                index = at
                continue
            if self.times[index] >= start + seconds and not need.kept:
                break
            index += 1
        return start

    def take(self, start: float, seconds: float, need: Need) -> None:
        """Take `need` from `start` for `seconds`, and what it keeps from then on."""
        first, last = self._step(start), self._step(start + seconds)
        for index in range(first, last):
            self.taken[index] += need.held
        if need.kept:
            for index in range(last, len(self.taken)):
                self.taken[index] += need.kept

    def _step(self, at: float) -> int:
        index = bisect_right(self.times, at) - 1
        if self.times[index] == at:
            return index
        self.times.insert(index + 1, at)
        self.taken.insert(index + 1, self.taken[index])
        return index + 1


def serial(
    problem: Problem,
    order: Sequence[int],
    *,
    seconds: Sequence[float] | None = None,
    release: Sequence[float] | None = None,
) -> list[float]:
    """Starts by job when the jobs of `order` (predecessors first) are placed one after the other.

    `seconds` by job and `release` by pool replace those of the problem: one draw of a simulation.
    `order` may leave jobs out: they are not done, and hold nobody back.
    """
    lasting = problem.seconds if seconds is None else seconds
    opens = problem.release if release is None else release
    pools = [_Profile(size, at) for size, at in zip(problem.capacity, opens, strict=True)]
    starts = [0.0] * len(problem.jobs)
    ends = [0.0] * len(problem.jobs)
    for job in order:
        start = max((ends[earlier] for earlier in problem.before[job]), default=0.0)
        needs = problem.needs[job]
        moved = True
        while moved:
            moved = False
            for need in needs:
                found = pools[need.pool].fits_from(start, lasting[job], need)
                if found > start:
                    start, moved = found, True
        for need in needs:
            pools[need.pool].take(start, lasting[job], need)
        starts[job] = start
        ends[job] = start + lasting[job]
    return starts


def by_start(problem: Problem, starts: Sequence[float]) -> list[int]:
    """The jobs by start, predecessors first among those that start together: the priority list."""
    rank = {job: index for index, job in enumerate(problem.order)}
    return sorted(range(len(starts)), key=lambda job: (starts[job], problem.seconds[job] > 0, rank[job]))
