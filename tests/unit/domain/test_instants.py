"""Instants as people write them."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from releve.domain.instants import NotOneInstant, read_day, read_instant, say_instant, zone_of

PARIS = ZoneInfo("Europe/Paris")
TEN = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


@pytest.fixture
def machine_in_paris() -> Iterator[None]:
    """This machine's clock shows the time of Paris."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Paris"
    clock.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    clock.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30T10:00",
        "2026-11-30 10:00",
        " 2026-11-30T10:00:00 ",
        "2026-11-30T10:00+01:00",
        "2026-11-30T09:00Z",
        "30/11/2026 10:00",
        "30/11/2026 10h00",
        "30/11/2026 à 10 h",
        "30/11/2026 10:00+01:00",
    ],
)
def test_people_and_programs_write_the_same_instant(text: str) -> None:
    """ISO or French, with or without its distance to UTC: one instant, in UTC."""
    read = read_instant(text, PARIS)
    assert read == TEN
    assert read.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-03-29T02:30", "29/03/2026 2h30"])
def test_an_hour_that_spring_skips_is_named_with_its_neighbours(text: str) -> None:
    """The last instant before and the first after are in the sentence."""
    with pytest.raises(ValueError, match="n'existe pas") as caught:
        read_instant(text, PARIS)
    assert "de 2026-03-29T01:59:59+01:00 à 2026-03-29T03:00+02:00" in str(caught.value)


def test_an_hour_that_autumn_repeats_is_refused_with_both_readings() -> None:
    """Neither reading is guessed; each, as the sentence writes it, is accepted."""
    with pytest.raises(ValueError, match="désigne deux instants") as caught:
        read_instant("2026-10-25T02:30", PARIS)
    assert "2026-10-25T02:30+02:00 ou 2026-10-25T02:30+01:00" in str(caught.value)
    assert read_instant("2026-10-25T02:30+02:00", PARIS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert read_instant("2026-10-25T02:30+01:00", PARIS) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.usefixtures("machine_in_paris")
def test_the_clock_of_this_machine_is_read_as_carefully() -> None:
    """Without a zone, the machine's clock counts, its changes included."""
    assert read_instant("2026-11-30T10:00", None) == TEN
    with pytest.raises(ValueError, match=r"à 2026-03-29T03:00\+02:00"):
        read_instant("2026-03-29T02:30", None)
    with pytest.raises(ValueError, match="deux instants"):
        read_instant("2026-10-25T02:30", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("31/11/2026 10:00", "n'existe pas"),
        ("2026-02-30T10:00", "n'existe pas"),
        ("2026-02-28T25:00", "n'existe pas"),
        ("2026-11-30", "n'a pas d'heure"),
        ("30/11/2026", "n'a pas d'heure"),
        ("hier soir", "n'est pas une date et une heure"),
        ("", "n'est pas une date et une heure"),
        ("10:00", "n'est pas une date et une heure"),
        ("0001-01-01T00:00+14:00", "hors de tout calendrier"),
        ("9999-12-31T23:59-10:00", "hors de tout calendrier"),
    ],
)
def test_what_names_no_instant_is_refused_in_french(text: str, words: str) -> None:
    """Impossible days and hours, a day without its hour, and words."""
    with pytest.raises(ValueError, match=words):
        read_instant(text, PARIS)


def test_a_day_is_read_in_both_writings() -> None:
    """2026-08-21 and 21/08/2026 are one day; a day that does not exist is named."""
    assert read_day("2026-08-21") == read_day("21/08/2026") == date(2026, 8, 21)
    with pytest.raises(ValueError, match="« 2026-02-30 » n'existe pas"):
        read_day("2026-02-30")
    with pytest.raises(ValueError, match="n'est pas une date"):
        read_day("21 août")


def test_an_unknown_zone_is_refused_in_french() -> None:
    """A zone that no clock has is never taken for UTC."""
    with pytest.raises(ValueError, match="fuseau horaire inconnu"):
        zone_of("Europe/Atlantide")


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("2026-11-30T09:00+00:00", "lundi 30 novembre 2026 à 10 h 00"),
        ("2026-12-01T08:05+00:00", "mardi 1er décembre 2026 à 9 h 05"),
        ("2026-10-25T00:30+00:00", "dimanche 25 octobre 2026 à 2 h 30 (la première fois)"),
        ("2026-10-25T01:30+00:00", "dimanche 25 octobre 2026 à 2 h 30 (la seconde fois)"),
        ("2026-03-29T01:00+00:00", "dimanche 29 mars 2026 à 3 h 00"),
    ],
)
def test_an_instant_is_said_as_on_a_wall(instant: str, said: str) -> None:
    """The day of the week, the day, the hour; and which one where the clock shows it twice."""
    assert say_instant(datetime.fromisoformat(instant), ZoneInfo("Europe/Paris")) == said


@pytest.mark.parametrize("text", ["2026-10-25T02:30", "2026-03-29T02:30", "29/03/2026 02:00"])
def test_a_time_that_names_no_one_instant_comes_with_two_that_do(text: str) -> None:
    """What is proposed can be read, and is the nearest."""
    paris = ZoneInfo("Europe/Paris")
    with pytest.raises(NotOneInstant) as caught:
        read_instant(text, paris)
    first, second = (read_instant(item, paris) for item in caught.value.instead)
    assert timedelta(0) < second - first <= timedelta(hours=1)
