"""Laws of the critical periods."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from releve.domain.periods import (
    Dated,
    Monthly,
    Period,
    Rule,
    Term,
    Yearly,
    active,
    intervals,
    parse_period,
    say_rule,
)

unhurried = settings(deadline=None)  # the first school holiday read imports a package
DAYS = st.dates(date(2020, 1, 1), date(2032, 12, 31))
OF_MONTH = st.integers(1, 31)
OF_YEAR = st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(
    lambda day: (day.month, day.day)
)  # 29 February too
RULES: st.SearchStrategy[Rule] = st.one_of(
    st.builds(Monthly, OF_MONTH, OF_MONTH),
    st.builds(Yearly, OF_YEAR, OF_YEAR),
    st.tuples(DAYS, DAYS).map(lambda ends: Dated(min(ends), max(ends))),
    st.sampled_from("ABC").map(Term),
)
ONE = timedelta(1)


@unhurried
@given(RULES, DAYS, st.integers(0, 800))
def test_intervals_hold_every_active_day_and_no_other(rule: Rule, first: date, length: int) -> None:
    """Intervals and what lies between them cover the range exactly, and are as long as can be."""
    period, last = Period("p", "p", rule), first + timedelta(length)
    runs = intervals(period, first, last)
    inside = {start + timedelta(n) for start, end in runs for n in range((end - start).days + 1)}
    every = [first + timedelta(n) for n in range(length + 1)]
    assert {day for day in every if active(period, day)} == inside
    assert all(first <= start <= end <= last for start, end in runs)
    assert all(earlier[1] + ONE < later[0] for earlier, later in pairwise(runs))


@unhurried
@given(RULES, DAYS, st.integers(0, 400), st.integers(0, 400))
def test_a_range_in_two_parts_has_the_same_days(rule: Rule, first: date, one: int, other: int) -> None:
    """Cutting a range in two loses and adds no day."""
    period = Period("p", "p", rule)
    middle, last = first + timedelta(one), first + timedelta(one + 1 + other)

    def count(runs: tuple[tuple[date, date], ...]) -> int:
        return sum((end - start).days + 1 for start, end in runs)

    parts = count(intervals(period, first, middle)) + count(intervals(period, middle + ONE, last))
    assert parts == count(intervals(period, first, last))


@given(RULES)
def test_a_period_written_is_the_period_read(rule: Rule) -> None:
    """parse_period(say_rule(rule)) is the rule."""
    assert parse_period(say_rule(rule)).rule == rule


WORDS = st.one_of(st.text(max_size=20), st.text("0123456789/- ermaijunv", max_size=12))


@given(st.one_of(WORDS, st.builds("du {} au {}".format, WORDS, WORDS), WORDS.map("le {}".format)))
def test_any_text_is_a_period_or_a_sentence(text: str) -> None:
    """Whatever is written, it is a period that reads back, or a ValueError."""
    try:
        read = parse_period(text)
    except ValueError:
        return
    assert parse_period(say_rule(read.rule)).rule == read.rule


@given(OF_MONTH, OF_MONTH, st.integers(2020, 2032), st.integers(1, 12))
def test_every_month_has_a_day_of_a_monthly_period(first: int, last: int, year: int, month: int) -> None:
    """A day that a month does not have is its last: no month is forgotten."""
    period = Period("p", "p", Monthly(first, last))
    start = date(year, month, 1)
    assert intervals(period, start, (start + 31 * ONE).replace(day=1) - ONE)
