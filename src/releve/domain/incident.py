"""An incident, and the two clocks that run in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from releve.domain.calendars import due_at, elapsed
from releve.domain.plan import Application, Plan


@dataclass(frozen=True, slots=True)
class Incident:
    """What was declared. `began_at`: when it really began, as far as is known; ≤ `declared_at`."""

    id: str
    site: str
    summary: str
    declared_by: str
    began_at: datetime
    declared_at: datetime
    closed_at: datetime | None = None
    # application id -> instant at which users got it back; absent = not back yet
    restored: Mapping[str, datetime] | None = None


@dataclass(frozen=True, slots=True)
class ApplicationClock:
    """How one application stands against the need of its users.

    `major_at` is the instant at which the RTO ran out, set only when that instant is past and the
    application was not back by then: it is computed when read, whoever was awake at the time.
    """

    application: str
    wall: timedelta
    in_calendar: timedelta
    due: datetime
    restored_at: datetime | None
    major_at: datetime | None


def clock_of(incident: Incident, application: Application, plan: Plan, now: datetime) -> ApplicationClock:
    """Both clocks of `application` at `now` (aware). Pure."""
    calendar = plan.calendars.get(application.need.calendar)
    due = due_at(incident.began_at, application.need.rto, calendar)
    restored = (incident.restored or {}).get(application.id)
    end = restored or incident.closed_at or now
    return ApplicationClock(
        application.id,
        end - incident.began_at,
        elapsed(incident.began_at, end, calendar),
        due,
        restored,
        due if end > due else None,
    )
