"""School holidays: what was published, what is projected, what is not known."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from releve.domain.school import FIRST_YEAR, PUBLISHED_UNTIL, SCHOOL_ZONES, published, school_holidays

# Winter and spring as published (arrêtés for 2025-2026, 2026-2027 and 2027-2028), weekends included.
PUBLISHED = {
    "A": ("2026-02-07 2026-02-22", "2026-04-04 2026-04-19", "2028-02-19 2028-03-05", "2028-04-22 2028-05-08"),
    "B": ("2026-02-14 2026-03-01", "2026-04-11 2026-04-26", "2028-02-05 2028-02-20", "2028-04-08 2028-04-23"),
    "C": ("2026-02-21 2026-03-08", "2027-02-06 2027-02-21", "2028-02-12 2028-02-27", "2028-04-15 2028-05-01"),
}
COMMON = ("2026-10-17 2026-11-01", "2026-12-19 2027-01-03", "2027-10-23 2027-11-07", "2027-12-18 2028-01-02")


@pytest.mark.parametrize("zone", SCHOOL_ZONES)
def test_the_dates_are_those_that_the_ministry_published(zone: str) -> None:
    """Each published holiday is whole, and the school days around it are school days."""
    for said in (*PUBLISHED[zone], *COMMON):
        first, last = (date.fromisoformat(part) for part in said.split())
        days = [first + timedelta(number) for number in range(-1, (last - first).days + 2)]
        shut = [day in school_holidays(zone, day.year) for day in days]
        assert shut == [False, *[True] * (len(days) - 2), False], said


@pytest.mark.parametrize("zone", SCHOOL_ZONES)
def test_summer_begins_after_the_last_published_day(zone: str) -> None:
    """The last published day is the last day of class of 2028; what follows is projected."""
    assert PUBLISHED_UNTIL not in school_holidays(zone, 2028)
    assert PUBLISHED_UNTIL + timedelta(1) in school_holidays(zone, 2028)
    assert published(PUBLISHED_UNTIL)
    assert not published(PUBLISHED_UNTIL + timedelta(1))


@pytest.mark.parametrize("zone", SCHOOL_ZONES)
def test_no_year_ahead_is_silently_without_holidays(zone: str) -> None:
    """Ten years ahead, each year still has its sixteen weeks and more."""
    for year in range(FIRST_YEAR, 2040):
        assert 110 < len(school_holidays(zone, year)) < 140, year


@pytest.mark.parametrize("year", [1990, 2016, 2017, 2101])
def test_a_year_of_which_nothing_is_known_is_refused(year: int) -> None:
    """Nothing known is an error with the year, never "no holiday"."""
    with pytest.raises(ValueError, match=f"vacances scolaires de {year} ne sont pas connues"):
        school_holidays("A", year)


def test_an_unknown_zone_is_refused() -> None:
    """Corsica and overseas have no such zone."""
    with pytest.raises(ValueError, match="zone scolaire inconnue"):
        school_holidays("D", 2026)
