"""What the law asks to be told, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from releve.domain.calendars import Calendar
from releve.domain.statutory import DUTIES, EVENT_FR, Event, deadlines
from releve.domain.units import Clock

PARIS = ZoneInfo("Europe/Paris")
OFFICE = Calendar("bureau", "Europe/Paris", {day: ((time(9), time(17)),) for day in range(5)}, "FR")


def due(
    events: set[Event], known_at: datetime, calendar: Calendar | None = None
) -> dict[str, datetime | None]:
    """Code of each duty -> its last instant."""
    return {duty.code: at for duty, at in deadlines(events, known_at, calendar)}


@pytest.mark.parametrize(
    ("known", "last"),
    [
        ((2026, 3, 27, 18), (2026, 3, 30, 19)),
        ((2026, 10, 23, 18), (2026, 10, 26, 17)),
        ((2026, 5, 1, 9), (2026, 5, 4, 9)),
    ],
)
def test_seventy_two_hours_run_day_and_night(known: tuple[int, ...], last: tuple[int, ...]) -> None:
    """Over a weekend, a holiday or a change of the clocks, 72 h are 72 h."""
    known_at = datetime(*known, tzinfo=PARIS)  # type: ignore[misc,arg-type]
    at = due({Event.DATA_BREACH}, known_at, OFFICE)["cnil"]
    assert at == datetime(*last, tzinfo=PARIS)  # type: ignore[misc,arg-type]
    assert at - known_at.astimezone(UTC) == timedelta(hours=72)


def test_only_the_duties_of_what_happened_are_told() -> None:
    """A dysfunction alone starts nothing at the CNIL; an attack starts the complaint."""
    now = datetime(2026, 11, 26, 10, tzinfo=PARIS)
    assert due({Event.DYSFUNCTION}, now) == {"dysfonctionnement": None}
    assert due({Event.ATTACK}, now)["plainte"] == now + timedelta(hours=72)
    assert due(set(), now) == {}
    assert set(due(set(Event), now)) == {duty.code for duty in DUTIES}


def test_business_days_need_the_calendar_of_who_waits() -> None:
    """Five open days to tell the insurer: without calendar, no date is made up."""
    friday = datetime(2026, 11, 27, 17, tzinfo=PARIS)
    assert due({Event.ATTACK}, friday)["assurance"] is None
    assert due({Event.ATTACK}, friday, OFFICE)["assurance"] == datetime(2026, 12, 4, 17, tzinfo=PARIS)


def test_a_naive_instant_is_refused() -> None:
    """Also where no figure has to be counted."""
    with pytest.raises(ValueError, match="fuseau"):
        deadlines({Event.DYSFUNCTION}, datetime(2026, 11, 26, 10))  # noqa: DTZ001


def test_the_table_says_where_each_duty_comes_from() -> None:
    """Distinct codes, a source and words for each, wall hours in growing order, every event served."""
    assert len({duty.code for duty in DUTIES}) == len(DUTIES)
    assert all(duty.source and duty.words and duty.events for duty in DUTIES)
    hours = [duty.delay.seconds for duty in DUTIES if duty.delay and duty.delay.clock is Clock.WALL]
    assert hours == sorted(hours)
    assert set(EVENT_FR) == set(Event) == set().union(*(duty.events for duty in DUTIES))
    # what stands from memory is shown "à vérifier"
    assert {duty.code for duty in DUTIES if not duty.checked} >= {"assurance", "nis2-alerte"}
