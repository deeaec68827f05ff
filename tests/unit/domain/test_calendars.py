"""Deadlines as an association writes them."""

from __future__ import annotations

import subprocess
import sys
import time as clock
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest

from releve.domain.calendars import (
    Calendar,
    Closure,
    OpensTooLittle,
    Pause,
    business_day,
    due_at,
    elapsed,
    holiday_zones,
    length,
    worst_wall,
)
from releve.domain.units import Span, parse_span

PARIS = ZoneInfo("Europe/Paris")
NINE_TO_FIVE = {day: ((time(9), time(17)),) for day in range(5)}
OFFICE = Calendar("bureau", "Europe/Paris", NINE_TO_FIVE, "FR")
NIGHT = Calendar("nuit", "Europe/Paris", dict.fromkeys(range(7), ((time(1), time(5)),)))
ALWAYS = Calendar("toujours", "Europe/Paris", dict.fromkeys(range(7), ((time(0), time(0)),)))


def paris(month: int, day: int, hour: int, minute: int = 0, year: int = 2026) -> datetime:
    """An instant as the clock on a wall in Paris shows it."""
    return datetime(year, month, day, hour, minute, tzinfo=PARIS)


@pytest.mark.parametrize("text", ["8 h ouvrées", "1 j ouvré"])
def test_friday_evening_to_monday_evening(text: str) -> None:
    """Eight business hours from Friday 17:00 end on Monday 17:00: seventy-two hours on the wall."""
    start = paris(9, 18, 17)
    due = due_at(start, parse_span(text), OFFICE)
    assert due == paris(9, 21, 17)
    assert due - start.astimezone(UTC) == timedelta(hours=72)
    assert due.tzinfo is UTC


def test_a_holiday_monday_makes_it_four_days() -> None:
    """Over Easter the same eight hours last ninety-six hours on the wall."""
    start = paris(4, 3, 17)
    assert due_at(start, parse_span("8 h ouvrées"), OFFICE) - start.astimezone(UTC) == timedelta(hours=96)


def test_alsace_and_moselle_keep_good_friday() -> None:
    """Good Friday is open in Paris and shut in Strasbourg and Metz."""
    start, end = paris(4, 3, 0), paris(4, 4, 0)
    for zone, hours in (("FR", 8), ("FR-6AE", 0), ("FR-57", 0)):
        calendar = Calendar("x", "Europe/Paris", NINE_TO_FIVE, zone)
        assert elapsed(start, end, calendar) == timedelta(hours=hours), zone


def test_a_wall_span_ignores_the_calendar() -> None:
    """Four hours around the clock are four hours, on a Sunday too."""
    start = paris(9, 20, 3)
    assert due_at(start, parse_span("4 h"), OFFICE) == paris(9, 20, 7)


def test_elapsed_without_calendar_is_wall_time() -> None:
    """Without calendar, the clock never stops, and the missing hour of spring is missing."""
    assert elapsed(paris(3, 28, 12), paris(3, 29, 12), None) == timedelta(hours=23)


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 28, 4), (3, 29, 3), (10, 24, 4), (10, 25, 5)])
def test_a_slot_across_the_change_counts_real_time(month: int, day: int, hours: int) -> None:
    """01:00–05:00 lasts three hours on the night of spring and five on the night of autumn."""
    assert elapsed(paris(month, day, 0), paris(month, day, 6), NIGHT) == timedelta(hours=hours)


@pytest.mark.parametrize("midnight", [time(0), time.max])
def test_a_slot_may_end_at_midnight(midnight: time) -> None:
    """A closing of 24:00, written 00:00, runs to the very end of the day."""
    evening = Calendar("soir", "Europe/Paris", dict.fromkeys(range(7), ((time(22), midnight),)))
    assert elapsed(paris(9, 18, 12), paris(9, 19, 12), evening) == timedelta(hours=2)


def test_around_the_clock_is_wall_time() -> None:
    """A calendar open day and night gives what the wall clock gives, over a whole year."""
    start, end = paris(1, 1, 0), paris(12, 31, 23)
    assert elapsed(start, end, ALWAYS) == elapsed(start, end, None)


