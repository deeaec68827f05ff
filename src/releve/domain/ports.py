"""What the cycle asks of the world. Small: each consumer takes only what it needs.

Contract suites in `tests/contract` run on every implementation and on the fake.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from releve.domain.audit import Acceptance, Answer, Audit, Look, Topic
from releve.domain.evidence import Entry
from releve.domain.incident import Incident
from releve.domain.objectives import Statement
from releve.domain.plan import ServiceSpec
from releve.domain.protection import Contact, Divergence, Fence, ServerFacts, Suspension, Tenure
from releve.domain.runbook import Decision, Outcome, Runbook, RunRecord, RunState, TaskRecord

Now = Callable[[], datetime]  # aware, UTC


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished program: exit code and what it printed."""

    code: int
    stdout: bytes
    stderr: bytes


class Host(Protocol):
    """A machine. Every call raises `Unreachable` when it does not answer within its time."""

    id: str

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program, never through a shell. `user`: run as, when it is not already."""
        ...

    def read(self, path: str) -> bytes | None:
        """Bytes of a file; None when there is none."""
        ...

    def folder(self, path: str) -> int | None:
        """Permissions of a folder (07777); None when there is no folder of that name."""
        ...

    def write(self, path: str, data: bytes, *, user: str = "", mode: int = 0o600) -> None:
        """Write a file whole: temporary beside it, fsync, rename, fsync of the folder."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file; no error when there is none. The folder is synced."""
        ...


class Service(Protocol):
    """A process that its host's manager owns."""

    def start(self) -> None:
        """Start it; no error when it runs already."""
        ...

    def stop(self) -> None:
        """Stop it and see it stopped; no error when it is stopped already. Raises `Unreachable`."""
        ...

    def running(self) -> bool:
        """Whether it runs. Raises `Unreachable` when nobody can tell."""
        ...


class Services(Protocol):
    """Finds the service of a plan on its host."""

    def service(self, host_id: str, spec: ServiceSpec) -> Service:
        """The service, ready to be driven."""
        ...


class Watched(Protocol):
    """A data set as the guard and the relief's watch need it."""

    def facts(self, site: str) -> ServerFacts:
        """One look. A server that cannot be looked at has state UNKNOWN; never raises for that."""
        ...

    def relax(self, site: str, suspension: Suspension) -> None:
        """Stop waiting for the standby, having first written `suspension` in the database."""
        ...

    def restore(self, site: str, at: datetime) -> None:
        """Wait for the standby again, see it synchronous without lag, then end the suspension."""
        ...

    def open(self, site: str, epoch: int) -> str:
        """Start a stopped or closed server for writing; returns its identity. `epoch` must be its own."""
        ...

    def close(self, site: str) -> None:
        """Stop the server and leave it so that whoever starts it gets a reader, not a writer."""
        ...


class Switchable(Protocol):
    """A data set as a run needs it. Each call is safe to repeat."""

    def facts(self, site: str) -> ServerFacts:
        """One look, as in `Watched`."""
        ...

    def fence(self, site: str) -> ServerFacts:
        """Stop the server of `site` cleanly and see it stopped. Raises `Unreachable` if it cannot be seen."""
        ...

    def promote(self, site: str, tenure: Tenure) -> float:
        """Open the standby of `site` for writing under `tenure`; returns the milliseconds it took.

        Refuses (`Refused`) when the database already carries a higher epoch.
        """
        ...

    def survey(self, lost_side: str, kept_side: str, folder: str) -> Divergence:
        """What `lost_side` committed and `kept_side` never received, exported to `folder` (on its host)."""
        ...

    def rebuild(self, site: str, source: str) -> str:
        """Make `site` a standby of `source`; returns "already", "rewind" or "clone"."""
        ...

    def arm(self, site: str) -> ServerFacts:
        """Make `site` wait for its standby, and see it synchronous without lag (when the plan says RPO 0)."""
        ...

    def ease_stop(self, site: str) -> None:
        """Do now, while users still work, what would lengthen the stop of the open server of `site`."""
        ...

    def drained(self, site: str, position: int, timeout: float) -> bool:
        """Whether the standby AT `site` has replayed beyond `position` within `timeout` seconds.

        `position` is what `fence` reported of the stopped source.
        """
        ...


