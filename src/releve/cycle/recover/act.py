"""Performs the tasks of a runbook. Every task observes, acts with the run's epoch, verifies.

`Performer.perform` may be called again for a task that was cut at any instant: it finds its effect
already there and does not repeat it. Four instants are told to `on` (progress, tests):
"before-intent", "after-intent", "after-effect", "after-outcome".
"""

from __future__ import annotations

import posixpath
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from releve.cycle.recover.decide import assess_loss, blocked_is_a_fence
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.plan import End, Plan, ShareEnd
from releve.domain.ports import Access, Instances, Ledger, Now, Switchable
from releve.domain.protection import (
    Fence,
    FenceKind,
    LossKind,
    ServerState,
    Suspension,
    Tenure,
)
from releve.domain.runbook import (
    Direction,
    Outcome,
    RunRecord,
    RunState,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)
from releve.domain.units import say_count, say_seconds

ARRIVE_SECONDS = 5.0  # what is in the vault reaches the copy within two; without the vault, never
DRAIN_SECONDS = 30.0  # a planned return waits this long for the last bytes, then stops the run


@dataclass(frozen=True, slots=True)
class World:
    """What a run acts on."""

    plan: Plan
    engines: Mapping[str, Switchable]  # data set id -> engine
    access: Access
    instances: Instances
    ledger: Ledger
    now: Now


def _silent(_instant: str, _run: str, _task: str) -> None:
    """Nobody listens."""


