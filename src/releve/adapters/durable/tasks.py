"""What the steps of the workflows do. Each may be done again after a crash: it looks before it writes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypedDict, TypeVar

from releve.adapters.durable.hints import LATEST, Hints, pause
from releve.domain.errors import BadInput, ReleveError
from releve.domain.ports import Ledger, Now, Perform
from releve.domain.runbook import (
    Outcome,
    Runbook,
    RunRecord,
    RunState,
    Task,
    TaskRecord,
    TaskState,
)

ANSWER = "answer"  # topic of the messages that wake a task; what was answered stands in the ledger
FINAL = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_GOES_ON = (TaskState.DONE, TaskState.SKIPPED)
_PAUSES = (0.1, 0.5, 2.0, 5.0)  # seconds; the last one for ever: a full disk is freed by a person
_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


class Turn(TypedDict):
    """What one step of a task came to; kept by DBOS as JSON.

    `asked_at`: seconds since the epoch at which the question was first asked; `left`: seconds that
    remained to answer it when the step ended.
    """

    state: str
    waits: bool
    asked_at: float
    left: float


def child(run: str, task: str) -> str:
    """The workflow id of a task."""
    return f"{run}:{task}"


class Tasks:
    """Performs the tasks of runs for the driver of this process."""

    def __init__(self, perform: Perform, ledger: Ledger, now: Now, hints: Hints) -> None:
        self._perform, self._ledger, self._now, self.hints = perform, ledger, now, hints
        self._marking = threading.Lock()  # the last to mark a run has seen every record written before
        self._inside: set[str] = set()
        self._listening: set[str] = set()
        self._books: dict[str, Runbook] = {}

    # --- called by the workflows, outside steps: nothing here may vary between two replays ---------

    @contextmanager
    def inside(self, workflow: str) -> Iterator[None]:
        """Around the whole of a workflow: while it is inside, its end will be told in this process."""
        self._inside.add(workflow)
        try:
            yield
        finally:
            self._inside.discard(workflow)

    def order(self, run: str) -> list[str]:
        """The ids of the run's tasks, in the runbook's order. A runbook never changes."""
        return [task.id for task in self._book(run).tasks]

    def listen(self, run: str, task: str, turn: Turn, receive: Callable[[float], object]) -> bool:
        """Wait for a wake-up. False: the time to answer ran out. Raises `Closing`."""
        name = child(run, task)
        self._listening.add(name)
        try:
            self.hints.check()
            heard = receive(turn["left"]) is not None
        finally:
            self._listening.discard(name)
        # A message that `close` sent is consumed like another: the task looks again at the next launch.
        self.hints.check()
        return heard

    # --- steps ------------------------------------------------------------------------------------

    def first(self, run: str, task_id: str) -> Turn:
        """Wait for the tasks before; perform, or abandon when one of them stopped."""
        task = self._book(run).task(task_id)
        states = self._states(run, task.after)
        stopped = [name for name in task.after if states[name] not in _GOES_ON]
        if stopped:
            sentence = f"abandonnée : « {self._book(run).task(stopped[0]).title} » n'a pas abouti"
            return self._turn(task, self._settle(run, task, TaskState.ABANDONED, sentence), 0.0)
        turn = self._turn(task, self._do(run, task), 0.0)
        if turn["waits"]:
            self._mark(run)
        return turn

    def again(self, run: str, task_id: str, before: Turn, heard: bool) -> Turn:  # noqa: FBT001 — a DBOS argument
        """Perform again after an answer; refuse when nobody answered in time."""
        task = self._book(run).task(task_id)
        outcome = self._do(run, task)
        if outcome.state is TaskState.WAITING and not heard:
            outcome = self._settle(run, task, TaskState.REFUSED, "sans réponse dans le délai : refusé")
        self._mark(run)
        return self._turn(task, outcome, before["asked_at"])

    def end(self, run: str) -> str:
        """Wait for every task, then close the run in the ledger. Returns the state of its tasks as a whole."""
        book = self._book(run)
        states = self._states(run, tuple(task.id for task in book.tasks))
        missed = [task for task in book.tasks if states[task.id] not in _GOES_ON]
        record = self._patiently(lambda: self._ledger.runs.get(run))
        state = RunState.STOPPED if missed else RunState.DONE
        reason = _why(record, missed) if missed else ""
        now = self._now()
        self._patiently(lambda: self._ledger.runs.end(run, state, now, reason))
        self._patiently(
            lambda: self._ledger.evidence.append(
                "run-ended", {"run": run, "state": state.value, "reason": reason}, now, key=f"{run}:ended"
            )
        )
        self.hints.forget(child(run, task.id) for task in book.tasks)
        self._books.pop(run, None)
        return state.value

    # --- called by the driver ---------------------------------------------------------------------

    def listening(self) -> list[str]:
        """Workflows that wait for an answer in this process."""
        return list(self._listening)

    def busy(self) -> bool:
        """Whether a workflow still runs in this process."""
        return bool(self._inside)

    # --- inside -----------------------------------------------------------------------------------

    def _book(self, run: str) -> Runbook:
        if run not in self._books:
            self._books[run] = self._patiently(lambda: self._ledger.runs.get(run)).runbook
        return self._books[run]

    def _states(self, run: str, wanted: tuple[str, ...]) -> dict[str, TaskState]:
        """The final state of each of those tasks, once all of them have one."""
        found: dict[str, TaskState] = {}
        missing = {child(run, name): name for name in wanted}
        looks = 0
        while True:
            for workflow, state in self.hints.told(missing).items():
                found[missing.pop(workflow)] = TaskState(state)
            if missing and (looks or not self._inside.issuperset(missing)):
                found.update(_recorded(missing))
            if not missing:
                return found
            # One that is not inside may be anywhere: look again soon. The others will tell.
            quiet = LATEST if self._inside.issuperset(missing) else pause(looks)
            looks = 0 if self.hints.wait(missing, quiet) else looks + 1

    def _do(self, run: str, task: Task) -> Outcome:
        """The task's outcome; FAILED when `perform` raises: the run stops on it rather than hang."""
        try:
            return self._patiently(lambda: self._perform(run, task.id))
        except ReleveError as error:
            return self._settle(run, task, TaskState.FAILED, error.sentence, error.as_json())
        except Exception as error:  # noqa: BLE001 — recorded as the task's outcome, with its trace in the log
            _log.exception("task %s of run %s", task.id, run)
            sentence = f"défaut de Relève : {type(error).__name__} : {error}"
            return self._settle(run, task, TaskState.FAILED, sentence)

    def _settle(
        self, run: str, task: Task, state: TaskState, sentence: str, error: dict[str, object] | None = None
    ) -> Outcome:
        """Record an outcome that `perform` did not: abandoned, refused by silence, failed by a fault."""
        facts: dict[str, object] = {"error": error} if error else {}
        outcome, now = Outcome(state, sentence, facts), self._now()
        before = self._patiently(lambda: self._ledger.runs.get(run)).record(task.id)
        if before.outcome is not None and before.state is state:
            return before.outcome
        record = TaskRecord(task.id, state, before.started_at, now, outcome)
        self._patiently(lambda: self._ledger.runs.task(run, record))
        body = {"run": run, "task": task.id, "state": state.value, "sentence": sentence, "facts": facts}
        self._patiently(
            lambda: self._ledger.evidence.append("task-ended", body, now, key=f"{run}:{task.id}:ended")
        )
        return outcome

    def _turn(self, task: Task, outcome: Outcome, asked_at: float) -> Turn:
        waits = outcome.state is TaskState.WAITING and task.question is not None
        state = outcome.state
        if state is TaskState.WAITING and not waits:
            _log.error("task %s waits for a person without a question", task.id)
            state = TaskState.FAILED
        now = self._now().timestamp()
        asked = asked_at or now
        left = max(0.0, asked + task.question.deadline - now) if waits and task.question else 0.0
        return {"state": state.value, "waits": waits, "asked_at": asked, "left": left}

    def _mark(self, run: str) -> None:
        """Show in the ledger whether the run waits for a person."""
        with self._marking:
            self._mark_alone(run)

    def _mark_alone(self, run: str) -> None:
        record = self._patiently(lambda: self._ledger.runs.get(run))
        waits = any(item.state is TaskState.WAITING for item in record.tasks)
        state = RunState.WAITING if waits else RunState.RUNNING
        if record.state is not state:
            now: datetime = self._now()
            self._patiently(lambda: self._ledger.runs.end(run, state, now))

    def _patiently(self, call: Callable[[], _Value]) -> _Value:
        """`call` until it succeeds or fails for good. A busy or full ledger is waited for, not given up."""
        tries = 0
        while True:
            try:
                return call()
            except ReleveError as error:
                if not error.retryable:
                    raise
                _log.warning("%s: %s; trying again", error.code, error.sentence)
            self.hints.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1


