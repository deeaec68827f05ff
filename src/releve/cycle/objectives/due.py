"""When a delay runs out, for thousands of outages at once. Pure.

`domain.calendars.due_at` walks from opening to opening, which is right for one instant. Here the
openings of a calendar are laid out once, with the open time before each: a due instant is then one
search forward and one back. `test_due` holds the two to the same second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.cycle.objectives.need import ALWAYS, Need
from releve.domain.calendars import Calendar, due_at, length, openings
from releve.domain.periods import Period, intervals
from releve.domain.units import Clock, Span

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Seconds = NDArray[float64]

AHEAD = timedelta(
    days=400
)  # beyond the year: the longest need of the ladder, holidays included, is over by then
FAR = timedelta(days=3650)  # as far as `domain.calendars` counts


@dataclass(frozen=True, slots=True)
class Openings:
    """The openings of one calendar over a span of time: POSIX seconds, and the open seconds before each."""

    starts: Seconds
    ends: Seconds
    before: Seconds

    def ran(self, at: Seconds) -> Seconds:
        """Open seconds from the beginning until each instant."""
        import numpy as np

        index = np.searchsorted(self.starts, at, side="right") - 1
        inside = np.clip(at - self.starts[index], 0.0, (self.ends - self.starts)[index])
        return np.where(index >= 0, self.before[index] + inside, 0.0)

    def after(self, open_seconds: Seconds) -> Seconds:
        """The earliest instant by which that much open time has run. Raises ValueError beyond the table."""
        import numpy as np

        total = self.before[-1] + self.ends[-1] - self.starts[-1]
        if float(open_seconds.max(initial=0.0)) > total:
            raise ValueError("the table of openings is too short")
        index = np.searchsorted(self.before, open_seconds, side="left") - 1
        index = np.maximum(index, 0)
        return self.starts[index] + (open_seconds - self.before[index])

    def next_open(self, at: Seconds) -> Seconds:
        """Each instant when it is inside an opening, else the beginning of the next one. Raises ValueError beyond the table."""
        import numpy as np

        index = np.searchsorted(self.ends, at, side="right")
        if int(index.max(initial=0)) >= len(self.starts):
            raise ValueError("the table of openings is too short")
        return np.maximum(at, self.starts[index])


def openings_of(calendar: Calendar, first: datetime, until: datetime) -> Openings:
    """The openings between two aware instants. Raises ValueError when there is none."""
    import numpy as np

    found = [(start.timestamp(), end.timestamp()) for start, end in openings(calendar, first, until)]
    if not found:
        raise ValueError(f"le calendrier « {calendar.id} » n'ouvre jamais")
    table = np.array(found)
    lengths = table[:, 1] - table[:, 0]
    return Openings(table[:, 0], table[:, 1], np.concatenate([[0.0], np.cumsum(lengths)[:-1]]))


class DueTable:
    """When needs run out, counted from outages at `at` (POSIX seconds, one a draw).

    An outage is judged at each instant by what is asked then: the length of the whole year, and those of the
    critical periods that are on at the local date. A need is broken at the first instant when the time that ran
    since the outage began reaches one of these lengths. So a period that begins during an outage may break it at
    its first midnight, and one that is over before its length has run breaks nothing.
    """

    def __init__(
        self, at: Seconds, calendars: Mapping[str, Calendar], periods: tuple[Period, ...], timezone: str
    ) -> None:
        self._at = at
        self._calendars = calendars
        self._known: dict[tuple[str, Span], Seconds] = {}
        self._openings: dict[str, Openings] = {}
        self._periods = {period.id: period for period in periods}
        self._zone = timezone
        self._days: dict[str, tuple[float, Seconds, Seconds]] = {}

    @property
    def at(self) -> Seconds:
        """The outages."""
        return self._at

    def of(self, need: Need) -> Seconds:
        """Seconds after each outage at which `need` runs out."""
        import numpy as np

        usual = self.span(need.rto_in.get(ALWAYS, need.rto), need.calendar)
        found = usual
        for period, span in need.rto_in.items():
            if period != ALWAYS:
                ran = self.span(span, need.calendar)
                # beyond the usual length nothing is left to break
                found = np.minimum(found, self._on(period, np.minimum(ran, usual), float(usual.max())))
        return found

    def _on(self, period: str, after: Seconds, furthest: float) -> Seconds:
        """Seconds after each outage at which the period is first on, `after` seconds or later; inf: not before `furthest`."""
        import numpy as np

        until = float(self._at.max()) + furthest
        laid, starts, ends = self._days.get(period, (float("-inf"), self._at, self._at))
        if laid < until:
            starts, ends = _days_of(self._periods[period], float(self._at.min()), until, self._zone)
            self._days[period] = (until, starts, ends)
        index = np.searchsorted(ends, self._at + after, side="right")
        return np.maximum(after, np.append(starts, np.inf)[index] - self._at)

    def span(self, span: Span, calendar: str) -> Seconds:
        """Seconds after each outage at which `span` has run on `calendar` (wall spans ignore it)."""
        import numpy as np

        key = ("" if span.clock is Clock.WALL else calendar, span)
        if key not in self._known:
            if span.clock is Clock.WALL:
                self._known[key] = np.full(len(self._at), span.seconds)
            else:
                needed = length(span, self._calendars[calendar]).total_seconds()
                self._known[key] = self._run_out(calendar, needed) if needed else self._at * 0.0
        return self._known[key]

    def _run_out(self, calendar: str, needed: float) -> Seconds:
        table = self.openings(calendar)
        try:
            return table.after(table.ran(self._at) + needed) - self._at
        except ValueError:  # longer than the ladder goes: somebody settled it
            table = self._laid(calendar, FAR)
            return table.after(table.ran(self._at) + needed) - self._at

    def openings(self, calendar: str) -> Openings:
        """The openings of a calendar of the plan around these outages."""
        if calendar not in self._openings:
            self._openings[calendar] = self._laid(calendar, AHEAD)
        return self._openings[calendar]

    def _laid(self, calendar: str, ahead: timedelta) -> Openings:
        first = datetime.fromtimestamp(float(self._at.min()), UTC)
        last = datetime.fromtimestamp(float(self._at.max()), UTC) + ahead
        return openings_of(self._calendars[calendar], first, last)


def _days_of(period: Period, first: float, last: float, timezone: str) -> tuple[Seconds, Seconds]:
    """The runs of days of a period around two POSIX seconds: the midnights where each begins, and ends."""
    import numpy as np

    zone = ZoneInfo(timezone)
    runs = intervals(
        period, datetime.fromtimestamp(first, zone).date(), datetime.fromtimestamp(last, zone).date()
    )
    edges = [(_midnight(begin, zone), _midnight(end + timedelta(days=1), zone)) for begin, end in runs]
    table = np.array([(begin.timestamp(), end.timestamp()) for begin, end in edges], dtype=float)
    table = table.reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def runs_out(
    need: Need, at: datetime, calendars: Mapping[str, Calendar], periods: Iterable[Period], timezone: str
) -> datetime:
    """The instant (aware) at which `need` runs out for one outage at `at` (aware): `DueTable.of`, exactly."""
    calendar, zone = calendars.get(need.calendar), ZoneInfo(timezone)
    found = due_at(at, need.rto_in.get(ALWAYS, need.rto), calendar)
    for period in periods:
        if period.id in need.rto_in:
            ran = due_at(at, need.rto_in[period.id], calendar)
            runs = intervals(period, ran.astimezone(zone).date(), found.astimezone(zone).date())
            found = min([found, *(max(ran, _midnight(begin, zone)) for begin, _end in runs[:1])])
    return found.astimezone(UTC)