class Performer:
    """One task at a time and a thread: state lives in the ledger, not here."""

    def __init__(self, world: World, on: Callable[[str, str, str], None] = _silent) -> None:
        self._world = world
        self._on = on
        self._incident_lock = threading.Lock()  # two applications may open at the same instant
        self._do: Mapping[TaskKind, Callable[[RunRecord, Task], Outcome]] = {
            TaskKind.CLOSE: self._close,
            TaskKind.FENCE: self._fence,
            TaskKind.CONFIRM_FENCE: self._confirm_fence,
            TaskKind.ASSESS: self._assess,
            TaskKind.ACCEPT_LOSS: self._accept_loss,
            TaskKind.PROMOTE: self._promote,
            TaskKind.START: self._start,
            TaskKind.VERIFY: self._verify,
            TaskKind.OPEN: self._open,
            TaskKind.SURVEY: self._survey,
            TaskKind.REBUILD: self._rebuild,
            TaskKind.ARM: self._arm,
            TaskKind.DRAIN: self._drain,
        }

    def perform(self, run: str, task_id: str) -> Outcome:
        """Perform a task, and write its intent before and its outcome after."""
        ledger, now = self._world.ledger, self._world.now
        record = ledger.runs.get(run)
        task = record.runbook.task(task_id)
        written = record.record(task_id)
        if written.outcome is not None and written.state is not TaskState.WAITING:
            return written.outcome
        if record.state is RunState.STOPPED:
            return self._write(
                run, task, written, Outcome(TaskState.ABANDONED, "le déroulé a été arrêté", {})
            )
        self._on("before-intent", run, task_id)
        begun = written if written.started_at else TaskRecord(task_id, TaskState.RUNNING, now())
        if not written.started_at:
            ledger.runs.task(run, begun)
            ledger.evidence.append(
                "task-begun",
                {"run": run, "task": task_id, "site": task.site},
                now(),
                key=f"{run}:{task_id}:begun",
            )
        self._on("after-intent", run, task_id)
        if ledger.runs.get(run).state is RunState.STOPPED:
            # Stopped while the intent was being written: whoever settles the run saw nothing under way.
            return self._write(run, task, begun, Outcome(TaskState.ABANDONED, "le déroulé a été arrêté", {}))
        outcome = self._safely(record, task)
        self._on("after-effect", run, task_id)
        self._write(run, task, begun, outcome)
        self._on("after-outcome", run, task_id)
        return outcome

    def _safely(self, record: RunRecord, task: Task) -> Outcome:
        try:
            return self._do[task.kind](record, task)
        except ReleveError as error:
            return Outcome(TaskState.FAILED, error.sentence, {"error": error.as_json()})
        except Exception as error:  # noqa: BLE001 — recorded whole as the task's outcome: the run stops on it
            return Outcome(
                TaskState.FAILED,
                f"défaut de Relève : {type(error).__name__} : {error}",
                {"error": {"code": "internal", "trace": traceback.format_exc()}},
            )

    def _write(self, run: str, task: Task, begun: TaskRecord, outcome: Outcome) -> Outcome:
        now = self._world.now()
        waiting = outcome.state is TaskState.WAITING
        self._world.ledger.runs.task(
            run, TaskRecord(task.id, outcome.state, begun.started_at, None if waiting else now, outcome)
        )
        if not waiting:
            self._world.ledger.evidence.append(
                "task-ended",
                {
                    "run": run,
                    "task": task.id,
                    "state": outcome.state,
                    "sentence": outcome.sentence,
                    "facts": dict(outcome.facts),
                },
                now,
                key=f"{run}:{task.id}:ended",
            )
            if outcome.state is TaskState.DONE and task.question is None and begun.started_at:
                self._world.ledger.facts.put(
                    "duration",
                    f"{task.kind}:{task.subject}",
                    now,
                    {"seconds": (now - begun.started_at).total_seconds()},
                )
        return outcome

    # --- the old side -------------------------------------------------------------------------

    def _close(self, record: RunRecord, task: Task) -> Outcome:
        access, instances = self._world.access, self._world.instances
        end = self._world.plan.application(task.subject).ends[task.site]
        try:
            access.shut(task.subject, task.site)
            if end.warm and end.gate is not None:
                # It may run closed: stopping it would only lengthen the gap that users see.
                stopped = not access.is_open(task.subject, task.site)
            else:
                instances.stop(task.subject, task.site)
                stopped = not instances.running(task.subject, task.site)
        except Unreachable as error:
            if record.runbook.direction is Direction.RETURN:
                raise
            # The fence of the data is what keeps the old side from writing; this is only a courtesy.
            return Outcome(TaskState.SKIPPED, "site injoignable : rien à fermer d'ici", {"error": error.code})
        if not stopped:
            raise Unreachable(
                "instance-still-open", "l'ancienne instance répond encore après l'ordre de fermeture"
            )
        return _done("fermée, et vue fermée")

    def _fence(self, record: RunRecord, task: Task) -> Outcome:
        world, runbook = self._world, record.runbook
        epoch = runbook.epochs[task.subject]
        if not self._taken(task.subject, runbook.run, epoch):
            world.ledger.tenures.claim(task.subject, runbook.run, epoch)
        try:
            facts = world.engines[task.subject].fence(task.site)
        except Unreachable as error:
            if runbook.direction is Direction.RETURN:
                raise
            return self._unseen_fence(task, error)
        if facts.state is not ServerState.STOPPED:
            raise Unreachable(
                "fence-not-seen", "l'ancien côté n'a pas été vu arrêté", context={"state": facts.state}
            )
        fence = Fence(
            task.subject,
            task.site,
            FenceKind.SEEN_STOPPED,
            "vu arrêté",
            world.now(),
            "releve",
            facts.position or None,
        )
        return _done("arrêté, et vu arrêté", fence=_fence_facts(fence))

    def _unseen_fence(self, task: Task, error: Unreachable) -> Outcome:
        data_set = self._world.plan.data_set(task.subject)
        contact = self._world.ledger.facts.last_contact(task.subject)
        if blocked_is_a_fence(data_set, contact):
            fence = Fence(
                task.subject, task.site, FenceKind.BLOCKED, "bloqué faute de copie (plan : attendre)"
            )
            return _done(
                "injoignable ; le plan le fait attendre : il ne peut rien confirmer seul",
                fence=_fence_facts(fence),
            )
        fence = Fence(task.subject, task.site, FenceKind.NONE, error.sentence)
        return Outcome(
            TaskState.SKIPPED,
            "injoignable : l'arrêt n'a pas pu être vu d'ici",
            {"fence": _fence_facts(fence), "error": error.as_json()},
        )

    def _confirm_fence(self, record: RunRecord, task: Task) -> Outcome:
        seen = _fence_of(record, task.subject)
        if seen.kind is not FenceKind.NONE:
            return Outcome(
                TaskState.SKIPPED, "inutile : l'arrêt est déjà établi", {"fence": _fence_facts(seen)}
            )
        asked = self._ask(record, task)
        if asked.state is not TaskState.DONE:
            return asked
        words = [item for item in record.decisions if item.task == task.id]
        since = max((item.since for item in words if item.since), default=None)
        fence = Fence(
            task.subject,
            task.site,
            FenceKind.PERSON,
            " ; ".join(item.words for item in words),
            since,
            ", ".join(item.by for item in words),
        )
        return _done("arrêt confirmé par une personne", fence=_fence_facts(fence))

    # --- what would be lost -------------------------------------------------------------------

    def _assess(self, record: RunRecord, task: Task) -> Outcome:
        world = self._world
        contact, fence = world.ledger.facts.last_contact(task.subject), _fence_of(record, task.subject)
        if contact is not None and contact.position:
            # The vault has it already: the copy of a share is given the moment that it takes to arrive here.
            known = max(contact.position, fence.final_position or 0)
            world.engines[task.subject].drained(task.site, known, ARRIVE_SECONDS)
        loss = assess_loss(
            world.plan.data_set(task.subject),
            fence,
            contact,
            world.engines[task.subject].facts(task.site),
            world.now(),
        )
        return _done(loss.reason, loss=_jsonable(asdict(loss)))

    def _accept_loss(self, record: RunRecord, task: Task) -> Outcome:
        outcome = record.record(f"assess:{task.subject}").outcome
        loss = outcome.facts["loss"] if outcome else None
        if isinstance(loss, Mapping) and loss.get("kind") == LossKind.NONE:
            return Outcome(TaskState.SKIPPED, "inutile : rien ne serait perdu", {})
        if isinstance(loss, Mapping) and loss.get("allowed"):
            return Outcome(TaskState.SKIPPED, "inutile : dans ce que le plan admet de perdre", {})
        return self._ask(record, task)

    def _ask(self, record: RunRecord, task: Task) -> Outcome:
        question = task.question
        if question is None:
            raise ReleveError("no-question", f"la tâche {task.id} attend une personne sans question")
        given = [item for item in record.decisions if item.task == task.id]
        by_key = {item.key: item for item in question.answers}
        for decision in given:
            if not by_key[decision.answer].goes_on:
                return Outcome(
                    TaskState.REFUSED, f"refusé par {decision.by} : {decision.words}", {"by": decision.by}
                )
        people = sorted({item.by for item in given})
        if len(people) >= question.people:
            return _done(f"répondu par {', '.join(people)}", by=people)
        missing = question.people - len(people)
        return Outcome(
            TaskState.WAITING,
            f"attend la réponse de {say_count(missing, 'personne')}",
            {
                "question": question.text,
                "answers": {a.key: a.label for a in question.answers},
                "who": list(question.who),
                "people": question.people,
                "given": people,
            },
        )

    # --- the new side -------------------------------------------------------------------------

    def _taken(self, data_set: str, run: str, epoch: int) -> bool:
        current = self._world.ledger.tenures.current(data_set)
        return current is not None and current.epoch == epoch and current.run == run

    def _promote(self, record: RunRecord, task: Task) -> Outcome:
        world, runbook = self._world, record.runbook
        tenure = Tenure(task.subject, runbook.epochs[task.subject], task.site, runbook.run, world.now())
        milliseconds = world.engines[task.subject].promote(task.site, tenure)
        world.ledger.tenures.take(tenure)
        protection = world.plan.data_set(task.subject).protection
        if protection.synchronous and runbook.direction is Direction.SWITCH:
            world.ledger.facts.suspend(
                Suspension(
                    task.subject,
                    tenure.epoch,
                    _begun(record, task, world.now()),
                    "aucun autre site derrière le site de secours",
                )
            )
        facts = world.engines[task.subject].facts(task.site)
        if facts.state is not ServerState.OPEN or facts.epoch != tenure.epoch:
            raise Unreachable(
                "promotion-not-seen",
                f"« {task.site} » n'a pas été vu ouvert sous la nouvelle époque",
                context={"state": facts.state, "epoch": str(facts.epoch)},
            )
        return _done(
            f"ouvert à l'écriture, époque {tenure.epoch}",
            promotion_ms=milliseconds,
            epoch=tenure.epoch,
            timeline=facts.timeline,
        )

    def _start(self, _record: RunRecord, task: Task) -> Outcome:
        instances = self._world.instances
        if instances.running(task.subject, task.site):
            return _done("tournait déjà")
        instances.start(task.subject, task.site)
        if not instances.running(task.subject, task.site):
            raise Unreachable("instance-not-seen", "l'instance n'a pas été vue démarrée")
        return _done("démarrée")

    def _verify(self, _record: RunRecord, task: Task) -> Outcome:
        healthy, seen = self._world.instances.check(task.subject, task.site)
        if not healthy:
            raise Unreachable("unhealthy", seen, hint="lisez le journal de l'application, puis relancez")
        return _done(seen)

    def _open(self, record: RunRecord, task: Task) -> Outcome:
        world = self._world
        if not world.access.is_open(task.subject, task.site):
            world.access.open(task.subject, task.site)
        if not world.access.is_open(task.subject, task.site):
            raise Unreachable("gate-not-seen", "l'application n'a pas été vue ouverte aux utilisateurs")
        if record.runbook.incident:
            with self._incident_lock:
                incident = world.ledger.incidents.get(record.runbook.incident)
                restored = dict(incident.restored or {})
                restored.setdefault(task.subject, world.now())
                world.ledger.incidents.save(replace(incident, restored=restored))
        return _done("ouverte aux utilisateurs")

    # --- the way back -------------------------------------------------------------------------

    def _survey(self, record: RunRecord, task: Task) -> Outcome:
        world, runbook = self._world, record.runbook
        engine = world.engines[task.subject]
        if engine.facts(task.site).following == runbook.source:
            return Outcome(TaskState.SKIPPED, "ce site suit déjà l'autre : il n'a rien de plus", {})
        stamp = _begun(record, task, world.now()).strftime("%Y-%m-%dT%H-%M-%SZ")
        # Beside the data: the server's account may write there (a clone needs it too), on that machine.
        end = world.plan.data_set(task.subject).ends[task.site]
        folder = posixpath.join(posixpath.dirname(end.place), "releve-mis-de-cote", f"{stamp}-{task.subject}")
        found = engine.survey(task.site, runbook.source, folder)
        if not found.whole:
            sentence = f"n'a pas pu être regardé en entier : {found.note}"
        elif found.transactions:
            sentence = (
                f"{_what(end, found.transactions)} que l'autre site n'a jamais eu, mis de côté dans {folder}"
            )
        else:
            sentence = "rien que l'autre site n'ait déjà"
        return _done(sentence, divergence=_jsonable(asdict(found)))

    def _rebuild(self, record: RunRecord, task: Task) -> Outcome:
        runbook = record.runbook
        source = runbook.target if task.site == runbook.source else runbook.source
        how = self._world.engines[task.subject].rebuild(task.site, source)
        said = {
            "already": "suivait déjà",
            "rewind": "remis à la suite, sans tout recopier",
            "clone": "recopié en entier",
        }
        return _done(said.get(how, how), how=how)

    def _arm(self, record: RunRecord, task: Task) -> Outcome:
        world = self._world
        if task.site == record.runbook.source:  # about to be stopped, and users still work
            world.engines[task.subject].ease_stop(task.site)
        facts = world.engines[task.subject].arm(task.site)
        protection = world.plan.data_set(task.subject).protection
        if not protection.synchronous:
            return _done("copie en cours, sans attente")
        if not facts.sync_armed:
            raise Unreachable("not-armed", "la copie synchrone n'a pas été vue en place")
        for suspension in world.ledger.facts.suspensions(task.subject):
            if suspension.ended_at is None:
                world.ledger.facts.suspend(replace(suspension, ended_at=world.now()))
        return _done("zéro perte de nouveau en vigueur", lag_bytes=facts.standby.lag_bytes)

    def _drain(self, record: RunRecord, task: Task) -> Outcome:
        fence = _fence_of(record, task.subject)
        if fence.final_position is None:
            raise Unreachable("no-final-position", "la dernière position de l'ancien côté est inconnue")
        if not self._world.engines[task.subject].drained(task.site, fence.final_position, DRAIN_SECONDS):
            raise Unreachable(
                "not-drained",
                f"tout n'est pas arrivé en {say_seconds(DRAIN_SECONDS)} : le retour s'arrête ici",
                hint="« releve run abort » rouvre le site quitté",
            )
        return _done("tout est arrivé")