def _recorded(missing: dict[str, str]) -> dict[str, TaskState]:
    """What the database knows of the end of those workflows (id -> task); takes them out of `missing`."""
    from dbos import DBOS

    found: dict[str, TaskState] = {}
    for row in DBOS.list_workflows(workflow_ids=list(missing), status=list(FINAL), load_input=False):
        ended_well = row.status == "SUCCESS" and isinstance(row.output, str)
        found[missing.pop(row.workflow_id)] = TaskState(str(row.output)) if ended_well else TaskState.FAILED
    return found


def _why(record: RunRecord, missed: list[Task]) -> str:
    """The sentence of the first task that stopped by itself, in the runbook's order."""
    for task in missed:
        outcome = record.record(task.id).outcome
        if outcome is not None and outcome.state is not TaskState.ABANDONED:
            return f"{task.title} : {outcome.sentence}"
    return f"{missed[0].title} : n'a pas abouti"


_current: Tasks | None = None


def tasks() -> Tasks:
    """Those of the driver that is launched in this process."""
    if _current is None:
        raise ReleveError("no-driver", "aucun moteur de déroulés n'est lancé")
    return _current


def take_charge(mine: Tasks) -> None:
    """Make `mine` the tasks of this process. DBOS is one a process, so are we."""
    global _current  # noqa: PLW0603 — DBOS itself is a global of the process
    if _current is not None:
        raise ReleveError("driver-twice", "un moteur de déroulés est déjà lancé dans ce programme")
    _current = mine


def step_down(mine: Tasks) -> None:
    """The driver of `mine` is closed. Nothing changes when another one is in charge."""
    global _current  # noqa: PLW0603
    if _current is mine:
        _current = None


def check_order(book: Runbook) -> None:
    """Raises `BadInput` when a task stands before one that it follows, or follows an unknown one."""
    seen: set[str] = set()
    for task in book.tasks:
        if not seen.issuperset(task.after):
            raise BadInput("runbook-order", f"la tâche « {task.id} » suit une tâche qui ne la précède pas")
        seen.add(task.id)