class Savable(Protocol):
    """A data set of which a copy is made once a day."""

    def save(self, site: str) -> ServerFacts:
        """Make the copy of the day of what `site` holds; its facts once the copy is durable off-site."""
        ...


class Protectable(Savable, Protocol):
    """A data set as the first protection needs it. Each call is safe to repeat."""

    def facts(self, site: str) -> ServerFacts:
        """One look, as in `Watched`."""
        ...

    def prepare(self, site: str) -> None:
        """Make the server of `site` fit to be followed: settings, bookkeeping tables, slot, gate."""
        ...

    def rebuild(self, site: str, source: str) -> str:
        """As in `Switchable`."""
        ...

    def arm(self, site: str) -> ServerFacts:
        """As in `Switchable`."""
        ...


class Engine(Watched, Switchable, Protectable, Protocol):
    """Both: what a driver of `adapters/engines` implements for one data set."""


class Access(Protocol):
    """Lets users in on one site and keeps them out of the other. Redirects (DNS, proxy) come here."""

    def is_open(self, application: str, site: str) -> bool:
        """Whether the instance of `site` answers users."""
        ...

    def open(self, application: str, site: str) -> None:
        """Let users in."""
        ...

    def shut(self, application: str, site: str) -> None:
        """Keep users out."""
        ...


class Instances(Protocol):
    """Starts, stops and questions the instances of applications."""

    def start(self, application: str, site: str) -> None:
        """Start the instance of `site`."""
        ...

    def stop(self, application: str, site: str) -> None:
        """Stop it."""
        ...

    def running(self, application: str, site: str) -> bool:
        """Whether it runs. Raises `Unreachable`."""
        ...

    def check(self, application: str, site: str) -> tuple[bool, str]:
        """Its health checks: whether all passed, and what was seen in one French sentence."""
        ...


class Tenures(Protocol):
    """Who may write each data set, as this site knows it."""

    def current(self, data_set: str) -> Tenure | None:
        """The tenure in force; None when nothing was ever recorded."""
        ...

    def claim(self, data_set: str, run: str, epoch: int) -> None:
        """A run is about to take `epoch`: until it ends, nobody may open the old side."""
        ...

    def claimed(self, data_set: str) -> str:
        """The run that claims this data set, or empty."""
        ...

    def take(self, tenure: Tenure) -> None:
        """The tenure is in force; the claim of its run ends. Repeating it changes nothing."""
        ...

    def release(self, run: str) -> None:
        """The run ended without taking: its claims end."""
        ...


class Incidents(Protocol):
    """The incidents."""

    def save(self, incident: Incident) -> None:
        """Insert or update."""
        ...

    def get(self, incident_id: str) -> Incident:
        """Raises `BadInput` when unknown."""
        ...

    def all(self) -> list[Incident]:
        """Newest first."""
        ...


class Runs(Protocol):
    """The runs and their tasks."""

    def create(self, runbook: Runbook, at: datetime) -> None:
        """Record a run before its first task. Repeating it changes nothing."""
        ...

    def get(self, run: str) -> RunRecord:
        """Raises `BadInput` when unknown."""
        ...

    def all(self) -> list[RunRecord]:
        """Newest first."""
        ...

    def live(self) -> list[RunRecord]:
        """Those that have not ended, newest first."""
        ...

    def task(self, run: str, record: TaskRecord) -> None:
        """Insert or update a task's record."""
        ...

    def end(self, run: str, state: RunState, at: datetime, reason: str = "") -> None:
        """Close a run; or mark it WAITING or RUNNING (then `at` is not an end)."""
        ...

    def decide(self, decision: Decision) -> None:
        """Keep a person's answer. A second answer of the same person to the same task is `BadInput`."""
        ...


