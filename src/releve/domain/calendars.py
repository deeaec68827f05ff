"""Opening hours, holidays and the arithmetic of deadlines, daylight saving included.

Everything is computed on UTC instants: an instant is open when the clock on the wall of the
calendar's zone shows a time inside a slot of that day, and that day is neither a holiday, nor a day
of closure, nor of school holidays. So a slot 01:00–05:00 lasts three hours on the night of spring and
five on the night of autumn.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from releve.domain.instants import change, offset, zone_of
from releve.domain.school import school_holidays
from releve.domain.units import Clock, Span

_ZERO = timedelta(0)
_DAY = timedelta(days=1)
# Civil time is never further than 26 h from UTC (+14 h, and a day skipped at the date line): beyond
# this margin around a day, no change of offset can touch it.
_MARGIN = timedelta(hours=26)
_CLOSED_DAYS = 2 * 366  # a calendar that stays shut for two years never opens
_SEARCH_DAYS = 10 * 366  # and no deadline of a plan lies further than ten years ahead

# Codes of the `holidays` package (France.subdivisions), school holidays left out; names for people.
# Rules: C. trav. L3133-1 (eleven days), L3134-13 (Alsace-Moselle), L3422-2 (overseas).
_ZONES: Mapping[str, str] = {
    "": "aucun jour férié",
    "FR": "France métropolitaine",
    "FR-6AE": "Alsace",
    "FR-57": "Moselle",
    "FR-971": "Guadeloupe",
    "FR-972": "Martinique",
    "FR-973": "Guyane",
    "FR-974": "La Réunion",
    "FR-976": "Mayotte",
    "FR-BL": "Saint-Barthélemy",
    "FR-MF": "Saint-Martin",
    "FR-NC": "Nouvelle-Calédonie",
    "FR-PF": "Polynésie française",
    "FR-PM": "Saint-Pierre-et-Miquelon",
    "FR-TF": "Terres australes françaises",
    "FR-WF": "Wallis-et-Futuna",
}

Slot = tuple[time, time]
Opening = tuple[datetime, datetime]  # [from, to) in UTC
Pause = tuple[datetime, datetime]  # [from, to), aware: a delay stands still meanwhile


class OpensTooLittle(ValueError):
    """A calendar in which a delay would never end."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Days on which a place is shut whatever its hours, the first and the last included."""

    first: date
    last: date
    name: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours of a week in one time zone, minus holidays, closures and school holidays.

    `slots`: weekday (0 = Monday) -> ordered, disjoint [opening, closing) local times. A closing of
    00:00 is the midnight that ends the day (24:00); a night is two slots, one on each day.
    `holidays`: a code of `holiday_zones()`: "" (none), "FR", or "FR-<subdivision>".
    `closures`: in any order, they may overlap. `school`: "" or the zone ("A", "B", "C") whose school
    holidays are closed (IME, ITEP); beyond what is published they are projected (`domain/school.py`).
    """

    id: str
    timezone: str
    slots: Mapping[int, tuple[Slot, ...]]
    holidays: str = ""
    closures: tuple[Closure, ...] = ()
    school: str = ""


def holiday_zones() -> Mapping[str, str]:
    """The holiday zones that a calendar may name: code -> French name. Cheap: imports nothing."""
    return _ZONES


def due_at(start: datetime, span: Span, calendar: Calendar | None, pauses: Iterable[Pause] = ()) -> datetime:
    """The instant (aware, UTC) at which `span` has run since `start` (aware).

    It is the earliest such instant: eight business hours that begin when the office closes on
    Friday end when it closes on Monday, not when it opens on Tuesday. A span on the wall clock
    ignores the calendar. During `pauses` (a supplier who waits for its customer, a suspended
    commitment) no clock runs; they come in any order, and where two overlap the time is taken off once.
    A pause that still lasts is written until now: the answer is then the earliest that can be.
    Raises ValueError when an instant is naive, when a pause ends before it begins, when a business span
    has no calendar, when the calendar is wrong or never opens, or when the end lies over ten years ahead.
    """
    begin, still = _utc(start), _merged(pauses)
    if span.clock is Clock.WALL:
        return _after(begin, span.wall, still)
    left = length(span, calendar)
    if left == _ZERO or calendar is None:
        return begin
    for opening, closing in _openings(calendar, begin):
        for first, last in _outside(max(opening, begin), closing, still):
            if last - first >= left:
                return first + left
            left -= last - first
    raise _too_little(calendar)


def elapsed(
    start: datetime, end: datetime, calendar: Calendar | None, pauses: Iterable[Pause] = ()
) -> timedelta:
    """Time that ran between two aware instants: inside opening hours, or wall time without calendar.

    Time inside `pauses` did not run. Negative when `end` is before `start` (two machines, two clocks),
    so that elapsed(a, b) + elapsed(b, c) == elapsed(a, c) whatever their order. Raises ValueError when an
    instant is naive, a pause ends before it begins, or the calendar is wrong; a calendar that never
    opens gives zero.
    """
    first, last, still = _utc(start), _utc(end), _merged(pauses)
    if last < first:
        return -_ran(last, first, calendar, still)
    return _ran(first, last, calendar, still)


def _ran(first: datetime, last: datetime, calendar: Calendar | None, still: tuple[Pause, ...]) -> timedelta:
    if calendar is None:
        return sum((to - since for since, to in _outside(first, last, still)), _ZERO)
    total = _ZERO
    # two days further than the last one: a zone may be a day away from UTC
    for opening, closing in _openings(calendar, first, until=last.date() + 2 * _DAY):
        if opening >= last:
            break
        for since, to in _outside(max(opening, first), min(closing, last), still):
            total += to - since
    return total


def _merged(pauses: Iterable[Pause]) -> tuple[Pause, ...]:
    """The pauses in UTC, in order and disjoint. Raises ValueError when one ends before it begins."""
    merged: list[Pause] = []
    for first, last in sorted((_utc(first), _utc(last)) for first, last in pauses):
        if last < first:
            raise ValueError("une suspension finit avant de commencer")
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _outside(first: datetime, last: datetime, still: tuple[Pause, ...]) -> Iterator[Opening]:
    """The parts of [first, last) in which no pause stands."""
    for since, to in still:
        if to <= first:
            continue
        if since >= last:
            break
        if first < since:
            yield first, since
        first = to
    if first < last:
        yield first, last


def _after(begin: datetime, left: timedelta, still: tuple[Pause, ...]) -> datetime:
    """When `left` has run on the wall clock: each pause met before then puts it off by what remains of it."""
    due = begin + left
    for since, to in still:
        if max(since, begin) >= due:
            break
        due += max(_ZERO, to - max(since, begin))
    return due


def length(span: Span, calendar: Calendar | None) -> timedelta:
    """How much time must run on the span's own clock; business days become hours here.

    Raises ValueError for a business span without calendar, or with one that never opens.
    """
    if span.clock is Clock.WALL:
        return span.wall
    if calendar is None:
        raise ValueError("une durée ouvrée a besoin d'un calendrier")
    if span.business_days:
        return span.business_days * business_day(calendar)
    return timedelta(seconds=span.seconds)


def business_day(calendar: Calendar) -> timedelta:
    """What one business day ("1 j ouvré") is worth: the hours of the week's most common open day.

    When two lengths are equally common the shorter counts: a doubt never lengthens an outage that
    users accept. Raises ValueError when the calendar never opens.
    """
    lengths = Counter(
        sum((closing - opening for opening, closing in slots), _ZERO) for slots in _week(calendar) if slots
    )
    if not lengths:
        raise _never_opens(calendar)
    return min(lengths, key=lambda hours: (-lengths[hours], hours))


def worst_wall(span: Span, calendar: Calendar | None, *, year: int = 2026) -> timedelta:
    """The longest that `span` can last on the wall clock when it begins in `year`; for display.

    "8 h ouvrées" can be four days, and weeks around a closure: a later year in which a closure is
    already dated counts too, or the worst that is known to come would not be shown.
    Raises ValueError as `due_at` does.
    """
    if span.clock is Clock.WALL or calendar is None:
        return length(span, calendar)
    needed = length(span, calendar)
    if needed == _ZERO:
        return _ZERO
    years = {year} | {
        day.year for one in calendar.closures for day in (one.first, one.last) if day.year > year
    }
    return max(_worst_in(one, needed, calendar) for one in years)


def _worst_in(year: int, needed: timedelta, calendar: Calendar) -> timedelta:
    """The worst of the starts of one year.

    The worst start is always a closing: within an opening the end moves with the start or jumps
    further, and once closed, waiting only shortens the wait.
    """
    limit = datetime(year + 1, 1, 1, tzinfo=UTC)
    first = datetime(year, 1, 1, tzinfo=UTC)
    # the year's first instant and every closing after it, each with the open time that ran before
    starts = deque([(first, _ZERO)])
    ran, worst = _ZERO, _ZERO
    for opening, closing in _openings(calendar, first):
        ran += closing - max(opening, first)
        while starts and ran - starts[0][1] >= needed:
            begin, at_begin = starts.popleft()
            worst = max(worst, closing - (ran - at_begin - needed) - begin)
        if closing < limit:
            starts.append((closing, ran))
        elif not starts:
            return worst
    raise _too_little(calendar)


def least_wall(span: Span, calendar: Calendar | None, *, year: int = 2026) -> timedelta:
    """The shortest that `span` can last on the wall clock when it begins in `year`.

    What must hold whenever the outage begins is judged on this one: "8 h ouvrées" may be over eight hours
    after it began. The best start is always an opening: before it time is only waited for, and within
    one the end moves with the start or jumps further. Raises ValueError as `due_at` does.
    """
    needed = length(span, calendar)
    if span.clock is Clock.WALL or calendar is None or needed == _ZERO:
        return needed
    limit = datetime(year + 1, 1, 1, tzinfo=UTC)
    starts: deque[tuple[datetime, timedelta]] = deque()  # openings, each with the open time before it
    ran, least = _ZERO, timedelta.max
    for opening, closing in _openings(calendar, datetime(year, 1, 1, tzinfo=UTC)):
        if opening < limit:
            starts.append((opening, ran))
        ran += closing - opening
        while starts and ran - starts[0][1] >= needed:
            begin, before = starts.popleft()
            least = min(least, closing - (ran - before - needed) - begin)
        if opening >= limit and not starts:
            return least
    raise _too_little(calendar)


def openings(calendar: Calendar, first: datetime, until: datetime) -> Iterator[Opening]:
    """The openings (UTC) that touch [first, until), both aware, in order; none for a calendar that never opens."""
    begin, end = _utc(first), _utc(until)
    for opening, closing in _openings(calendar, begin, until=end.date() + 2 * _DAY):
        if opening >= end:
            return
        yield opening, closing


def _openings(calendar: Calendar, start: datetime, *, until: date | None = None) -> Iterator[Opening]:
    """Openings in UTC, in order, from the one that holds `start` or the next.

    Ends at `until` (a date), or after ten years. Without `until`, raises ValueError once the
    calendar stayed shut for two years.
    """
    week, zone, closures = _week(calendar), zone_of(calendar.timezone), _closures(calendar)
    # the day before too: the date of `start` in UTC may be a day ahead of the zone's, or behind
    day = start.astimezone(zone).date() - _DAY
    shut = 0
    last = until or day + timedelta(days=_SEARCH_DAYS)
    while day <= last:
        shut += 1
        slots = week[day.weekday()]
        if slots and not _closed(day, calendar, closures):
            shut = 0
            for opening in _of_day(day, slots, zone):
                if opening[1] > start:
                    yield opening
        if until is None and shut > _CLOSED_DAYS:
            raise _never_opens(calendar)
        day += _DAY


def _of_day(day: date, slots: tuple[tuple[timedelta, timedelta], ...], zone: ZoneInfo) -> Iterator[Opening]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    before, after = offset(midnight - _MARGIN, zone), offset(midnight + _DAY + _MARGIN, zone)
    if before == after:
        for opening, closing in slots:
            yield midnight + opening - before, midnight + closing - before
        return
    # The clocks change near this day. What the wall showed before the change, then after it: an hour
    # shown twice is open twice, an hour never shown is not open.
    turn = change(midnight - _MARGIN, midnight + _DAY + _MARGIN, zone)
    spoken = [(midnight + o - before, min(midnight + c - before, turn)) for o, c in slots]
    spoken += [(max(midnight + o - after, turn), midnight + c - after) for o, c in slots]
    yield from ((opening, closing) for opening, closing in spoken if opening < closing)


def _week(calendar: Calendar) -> list[tuple[tuple[timedelta, timedelta], ...]]:
    """The seven days as durations since local midnight. Raises ValueError when a slot is wrong."""
    days = []
    for weekday in range(7):
        slots = tuple(
            (_since_midnight(opening), _until(closing))
            for opening, closing in calendar.slots.get(weekday, ())
        )
        if any(closing <= opening for opening, closing in slots):
            raise ValueError(f"calendrier « {calendar.id} » : une plage finit avant de commencer")
        if any(later[0] < earlier[1] for earlier, later in pairwise(slots)):
            raise ValueError(f"calendrier « {calendar.id} » : deux plages se chevauchent ou sont en désordre")
        days.append(slots)
    return days


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _until(closing: time) -> timedelta:
    return _DAY if closing in (time(0, 0), time.max) else _since_midnight(closing)


def _closures(calendar: Calendar) -> tuple[tuple[date, date], ...]:
    for closure in calendar.closures:
        if closure.last < closure.first:
            raise ValueError(f"calendrier « {calendar.id} » : une fermeture finit avant de commencer")
    return tuple((closure.first, closure.last) for closure in calendar.closures)


def _closed(day: date, calendar: Calendar, closures: tuple[tuple[date, date], ...]) -> bool:
    return (
        day in _holidays(calendar.holidays, day.year)
        or any(first <= day <= last for first, last in closures)
        or (bool(calendar.school) and day in school_holidays(calendar.school, day.year))
    )


@lru_cache(maxsize=512)
def _holidays(zone: str, year: int) -> frozenset[date]:
    if zone not in _ZONES:
        raise ValueError(f"zone de jours fériés inconnue : « {zone} »")
    if not zone:
        return frozenset()
    import holidays  # 285 ms: paid only by a plan that has a calendar with holidays

    country, _, subdivision = zone.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year))


def _never_opens(calendar: Calendar) -> OpensTooLittle:
    return OpensTooLittle(f"le calendrier « {calendar.id} » n'ouvre jamais")


def _too_little(calendar: Calendar) -> OpensTooLittle:
    return OpensTooLittle(f"le calendrier « {calendar.id} » n'ouvre pas assez : échéance à plus de dix ans")


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("un instant sans fuseau horaire ne désigne aucun moment")
    return instant.astimezone(UTC)
