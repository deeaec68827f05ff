"""Need, commitment, measure side by side for every application, with the ratio measure / need in bands. Pure.

The three are never one number: what was not measured has no ratio and no colour, it is "jamais prouvé".
An outage is compared on the need's own clock, with the need that was in force while it lasted: in a
critical period that of the period. Data lost are what a switch could prove, never a lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from releve.cycle.objectives.history import Lost
from releve.cycle.objectives.need import ALWAYS, Need
from releve.domain.calendars import Calendar, elapsed, length
from releve.domain.incident import Incident
from releve.domain.objectives import Objectives
from releve.domain.periods import Period, active
from releve.domain.plan import Application, Plan
from releve.domain.units import MAX_SPAN_SECONDS, Clock, Span


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
class Commitment:
    """What somebody promises of an application. `who`: a supplier's name; empty: the association's own plan.

    None: not promised. `calendar`: the service hours in which `rto` runs, empty for day and night.
    """

    who: str
    rto: Span | None
    rpo: Span | None
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class LossLine:
    """Data lost: what may be, and what the last switch that could tell has lost. Bands as for outages."""

    need: Span
    lost: Lost | None
    ratio: float | None
    band: Band


@dataclass(frozen=True, slots=True)
class Compared:
    """One application at one establishment. `need`: the one that the measure was compared with, else the strictest.

    `ratio`: the last measure over the need, on the need's clock. `commitments`: none, nothing is promised.
    `measured` None: jamais prouvé. `promise_kept` (the plan's own) None: nothing to say. `loss` None: nothing to lose.
    """

    application: str
    name: str
    establishment: str
    need: Span
    calendar: str
    answered: bool
    commitments: tuple[Commitment, ...]
    measured: Measured | None
    ratio: float | None
    band: Band
    promise_kept: bool | None
    loss: LossLine | None


def compared(
    plan: Plan,
    objectives: Objectives,
    needs: Iterable[Need],
    incidents: Iterable[Incident],
    lost: Mapping[str, Lost],
    now: datetime,
) -> tuple[Compared, ...]:
    """Every need beside what is promised and what was seen at `now` (aware). `lost`: by data set."""
    seen = _seen(plan, incidents, now)
    zone = ZoneInfo(plan.timezone)
    lines = []
    for need in needs:
        application = plan.application(need.application)
        against = _Against(need, plan.calendars.get(need.calendar), objectives.periods, zone)
        outages = [
            item for item in seen.get(need.application, []) if not item.ongoing or against.worst(item)[0] > 1
        ]
        ratio, asked = against.worst(outages[0]) if outages else (None, need.rto)
        lines.append(
            Compared(
                need.application,
                application.name,
                need.establishment,
                asked,
                need.calendar,
                need.answered or need.settled is not None,
                tuple(_commitments(application, objectives)),
                _measured(outages),
                ratio,
                band_of(ratio),
                _kept(application, outages[0] if outages else None, plan),
                _loss(need, application, lost),
            )
        )
    return tuple(lines)


def _commitments(application: Application, objectives: Objectives) -> Iterator[Commitment]:
    own = application.commitment
    if own is not None:
        yield Commitment("", own.rto, own.rpo, own.calendar or application.need.calendar)
    for supplier in objectives.suppliers:
        for promise in supplier.promises:
            if promise.on == application.id:
                yield Commitment(supplier.name, promise.restore, promise.loss, promise.calendar)


def _loss(need: Need, application: Application, lost: Mapping[str, Lost]) -> LossLine | None:
    """The data set that lost most; a loss of which one data set says nothing is not known."""
    if need.rpo is None or need.rpo.seconds >= MAX_SPAN_SECONDS:
        return None
    found = [lost.get(name) for name in application.data]
    known = [item for item in found if item is not None]
    if not known or len(known) < len(found):
        return LossLine(need.rpo, None, None, Band.NEVER)
    worst = max(known, key=lambda item: item.seconds)
    allowed = need.rpo.seconds
    ratio = worst.seconds / allowed if allowed else float("inf") if worst.seconds else 0.0
    return LossLine(need.rpo, worst, ratio, band_of(ratio))


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


class _Against:
    """One need, and how outages stand against it as it changes with the critical periods."""

    def __init__(
        self, need: Need, calendar: Calendar | None, periods: Iterable[Period], zone: ZoneInfo
    ) -> None:
        self._need = need
        self._calendar = calendar
        self._periods = tuple(period for period in periods if period.id in need.rto_in)
        self._zone = zone

    def worst(self, outage: _Outage) -> tuple[float, Span]:
        """The largest ratio, and the need that gives it: each is held at the last instant at which it was in force."""
        last: dict[Span, datetime] = {}
        for until in self._days(outage):
            last[self._on((until - timedelta(microseconds=1)).astimezone(self._zone).date())] = until
        return max(
            ((_ratio(outage.began, until, span, self._calendar), span) for span, until in last.items()),
            key=lambda item: item[0],
        )

    def _days(self, outage: _Outage) -> Iterator[datetime]:
        """The end of each local day of the outage, the last one cut at its end."""
        if not self._periods:
            yield outage.ended
            return
        day = outage.began.astimezone(self._zone).date()
        while True:
            day += timedelta(days=1)
            midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
            if midnight >= outage.ended:
                break
            yield midnight
        yield outage.ended

    def _on(self, day: date) -> Span:
        """The need in force on a local day: the strictest of the periods that are on, else the usual one."""
        on = [self._need.rto_in[period.id] for period in self._periods if active(period, day)]
        usual = self._need.rto_in.get(ALWAYS, self._need.rto)
        return min((*on, usual), key=lambda span: length(span, self._calendar))


def _ratio(began: datetime, ended: datetime, need: Span, calendar: Calendar | None) -> float:
    """What ran on the need's clock, over the need. A need of nothing is broken by any outage."""
    on_clock = calendar if need.clock is Clock.BUSINESS else None
    ran = elapsed(began, ended, on_clock)
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
    return _ratio(outage.began, outage.ended, promise.rto, calendar) <= 1.0