def test_a_business_day_is_the_most_common_open_day() -> None:
    """A short Wednesday or a Saturday morning does not change what one business day is worth."""
    week = {day: ((time(9), time(12, 30)), (time(13, 30), time(17))) for day in range(5)}
    week[2] = ((time(9), time(12)),)
    week[5] = ((time(9), time(12)),)
    calendar = Calendar("x", "Europe/Paris", week)
    assert business_day(calendar) == timedelta(hours=7)
    assert length(parse_span("3 j ouvrés"), calendar) == timedelta(hours=21)


def test_between_two_common_days_the_shorter_counts() -> None:
    """A doubt about the day's length never gives users a longer outage."""
    week = {0: ((time(8), time(17)),), 1: ((time(8), time(12)),)}
    assert business_day(Calendar("x", "Europe/Paris", week)) == timedelta(hours=4)


def test_zero_is_due_at_once() -> None:
    """A span of zero is due when it starts, even outside opening hours."""
    start = paris(9, 20, 3)
    assert due_at(start, parse_span("0 h ouvrées"), OFFICE) == start


def test_the_worst_case_is_shown_on_the_wall_clock() -> None:
    """Eight business hours can last four days in 2026, and five where Good Friday is a holiday."""
    span = parse_span("8 h ouvrées")
    moselle = Calendar("x", "Europe/Paris", NINE_TO_FIVE, "FR-57")
    assert worst_wall(span, OFFICE, year=2026) == timedelta(hours=96)
    assert worst_wall(span, moselle, year=2026) == timedelta(hours=120)
    assert worst_wall(span, ALWAYS, year=2026) == timedelta(hours=8)
    assert worst_wall(parse_span("4 h"), OFFICE) == timedelta(hours=4)


def test_the_worst_case_is_cheap() -> None:
    """It is quick enough to be shown beside every need of a plan."""
    elapsed(paris(1, 1, 0, year=2026), paris(1, 1, 0, year=2028), OFFICE)  # holidays read once
    began = clock.process_time()
    worst_wall(parse_span("10 j ouvrés"), OFFICE)
    assert clock.process_time() - began < 0.1


@pytest.mark.parametrize(
    "calendar",
    [
        Calendar("jamais", "Europe/Paris", {}),
        Calendar("jamais", "Europe/Paris", {0: ()}),
        Calendar("nuit", "Europe/Paris", {6: ((time(1), time(1, 1)),)}),
    ],
)
def test_a_calendar_that_opens_too_little_is_refused(calendar: Calendar) -> None:
    """Instead of searching for ever, a deadline that never comes is an error."""
    for ask in (due_at, lambda start, span, asked: worst_wall(span, asked)):
        with pytest.raises(ValueError, match="n'ouvre"):
            ask(paris(1, 1, 0), parse_span("300 h ouvrées"), calendar)


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        (Calendar("x", "Europe/Atlantide", NINE_TO_FIVE), "fuseau"),
        (Calendar("x", "../../etc/passwd", NINE_TO_FIVE), "fuseau"),
        (Calendar("x", "", NINE_TO_FIVE), "fuseau"),
        (Calendar("x", "Europe/Paris", NINE_TO_FIVE, "FR-Zone A"), "fériés"),
        (Calendar("x", "Europe/Paris", NINE_TO_FIVE, "XX"), "fériés"),
        (Calendar("x", "Europe/Paris", {0: ((time(17), time(9)),)}), "finit avant"),
        (Calendar("x", "Europe/Paris", {0: ((time(9), time(12)), (time(11), time(17)))}), "chevauchent"),
    ],
)
def test_a_wrong_calendar_is_refused(calendar: Calendar, words: str) -> None:
    """An unknown zone or a wrong slot is an error, never a silent default."""
    with pytest.raises(ValueError, match=words):
        elapsed(paris(1, 1, 0), paris(2, 1, 0), calendar)
    with pytest.raises(ValueError, match=words):
        due_at(paris(1, 1, 0), parse_span("1 h ouvrée"), calendar)


def test_a_business_span_needs_a_calendar() -> None:
    """Business hours without a calendar have no meaning."""
    with pytest.raises(ValueError, match="calendrier"):
        due_at(paris(1, 1, 0), parse_span("1 h ouvrée"), None)


