"""What is wrong with the work of a recovery is said before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from releve.cycle.objectives.prediction.problem import problem
from releve.domain.errors import BadInput
from releve.domain.work import Due, Job, Pool, Spread
from tests.timetables import sure


def _job(name: str, after: tuple[str, ...] = (), **more: Any) -> Job:
    return Job(name, "a", f"tâche {name}", sure(10), after=after, **more)


MEMORY = Pool("memory", "mémoire", 8)


@pytest.mark.parametrize(
    ("jobs", "pools", "dues", "release", "code"),
    [
        ([_job("x"), _job("x")], [], [], {}, "duplicate-job"),
        ([_job("x")], [MEMORY, MEMORY], [], {}, "duplicate-pool"),
        ([_job("x")], [], [Due("a", 1), Due("a", 2)], {}, "duplicate-due"),
        ([_job("x")], [], [Due("a", 1, 0)], {}, "bad-due"),
        ([_job("x")], [], [Due("a", float("nan"))], {}, "bad-due"),
        ([_job("x", demands={"link": 1})], [MEMORY], [], {}, "unknown-pool"),
        ([_job("x")], [MEMORY], [], {"people": 3}, "unknown-pool"),
        ([_job("x", ("y",))], [], [], {}, "unknown-job"),
        ([_job("x", demands={"memory": -1})], [MEMORY], [], {}, "negative-demand"),
        ([_job("x", ("y",)), _job("y", ("x",))], [], [], {}, "dependency-cycle"),
        ([_job("x", ("x",))], [], [], {}, "dependency-cycle"),
        ([_job("x", demands={"memory": 9})], [MEMORY], [], {}, "relief-too-small"),
        ([_job("x", demands={"memory": 1})], [Pool("memory", "mémoire", 0)], [], {}, "relief-too-small"),
    ],
)
def test_each_fault_has_its_code(
    jobs: Sequence[Job], pools: Sequence[Pool], dues: Sequence[Due], release: Mapping[str, float], code: str
) -> None:
    """A wrong input is refused under a code of its own."""
    with pytest.raises(BadInput) as raised:
        problem(jobs, pools, dues, release)
    assert raised.value.code == code


def test_a_relief_that_cannot_hold_what_runs_names_the_pool_and_what_is_missing() -> None:
    """Three applications that keep 3 of 8 for good: the third can never start, and it is said why."""
    jobs = [_job(name, keeps={"memory": 3}) for name in "xyz"]
    with pytest.raises(BadInput) as raised:
        problem(jobs, [MEMORY])
    assert raised.value.context == {}  # all of it is in French
    assert (
        "demande 3 de « mémoire » en plus des 6 gardées par ce qui tourne, il y en a 8"
        in raised.value.sentence
    )
    assert raised.value.hint.startswith("ajoutez-en 1,")
    assert "ajoutez-en 1" in raised.value.hint


def test_what_comes_after_keeps_nothing_yet() -> None:
    """A restore that needs the whole memory is possible when what will keep some waits for it."""
    restore = _job("restore", demands={"memory": 8})
    problem([restore, _job("start", ("restore",), keeps={"memory": 8})], [MEMORY])
    with pytest.raises(BadInput, match="trop petit"):
        problem([restore, _job("start", keeps={"memory": 8})], [MEMORY])


def test_rounding_never_flatters_and_units_are_shared_out() -> None:
    """Durations and arrivals are rounded up, dues down; 16 and 32 of 100 are 1 and 2 of 6."""
    jobs = [
        Job("x", "a", "x", Spread(1, 1.2, 2), {"memory": 16}),
        Job("y", "a", "y", sure(2), {"memory": 8}, {"memory": 32}),
    ]
    found = problem(jobs, [Pool("memory", "mémoire", 100)], [Due("a", 7.9, 0.001)], {"memory": 0.5})
    assert (found.seconds, found.due, found.release, found.weight) == ((2, 2), (7,), (1,), (1,))
    assert found.capacity == (6,)
    assert [(need.held, need.kept) for row in found.needs for need in row] == [(1, 0), (2, 2)]
