"""What the ledger remembers -> durations with their spread."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.cycle.objectives.history import Lost, history, lost, spread_of
from releve.domain.incident import Incident
from releve.domain.runbook import (
    Direction,
    Outcome,
    Runbook,
    RunRecord,
    RunState,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)
from releve.domain.work import Basis

T0 = datetime(2026, 6, 1, tzinfo=UTC)


def run(
    name: str,
    seconds: tuple[float, float],
    *,
    direction: Direction = Direction.SWITCH,
    state: TaskState = TaskState.DONE,
) -> RunRecord:
    """A run of two tasks in a row that started ten seconds after its incident was declared."""
    tasks = (
        Task("fence:d", TaskKind.FENCE, "d", "p", "Arrêter", 5.0, "default"),
        Task("promote:d", TaskKind.PROMOTE, "d", "s", "Ouvrir", 0.2, "default", after=("fence:d",)),
    )
    began = T0 + timedelta(seconds=40)
    first = began + timedelta(seconds=seconds[0])
    records = (
        TaskRecord(
            "fence:d", TaskState.DONE, began + timedelta(seconds=0.5), first, Outcome(TaskState.DONE, "", {})
        ),
        TaskRecord("promote:d", state, first + timedelta(seconds=0.2), first + timedelta(seconds=seconds[1])),
    )
    return RunRecord(
        Runbook(name, direction, f"i-{name}", "p", "s", {}, tasks), RunState.DONE, began, None, records, ()
    )


def incident(name: str) -> Incident:
    """Declared thirty seconds after it began."""
    return Incident(f"i-{name}", "p", "x", "x", T0, T0 + timedelta(seconds=30))


def test_a_task_lasts_from_the_end_of_what_it_waited_for() -> None:
    """What passes between two tasks is in the second one: a prediction adds durations and nothing else."""
    found = history([run("a", (2.0, 1.0))], [incident("a")])
    assert found.tasks["fence:d"].p50 == pytest.approx(2.0)
    assert found.tasks["promote:d"].p50 == pytest.approx(1.0)


def test_human_time_is_measured_apart() -> None:
    """Thirty seconds to declare, ten to order."""
    found = history([run("a", (2.0, 1.0))], [incident("a")])
    assert found.detection is not None
    assert found.decision is not None
    assert (found.detection.p50, found.decision.p50) == (pytest.approx(30.0), pytest.approx(10.0))


def test_returns_and_tasks_that_did_not_end_well_are_left_out() -> None:
    """A planned return is another work, and a failed task says nothing of how long it takes."""
    assert history([run("a", (2.0, 1.0), direction=Direction.RETURN)], []).tasks == {}
    assert "promote:d" not in history([run("a", (2.0, 1.0), state=TaskState.FAILED)], []).tasks


def test_a_task_that_was_skipped_counts_for_what_it_took() -> None:
    """A question that need not be put is measured as such, beside the times when it was."""
    skipped = run("a", (2.0, 0.3), state=TaskState.SKIPPED)
    assert history([skipped], []).tasks["promote:d"].p50 == pytest.approx(0.3)
    found = history([skipped, run("b", (2.0, 60.0))], []).tasks["promote:d"]
    assert (found.p10, found.p90, found.count) == (pytest.approx(0.15), pytest.approx(120.0), 2)


def test_nothing_measured_is_nothing() -> None:
    """No record, no spread: the scheduler then says assumed."""
    found = history([], [])
    assert (found.tasks, found.detection, found.decision) == ({}, None, None)


def test_percentiles_are_read_off_three_measures_or_more() -> None:
    """Eleven measures from one to eleven: 2, 6 and 10, measured and counted."""
    spread = spread_of([float(value) for value in range(1, 12)])
    assert (spread.p10, spread.p50, spread.p90) == (
        pytest.approx(2.0),
        pytest.approx(6.0),
        pytest.approx(10.0),
    )
    assert (spread.basis, spread.count) == (Basis.MEASURED, 11)


def test_one_measure_is_no_certainty() -> None:
    """A single measure is opened on both sides, and its count says one."""
    spread = spread_of([4.0])
    assert (spread.p10, spread.p50, spread.p90, spread.count) == (2.0, 4.0, 8.0, 1)


def test_a_run_that_was_begun_again_was_decided_once() -> None:
    """The decision of an incident ends at its first run: an hour spent on a run that failed is no hesitation."""
    first, second = run("a", (2.0, 1.0)), run("a", (2.0, 1.0))
    later = replace(second, started_at=second.started_at + timedelta(hours=1))
    found = history([first, later], [incident("a")])
    assert found.decision is not None
    assert (found.decision.p50, found.decision.count) == (pytest.approx(10.0), 1)


def assessed(
    name: str, facts: dict[str, object], *, days: int = 0, direction: Direction = Direction.SWITCH
) -> RunRecord:
    """A run that assessed what its data set would lose."""
    task = Task("assess:d", TaskKind.ASSESS, "d", "s", "Constater", 1.0, "default")
    outcome = Outcome(TaskState.DONE, "", {"loss": facts} if facts else {})
    at = T0 + timedelta(days=days, seconds=40)
    record = TaskRecord("assess:d", TaskState.DONE, at, at, outcome)
    book = Runbook(name, direction, f"i-{name}", "p", "s", {}, (task,))
    return RunRecord(book, RunState.DONE, at, None, (record,), ())


NOTHING = {"kind": "none", "reason": "tout est arrivé"}
BOUNDED = {"kind": "bounded", "since": (T0 - timedelta(seconds=90)).isoformat(), "reason": "à 90 s près"}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (NOTHING, Lost(0.0, "i-a", "tout est arrivé")),
        (BOUNDED, Lost(90.0, "i-a", "à 90 s près", at_most=True)),
        (
            {**BOUNDED, "since": (T0 + timedelta(seconds=5)).isoformat()},
            Lost(0.0, "i-a", "à 90 s près", at_most=True),
        ),
        ({"kind": "bounded", "bytes": 12, "since": None, "reason": "12 octets"}, None),
        ({"kind": "unknown", "since": T0.isoformat(), "reason": "?"}, None),
        ({}, None),
    ],
)
def test_what_a_switch_lost_is_what_it_could_establish(facts: dict[str, object], found: Lost | None) -> None:
    """A proof, or a bound in time; anything else was not measured."""
    assert lost([assessed("a", facts)], [incident("a")]) == ({"d": found} if found else {})


def test_the_last_switch_that_could_tell_counts() -> None:
    """A return, a run without its incident, and one that could not tell change nothing."""
    runs = [
        assessed("c", {"kind": "unknown", "reason": "?"}, days=3),
        assessed("b", NOTHING, days=2),
        assessed("a", BOUNDED),
        assessed("d", BOUNDED, days=4, direction=Direction.RETURN),
        assessed("e", BOUNDED, days=5),
    ]
    known = [incident(name) for name in "abcd"]
    assert lost(runs, known)["d"] == Lost(0.0, "i-b", "tout est arrivé")
