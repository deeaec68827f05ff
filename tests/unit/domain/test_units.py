"""Durations and sizes as a plan writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.domain.units import (
    Clock,
    Span,
    parse_bytes,
    parse_span,
    say_bytes,
    say_clock_hours,
    say_count,
    say_promise,
    say_seconds,
    say_span,
)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0", Span()),
        (0, Span()),
        ("250 ms", Span(0.25)),
        ("30s", Span(30)),
        ("15 min", Span(900)),
        ("1,5 h", Span(5400)),
        ("4 heures", Span(14_400)),
        ("2 jours", Span(172_800)),
        ("1 semaine", Span(604_800)),
        ("8 h ouvrées", Span(28_800, Clock.BUSINESS)),
        ("90 min ouvrées", Span(5400, Clock.BUSINESS)),
        ("1 j ouvré", Span(0.0, Clock.BUSINESS, 1)),
        ("2 jours ouvrés", Span(0.0, Clock.BUSINESS, 2)),
    ],
)
def test_durations_are_read(text: str | int, span: Span) -> None:
    """A duration is read with its unit and the clock that it runs on."""
    assert parse_span(text) == span


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "n'est pas une durée"),
        ("bientôt", "n'est pas une durée"),
        ("4", "n'est pas une durée"),
        (4, "n'a pas d'unité"),
        (True, "avec son unité"),
        ("-4 h", "négative"),
        ("\N{MINUS SIGN}4 h", "négative"),
        ("400 j", "dépasse un an"),
        ("400 j ouvrés", "dépasse un an"),
        ("1 semaine ouvrée", "5 j ouvrés"),
        ("1,5 j ouvré", "entiers"),
        ("4 h 30", "n'est pas une durée"),
        ("nan h", "n'est pas une durée"),
    ],
)
def test_what_is_no_duration_is_refused(text: str | int, words: str) -> None:
    """What cannot be a duration is refused with a sentence that says why."""
    with pytest.raises(ValueError, match=words):
        parse_span(text)


def test_a_business_duration_has_no_wall_length() -> None:
    """Business time is never taken for wall time by mistake."""
    with pytest.raises(ValueError, match="calendar"):
        _ = parse_span("8 h ouvrées").wall


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (0.35, "350 ms"),
        (1.84, "1,8 s"),
        (30, "30 s"),
        (90, "1 min 30 s"),
        (5400, "1 h 30 min"),
        (93_600, "1 j 2 h"),
    ],
)
def test_seconds_are_said_in_two_units(seconds: float, text: str) -> None:
    """A measured duration is said shortly, in French."""
    assert say_seconds(seconds) == text


@given(st.integers(1, 366), st.sampled_from(["h ouvrées", "j ouvrés", "j"]))
def test_what_is_said_is_read_back(number: int, unit: str) -> None:
    """A duration said and read again is the same: 24 business hours never become one business day."""
    span = parse_span(f"{number} {unit}")
    assert parse_span(say_span(span)) == span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5400, "1 h 30 min ouvrées"),
        (90_000, "25 h ouvrées"),
        (1800, "30 min ouvrées"),
        (90, "1 min 30 s ouvrées"),
    ],
)
def test_business_hours_are_said_in_hours(seconds: float, text: str) -> None:
    """Business time is never counted in days of 24 hours."""
    assert say_span(Span(seconds, Clock.BUSINESS)) == text


@pytest.mark.parametrize(("text", "count"), [("512 o", 512), ("2 Go", 2 * 10**9), ("1,5 Mo", 1_500_000)])
def test_sizes_are_read_and_said(text: str, count: int) -> None:
    """A size is read and said in decimal units."""
    assert parse_bytes(text) == count
    assert say_bytes(count) == text


@pytest.mark.parametrize("text", ["", "beaucoup", "2", "-2 Go", "2 GiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """A size without a unit that we know is refused."""
    with pytest.raises(ValueError, match="taille"):
        parse_bytes(text)


def test_a_count_agrees_with_its_noun() -> None:
    """French counts 0 and 1 as one; each word of the noun takes an "s", or the plural is given."""
    assert [say_count(count, "bloc perdu") for count in (0, 1, 2)] == [
        "0 bloc perdu",
        "1 bloc perdu",
        "2 blocs perdus",
    ]
    assert say_count(1, "nouveau", "nouveaux") == "1 nouveau"
    assert say_count(3, "nouveau", "nouveaux") == "3 nouveaux"


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (8, "8 h"),
        (96, "96 h"),
        (95.2, "96 h"),
        (239, "239 h"),
        (240, "240 h, soit 10 j"),
        (577, "577 h, soit 25 j"),
    ],
)
def test_a_worst_case_is_said_in_hours_of_the_clock(hours: float, said: str) -> None:
    """Hours, never rounded down, with days beside them from ten days on."""
    assert say_clock_hours(timedelta(hours=hours)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0"), (0.2, "1 s"), (59.5, "1 min"), (61, "2 min"), (3600, "1 h"), (3648, "1 h 1 min"), (86_400, "1 j"),
     (86_401, "1 j 1 h"), (3 * 86_400, "3 j")],
)  # fmt: skip
def test_a_promise_is_never_said_shorter_than_it_is(seconds: float, said: str) -> None:
    """Rounded up, to the minute below a day and to the hour above."""
    assert say_promise(seconds) == said
