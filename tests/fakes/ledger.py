"""A ledger in memory. It keeps the same rules as the real one: `tests/contract/test_ledger.py` says which."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime

from releve.domain.audit import Acceptance, Answer, Audit, Look, Topic
from releve.domain.errors import BadInput, Refused, Unheld
from releve.domain.evidence import GENESIS, Entry, seal
from releve.domain.incident import Incident
from releve.domain.objectives import Statement
from releve.domain.protection import Contact, Suspension, Tenure
from releve.domain.runbook import Decision, Runbook, RunRecord, RunState, TaskRecord

_ENDED = (RunState.DONE, RunState.STOPPED)


class FakeTenures:
    """Implements `Tenures`."""

    def __init__(self, runs: FakeRuns) -> None:
        self._runs, self._held, self._claims = runs, dict[str, Tenure](), dict[str, tuple[str, int]]()

    def current(self, data_set: str) -> Tenure | None:
        return self._held.get(data_set)

    def claim(self, data_set: str, run: str, epoch: int) -> None:
        self._free_for(data_set, run)
        held = self._held.get(data_set)
        if held is not None and held.epoch >= epoch and held.run != run:
            raise Refused("epoch-past", f"« {data_set} » est déjà à l'époque {held.epoch}")
        self._claims[data_set] = (run, epoch)

    def claimed(self, data_set: str) -> str:
        return self._claims.get(data_set, ("", 0))[0]

    def take(self, tenure: Tenure) -> None:
        held = self._held.get(tenure.data_set)
        same = held is not None and (held.epoch, held.run, held.site) == (
            tenure.epoch,
            tenure.run,
            tenure.site,
        )
        if held is not None and held.epoch >= tenure.epoch and not same:
            raise Refused("epoch-past", f"« {tenure.data_set} » est déjà à l'époque {held.epoch}")
        self._free_for(tenure.data_set, tenure.run)
        if not same:
            self._held[tenure.data_set] = tenure
        self._claims.pop(tenure.data_set, None)

    def release(self, run: str) -> None:
        self._claims = {name: claim for name, claim in self._claims.items() if claim[0] != run}

    def _free_for(self, data_set: str, run: str) -> None:
        claimant = self.claimed(data_set)
        if claimant and claimant != run and not self._runs.ended(claimant):
            raise Refused("data-set-claimed", f"« {data_set} » est déjà en cours de bascule")


class FakeIncidents:
    """Implements `Incidents`."""

    def __init__(self) -> None:
        self._kept: dict[str, Incident] = {}

    def save(self, incident: Incident) -> None:
        self._kept[incident.id] = incident

    def get(self, incident_id: str) -> Incident:
        if incident_id not in self._kept:
            raise BadInput("incident-unknown", f"aucun incident « {incident_id} »")
        return self._kept[incident_id]

    def all(self) -> list[Incident]:
        return sorted(self._kept.values(), key=lambda item: (item.declared_at, item.id), reverse=True)


class FakeRuns:
    """Implements `Runs`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._books: dict[str, Runbook] = {}
        self._states: dict[str, tuple[RunState, datetime, datetime | None, str]] = {}
        self._tasks: dict[tuple[str, str], TaskRecord] = {}
        self._decisions: list[Decision] = []

    def create(self, runbook: Runbook, at: datetime) -> None:
        with self._lock:
            if self._books.setdefault(runbook.run, runbook) != runbook:
                raise BadInput("run-exists", f"un autre déroulé porte déjà le nom « {runbook.run} »")
            self._states.setdefault(runbook.run, (RunState.RUNNING, at, None, ""))

    def get(self, run: str) -> RunRecord:
        with self._lock:
            book = self._book(run)
            state, started, ended, reason = self._states[run]
            tasks = tuple(self._tasks[run, item.id] for item in book.tasks if (run, item.id) in self._tasks)
            decisions = tuple(item for item in self._decisions if item.run == run)
            return RunRecord(book, state, started, ended, tasks, decisions, reason)

    def all(self) -> list[RunRecord]:
        newest = sorted(self._books, key=lambda run: (self._states[run][1], run), reverse=True)
        return [self.get(run) for run in newest]

    def live(self) -> list[RunRecord]:
        return [found for found in self.all() if found.state not in _ENDED]

    def task(self, run: str, record: TaskRecord) -> None:
        with self._lock:
            self._known_task(run, record.task)
            self._tasks[run, record.task] = record

    def end(self, run: str, state: RunState, at: datetime, reason: str = "") -> None:
        with self._lock:
            self._book(run)
            before, started, _, _ = self._states[run]
            if before in _ENDED:
                return
            ended = state in _ENDED
            self._states[run] = (state, started, at if ended else None, reason if ended else "")

    def decide(self, decision: Decision) -> None:
        with self._lock:
            self._known_task(decision.run, decision.task)
            who = (decision.run, decision.task, decision.by)
            if who in [(item.run, item.task, item.by) for item in self._decisions]:
                raise BadInput("already-answered", f"« {decision.by} » a déjà répondu à cette question")
            self._decisions.append(decision)

    def ended(self, run: str) -> bool:
        return run in self._states and self._states[run][0] in _ENDED

    def _book(self, run: str) -> Runbook:
        if run not in self._books:
            raise BadInput("run-unknown", f"aucun déroulé « {run} »")
        return self._books[run]

    def _known_task(self, run: str, task: str) -> None:
        if all(item.id != task for item in self._book(run).tasks):
            raise BadInput("task-unknown", f"le déroulé « {run} » n'a pas de tâche « {task} »")


