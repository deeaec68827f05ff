"""What no timetable can beat: a lower bound of the cost, cheap enough for thousands of applications.

One pool at a time, everything else is relaxed: the pool becomes one stream of unit-seconds, and what an
application needs of it may be cut into unit-seconds and served in any order, from its earliest instant on.
A unit-second served at t means that its application is back no sooner than t + its shortest tail; it is
charged 1/p of what being back then costs, p being all the unit-seconds of the application. The cost of an
application never decreases with its finish, so the charges of its p unit-seconds sum to no more than its true
cost: the cheapest assignment of unit-seconds to time, a transportation problem, is a lower bound. The idea is
that of L. F. Gelders and P. R. Kleindorfer, "Coordinating aggregate and detailed scheduling decisions in the
one-machine job shop: part I, theory" (Operations Research 22, 1974). Time is cut into slots, each charged as
at its beginning, and charges are rounded down: both only lower it. No application is charged less than at its
critical path. The bound is the best of those of the pools.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Any

from releve.cycle.objectives.prediction.problem import Problem

SLOTS = 64  # instants at which a pool is charged; twice as many gain 2 % at most and cost three times
CHARGE_STEPS = 1 << 34  # the dearest unit-second is this much: 64-bit sums stay far from overflow
MAX_FLOW = 1 << 24  # unit-seconds are grouped so that no more than this flows


@dataclass(frozen=True, slots=True)
class _Load:
    """What an application needs of a pool: unit-seconds, the earliest instant of any, the shortest tail."""

    application: int
    work: int
    head: int
    tail: int


def critical_path(problem: Problem) -> list[int]:
    """By application, the soonest it can be back if pools had no limit but their release, in seconds."""
    return problem.finishes(problem.heads())


def lower_bound(problem: Problem) -> int:
    """A cost (as `Problem.cost`) that no timetable of `problem` is below."""
    soonest = critical_path(problem)
    least = [problem.cost_of(which, finish) for which, finish in enumerate(soonest)]
    found = sum(least)
    for pool in range(len(problem.pools)):
        loads = _loads(problem, pool)
        if loads:
            found = max(found, sum(least) + _of_pool(problem, pool, loads, soonest, least))
    return found


def least_makespan(problem: Problem) -> int:
    """Seconds before which not all the work can be done: critical path, and the load of each pool."""
    heads = problem.heads()
    ends = [start + lasting for start, lasting in zip(heads, problem.seconds, strict=True)]
    found = max(ends, default=0)
    tails = [way - lasting for way, lasting in zip(problem.ways(), problem.seconds, strict=True)]
    for pool, size in enumerate(problem.capacity):
        users = [(job, need) for job, row in enumerate(problem.needs) for need in row if need.pool == pool]
        if users and size:
            load = -(-sum(problem.seconds[job] * need.held for job, need in users) // size)
            head, tail = min(heads[job] for job, _ in users), min(tails[job] for job, _ in users)
            found = max(found, head + load + tail)
    return found


def _tails(problem: Problem) -> list[int]:
    """By job, seconds from its end to the end of what must come after it in its own application."""
    found = [0] * len(problem.jobs)
    for job in reversed(problem.order):
        for later in problem.after[job]:
            if problem.application[later] == problem.application[job]:
                found[job] = max(found[job], problem.seconds[later] + found[later])
    return found


def _loads(problem: Problem, pool: int) -> list[_Load]:
    heads, tails = problem.heads(), _tails(problem)
    rows: dict[int, list[tuple[int, int, int]]] = {}
    for job, needs in enumerate(problem.needs):
        for need in needs:
            if need.pool == pool and need.held and problem.seconds[job]:
                row = (problem.seconds[job] * need.held, heads[job], tails[job])
                rows.setdefault(problem.application[job], []).append(row)
    return [
        _Load(which, sum(r[0] for r in row), min(r[1] for r in row), min(r[2] for r in row))
        for which, row in rows.items()
    ]


def _of_pool(problem: Problem, pool: int, loads: list[_Load], soonest: list[int], least: list[int]) -> int:
    """How much the pool's limit adds to the critical paths, in the unit of the cost."""
    import numpy as np
    from ortools.graph.python import min_cost_flow

    size = problem.capacity[pool]
    total = sum(load.work for load in loads)
    first = min(load.head for load in loads)
    last = max(load.head for load in loads) + total // size + 1
    unit = max(total // MAX_FLOW, gcd(*(load.work for load in loads)), 1)
    edges = _edges(first, last)
    room = [(right - left) * size // unit + 1 for left, right in pairwise(edges)]
    charges = np.zeros((len(loads), len(room)))
    for index, load in enumerate(loads):
        which = load.application
        for slot, at in enumerate(edges[:-1]):
            back = max(at + load.tail, soonest[which])
            if edges[slot + 1] <= load.head:
                charges[index, slot] = np.inf
            else:
                charges[index, slot] = (problem.cost_of(which, back) - least[which]) * unit / load.work
    dearest = charges[np.isfinite(charges)].max()
    if dearest <= 0:
        return 0
    scale = CHARGE_STEPS / dearest
    whole = np.floor(np.where(np.isfinite(charges), charges, 0) * scale).astype(np.int64)
    parts = np.array([load.work // unit for load in loads])
    rows, slots = np.nonzero(np.isfinite(charges))
    flow: Any = min_cost_flow.SimpleMinCostFlow()
    ends = len(loads) + len(room)
    flow.add_arcs_with_capacity_and_unit_cost(rows, len(loads) + slots, parts[rows], whole[rows, slots])
    flow.add_arcs_with_capacity_and_unit_cost(
        len(loads) + np.arange(len(room)),
        np.full(len(room), ends),
        np.array(room),
        np.zeros(len(room), np.int64),
    )
    flow.set_nodes_supplies(np.arange(len(loads)), parts)
    flow.set_node_supply(ends, -int(parts.sum()))
    if flow.solve() != flow.OPTIMAL:
        return 0  # nothing is claimed that was not solved
    return int(flow.optimal_cost() / scale * (1 - 1e-9))


def _edges(first: int, last: int) -> list[int]:
    """Slots from `first` to `last`, in seconds: even, rising edges."""
    step = max((last - first) / SLOTS, 1.0)
    found = [first]
    while found[-1] < last:
        found.append(min(max(found[-1] + 1, round(first + len(found) * step)), last))
    return found
