"""By when to decide, so that an application is back in time nine times out of ten. Pure.

What a simulated recovery takes from its decision on does not depend on when the decision comes: it is put
behind another one. A decision needs its people: at once in their hours; else they come when they open again,
or after the time of the on-call, counted from the decision that calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from releve.domain.calendars import Calendar, openings
from releve.domain.objectives import Relief

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SURE = 0.9  # of the recoveries are back in time
_LAST = timedelta(minutes=1)  # before people leave: who decides then still finds them
_YEARS = timedelta(days=3650)  # as far as `domain.calendars` counts


@dataclass(frozen=True, slots=True)
class Moment:
    """When to decide of one application: `by` at the latest, or None: too late from the beginning.

    `at_once`: the chance that it is back in time when the decision falls at the very beginning.
    """

    by: datetime | None
    at_once: float


def moment(taken: Floats, due: datetime, at: datetime, relief: Relief, calendar: Calendar | None) -> Moment:
    """`taken`: seconds from the decision to the return, one a draw (at least one). `calendar`: that of the people; None: always there."""
    import numpy as np

    if not relief.people:
        calendar = None  # nobody has to come
    left = (due - _present(at, relief, calendar)).total_seconds()
    at_once = float(np.count_nonzero(taken <= left)) / len(taken)
    if at_once < SURE:
        return Moment(None, at_once)
    needed = float(np.sort(taken)[ceil(SURE * len(taken) - 1e-9) - 1])
    return Moment(max(at, _latest(at, due - timedelta(seconds=needed), relief, calendar)), at_once)


def _present(at: datetime, relief: Relief, calendar: Calendar | None) -> datetime:
    """When the people are there whom a decision at `at` calls."""
    if calendar is None:
        return at
    opening = next((max(at, start) for start, _end in openings(calendar, at, at + _YEARS)), None)
    called = at + timedelta(seconds=relief.on_call.seconds) if relief.on_call is not None else None
    known = [one for one in (opening, called) if one is not None]
    return min(known, default=at + _YEARS)


def _latest(at: datetime, wanted: datetime, relief: Relief, calendar: Calendar | None) -> datetime:
    """The last instant, `at` or later, of which a decision finds its people there by `wanted`."""
    if calendar is None:
        return wanted.replace(microsecond=0)
    found = at
    for start, end in openings(calendar, at, max(wanted, at) + timedelta(seconds=1)):
        if start <= wanted:
            found = max(found, wanted if wanted < end else end - _LAST)
    if relief.on_call is not None:
        found = max(found, wanted - timedelta(seconds=relief.on_call.seconds))
    return found.astimezone(UTC).replace(microsecond=0)
