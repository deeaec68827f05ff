"""When a delay runs out, for thousands of outages at once. Pure.

`domain.calendars.due_at` walks from opening to opening, which is right for one instant. Here the
openings of a calendar are laid out once, with the open time before each: a due instant is then one
search forward and one back. `test_due` holds the two to the same second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.cycle.objectives.need import ALWAYS, Need
from releve.domain.calendars import Calendar, length, openings
from releve.domain.periods import Period, active
from releve.domain.units import Clock, Span

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

    Seconds = NDArray[float64]
    Flags = NDArray[bool_]

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

    A need that differs in critical periods takes the strictest of those that are on at that local date.
    """

    def __init__(
        self, at: Seconds, calendars: Mapping[str, Calendar], periods: tuple[Period, ...], timezone: str
    ) -> None:
        self._at = at
        self._calendars = calendars
        self._known: dict[tuple[str, Span], Seconds] = {}
        self._openings: dict[str, Openings] = {}
        self._on = _active(at, periods, timezone)

    def of(self, need: Need) -> Seconds:
        """Seconds after each outage at which `need` runs out."""
        import numpy as np

        usual = self.span(need.rto_in.get(ALWAYS, need.rto), need.calendar)
        for period, span in need.rto_in.items():
            if period != ALWAYS:
                usual = np.where(self._on[period], np.minimum(usual, self.span(span, need.calendar)), usual)
        return usual

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


def _active(at: Seconds, periods: tuple[Period, ...], timezone: str) -> Mapping[str, Flags]:
    """By period id, whether it is on at the local date of each outage."""
    import numpy as np

    if not periods:
        return {}
    zone = ZoneInfo(timezone)
    days: dict[date, int] = {}
    of_draw = np.empty(len(at), dtype=int)
    for index, seconds in enumerate(at):
        day = datetime.fromtimestamp(float(seconds), zone).date()
        of_draw[index] = days.setdefault(day, len(days))
    return {period.id: np.array([active(period, day) for day in days])[of_draw] for period in periods}
