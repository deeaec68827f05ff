"""A good timetable by priority lists and local search: no solver, thousands of jobs, always the same answer.

A priority is a number an application; a job takes the best one of all that wait for it, so that a directory
on which everything rests is as urgent as the most urgent of them. Several rules of the literature give a first
list each (earliest due date, least slack, weighted shortest work, apparent tardiness cost: Vepsalainen and
Morton, Management Science 33, 1987); the best is then changed a few applications at a time, and a change that
is not worse is kept. How many lists are tried depends on the size and the limit alone, never on a clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import exp

from releve.cycle.objectives.prediction.bound import critical_path
from releve.cycle.objectives.prediction.listing import Key, parallel
from releve.cycle.objectives.prediction.problem import Problem

LISTS_PER_UNIT = 120_000  # job placements tried for one unit of the limit: about half a second
LOOK_AHEAD = (0.5, 1.0, 2.0, 4.0)  # of the apparent tardiness cost: how far ahead a due presses
RUINED = 16  # how many late applications at most are moved together


def improve(problem: Problem, limit: float, seed: int) -> tuple[list[int], int]:
    """The best starts found, by job, and their cost."""
    if not problem.jobs:
        return [], 0
    tries = max(int(limit * LISTS_PER_UNIT / len(problem.jobs)), 4)
    state = _Search(problem)
    for rank in state.first():
        state.judge(rank)
        tries -= 1
    chance = random.Random(seed)  # noqa: S311 (a search, not a secret)
    moves: list[Callable[[random.Random], list[float]]] = [state.pulled, state.pushed, state.swapped]
    while tries > 0:
        state.judge(moves[chance.randrange(len(moves))](chance))
        tries -= 1
    return state.starts, state.cost


class _Search:
    """The best priorities so far, by application (smaller is sooner), with their timetable and cost."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.cost = -1
        self.starts: list[int] = []
        self.rank: list[float] = []
        self.finishes: list[int] = []
        self._paths = critical_path(problem)
        self._ways = problem.ways()
        self._work = _work(problem)

    def first(self) -> list[list[float]]:
        """The priorities of the rules."""
        problem = self.problem
        everyone = range(len(problem.applications))
        horizon = max(sum(self._work) * 2, max(self._paths, default=0), 1.0)
        due = [horizon if one is None else float(one) for one in problem.due]
        weight = [problem.weight[one] if problem.due[one] is not None else 0.01 for one in everyone]
        rules = [
            due,
            [due[one] - self._paths[one] for one in everyone],
            [self._work[one] / weight[one] for one in everyone],
            [due[one] - self._work[one] for one in everyone],
        ]
        mean = max(sum(self._work) / max(len(self._work), 1), 1e-9)
        rules += [
            self._apparent(due, weight, mean * ahead * max(len(self._work) / 8, 1)) for ahead in LOOK_AHEAD
        ]
        return [_ranks(rule) for rule in rules]

    def _apparent(self, due: list[float], weight: list[float], ahead: float) -> list[float]:
        """Apparent tardiness cost, taken one application after the other as their work fills the time."""
        left = set(range(len(due)))
        rank, now, place = [0.0] * len(due), 0.0, 0
        batch = max(len(due) // 200, 1)  # of thousands, several are taken at one instant
        while left:
            scored = sorted(
                left,
                key=lambda one: (
                    -weight[one]
                    / max(self._work[one], 1e-9)
                    * exp(-max(due[one] - self._paths[one] - now, 0.0) / ahead),
                    one,
                ),
            )
            for one in scored[:batch]:
                rank[one] = place
                place += 1
                now += self._work[one]
                left.remove(one)
        return rank

    def judge(self, rank: list[float]) -> None:
        """Make the timetable of `rank`; keep it when it is no worse."""
        starts = parallel(self.problem, self._keys(rank))
        cost = self.problem.cost(starts)
        if self.cost < 0 or cost <= self.cost:
            self.rank, self.starts, self.cost = _ranks(rank), starts, cost
            self.finishes = self.problem.finishes(starts)

    def _keys(self, rank: list[float]) -> list[Key]:
        problem = self.problem
        best = [rank[where] for where in problem.application]
        for job in reversed(problem.order):
            for later in problem.after[job]:
                best[job] = min(best[job], best[later])
        return [(best[job], -float(self._ways[job]), job) for job in range(len(best))]

    def _late(self, chance: random.Random) -> list[int]:
        """Some applications, the late ones (as heavy as they are late) more often."""
        problem = self.problem
        late = [
            problem.cost_of(one, finish) - problem.cost_of(one, self._paths[one])
            for one, finish in enumerate(self.finishes)
        ]
        count = min(1 + chance.randrange(max(len(late) // 100, 1)), RUINED)
        if not any(late):
            return chance.sample(range(len(late)), min(count, len(late)))
        return list(dict.fromkeys(chance.choices(range(len(late)), weights=late, k=count)))

    def pulled(self, chance: random.Random) -> list[float]:
        """Some late applications somewhere before where they are."""
        rank = list(self.rank)
        for one in self._late(chance):
            rank[one] = chance.uniform(-1, rank[one])
        return rank

    def pushed(self, chance: random.Random) -> list[float]:
        """Some applications somewhere after where they are: room for the others."""
        rank = list(self.rank)
        size = len(rank)
        for one in chance.sample(range(size), min(1 + chance.randrange(max(size // 100, 1)), RUINED, size)):
            rank[one] = chance.uniform(rank[one], size)
        return rank

    def swapped(self, chance: random.Random) -> list[float]:
        """One late application in the place of another that is before it, and the reverse."""
        rank = list(self.rank)
        for one in self._late(chance)[:1]:
            other = chance.randrange(len(rank))
            rank[one], rank[other] = rank[other], rank[one]
        return rank


def _ranks(values: Sequence[float]) -> list[float]:
    """0, 1, 2… in the order of `values`."""
    found = [0.0] * len(values)
    for place, index in enumerate(sorted(range(len(values)), key=lambda one: (values[one], one))):
        found[index] = float(place)
    return found


def _work(problem: Problem) -> list[float]:
    """By application, how long it would keep its most wanted pool busy, in seconds of the whole pool."""
    rows = [[0.0] * len(problem.pools) for _ in problem.applications]
    for job, needs in enumerate(problem.needs):
        for need in needs:
            share = problem.seconds[job] * need.held / problem.capacity[need.pool]
            rows[problem.application[job]][need.pool] += share
    load = [sum(row[pool] for row in rows) for pool in range(len(problem.pools))]
    tightest = max(range(len(load)), key=load.__getitem__, default=0)
    return [row[tightest] if row else 0.0 for row in rows]
