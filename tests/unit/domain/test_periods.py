"""Critical periods as an association writes them."""

from __future__ import annotations

from datetime import date

import pytest

from releve.domain.periods import (
    PROPOSED,
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


def days(year: int, *month_days: tuple[int, int]) -> list[date]:
    """Dates of one year."""
    return [date(year, month, day) for month, day in month_days]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("du 18 au 5", Monthly(18, 5)),
        ("Du 1er au 10", Monthly(1, 10)),
        ("le 15", Monthly(15, 15)),
        ("du 1 janvier au 30 avril", Yearly((1, 1), (4, 30))),
        ("du 1er décembre au 15 fevrier", Yearly((12, 1), (2, 15))),
        ("du 1 ao\u0075\u0302t au 31 Ao\u00fbt", Yearly((8, 1), (8, 31))),
        ("le 30 avril", Yearly((4, 30), (4, 30))),
        ("du 2026-12-20 au 2027-01-05", Dated(date(2026, 12, 20), date(2027, 1, 5))),
        ("du  20/12/2026  au  05/01/2027 ", Dated(date(2026, 12, 20), date(2027, 1, 5))),
        ("période scolaire zone B", Term("B")),
    ],
)
def test_a_period_is_read_as_people_write_it(text: str, rule: Rule) -> None:
    """Monthly, yearly, dated and school periods, accents and capitals aside."""
    read = parse_period(text, id="p")
    assert read.rule == rule
    assert read.id == "p"
    assert read.name == " ".join(text.split())
    assert parse_period(text, name="Paie").name == "Paie"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "n'est pas une période"),
        ("18-5", "n'est pas une période"),
        ("du 18", "n'est pas une période"),
        ("du lundi au mardi", "n'est pas une période"),
        ("du 0 au 5", "n'est le jour d'aucun mois"),
        ("du 18 au 32", "n'est le jour d'aucun mois"),
        ("du 1 brumaire au 5 mai", "n'est pas un mois"),
        ("du 18 au 5 mai", "pas de la même façon"),
        ("du 5 mai au 2026-06-01", "pas de la même façon"),
        ("du 2026-02-30 au 2026-03-02", "n'existe pas"),
        ("du 2027-01-05 au 2026-12-20", "finit avant de commencer"),
        ("période scolaire zone D", "zone scolaire inconnue"),
    ],
)
def test_what_is_no_period_is_refused_in_french(text: str, words: str) -> None:
    """A wrong period says what is wrong with it, never a guess."""
    with pytest.raises(ValueError, match=words):
        parse_period(text)


def test_what_cannot_be_read_says_what_can() -> None:
    """The three forms of the plan are in the sentence."""
    with pytest.raises(ValueError) as caught:
        parse_period("en fin de mois")
    for form in ("du 18 au 5", "du 1 janvier au 30 avril", "du 2026-12-20 au 2027-01-05"):
        assert form in str(caught.value)


def test_payroll_crosses_the_end_of_the_month() -> None:
    """From the 18th to the 5th: the 17th and the 6th are outside, month ends inside."""
    payroll = parse_period("du 18 au 5")
    assert [
        day.day for day in days(2026, (2, 5), (2, 6), (2, 17), (2, 18), (2, 28)) if active(payroll, day)
    ] == [
        5,
        18,
        28,
    ]
    assert intervals(payroll, date(2026, 12, 1), date(2027, 1, 31)) == (
        (date(2026, 12, 1), date(2026, 12, 5)),
        (date(2026, 12, 18), date(2027, 1, 5)),
        (date(2027, 1, 18), date(2027, 1, 31)),
    )


def test_a_day_that_a_month_does_not_have_is_its_last() -> None:
    """The 31st is the 28th of February, or the 29th, or the 30th of April."""
    last = parse_period("le 31")
    assert [
        active(last, day) for day in days(2026, (2, 27), (2, 28), (4, 29), (4, 30), (5, 30), (5, 31))
    ] == [
        False,
        True,
    ] * 3
    assert not active(last, date(2028, 2, 28))
    assert active(parse_period("du 29 février au 29 février"), date(2026, 2, 28))


def test_a_year_may_turn_inside_a_period() -> None:
    """From December to February, new year is inside and the summer is not."""
    winter = parse_period("du 15 décembre au 28 février")
    assert intervals(winter, date(2026, 7, 1), date(2027, 6, 30)) == (
        (date(2026, 12, 15), date(2027, 2, 28)),
    )


def test_school_days_are_those_between_holidays() -> None:
    """Between All Saints' and Christmas 2026 the term of zone B is one run."""
    term = Period("ime", "IME", Term("B"))
    assert intervals(term, date(2026, 10, 20), date(2026, 12, 25)) == (
        (date(2026, 11, 2), date(2026, 12, 18)),
    )


def test_no_day_no_interval() -> None:
    """An empty range of days has no interval."""
    assert intervals(parse_period("du 1 au 31"), date(2026, 1, 2), date(2026, 1, 1)) == ()


def test_every_proposal_has_its_source_and_can_be_written_in_a_plan() -> None:
    """Proposals have distinct ids, a source, and a written form that reads back."""
    assert len({period.id for period in PROPOSED}) == len(PROPOSED) > 5
    for period in PROPOSED:
        assert period.source, period.id
        assert parse_period(say_rule(period.rule)).rule == period.rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("du 31 février au 5 mars", "le 31 février n'existe pas : février a 29 jours au plus"),
        ("du 30 février au 31 février", "le 30 février n'existe pas"),
        ("du 1 mars au 31 avril", "le 31 avril n'existe pas : avril a 30 jours au plus"),
        ("le 31 novembre", "le 31 novembre n'existe pas"),
    ],
)
def test_a_day_that_its_month_never_has_is_refused(text: str, said: str) -> None:
    """Nobody meant it; the 29th of February is a day of some years."""
    with pytest.raises(ValueError, match=said):
        parse_period(text)
    assert parse_period("du 29 février au 1 mars").rule == Yearly((2, 29), (3, 1))
    assert parse_period("du 31 août au 31 décembre").rule == Yearly((8, 31), (12, 31))
