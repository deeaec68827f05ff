"""A driver in memory: one task after the other, in the caller's thread, on virtual time.

It keeps the same rules as the real one: `tests/contract/test_driver.py` says which. Nothing survives
it, and silence comes when `wait` is given at least the time of the question's deadline.
"""

from __future__ import annotations

from datetime import UTC, datetime

from releve.domain.errors import BadInput, ReleveError
from releve.domain.ports import Ledger, Now, Perform
from releve.domain.runbook import Decision, Outcome, Runbook, RunState, Task, TaskRecord, TaskState

_OPEN = (TaskState.PENDING, TaskState.WAITING)
_GOES_ON = (TaskState.DONE, TaskState.SKIPPED)


class FakeDriver:
    """Implements `Driver`."""

    def __init__(self, perform: Perform, ledger: Ledger, now: Now = lambda: datetime.now(UTC)) -> None:
        self._perform, self._ledger, self._now = perform, ledger, now
        self._states: dict[str, dict[str, TaskState]] = {}

    def start(self, run: str) -> None:
        book = self._ledger.runs.get(run).runbook
        seen: set[str] = set()
        for task in book.tasks:
            if not seen.issuperset(task.after):
                raise BadInput(
                    "runbook-order", f"la tâche « {task.id} » suit une tâche qui ne la précède pas"
                )
            seen.add(task.id)
        if run not in self._states:
            self._states[run] = {task.id: TaskState.PENDING for task in book.tasks}
            self._advance(book)

    def answer(self, decision: Decision) -> None:
        book = self._ledger.runs.get(decision.run).runbook
        if all(task.id != decision.task for task in book.tasks):
            raise BadInput("task-unknown", f"pas de tâche « {decision.task} »")
        if self._of(decision.run)[decision.task] is TaskState.WAITING:
            self._turn(book, book.task(decision.task))
            self._advance(book)

    def wait(self, run: str, timeout: float) -> bool:
        states = self._of(run)
        book = self._ledger.runs.get(run).runbook
        for task in book.tasks:
            asked = task.question is not None and states[task.id] is TaskState.WAITING
            if asked and task.question is not None and task.question.deadline <= timeout:
                self._settle(run, task, TaskState.REFUSED, "sans réponse dans le délai : refusé")
                self._advance(book)
        return all(state not in _OPEN for state in states.values())

    def _of(self, run: str) -> dict[str, TaskState]:
        if run not in self._states:
            raise BadInput("run-not-started", f"le déroulé « {run} » n'a jamais été lancé ici")
        return self._states[run]

    def _advance(self, book: Runbook) -> None:
        states = self._states[book.run]
        for task in book.tasks:
            before = [states[name] for name in task.after]
            if states[task.id] is not TaskState.PENDING or any(state in _OPEN for state in before):
                continue
            if all(state in _GOES_ON for state in before):
                self._turn(book, task)
            else:
                self._settle(book.run, task, TaskState.ABANDONED, "abandonnée")
        missed = [task.id for task in book.tasks if states[task.id] not in _GOES_ON]
        waiting = TaskState.WAITING in states.values()
        if any(state in _OPEN for state in states.values()):
            state = RunState.WAITING if waiting else RunState.RUNNING
        else:
            state = RunState.STOPPED if missed else RunState.DONE
        if self._ledger.runs.get(book.run).state is not state:
            self._ledger.runs.end(book.run, state, self._now(), ", ".join(missed))

    def _turn(self, book: Runbook, task: Task) -> None:
        try:
            state = self._perform(book.run, task.id).state
        except ReleveError as error:
            self._settle(book.run, task, TaskState.FAILED, error.sentence)
        except Exception as error:  # noqa: BLE001 — as the real one: a fault of ours is the outcome
            self._settle(book.run, task, TaskState.FAILED, str(error))
        else:
            self._states[book.run][task.id] = state

    def _settle(self, run: str, task: Task, state: TaskState, sentence: str) -> None:
        self._states[run][task.id] = state
        begun = self._ledger.runs.get(run).record(task.id).started_at
        outcome = Outcome(state, sentence, {})
        self._ledger.runs.task(run, TaskRecord(task.id, state, begun, self._now(), outcome))
