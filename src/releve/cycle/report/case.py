"""Everything a report is made from, as one value: the facts of one incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from releve.domain.incident import ApplicationClock, Incident, clock_of
from releve.domain.measure import Judgement, Measure, judge, measured
from releve.domain.plan import Application, Plan
from releve.domain.protection import Suspension
from releve.domain.runbook import Direction, RunRecord, Task, TaskRecord

DEFAULT_ZONE = "Europe/Paris"


@dataclass(frozen=True, slots=True)
class Case:
    """One incident and what is known of it at `now`. `runs`: oldest first.

    `head`: (count, hash) of the evidence chain, None when there is none.
    """

    plan: Plan
    incident: Incident
    runs: tuple[RunRecord, ...]
    suspensions: tuple[Suspension, ...]
    witnesses: Mapping[str, Measure]
    head: tuple[int, str] | None
    now: datetime

    @property
    def timezone(self) -> str:
        """The zone in which instants are said: the one of the plan's first calendar."""
        return next((item.timezone for item in self.plan.calendars.values()), DEFAULT_ZONE)

    @property
    def zone(self) -> ZoneInfo:
        """The same, ready to use."""
        return ZoneInfo(self.timezone)

    @property
    def concerned(self) -> tuple[Application, ...]:
        """Applications that Relève can bring back from the site of the incident."""
        return tuple(item for item in self.plan.applications if self.incident.site in item.ends)

    def clocks(self) -> tuple[ApplicationClock, ...]:
        """Both clocks of each application concerned."""
        return tuple(clock_of(self.incident, item, self.plan, self.now) for item in self.concerned)

    def measure(self, application: Application) -> Measure:
        """What was seen of `application`."""
        return measured(application, self.incident, self.witnesses.get(application.id))

    def judgement(self, application: Application) -> Judgement:
        """The verdicts on `application`."""
        witness = self.witnesses.get(application.id)
        return judge(application, self.incident, self.plan, witness, self.now)

    def ways(self, direction: Direction) -> tuple[RunRecord, ...]:
        """The runs that went that way, oldest first."""
        return tuple(run for run in self.runs if run.runbook.direction is direction)


def tasks_of(runs: Iterable[RunRecord]) -> list[tuple[RunRecord, Task, TaskRecord]]:
    """Every task of every run with its record, in the order of the runbooks."""
    return [(run, task, run.record(task.id)) for run in runs for task in run.runbook.tasks]


def facts_of(record: TaskRecord, name: str) -> Mapping[str, object] | None:
    """A mapping among the facts of a task's outcome; None when there is none of that name."""
    found = record.outcome.facts.get(name) if record.outcome else None
    return found if isinstance(found, Mapping) else None


def as_int(value: object) -> int | None:
    """A count among facts read back from storage; None when it is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_instant(value: object) -> datetime | None:
    """An instant among facts: a datetime, or its ISO text; None when absent."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None