def _what(end: End, count: int) -> str:
    if isinstance(end, ShareEnd):
        return say_count(count, "fichier")
    return say_count(count, "enregistrement de transaction", "enregistrements de transactions")


def _done(sentence: str, **facts: object) -> Outcome:
    return Outcome(TaskState.DONE, sentence, facts)


def _begun(record: RunRecord, task: Task, otherwise: datetime) -> datetime:
    """When the task began, the same on every attempt; `otherwise` on the very first."""
    return record.record(task.id).started_at or otherwise


def _jsonable(values: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }


def _fence_facts(fence: Fence) -> dict[str, object]:
    return _jsonable(asdict(fence))


def _fence_of(record: RunRecord, data_set: str) -> Fence:
    """The fence as the run established it: a person's word when it was needed, else what was seen."""
    for task_id in (f"confirm-fence:{data_set}", f"fence:{data_set}"):
        outcome = record.record(task_id).outcome
        found = outcome.facts.get("fence") if outcome else None
        if isinstance(found, Mapping):
            since = found["since"]
            position = found["final_position"]
            return Fence(
                str(found["data_set"]),
                str(found["site"]),
                FenceKind(str(found["kind"])),
                str(found["reason"]),
                datetime.fromisoformat(str(since)) if since else None,
                str(found["by"]),
                int(str(position)) if position is not None else None,
            )
    return Fence(data_set, "", FenceKind.NONE, "aucun arrêt établi")