class Facts(Protocol):
    """What was observed lately."""

    def contact(self, contact: Contact) -> None:
        """Keep the last proof of a promise (one a data set)."""
        ...

    def last_contact(self, data_set: str) -> Contact | None:
        """The last one."""
        ...

    def suspend(self, suspension: Suspension) -> None:
        """Insert or update a suspension, keyed by (data set, started_at)."""
        ...

    def suspensions(self, data_set: str) -> list[Suspension]:
        """Oldest first."""
        ...

    def put(self, kind: str, subject: str, at: datetime, value: Mapping[str, object]) -> None:
        """Keep the newest value of (kind, subject)."""
        ...

    def fetch(self, kind: str, subject: str) -> tuple[datetime, Mapping[str, object]] | None:
        """The newest value, and when it was seen."""
        ...


class EvidenceLog(Protocol):
    """The hash-chained log."""

    def append(self, kind: str, body: Mapping[str, object], at: datetime, *, key: str = "") -> Entry:
        """Add an entry. With a `key`, repeating it returns the entry already there."""
        ...

    def entries(self) -> list[Entry]:
        """In storage order."""
        ...

    def head(self) -> tuple[int, str] | None:
        """(count, hash) kept outside the chain."""
        ...


class Statements(Protocol):
    """What people said of outages: every answer to the questionnaire that was recorded."""

    def record(self, statement: Statement, at: datetime) -> bool:
        """Keep it; False when the very same was kept already. Nothing is ever changed nor removed."""
        ...

    def all(self) -> list[Statement]:
        """In the order in which they were recorded."""
        ...


class Audits(Protocol):
    """What was looked at, and what people answered and accepted. Nothing is ever changed nor removed."""

    def begin(self, audit: Audit) -> None:
        """Record an audit before its first look. Repeating it changes nothing."""
        ...

    def keep(self, audit: str, look: Look) -> None:
        """Record a look of it; the same errand looked at again replaces it.

        Raises `BadInput` when unknown, `Unheld` for a look that cannot be written down: nothing is kept of it.
        """
        ...

    def end(self, audit: str, at: datetime) -> None:
        """Every errand was looked at. Raises `BadInput` when unknown."""
        ...

    def all(self) -> list[Audit]:
        """The last begun first, whatever their clocks said."""
        ...

    def looks(self, audit: str, topics: Collection[Topic] = ()) -> list[Look]:
        """What it saw, in the order of its errands; of some topics only. Raises `BadInput` when unknown."""
        ...

    def note(self, note: Answer | Acceptance, at: datetime) -> bool:
        """Keep what a person says; False when the very same was kept already."""
        ...

    def notes(self, before: str = "") -> list[Answer | Acceptance]:
        """In the order in which they were recorded: the last one on a subject stands.

        `before`: those recorded before that audit was begun. Raises `BadInput` when it is unknown.
        """
        ...


class Ledger(Protocol):
    """Everything a site remembers."""

    @property
    def tenures(self) -> Tenures: ...  # noqa: D102

    @property
    def incidents(self) -> Incidents: ...  # noqa: D102

    @property
    def runs(self) -> Runs: ...  # noqa: D102

    @property
    def facts(self) -> Facts: ...  # noqa: D102

    @property
    def statements(self) -> Statements: ...  # noqa: D102

    @property
    def audits(self) -> Audits: ...  # noqa: D102

    @property
    def evidence(self) -> EvidenceLog: ...  # noqa: D102


class Driver(Protocol):
    """Runs a runbook durably: each task at least once, in dependency order, across crashes.

    `perform(run, task)` returns the outcome of a task; it observes before it acts. A task that
    needs a person is performed once per answer.
    """

    def start(self, run: str) -> None:
        """Start (or find again) the durable run."""
        ...

    def answer(self, decision: Decision) -> None:
        """Hand a person's answer to the task that waits for it."""
        ...

    def wait(self, run: str, timeout: float) -> bool:
        """Wait for the end of the run; False when it goes on."""
        ...


Perform = Callable[[str, str], Outcome]

__all__ = [
    "Access",
    "Audits",
    "Completed",
    "Driver",
    "Engine",
    "EvidenceLog",
    "Facts",
    "Fence",
    "Host",
    "Incidents",
    "Instances",
    "Ledger",
    "Now",
    "Perform",
    "Runs",
    "Savable",
    "Service",
    "Services",
    "Switchable",
    "Tenures",
    "Watched",
]
