"""A `perform` for tests of drivers: it keeps its records in the ledger, as the real one does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from releve.domain.ports import Ledger
from releve.domain.runbook import (
    Answer,
    Direction,
    Outcome,
    Question,
    Runbook,
    RunState,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)

YES, NO = Answer("yes", "Oui", goes_on=True), Answer("no", "Non", goes_on=False)
Effect = Callable[[], Outcome]


def task(name: str, *after: str, deadline: float = 0.0, people: int = 1) -> Task:
    """A task; with a `deadline` it asks a question."""
    asks = Question(f"{name} ?", (YES, NO), deadline, (), people) if deadline else None
    return Task(
        name, TaskKind.START, name, "secours", name.capitalize(), 0.1, "default", after=after, question=asks
    )


def book(run: str, tasks: Sequence[Task]) -> Runbook:
    """A runbook of those tasks."""
    return Runbook(run, Direction.SWITCH, "", "principal", "secours", {}, tuple(tasks))


def chain(run: str, length: int) -> Runbook:
    """t0 → t1 → … : every task follows the one before."""
    return book(run, [task(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(length)])


class Script:
    """Performs tasks: notes each call, runs the effect given for the task (done, by default)."""

    def __init__(self, ledger: Ledger, effects: Mapping[str, Effect] | None = None) -> None:
        self._ledger, self._effects = ledger, dict(effects or {})
        self._lock = threading.Lock()
        self.calls: list[str] = []

    def perform(self, run: str, task_id: str) -> Outcome:
        """As `Performer.perform` of the recover stage, with invented effects."""
        with self._lock:
            self.calls.append(task_id)
        record = self._ledger.runs.get(run)
        asked = record.runbook.task(task_id)
        if record.state is RunState.STOPPED:
            outcome = Outcome(TaskState.ABANDONED, "le déroulé a été arrêté", {})
        elif asked.question is not None:
            given = {item.by: item.answer for item in record.decisions if item.task == task_id}
            if "no" in given.values():
                outcome = Outcome(TaskState.REFUSED, "refusé", {})
            elif len(given) >= asked.question.people:
                outcome = Outcome(TaskState.DONE, "répondu", {})
            else:
                outcome = Outcome(TaskState.WAITING, "attend une personne", {})
        else:
            outcome = self._effects.get(task_id, _done)()
        now = datetime.now(UTC)
        ended = None if outcome.state is TaskState.WAITING else now
        self._ledger.runs.task(run, TaskRecord(task_id, outcome.state, now, ended, outcome))
        return outcome


def _done() -> Outcome:
    return Outcome(TaskState.DONE, "fait", {})
