"""Incidents and runs, from the declaration to the end: what a person orders, turned into records.

`Conductor` is the only writer of incidents and the only one that starts, stops and settles runs. It
lives in the relief's worker, or in the command that took its place under the lock.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from releve.cycle.recover.act import World
from releve.cycle.recover.derive import Durations, Request, derive, holder
from releve.domain.errors import BadInput, Refused, ReleveError
from releve.domain.incident import Incident
from releve.domain.plan import Plan, SiteRole
from releve.domain.ports import Driver, Engine, Ledger
from releve.domain.protection import ServerState, Tenure
from releve.domain.runbook import (
    Decision,
    Direction,
    Runbook,
    RunRecord,
    RunState,
    TaskKind,
    TaskState,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A person's answer given in advance or on demand. `answer`: the key of an allowed answer."""

    by: str
    words: str
    answer: str = ""
    since: datetime | None = None


def new_id(prefix: str, now: datetime) -> str:
    """A short id a person can read aloud: date, time and four hexadecimal digits."""
    return f"{prefix}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def prepare_runbook(
    plan: Plan,
    ledger: Ledger,
    direction: Direction,
    target: str,
    incident: str,
    run: str,
    written: Mapping[str, Tenure] = MappingProxyType({}),
) -> Runbook:
    """Derive the runbook from the plan, the tenures and the last measured durations.

    `written`: tenures that the databases themselves name, for data sets that the ledger knows nothing of.
    """
    tenures = {
        item.id: ledger.tenures.current(item.id)
        or written.get(item.id)
        or Tenure(item.id, 0, item.primary_site)
        for item in plan.data_sets
    }
    source = _source(plan, tenures, target)
    measured: dict[str, float] = {}
    subjects = [item.id for item in plan.data_sets] + [item.id for item in plan.applications]
    for kind in TaskKind:
        for subject in subjects:
            found = ledger.facts.fetch("duration", f"{kind}:{subject}")
            if found:
                measured[f"{kind}:{subject}"] = float(str(found[1]["seconds"]))
    request = Request(run, direction, incident, source, target, tenures, Durations(measured))
    return derive(plan, request)


def _source(plan: Plan, tenures: Mapping[str, Tenure], target: str) -> str:
    held = {holder(tenures, item) for item in plan.data_sets if target in item.ends} - {target}
    if len(held) == 1:
        return held.pop()
    others = [site.id for site in plan.sites if site.id != target]
    if not held and len(others) == 1:
        return others[0]  # the data are there already: applications may still have to be opened
    raise BadInput(
        "nothing-to-move" if not held else "several-sources",
        f"rien à déplacer vers « {target} »"
        if not held
        else f"plusieurs sites à quitter : {', '.join(sorted(held))}",
        hint="« releve status » montre quel site tient quoi",
    )


def relief_of(plan: Plan) -> str:
    """The relief site of the plan. Raises `BadInput` when there is none or several."""
    return _only_site(plan, SiteRole.RELIEF)


def primary_of(plan: Plan) -> str:
    """The primary site of the plan. Raises `BadInput` when there is none or several."""
    return _only_site(plan, SiteRole.PRIMARY)


def _only_site(plan: Plan, role: SiteRole) -> str:
    found = [site.id for site in plan.sites if site.role is role]
    if len(found) != 1:
        raise BadInput("which-site", f"le plan a {len(found)} sites de rôle « {role} » : précisez --to")
    return found[0]


