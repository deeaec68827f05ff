"""The table of due instants says what the calendar says, to the second, for thousands of outages at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.due import DueTable, openings_of, runs_out
from releve.cycle.objectives.need import Need, needs
from releve.domain.calendars import Calendar, Closure, due_at, elapsed, length
from releve.domain.periods import Period, active, parse_period
from releve.domain.units import Clock, Span, parse_span
from tests.fakes.objectives import OFFICE_PLACE, SCALE, at_night, objectives, statement
from tests.fakes.plans import OFFICE, plan

LUNCH = ((time(9), time(12, 30)), (time(13, 30), time(17)))
CALENDARS = {
    "bureau": OFFICE,
    "coupure": Calendar(
        "coupure",
        "Europe/Paris",
        {**dict.fromkeys(range(4), LUNCH), 4: ((time(8, 30), time(12)),)},
        "FR-57",
        (Closure(date(2026, 8, 3), date(2026, 8, 21), "août"), Closure(date(2026, 12, 24), date(2027, 1, 3), "fin")),
    ),
    "école": Calendar("école", "Europe/Paris", dict.fromkeys(range(5), ((time(8, 30), time(17)),)), "FR", (), "A"),
    "nuit": Calendar(
        "nuit",
        "Europe/Paris",
        dict.fromkeys(range(7), ((time(0), time(6)), (time(20), time(0)))),  # over both changes of clocks
    ),
    "réunion": Calendar("réunion", "Indian/Reunion", {0: LUNCH, 3: ((time(7), time(19)),)}, "FR-974"),
    "new-york": Calendar("new-york", "America/New_York", dict.fromkeys(range(7), ((time(1), time(3)),))),
}  # fmt: skip
FIRST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
TURNS = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 3, 8, 7, tzinfo=UTC)]  # fmt: skip
INSTANTS = st.integers(FIRST, LAST) | st.builds(
    lambda turn, shift: int(turn.timestamp()) + shift, st.sampled_from(TURNS), st.integers(-90_000, 90_000)
)
SPANS = st.one_of(
    st.integers(0, 40 * 86_400).map(float).map(Span),
    st.integers(0, 60 * 3600).map(lambda seconds: Span(float(seconds), Clock.BUSINESS)),
    st.sampled_from([60.0 * 30, 3600.0, 4 * 3600.0, 7 * 3600.0, 8 * 3600.0, 16 * 3600.0]).map(
        lambda seconds: Span(seconds, Clock.BUSINESS)
    ),
    st.integers(1, 20).map(lambda days: Span(0.0, Clock.BUSINESS, days)),
)


def table(at: list[int], calendars: dict[str, Calendar] | None = None) -> DueTable:
    """A table of these outages, without critical periods."""
    return DueTable(np.array(at, dtype=float), calendars or CALENDARS, (), "Europe/Paris")


def walked(at: int, span: Span, calendar: str) -> float:
    """Seconds until the due instant, as the calendar finds it by walking."""
    start = datetime.fromtimestamp(at, UTC)
    return (due_at(start, span, CALENDARS[calendar]) - start).total_seconds()


@settings(max_examples=120, deadline=None)
@given(
    at=st.lists(INSTANTS, min_size=1, max_size=60), span=SPANS, calendar=st.sampled_from(sorted(CALENDARS))
)
def test_the_table_and_the_calendar_say_the_same_second(at: list[int], span: Span, calendar: str) -> None:
    """Any instants of a year, holidays, closures and changes of clocks included."""
    found = table(at).span(span, calendar)
    assert found == pytest.approx([walked(instant, span, calendar) for instant in at], abs=1e-3)


@pytest.mark.parametrize("calendar", sorted(CALENDARS))
def test_every_opening_and_closing_is_a_good_start(calendar: str) -> None:
    """The instants where a search goes wrong by one: each boundary of a year, a second before and after."""
    laid = openings_of(
        CALENDARS[calendar], datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    edges = sorted(
        {int(edge) + shift for edge in (*laid.starts[::9], *laid.ends[::9]) for shift in (-1, 0, 1)}
    )
    for span in (
        Span(8 * 3600.0, Clock.BUSINESS),
        Span(float(laid.ends[0] - laid.starts[0]), Clock.BUSINESS),
    ):
        found = table(edges).span(span, calendar)
        assert found == pytest.approx([walked(edge, span, calendar) for edge in edges], abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(at=st.lists(INSTANTS, min_size=1, max_size=40), calendar=st.sampled_from(sorted(CALENDARS)))
def test_the_next_opening_is_the_first_instant_when_time_runs(at: list[int], calendar: str) -> None:
    """Nothing runs before it, and something runs right after it."""
    opened = table(at).openings(calendar).next_open(np.array(at, dtype=float))
    for instant, when in zip(at, opened, strict=True):
        start, end = datetime.fromtimestamp(instant, UTC), datetime.fromtimestamp(float(when), UTC)
        assert end >= start
        assert elapsed(start, end, CALENDARS[calendar]) == timedelta(0)
        assert elapsed(end, end + timedelta(seconds=1), CALENDARS[calendar]) == timedelta(seconds=1)


def test_a_table_that_is_too_short_is_an_error() -> None:
    """Neither a due instant nor an opening beyond the table is made up."""
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    short = openings_of(OFFICE, monday, monday + timedelta(days=1))
    with pytest.raises(ValueError, match="too short"):
        short.after(np.array([8 * 3600.0 + 1]))
    with pytest.raises(ValueError, match="too short"):
        short.next_open(np.array([short.ends[-1]]))
    assert short.after(np.array([8 * 3600.0])) == pytest.approx(short.ends)


def test_a_calendar_without_an_opening_is_an_error() -> None:
    """A Sunday has no table."""
    with pytest.raises(ValueError, match="n'ouvre jamais"):
        openings_of(OFFICE, datetime(2026, 6, 6, 12, tzinfo=UTC), datetime(2026, 6, 7, tzinfo=UTC))


PARIS = ZoneInfo("Europe/Paris")
PAIE = parse_period("du 18 au 5", id="paie", name="Paie")


def asked(usual: str, calendar: str = "", **periods: str) -> Need:
    """A need of these lengths, the usual one and those of critical periods."""
    (need,) = needs(plan(), objectives(statement()), SCALE, year=2026)
    spans = {name: parse_span(text) for name, text in periods.items()}
    return replace(need, calendar=calendar, rto_in={"": parse_span(usual), **spans})


def table_and_walk(need: Need, at: list[datetime], *periods: Period) -> list[datetime]:
    """When the need runs out, and that both ways of finding it agree to the millisecond."""
    one_by_one = [runs_out(need, item, CALENDARS, periods, "Europe/Paris") for item in at]
    found = DueTable(np.array([item.timestamp() for item in at]), CALENDARS, periods, "Europe/Paris").of(need)
    assert found == pytest.approx(
        [(due - item).total_seconds() for due, item in zip(one_by_one, at, strict=True)], abs=1e-3
    )
    return [due.astimezone(PARIS) for due in one_by_one]


@pytest.mark.parametrize(
    ("began", "due"),
    [
        ("2026-06-10T10:00", "2026-06-11T10:00"),  # far from any period: the ordinary day
        ("2026-06-18T00:01", "2026-06-18T01:01"),  # in it: an hour
        ("2026-06-17T10:00", "2026-06-18T00:00"),  # runs into it, with more than an hour behind it
        ("2026-06-17T23:30", "2026-06-18T00:30"),  # … with half an hour: as much is left
        ("2026-06-16T23:00", "2026-06-17T23:00"),  # the ordinary day is over before
        ("2026-07-05T22:30", "2026-07-05T23:30"),  # its last evening
        ("2026-07-05T23:59", "2026-07-06T23:59"),  # over before its hour ran: the ordinary day
        ("2026-07-06T00:01", "2026-07-07T00:01"),
        ("2026-03-17T12:00", "2026-03-18T00:00"),
    ],
)
def test_an_outage_is_judged_at_each_instant_by_the_need_of_that_day(began: str, due: str) -> None:
    """A day, and an hour in the period from the 18th to the 5th, by the local date."""
    at = datetime.fromisoformat(began).replace(tzinfo=PARIS)
    assert table_and_walk(asked("24 h", paie="1 h"), [at], PAIE) == [
        datetime.fromisoformat(due).replace(tzinfo=PARIS)
    ]


def broken_at(need: Need, at: datetime, periods: tuple[Period, ...]) -> datetime:
    """The rule read aloud, a quarter of an hour at a time: the first when what ran reaches what is asked that day."""
    calendar, by_id = CALENDARS.get(need.calendar), {item.id: item for item in periods}
    now = at
    while True:
        today = now.astimezone(PARIS).date()
        for period, span in need.rto_in.items():
            clock = calendar if span.clock is Clock.BUSINESS else None
            in_force = not period or active(by_id[period], today)
            if in_force and elapsed(at, now, clock) >= length(span, calendar):
                return now
        now += timedelta(minutes=15)


@settings(max_examples=15, deadline=None)
@given(
    quarters=st.lists(st.integers(0, 4 * 24 * 365 - 1), min_size=1, max_size=3),
    usual=st.sampled_from(["2 h", "24 h", "3 j"]),
    paie=st.sampled_from(["0", "30 min", "4 h", "5 j"]),
    week=st.sampled_from(["1 h", "12 h"]),
    business=st.booleans(),
)
def test_the_table_says_what_the_rule_read_aloud_says(
    quarters: list[int], usual: str, paie: str, week: str, business: bool
) -> None:
    """Overlapping periods of the month and of the year, opening hours, changes of clocks."""
    turn = parse_period("du 24 octobre au 25 octobre", id="semaine", name="Semaine")
    lengths = {"paie": paie, "semaine": week}
    if business:
        usual = "8 h ouvrées"
        lengths = {name: f"{text} ouvrées" if "h" in text else text for name, text in lengths.items()}
    need = asked(usual, "bureau" if business else "", **lengths)
    # half of them around the days where something begins or ends
    at = [datetime.fromtimestamp(FIRST + 900 * item, UTC) for item in quarters]
    at += [datetime(2026, 10, 23, item % 24, tzinfo=UTC) for item in quarters]
    at += [datetime(2026, 6, 17 if item % 2 else 5, item % 24, tzinfo=UTC) for item in quarters]
    assert table_and_walk(need, at, PAIE, turn) == [broken_at(need, item, (PAIE, turn)) for item in at]


def test_a_period_that_is_less_strict_loosens_nothing() -> None:
    """A longer delay said for a period never replaces the shorter one of the whole year."""
    paie = parse_period("du 18 au 5", id="paie", name="Paie")
    said = replace(objectives(at_night(statement(step=3), "paie", 7)), periods=(paie,))
    (need,) = needs(plan(), said, SCALE, year=2026)
    at = np.array([datetime(2026, 6, 20, tzinfo=UTC).timestamp()])
    assert list(DueTable(at, {}, (paie,), "Europe/Paris").of(need)) == [3600.0]


def test_a_need_in_opening_hours_runs_out_later_at_night() -> None:
    """Four business hours from a Friday evening end on Monday at one."""
    said = objectives(statement(establishment="siege"), places=(OFFICE_PLACE,))
    (need,) = needs(plan(), said, SCALE, year=2026)
    assert need.rto == parse_span("4 h ouvrées")
    friday = datetime(2026, 6, 5, 18, tzinfo=ZoneInfo("Europe/Paris"))
    (due,) = table([int(friday.timestamp())]).of(need)
    assert friday + timedelta(seconds=float(due)) == datetime(2026, 6, 8, 13, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize("text", ["300 j ouvrés", "2000 h ouvrées"])
@pytest.mark.parametrize("calendar", ["bureau", "coupure", "réunion"])
def test_a_need_longer_than_any_ladder_still_runs_out(text: str, calendar: str) -> None:
    """Somebody settled more than a year of opening hours: it is laid out further, not refused."""
    at = [FIRST + 86_400 * day for day in (0, 100, 364)]
    span = parse_span(text)
    assert table(at).span(span, calendar) == pytest.approx(
        [walked(item, span, calendar) for item in at], abs=1e-3
    )
