"""Durations with the clock that they run on, and amounts of bytes.

A need of "8 h ouvrées" and one of "8 h" are different values: the first runs on the plan's
calendar, the second on the wall clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from math import ceil


class Clock(StrEnum):
    """The clock a duration is counted on."""

    WALL = "wall"  # 24 hours a day, 7 days a week
    BUSINESS = "business"  # only inside the opening hours of a calendar


@dataclass(frozen=True, slots=True, order=False)
class Span:
    """A duration: seconds on a clock, or whole business days on the business clock.

    `seconds` ≥ 0. `business_days` > 0 only when written in days ("2 j ouvrés"): its length in
    hours belongs to the calendar, so it cannot be turned into seconds here.
    """

    seconds: float = 0.0
    clock: Clock = Clock.WALL
    business_days: int = 0

    @property
    def wall(self) -> timedelta:
        """The duration on the wall clock. Raises ValueError on the business clock."""
        if self.clock is Clock.BUSINESS:
            raise ValueError("a business duration has no wall length without its calendar")
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return say_span(self)


_SPAN = re.compile(
    r"^\s*(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>ms|s|sec|min|mn|h|j|jours?|heures?|minutes?|secondes?|semaines?|sem)"
    r"\s*(?P<business>ouvr[ée]e?s?)?\s*$",
    re.IGNORECASE,
)
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "j": 86_400, "w": 604_800}
MAX_SPAN_SECONDS = 366 * 86_400  # nobody plans to wait more than a year: a larger value is a slip


def parse_span(text: str | int) -> Span:
    """Read "4 h", "30 min", "0", "8 h ouvrées", "2 j ouvrés", "1 semaine".

    Raises ValueError with a French sentence when the text is not a duration, is negative, or is
    longer than a year.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int)):
        raise ValueError("une durée s'écrit avec son unité, par exemple « 4 h »")
    if text == 0 or str(text).strip() == "0":
        return Span()
    if isinstance(text, int):
        raise ValueError(f"la durée {text} n'a pas d'unité")
    if text.strip().startswith(("-", "\N{MINUS SIGN}")):
        raise ValueError(f"la durée « {text} » est négative")
    match = _SPAN.match(text)
    if match is None:
        raise ValueError(f"« {text} » n'est pas une durée")
    number = float(match["number"].replace(",", "."))
    unit = _unit(match["unit"].lower())
    seconds = number * _UNIT_SECONDS[unit]
    if seconds > MAX_SPAN_SECONDS:
        raise ValueError(f"la durée « {text} » dépasse un an")
    if not match["business"]:
        return Span(seconds)
    if unit == "w":
        raise ValueError("une semaine ouvrée s'écrit « 5 j ouvrés »")
    if unit != "j":
        return Span(seconds, Clock.BUSINESS)
    if number != int(number):
        raise ValueError("les jours ouvrés sont entiers ; pour moins d'un jour, écrivez des heures")
    return Span(0.0, Clock.BUSINESS, int(number))


def _unit(word: str) -> str:
    if word == "ms":
        return "ms"
    if word.startswith("sem"):
        return "w"
    return word[0]


def say_span(span: Span) -> str:
    """The duration in French, as it is written in a plan."""
    if span.business_days:
        return f"{span.business_days} j ouvré" + ("s" if span.business_days > 1 else "")
    if span.clock is Clock.WALL:
        return say_seconds(span.seconds)
    # in hours, never in days of 24: "1 j ouvré" is another duration than 24 business hours
    hours, rest = divmod(span.seconds, 3600)
    parts = [f"{hours:.0f} h"] if hours else []
    if rest or not hours:
        parts.append(say_seconds(rest))
    return " ".join(parts) + (" ouvrée" if span.seconds == 3600 else " ouvrées")


def write_span(span: Span) -> str:
    """The duration as a file holds it: one number and one unit, that `parse_span` reads to the same value."""
    if span.business_days or not span.seconds:
        return say_span(span) if span.business_days else "0" if span.clock is Clock.WALL else "0 h ouvrée"
    word = " ouvrées" if span.clock is Clock.BUSINESS else ""
    units = ((86_400, "j"), (3600, "h"), (60, "min"), (1, "s"))
    for size, name in units[1:] if word else units:
        if not span.seconds % size:
            return f"{span.seconds / size:.0f} {name}{word}"
    return f"{Decimal(repr(span.seconds)):f} s{word}".replace(".", ",")


def say_seconds(seconds: float) -> str:
    """A number of seconds in French: "0", "350 ms", "1,8 s", "4 h", "1 h 30 min", "2 j 4 h"."""
    if seconds == 0:
        return "0"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f}".rstrip("0").rstrip(".").replace(".", ",") + " s"
    whole = round(seconds)
    parts: list[str] = []
    for size, name in ((86_400, "j"), (3600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def say_clock_hours(length: timedelta) -> str:
    """A worst case in hours of the clock, never rounded down: "96 h", and from ten days "1488 h, soit 62 j"."""
    hours = ceil(length.total_seconds() / 3600)
    return f"{hours} h" if hours < 240 else f"{hours} h, soit {ceil(hours / 24)} j"


def say_promise(seconds: float) -> str:
    """A duration that somebody will count on, never shown shorter than it is: whole minutes, from a day whole hours."""
    grain = 1 if seconds <= 60 else 60 if seconds <= 86_400 else 3600
    return say_seconds(ceil(seconds / grain) * grain)


def say_count(count: int, one: str, many: str = "") -> str:
    """A count of things in French, where 0 and 1 are singular: "1 bloc perdu", "3 blocs perdus".

    `many`: the plural, where it is not an "s" at the end of each word.
    """
    return f"{count} {one if count < 2 else many or one.replace(' ', 's ') + 's'}"


_SIZE = re.compile(r"^\s*(\d+(?:[.,]\d+)?)\s*(o|ko|mo|go|to)\s*$", re.IGNORECASE)
_SIZE_UNIT = {"o": 1, "ko": 10**3, "mo": 10**6, "go": 10**9, "to": 10**12}


def parse_bytes(text: str) -> int:
    """Read "2 Go", "500 Mo" (decimal units). Raises ValueError in French."""
    match = _SIZE.match(str(text))
    if match is None:
        raise ValueError(f"« {text} » n'est pas une taille ; écrivez par exemple « 2 Go »")
    return round(float(match[1].replace(",", ".")) * _SIZE_UNIT[match[2].lower()])


def write_bytes(count: int) -> str:
    """The size as a file holds it: whole units, that `parse_bytes` reads to the same number."""
    for size, name in ((10**12, "To"), (10**9, "Go"), (10**6, "Mo"), (10**3, "ko")):
        if count and not count % size:
            return f"{count // size} {name}"
    return f"{count} o"


def say_bytes(count: int) -> str:
    """A number of bytes in French, decimal units, at most one decimal."""
    for size, name in ((10**12, "To"), (10**9, "Go"), (10**6, "Mo"), (10**3, "ko")):
        if count >= size:
            return f"{count / size:.1f}".rstrip("0").rstrip(".").replace(".", ",") + f" {name}"
    return f"{count} o"