class Conductor:
    """Orders, records and ends. Holds no state of its own."""

    def __init__(self, world: World, engines: Mapping[str, Engine], driver: Driver) -> None:
        self._world, self._engines, self._driver = world, engines, driver
        self._launching = threading.Lock()  # two people may order at the same instant: one run is recorded

    def declare(self, site: str, summary: str, by: str, began_at: datetime | None) -> Incident:
        """Open an incident at `site`. `began_at` in the future, unknown site or person: `BadInput`."""
        plan, now = self._world.plan, self._world.now()
        _known(site, [item.id for item in plan.sites], "site")
        self._known_person(by)
        began = began_at or now
        if began > now:
            raise BadInput("began-in-future", "un incident ne peut pas avoir commencé dans le futur")
        incident = Incident(new_id("inc", now), site, summary, by, began, now, None, {})
        self._world.ledger.incidents.save(incident)
        self._log(
            "incident-declared",
            {
                "incident": incident.id,
                "site": site,
                "summary": summary,
                "by": by,
                "began_at": began.isoformat(),
            },
            key=incident.id,
        )
        return incident

    def close(self, incident_id: str, by: str) -> Incident:
        """Close an incident. Refused while one of its runs goes on."""
        self._known_person(by)
        incident = self._world.ledger.incidents.get(incident_id)
        going = [r.runbook.run for r in self._world.ledger.runs.live() if r.runbook.incident == incident_id]
        if going:
            raise Refused("run-goes-on", f"une bascule de cet incident n'est pas finie : {going[0]}")
        if incident.closed_at is None:
            incident = replace(incident, closed_at=self._world.now())
            self._world.ledger.incidents.save(incident)
            self._log("incident-closed", {"incident": incident_id, "by": by}, key=f"{incident_id}:closed")
        return incident

    def launch(
        self, direction: Direction, target: str, incident: str, words: Mapping[TaskKind, Word]
    ) -> Runbook:
        """Start a run towards `target`. `words`: answers given in advance, by kind of question."""
        with self._launching:
            runbook = self._record(direction, target, incident, words)
        self._driver.start(runbook.run)
        return runbook

    def _record(
        self, direction: Direction, target: str, incident: str, words: Mapping[TaskKind, Word]
    ) -> Runbook:
        live = self._world.ledger.runs.live()
        if live:
            raise Refused(
                "run-goes-on",
                f"un déroulé est déjà en cours : {live[0].runbook.run}",
                hint="« releve run show », puis « releve run abort » pour l'arrêter",
            )
        if incident:
            self._world.ledger.incidents.get(incident)
        self.settle()  # what an earlier run left claimed is looked at before anything is derived
        now = self._world.now()
        prefix = "bascule" if direction is Direction.SWITCH else "retour"
        runbook = prepare_runbook(
            self._world.plan,
            self._world.ledger,
            direction,
            target,
            incident,
            new_id(prefix, now),
            self._written(),
        )
        decisions = [
            self._checked(runbook, task.id, word)
            for task in runbook.tasks
            if task.question is not None and (word := words.get(task.kind)) is not None
        ]
        self._world.ledger.runs.create(runbook, now)
        for decision in decisions:
            self._keep(decision)
        self._log(
            "run-started",
            {
                "run": runbook.run,
                "direction": direction,
                "incident": incident,
                "source": runbook.source,
                "target": runbook.target,
                "epochs": dict(runbook.epochs),
                "plan": self._world.plan.fingerprint,
            },
            key=f"{runbook.run}:started",
        )
        return runbook

    def _written(self) -> dict[str, Tenure]:
        """What the databases say of the data sets that a lost ledger knows nothing of: a run must not begin
        again below an epoch that was taken. Only the run counts on it: it is not put in the ledger, for a
        standby left behind may name a holder of the past, and the guards would believe it.
        """  # noqa: D205
        found: dict[str, Tenure] = {}
        for item in self._world.plan.data_sets:
            if self._world.ledger.tenures.current(item.id) is None:
                looks = [self._engines[item.id].facts(site) for site in item.ends]
                last = max(looks, key=lambda facts: facts.epoch)
                if last.epoch_site:
                    found[item.id] = Tenure(item.id, last.epoch, last.epoch_site)
        return found

    def decide(self, run: str, task_id: str, word: Word) -> Decision:
        """A person answers the open question of `task_id`."""
        record = self._world.ledger.runs.get(run)
        if record.record(task_id).state is not TaskState.WAITING:
            raise BadInput(
                "no-question",
                f"la tâche « {task_id} » n'attend pas de réponse",
                hint=f"« releve run show {run} » montre les questions ouvertes",
            )
        decision = self._checked(record.runbook, task_id, word)
        self._keep(decision)
        self._driver.answer(decision)
        return decision

    def abort(self, run: str, by: str, words: str) -> RunRecord:
        """Stop a run: no task starts any more; what was not yet promoted is given back."""
        self._known_person(by)
        ledger = self._world.ledger
        record = ledger.runs.get(run)
        if record.state in (RunState.DONE, RunState.STOPPED):
            raise BadInput("run-ended", f"le déroulé « {run} » est déjà fini")
        ledger.runs.end(run, RunState.STOPPED, self._world.now(), f"arrêté par {by} : {words}")
        self._log("run-aborted", {"run": run, "by": by, "words": words}, key=f"{run}:aborted")
        for task in record.runbook.tasks:
            if task.question is not None and record.record(task.id).state is TaskState.WAITING:
                self._driver.answer(Decision(run, task.id, "", by, words, self._world.now()))
        return ledger.runs.get(run)

    def settle(self) -> list[str]:
        """Give back what stopped runs still claim, once it is seen that they did not take it.

        A claim whose target could not be looked at is kept: the old side stays closed rather than
        two sites open. Returns a sentence for each claim that changed or stays in doubt. Only the
        holders of claims are read: the history grows with every drill, and this is done each second
        (32 ended runs, read whole, cost 77 ms of processor and 0.9 MB each time).
        """
        said: list[str] = []
        ledger = self._world.ledger
        holders = {ledger.tenures.claimed(item.id) for item in self._world.plan.data_sets} - {""}
        for record in [ledger.runs.get(run) for run in sorted(holders)]:
            runbook = record.runbook
            if record.state is not RunState.STOPPED:
                continue
            claimed = [name for name in runbook.epochs if ledger.tenures.claimed(name) == runbook.run]
            if not claimed or any(item.state is TaskState.RUNNING for item in record.tasks):
                continue
            verdicts = [self._settle_one(record, name) for name in claimed]
            if all(free for free, _ in verdicts):
                self._reopen_source(runbook, claimed)  # before the release: what fails here is tried again
                ledger.tenures.release(runbook.run)
                self._log(
                    "claims-released",
                    {"run": runbook.run, "data_sets": claimed},
                    key=f"{runbook.run}:released",
                )
            said.extend(sentence for _, sentence in verdicts)
        return said

    def _settle_one(self, record: RunRecord, data_set: str) -> tuple[bool, str]:
        runbook = record.runbook
        back = f"« {data_set} » n'a pas été ouvert sur {runbook.target} : rendu à {runbook.source}"
        promotion = record.record(f"promote:{data_set}")
        # Abandoned is not "never begun": a worker killed in mid-promotion finds the run stopped.
        if promotion.started_at is None and promotion.state in (TaskState.PENDING, TaskState.ABANDONED):
            return True, back
        facts = self._engines[data_set].facts(runbook.target)
        epoch = runbook.epochs[data_set]
        if facts.state is ServerState.OPEN and facts.epoch == epoch:
            self._world.ledger.tenures.take(
                Tenure(data_set, epoch, runbook.target, runbook.run, self._world.now())
            )
            return True, f"« {data_set} » est ouvert sur {runbook.target} : son époque est prise"
        if facts.state is ServerState.CLOSED and facts.epoch < epoch:
            return True, back
        return False, f"« {data_set} » : {runbook.target} n'a pas pu être vu fermé, on ne rouvre rien"

    def _reopen_source(self, runbook: Runbook, data_sets: list[str]) -> None:
        """Put a planned return that stopped half-way back where it was; an incident's source is left alone."""
        if runbook.direction is not Direction.RETURN:
            return
        world = self._world
        for name in data_sets:
            current = world.ledger.tenures.current(name)
            engine = self._engines[name]
            ours = current is not None and current.site == runbook.source
            if current is not None and ours and engine.facts(runbook.source).state is not ServerState.OPEN:
                engine.open(runbook.source, current.epoch)
        for task in runbook.tasks:
            if task.kind is TaskKind.CLOSE and not self._data_left(task.subject, runbook):
                world.instances.start(task.subject, runbook.source)
                world.access.open(task.subject, runbook.source)

    def _data_left(self, application: str, runbook: Runbook) -> bool:
        """Whether the run already took some of its data to the other side: its users must not come back."""
        held = [self._world.ledger.tenures.current(name) for name in runbook.epochs]
        gone = {item.data_set for item in held if item is not None and item.site == runbook.target}
        return bool(gone.intersection(self._world.plan.application(application).data))

    def _checked(self, runbook: Runbook, task_id: str, word: Word) -> Decision:
        question = runbook.task(task_id).question
        if question is None:
            raise BadInput("no-question", f"la tâche « {task_id} » ne pose pas de question")
        self._known_person(word.by)
        if question.who and word.by not in question.who:
            raise Refused(
                "not-entitled",
                f"« {word.by} » ne peut pas répondre à cette question",
                context={"who": ", ".join(question.who)},
            )
        keys = [item.key for item in question.answers]
        answer = word.answer or next(item.key for item in question.answers if item.goes_on)
        _known(answer, keys, "réponse")
        if not word.words.strip():
            raise BadInput("no-words", "dites comment vous le savez (--words)")
        return Decision(runbook.run, task_id, answer, word.by, word.words, self._world.now(), word.since)

    def _keep(self, decision: Decision) -> None:
        self._world.ledger.runs.decide(decision)
        self._log(
            "decision",
            {
                "run": decision.run,
                "task": decision.task,
                "answer": decision.answer,
                "by": decision.by,
                "words": decision.words,
                "since": decision.since.isoformat() if decision.since else None,
            },
            key=f"{decision.run}:{decision.task}:{decision.by}",
        )

    def _known_person(self, by: str) -> None:
        _known(by, [item.id for item in self._world.plan.contacts], "personne")

    def _log(self, kind: str, body: Mapping[str, object], *, key: str) -> None:
        self._world.ledger.evidence.append(kind, body, self._world.now(), key=key)


def _known(value: str, allowed: list[str], what: str) -> None:
    if value not in allowed:
        raise BadInput(
            f"unknown-{_CODES[what]}",
            f"{what} inconnue : « {value} »" if what != "site" else f"site inconnu : « {value} »",
            hint=f"connus : {', '.join(allowed)}",
        )


_CODES = {"site": "site", "personne": "person", "réponse": "answer"}

__all__ = ["Conductor", "ReleveError", "Word", "new_id", "prepare_runbook", "primary_of", "relief_of"]
