"""Opening hours, holidays and the arithmetic of deadlines, daylight saving included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from releve.domain.units import Span


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours of a week in one time zone, minus holidays.

    `slots`: weekday (0 = Monday) -> ordered, disjoint [opening, closing) local times.
    `holidays`: "" (none), "FR", or "FR-<subdivision>" of the `holidays` package.
    """

    id: str
    timezone: str
    slots: Mapping[int, tuple[tuple[time, time], ...]]
    holidays: str = ""


def due_at(start: datetime, span: Span, calendar: Calendar | None) -> datetime:
    """The instant (aware, UTC) at which `span` has run since `start` (aware)."""
    raise NotImplementedError


def elapsed(start: datetime, end: datetime, calendar: Calendar | None) -> timedelta:
    """Time that ran between two aware instants: inside opening hours, or wall time without calendar."""
    raise NotImplementedError
