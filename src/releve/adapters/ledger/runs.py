"""The runs, their tasks and what people answered."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import dump, load, utc
from releve.adapters.ledger.database import Database, put
from releve.domain.errors import BadInput
from releve.domain.runbook import Decision, Runbook, RunRecord, RunState, TaskRecord

_ENDED = (RunState.DONE, RunState.STOPPED)


class DjangoRuns:
    """Implements `domain.ports.Runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, runbook: Runbook, at: datetime) -> None:
        """Record a run. Raises `BadInput` when another runbook already bears its id."""
        text = dump(runbook)
        with self._database.writing() as alias:
            row, _ = models.Run.objects.using(alias).get_or_create(
                id=runbook.run,
                defaults={"runbook": text, "state": RunState.RUNNING.value, "started_at": utc(at)},
            )
        if row.runbook != text:
            raise BadInput("run-exists", f"un autre déroulé porte déjà le nom « {runbook.run} »")

    def get(self, run: str) -> RunRecord:
        """Raises `BadInput` when unknown."""
        with self._database.reading() as alias:
            return _record(alias, _row(alias, run))

    def all(self) -> list[RunRecord]:
        """Newest first."""
        return self._without([])

    def live(self) -> list[RunRecord]:
        """Those that have not ended, newest first."""
        return self._without([state.value for state in _ENDED])

    def _without(self, states: list[str]) -> list[RunRecord]:
        with self._database.reading() as alias:
            rows = models.Run.objects.using(alias).exclude(state__in=states)
            return [_record(alias, row) for row in rows.order_by("-started_at", "-id")]

    def task(self, run: str, record: TaskRecord) -> None:
        """Insert or update a task's record. Raises `BadInput` for an unknown run or task."""
        with self._database.writing() as alias:
            row = _row(alias, run)
            _known_task(row, record.task)
            put(
                alias,
                models.Task(run=row, task=record.task, state=record.state.value, value=dump(record)),
                by=("run", "task"),
            )

    def end(self, run: str, state: RunState, at: datetime, reason: str = "") -> None:
        """Close a run, or mark it WAITING or RUNNING. The first end stands: later calls change nothing."""
        with self._database.writing() as alias:
            row = _row(alias, run)
            if row.state in _ENDED:
                return
            row.state = state.value
            if state in _ENDED:
                row.ended_at, row.reason = utc(at), reason
            row.save(using=alias)

    def decide(self, decision: Decision) -> None:
        """Keep an answer. `BadInput`: unknown run or task, or this person has answered already."""
        with self._database.writing() as alias:
            row = _row(alias, decision.run)
            _known_task(row, decision.task)
            _, fresh = models.Decision.objects.using(alias).get_or_create(
                run=row, task=decision.task, by=decision.by, defaults={"value": dump(decision)}
            )
        if not fresh:
            raise BadInput(
                "already-answered",
                f"« {decision.by} » a déjà répondu à cette question",
                hint="une réponse donnée ne se change pas ; pour tout arrêter : releve run abort",
                context={"run": decision.run, "task": decision.task},
            )


@lru_cache(maxsize=16)
def _runbook(text: str) -> Runbook:
    return load(Runbook, text)  # a runbook never changes, and every step of a run reads it


def _row(alias: str, run: str) -> models.Run:
    row = models.Run.objects.using(alias).filter(id=run).first()
    if row is None:
        raise BadInput(
            "run-unknown", f"aucun déroulé « {run} » au registre", hint="releve run show les liste"
        )
    return row


def _known_task(row: models.Run, task: str) -> None:
    if all(item.id != task for item in _runbook(row.runbook).tasks):
        raise BadInput("task-unknown", f"le déroulé « {row.id} » n'a pas de tâche « {task} »")


def _record(alias: str, row: models.Run) -> RunRecord:
    runbook = _runbook(row.runbook)
    tasks = models.Task.objects.using(alias).filter(run=row)
    found = {item.task: load(TaskRecord, item.value) for item in tasks}
    decisions = models.Decision.objects.using(alias).filter(run=row).order_by("pk")
    return RunRecord(
        runbook,
        RunState(row.state),
        row.started_at,
        row.ended_at,
        tuple(found[task.id] for task in runbook.tasks if task.id in found),
        tuple(load(Decision, item.value) for item in decisions),
        row.reason,
    )
