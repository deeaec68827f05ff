"""Need, commitment, measure side by side for every application, with the ratio measure / need. Pure.

The three are never one number: what was not measured has no ratio and no colour, it is "jamais prouvé".
A measure is compared on the need's own clock: hours of the calendar that ran during the outage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releve.cycle.objectives.need import Need
from releve.domain.calendars import Calendar, elapsed, length
from releve.domain.incident import Incident
from releve.domain.plan import Application, Plan
from releve.domain.units import Clock, Span


class Band(StrEnum):
    """Where a measure stands against a need. The bounds are proposals of ours."""

    EASY = "easy"  # at most half of it
    KEPT = "kept"  # at most four fifths
    TIGHT = "tight"  # at most all of it
    BROKEN = "broken"  # more
    FAR = "far"  # more than twice
    NEVER = "never"  # nobody measured


BOUNDS: tuple[tuple[float, Band], ...] = (
    (0.5, Band.EASY),
    (0.8, Band.KEPT),
    (1.0, Band.TIGHT),
    (2.0, Band.BROKEN),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Outages of one application that were seen, clock seconds: the last, the longest, how many.

    `ongoing`: the last one has not ended; it counts only once it outlasts the need, for until then it proves nothing.
    """

    last: float
    worst: float
    count: int
    incident: str
    ongoing: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """One application at one establishment. `ratio`: the last measure over the need, on the need's clock.

    `commitment` None: nothing is promised. `measured` None: jamais prouvé. `promise_kept` None: nothing to say.
    """

    application: str
    name: str
    establishment: str
    need: Span
    calendar: str
    answered: bool
    commitment: Span | None
    measured: Measured | None
    ratio: float | None
    band: Band
    promise_kept: bool | None


def compared(
    plan: Plan, needs: Iterable[Need], incidents: Iterable[Incident], now: datetime
) -> tuple[Compared, ...]:
    """Every need beside what is promised and what was seen at `now` (aware)."""
    seen = _seen(plan, incidents, now)
    lines = []
    for need in needs:
        application = plan.application(need.application)
        calendar = plan.calendars.get(need.calendar)
        outages = [
            item
            for item in seen.get(need.application, [])
            if not item.ongoing or _ratio(item, need.rto, calendar) > 1
        ]
        ratio = _ratio(outages[0], need.rto, calendar) if outages else None
        lines.append(
            Compared(
                need.application,
                application.name,
                need.establishment,
                need.rto,
                need.calendar,
                need.answered or need.settled is not None,
                application.commitment.rto if application.commitment else None,
                _measured(outages),
                ratio,
                band_of(ratio),
                _kept(application, outages[0] if outages else None, plan),
            )
        )
    return tuple(lines)


def band_of(ratio: float | None) -> Band:
    """The band of a ratio; None is never proven."""
    if ratio is None:
        return Band.NEVER
    return next((band for bound, band in BOUNDS if ratio <= bound), Band.FAR)


@dataclass(frozen=True, slots=True)
class _Outage:
    """One outage that was seen, to its end or until now."""

    incident: str
    began: datetime
    ended: datetime
    ongoing: bool = False

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


def _seen(plan: Plan, incidents: Iterable[Incident], now: datetime) -> dict[str, list[_Outage]]:
    """By application, its outages; newest first. Out until now: what stood on the lost site and is not back."""
    found: dict[str, list[_Outage]] = {}
    for incident in sorted(incidents, key=lambda item: item.began_at, reverse=True):
        restored = incident.restored or {}
        for name, back in restored.items():
            found.setdefault(name, []).append(_Outage(incident.id, incident.began_at, back))
        if incident.closed_at is None:
            for application in plan.applications:
                if incident.site in application.ends and application.id not in restored:
                    outage = _Outage(incident.id, incident.began_at, now, ongoing=True)
                    found.setdefault(application.id, []).append(outage)
    return found


def _ratio(outage: _Outage, need: Span, calendar: Calendar | None) -> float:
    """What ran on the need's clock, over the need. A need of nothing is broken by any outage."""
    on_clock = calendar if need.clock is Clock.BUSINESS else None
    ran = elapsed(outage.began, outage.ended, on_clock)
    allowed = length(need, calendar)
    if not allowed:
        return float("inf") if ran > timedelta(0) else 0.0
    return ran / allowed


def _measured(outages: list[_Outage]) -> Measured | None:
    if not outages:
        return None
    return Measured(
        outages[0].seconds,
        max(item.seconds for item in outages),
        len(outages),
        outages[0].incident,
        outages[0].ongoing,
    )


def _kept(application: Application, outage: _Outage | None, plan: Plan) -> bool | None:
    """Whether the last outage kept what was promised."""
    promise = application.commitment
    if promise is None or outage is None:
        return None
    calendar = plan.calendars.get(promise.calendar or application.need.calendar)
    return _ratio(outage, promise.rto, calendar) <= 1.0
