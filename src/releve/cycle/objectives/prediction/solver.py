"""The same problem for CP-SAT (OR-Tools), where it is small enough to be worth it.

One worker and a deterministic limit: the same problem, hint and seed give the same answer and the same bound
on every run, however loaded the machine is. A clock could not promise it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from releve.cycle.objectives.prediction.problem import BROKEN_SECONDS, EARLY, Problem


@dataclass(frozen=True, slots=True)
class Solved:
    """The best starts by job (None: nothing better than the hint was found), and the proven bound."""

    starts: tuple[int, ...] | None
    bound: int
    proven: bool


def solve(
    problem: Problem, hint: Sequence[int], *, limit: float, seed: int, makespan: bool = False
) -> Solved:
    """Improve `hint` (starts by job, feasible) and bound the cost, or the makespan.

    `limit`: units of CP-SAT's deterministic time, some seconds each.
    """
    from ortools.sat.python import cp_model

    # left-shifting keeps some optimum within the longest of: the hint, or everything one after the other
    ends = [start + lasting for start, lasting in zip(hint, problem.seconds, strict=True)]
    horizon = max(max(problem.earliest, default=0) + sum(problem.seconds), *ends, 1)
    model: Any = cp_model.CpModel()
    heads = problem.heads()
    starts = [
        model.new_int_var(heads[job], horizon - lasting, "") for job, lasting in enumerate(problem.seconds)
    ]
    for job, start in enumerate(starts):
        model.add_hint(start, hint[job])
        for earlier in problem.before[job]:
            model.add(start >= starts[earlier] + problem.seconds[earlier])
    _pools(model, problem, starts, horizon)
    if makespan:
        last = model.new_int_var(0, horizon, "")
        for job, start in enumerate(starts):
            model.add(last >= start + problem.seconds[job])
        model.add_hint(last, max(ends, default=0))
        model.minimize(last)
    else:
        _costs(model, problem, starts, hint, horizon)
    solver: Any = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit
    solver.parameters.linearization_level = 2  # the bound rises by half in the same limit
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return Solved(None, 0, proven=False)
    return Solved(
        tuple(solver.value(start) for start in starts),
        ceil(solver.best_objective_bound - 0.01),  # a whole number, given as a float a hair below it
        proven=status == cp_model.OPTIMAL,
    )


def _pools(model: Any, problem: Problem, starts: list[Any], horizon: int) -> None:
    """Units taken at any instant fit; what is kept is held until the horizon."""
    for pool, size in enumerate(problem.capacity):
        users = [(job, need) for job, row in enumerate(problem.needs) for need in row if need.pool == pool]
        if sum(need.held for _, need in users) <= size:
            continue
        spans, taken = [], []
        for job, need in users:
            lasting = problem.seconds[job]
            if need.held > need.kept and lasting:
                spans.append(model.new_fixed_size_interval_var(starts[job], lasting, ""))
                taken.append(need.held - need.kept)
            if need.kept:
                length = model.new_int_var(0, horizon, "")
                spans.append(model.new_interval_var(starts[job], length, horizon, ""))
                taken.append(need.kept)
        model.add_cumulative(spans, taken, size)


def _costs(model: Any, problem: Problem, starts: list[Any], hint: Sequence[int], horizon: int) -> None:
    """The cost of `Problem.cost`, exactly."""
    finishes = problem.finishes(hint)
    last = [
        job
        for job, row in enumerate(problem.after)
        if not any(problem.application[later] == problem.application[job] for later in row)
    ]
    terms = []
    for which, due in enumerate(problem.due):
        finish = model.new_int_var(0, horizon, "")
        model.add_hint(finish, finishes[which])
        for job in last:
            if problem.application[job] == which:
                model.add(finish >= starts[job] + problem.seconds[job])
        weight = problem.weight[which]
        terms.append(weight * finish)
        if due is None or due >= horizon:
            continue
        late, broken = model.new_int_var(0, horizon - due, ""), model.new_bool_var("")
        model.add_hint(late, max(finishes[which] - due, 0))
        model.add_hint(broken, finishes[which] > due)
        model.add(late >= finish - due)
        model.add(late <= (horizon - due) * broken)
        terms.append(weight * EARLY * (late + BROKEN_SECONDS * broken))
    model.minimize(sum(terms))
