"""By when to decide: open hours, closed ones, and who must come."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from releve.cycle.objectives.deciding import moment
from releve.domain.calendars import Calendar
from releve.domain.objectives import Relief
from releve.domain.units import parse_span

OFFICE = Calendar("bureau", "UTC", {day: ((time(9), time(17)),) for day in range(5)})
HOUR = timedelta(hours=1)
FRIDAY = datetime(2026, 11, 27, 14, tzinfo=UTC)
EVENING, SUNDAY = FRIDAY.replace(hour=18), datetime(2026, 11, 29, 18, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
TAKEN = np.full(10, 3600.0)  # one hour from the decision on, always


def relief(on_call: str = "", people: int = 2) -> Relief:
    """People in office hours, who come within `on_call`."""
    called = parse_span(on_call) if on_call else None
    return Relief(4, 10**10, 1, 10**8, people, calendar="bureau", on_call=called)


@pytest.mark.parametrize(
    ("at", "due", "on_call", "by"),
    [
        (FRIDAY, FRIDAY + 2 * HOUR, "", FRIDAY + HOUR),  # in their hours: what is left of the delay
        (FRIDAY, EVENING + HOUR, "", FRIDAY.replace(hour=16, minute=59)),  # before they leave
        (FRIDAY, EVENING + 4 * HOUR, "1 h", EVENING + 2 * HOUR),  # or they travel
        (FRIDAY, EVENING + HOUR, "3 h", FRIDAY.replace(hour=16, minute=59)),  # both count, the later one
        (EVENING, EVENING + 3 * HOUR, "1 h", EVENING + HOUR),
        (EVENING, EVENING + HOUR, "1 h", None),  # not even at once
        (EVENING, EVENING + 30 * HOUR, "", None),  # nobody before Monday
        (SUNDAY, MONDAY + 2 * HOUR, "", MONDAY + HOUR),
        (SUNDAY, MONDAY + HOUR, "", MONDAY),
    ],
)
def test_the_last_moment_finds_its_people(
    at: datetime, due: datetime, on_call: str, by: datetime | None
) -> None:
    """Who decides then still has them there in time."""
    found = moment(TAKEN, due, at, relief(on_call), OFFICE)
    assert found.by == by
    assert found.at_once == (0.0 if by is None else 1.0)


def test_without_hours_or_people_nobody_has_to_come() -> None:
    """The delay, less the recovery."""
    assert moment(TAKEN, EVENING + 2 * HOUR, EVENING, relief(), None).by == EVENING + HOUR
    assert moment(TAKEN, EVENING + 2 * HOUR, EVENING, relief(people=0), OFFICE).by == EVENING + HOUR


@pytest.mark.parametrize(("late", "by"), [(1, FRIDAY + HOUR), (2, None)])
def test_nine_in_ten_is_enough_and_eight_are_not(late: int, by: datetime | None) -> None:
    """One recovery in ten may be late."""
    taken = np.array([3600.0] * (10 - late) + [10**6] * late)
    found = moment(taken, FRIDAY + 2 * HOUR, FRIDAY, relief(), OFFICE)
    assert found.by == by
    assert found.at_once == (10 - late) / 10
