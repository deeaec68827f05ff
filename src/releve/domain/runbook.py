"""The runbook: tasks, their order and their questions. A value: showing it is the dry run.

Objectives schedule these same tasks later (duration, resources, predecessors, who), so the value
belongs to the domain and not to the stage that derives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Direction(StrEnum):
    """Which way a run goes."""

    SWITCH = "switch"  # to the other side, after an incident
    RETURN = "return"  # back, planned: nothing may be lost


class TaskKind(StrEnum):
    """What a task does. Each kind observes, acts with the run's epoch, verifies."""

    CLOSE = "close"  # shut the gate of the old instance and stop it
    FENCE = "fence"  # stop the old server and see it stopped
    CONFIRM_FENCE = "confirm-fence"  # a person's word, when it could not be seen
    ASSESS = "assess"  # what would be lost
    ACCEPT_LOSS = "accept-loss"  # a person accepts it, or refuses
    PROMOTE = "promote"  # the new server opens for writing, under the new epoch
    START = "start"  # the new instance of an application starts, closed
    VERIFY = "verify"  # health checks on the new instance
    OPEN = "open"  # users are let in
    SURVEY = "survey"  # what only the old side had: listed, exported, kept
    REBUILD = "rebuild"  # the old side follows the new one (rewind or clone)
    ARM = "arm"  # the promise is in force again: synchronous, without lag
    DRAIN = "drain"  # the follower has received everything the source wrote


@dataclass(frozen=True, slots=True)
class Answer:
    """One allowed answer. `goes_on` is False for refusals: the run stops there."""

    key: str
    label: str
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked. `people`: how many different persons must say yes."""

    text: str
    answers: tuple[Answer, ...]
    deadline: float  # seconds; silence is a refusal
    who: tuple[str, ...]  # contact ids
    people: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a runbook.

    `subject`: data set or application id. `duration`: expected seconds, `basis` says where the
    figure comes from ("measured", "default"). `resources`: hosts it keeps busy. `after`: task ids.
    `who`: "releve" or "person".
    """

    id: str
    kind: TaskKind
    subject: str
    site: str
    title: str
    duration: float
    basis: str
    resources: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    who: str = "releve"
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """A run's tasks in a valid order, and the new epoch of each data set that moves."""

    run: str
    direction: Direction
    incident: str
    source: str  # site left
    target: str  # site entered
    epochs: Mapping[str, int]
    tasks: tuple[Task, ...]

    def task(self, task_id: str) -> Task:
        """The task of that id. Raises KeyError."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"  # for a person
    DONE = "done"
    SKIPPED = "skipped"  # not needed: the reason is in the outcome
    REFUSED = "refused"
    FAILED = "failed"
    ABANDONED = "abandoned"  # a predecessor stopped, or the run was aborted


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task. `facts` is JSON-ready: what was seen, in the task's own terms."""

    state: TaskState
    sentence: str
    facts: Mapping[str, object]

    @property
    def goes_on(self) -> bool:
        """Whether the tasks that follow may run."""
        return self.state in (TaskState.DONE, TaskState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer. `by` is a contact id; `words` what they said and how they know.

    `since`: for a fence, the instant from which that person holds writes to be impossible.
    """

    run: str
    task: str
    answer: str
    by: str
    words: str
    at: datetime
    since: datetime | None = None


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    STOPPED = "stopped"  # refused, failed or aborted


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as the ledger knows it."""

    task: str
    state: TaskState
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it."""

    runbook: Runbook
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    tasks: tuple[TaskRecord, ...]
    decisions: tuple[Decision, ...]
    reason: str = ""

    def record(self, task_id: str) -> TaskRecord:
        """The record of that task; pending when nothing was written yet."""
        for record in self.tasks:
            if record.task == task_id:
                return record
        return TaskRecord(task_id, TaskState.PENDING)