class FakeFacts:
    """Implements `Facts`."""

    def __init__(self) -> None:
        self._contacts: dict[str, Contact] = {}
        self._suspensions: dict[tuple[str, datetime], Suspension] = {}
        self._values: dict[tuple[str, str], tuple[datetime, Mapping[str, object]]] = {}

    def contact(self, contact: Contact) -> None:
        self._contacts[contact.data_set] = contact

    def last_contact(self, data_set: str) -> Contact | None:
        return self._contacts.get(data_set)

    def suspend(self, suspension: Suspension) -> None:
        self._suspensions[suspension.data_set, suspension.started_at] = suspension

    def suspensions(self, data_set: str) -> list[Suspension]:
        found = [item for item in self._suspensions.values() if item.data_set == data_set]
        return sorted(found, key=lambda item: item.started_at)

    def put(self, kind: str, subject: str, at: datetime, value: Mapping[str, object]) -> None:
        self._values[kind, subject] = (at, json.loads(json.dumps(value, allow_nan=False)))

    def fetch(self, kind: str, subject: str) -> tuple[datetime, Mapping[str, object]] | None:
        return self._values.get((kind, subject))


class FakeEvidence:
    """Implements `EvidenceLog`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._keys: dict[str, Entry] = {}

    def append(self, kind: str, body: Mapping[str, object], at: datetime, *, key: str = "") -> Entry:
        plain = json.loads(json.dumps(body, allow_nan=False))
        with self._lock:
            if key in self._keys:
                return self._keys[key]
            previous = self._entries[-1].hash if self._entries else GENESIS
            entry = seal(len(self._entries) + 1, at.astimezone(UTC), kind, plain, previous)
            self._entries.append(entry)
            if key:
                self._keys[key] = entry
            return entry

    def entries(self) -> list[Entry]:
        return list(self._entries)

    def head(self) -> tuple[int, str] | None:
        return (len(self._entries), self._entries[-1].hash) if self._entries else (0, GENESIS)


class FakeStatements:
    """Implements `Statements`."""

    def __init__(self) -> None:
        self._kept: list[tuple[datetime, Statement]] = []

    def record(self, statement: Statement, at: datetime) -> bool:
        said = [replace(kept, source="") for _at, kept in self._kept]
        if replace(statement, source="") in said:
            return False
        self._kept.append((at, statement))
        return True

    def all(self) -> list[Statement]:
        return [kept for _at, kept in sorted(self._kept, key=lambda item: item[0])]


class FakeAudits:
    """Implements `Audits`."""

    def __init__(self) -> None:
        self._audits: dict[str, Audit] = {}
        self._looks: dict[str, dict[str, Look]] = {}
        self._notes: list[Answer | Acceptance] = []
        self._said: dict[str, int] = {}

    def begin(self, audit: Audit) -> None:
        self._audits.setdefault(audit.id, audit)
        self._said.setdefault(audit.id, len(self._notes))

    def keep(self, audit: str, look: Look) -> None:
        self._known(audit)
        try:
            json.dumps(asdict(look), allow_nan=False, default=str)
        except ValueError as error:
            raise Unheld("look-unheld", "ce qui a été répondu ne peut pas être gardé au registre") from error
        self._looks.setdefault(audit, {})[look.errand.key] = look

    def end(self, audit: str, at: datetime) -> None:
        kept = self._known(audit)
        self._audits[audit] = replace(kept, ended=kept.ended or at)

    def all(self) -> list[Audit]:
        return list(self._audits.values())[::-1]

    def looks(self, audit: str, topics: Collection[Topic] = ()) -> list[Look]:
        place = {errand.key: number for number, errand in enumerate(self._known(audit).errands)}
        every = self._looks.get(audit, {}).values()
        kept = [look for look in every if not topics or look.errand.topic in topics]
        return sorted(kept, key=lambda look: place.get(look.errand.key, len(place)))

    def note(self, note: Answer | Acceptance, at: datetime) -> bool:
        last = next((said for said in reversed(self._notes) if _about(said) == _about(note)), None)
        if last == note:
            return False
        self._notes.append(note)
        return True

    def notes(self, before: str = "") -> list[Answer | Acceptance]:
        return self._notes[: self._said[self._known(before).id]] if before else list(self._notes)

    def _known(self, audit: str) -> Audit:
        if audit not in self._audits:
            raise BadInput("audit-unknown", f"aucun audit « {audit} »")
        return self._audits[audit]


def _about(note: Answer | Acceptance) -> tuple[type, str, str]:
    return type(note), note.question if isinstance(note, Answer) else note.code, note.subject


class FakeLedger:
    """Implements `Ledger`."""

    def __init__(self) -> None:
        self.runs = FakeRuns()
        self.tenures = FakeTenures(self.runs)
        self.incidents = FakeIncidents()
        self.facts = FakeFacts()
        self.statements = FakeStatements()
        self.audits = FakeAudits()
        self.evidence = FakeEvidence()

    def close(self) -> None:
        """Nothing to close."""