def test_a_naive_instant_is_refused() -> None:
    """An instant without its zone is refused rather than guessed."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="fuseau"):
        due_at(naive, Span(), None)
    with pytest.raises(ValueError, match="fuseau"):
        elapsed(naive, paris(1, 1, 0), None)


def test_the_zones_are_those_of_the_package() -> None:
    """Every subdivision that the installed package knows is offered, school holidays excepted."""
    known = {code for code in holidays.country_holidays("FR").subdivisions if not code.startswith("Zone")}
    assert set(holiday_zones()) == {"", "FR"} | {f"FR-{code}" for code in known}


def test_holidays_are_read_only_when_needed() -> None:
    """Importing calendars does not pay for the holidays package (a quarter of a second)."""
    program = "import sys, releve.domain.calendars; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


AUGUST = Calendar(
    "bureau",
    "Europe/Paris",
    NINE_TO_FIVE,
    "FR",
    (Closure(date(2026, 8, 1), date(2026, 8, 21), "fermeture d'août"),),
)


def test_nothing_runs_on_a_day_of_closure() -> None:
    """From Friday 31 July 17:00, eight hours end on Monday 24 August: both days of a closure are closed."""
    start = paris(7, 31, 17)
    assert due_at(start, parse_span("8 h ouvrées"), AUGUST) == paris(8, 24, 17)
    assert elapsed(start, paris(8, 22, 0), AUGUST) == timedelta(0)
    assert elapsed(start, paris(8, 24, 10), AUGUST) == timedelta(hours=1)


def test_closures_count_in_the_worst_case() -> None:
    """Eight hours that last four days at worst last twenty-four around the closure of August."""
    assert worst_wall(parse_span("8 h ouvrées"), AUGUST, year=2026) == timedelta(days=24)
    assert worst_wall(parse_span("8 h ouvrées"), AUGUST, year=2027) < timedelta(days=5)


def test_a_closure_of_a_later_year_is_in_the_worst_case() -> None:
    """In November, the closure of next August is what is to come: it is shown already."""
    assert worst_wall(parse_span("8 h ouvrées"), AUGUST, year=2025) == timedelta(days=24)


def test_closures_may_overlap_and_come_in_any_order() -> None:
    """What is closed twice is closed once."""
    many = (
        Closure(date(2026, 8, 10), date(2026, 8, 21)),
        Closure(date(2026, 8, 1), date(2026, 8, 12)),
        Closure(date(2026, 8, 5), date(2026, 8, 5)),
    )
    other = Calendar("bureau", "Europe/Paris", NINE_TO_FIVE, "FR", many)
    ends = paris(7, 1, 0), paris(9, 30, 0)
    assert elapsed(*ends, other) == elapsed(*ends, AUGUST)


def test_a_closure_that_ends_before_it_begins_is_refused() -> None:
    """A slip on a date is an error, never an empty closure."""
    wrong = Calendar(
        "x", "Europe/Paris", NINE_TO_FIVE, closures=(Closure(date(2026, 8, 2), date(2026, 8, 1)),)
    )
    with pytest.raises(ValueError, match="fermeture finit avant"):
        elapsed(paris(1, 1, 0), paris(2, 1, 0), wrong)


def test_a_closure_of_years_never_opens() -> None:
    """A calendar shut for more than two years is one that never opens."""
    shut = Calendar(
        "x", "Europe/Paris", NINE_TO_FIVE, closures=(Closure(date(2026, 1, 1), date(2040, 1, 1)),)
    )
    with pytest.raises(OpensTooLittle):
        due_at(paris(1, 1, 0), parse_span("1 h ouvrée"), shut)


def test_an_institute_follows_the_school() -> None:
    """From the last evening before Christmas, an IME of zone A opens again with the school."""
    institute = Calendar("ime", "Europe/Paris", NINE_TO_FIVE, "FR", school="A")
    assert due_at(paris(12, 18, 17), parse_span("8 h ouvrées"), institute) == paris(1, 4, 17, year=2027)
    assert worst_wall(parse_span("8 h ouvrées"), institute, year=2026) > timedelta(days=58)


def test_a_deadline_beyond_the_published_school_years_is_projected() -> None:
    """Ten years ahead there are still holidays: a deadline that far neither fails nor skips them."""
    institute = Calendar("ime", "Europe/Paris", NINE_TO_FIVE, "FR", school="B")
    start = paris(7, 20, 9, year=2035)
    assert due_at(start, parse_span("1 h ouvrée"), institute) > paris(8, 31, 0, year=2035)


@pytest.mark.parametrize(("school", "words"), [("D", "zone scolaire"), ("a", "zone scolaire")])
def test_an_unknown_school_zone_is_refused(school: str, words: str) -> None:
    """A school zone that does not exist is an error."""
    with pytest.raises(ValueError, match=words):
        elapsed(paris(1, 1, 0), paris(2, 1, 0), Calendar("x", "Europe/Paris", NINE_TO_FIVE, school=school))


def test_a_year_whose_school_holidays_are_not_known_is_refused() -> None:
    """Nothing known of a year is an error, never a year without holidays."""
    institute = Calendar("ime", "Europe/Paris", NINE_TO_FIVE, school="A")
    with pytest.raises(ValueError, match="2016 ne sont pas connues"):
        elapsed(paris(1, 5, 0, year=2016), paris(2, 1, 0, year=2016), institute)


def test_a_supplier_that_waits_for_its_customer_does_not_count() -> None:
    """A repair in four hours, suspended from 10:00 to 11:30, is due an hour and a half later."""
    waiting: list[Pause] = [(paris(9, 18, 10), paris(9, 18, 11, 30))]
    assert due_at(paris(9, 18, 9), parse_span("4 h"), None, waiting) == paris(9, 18, 14, 30)
    assert due_at(paris(9, 18, 9), parse_span("4 h ouvrées"), OFFICE, waiting) == paris(9, 18, 14, 30)
    assert elapsed(paris(9, 18, 9), paris(9, 18, 12), None, waiting) == timedelta(hours=1, minutes=30)


def test_a_night_of_suspension_costs_business_hours_nothing() -> None:
    """A pause outside the opening hours changes no deadline that counts inside them."""
    night: list[Pause] = [(paris(9, 17, 18), paris(9, 18, 8))]
    span = parse_span("8 h ouvrées")
    assert due_at(paris(9, 17, 14), span, OFFICE, night) == due_at(paris(9, 17, 14), span, OFFICE)


def test_pauses_that_overlap_are_taken_off_once() -> None:
    """Two reasons to wait at the same time are one wait; touching and empty ones are harmless."""
    pauses: list[Pause] = [
        (paris(9, 18, 12), paris(9, 18, 13)),
        (paris(9, 18, 10), paris(9, 18, 12)),
        (paris(9, 18, 11), paris(9, 18, 11)),
        (paris(9, 18, 11), paris(9, 18, 12, 30)),
    ]
    assert due_at(paris(9, 18, 9), parse_span("2 h"), None, pauses) == paris(9, 18, 14)
    assert elapsed(paris(9, 18, 9), paris(9, 18, 14), None, pauses) == timedelta(hours=2)


def test_a_delay_that_ends_when_a_pause_begins_is_over() -> None:
    """The deadline is the earliest instant: a pause that begins right then changes nothing."""
    pause: list[Pause] = [(paris(9, 18, 13), paris(9, 18, 15))]
    assert due_at(paris(9, 18, 9), parse_span("4 h"), None, pause) == paris(9, 18, 13)
    assert due_at(paris(9, 18, 14), parse_span("0"), None, pause) == paris(9, 18, 14)


@pytest.mark.parametrize("calendar", [None, OFFICE])
def test_a_wrong_pause_is_refused(calendar: Calendar | None) -> None:
    """A pause that ends before it begins, or without zone, is an error."""
    reversed_: list[Pause] = [(paris(9, 18, 12), paris(9, 18, 11))]
    naive: list[Pause] = [(datetime(2026, 9, 18), paris(9, 18, 11))]  # noqa: DTZ001
    for pauses, words in ((reversed_, "suspension finit avant"), (naive, "fuseau")):
        with pytest.raises(ValueError, match=words):
            elapsed(paris(9, 18, 9), paris(9, 18, 14), calendar, pauses)
        with pytest.raises(ValueError, match=words):
            due_at(paris(9, 18, 9), parse_span("1 h"), calendar, pauses)
