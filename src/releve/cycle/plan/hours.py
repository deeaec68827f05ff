"""The hours of a calendar, drawn for a person: what counts as "ouvré", and what does not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

from releve.domain.calendars import Calendar, Slot, holiday_zones
from releve.domain.school import PUBLISHED_UNTIL

_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_ALL_DAY = ((time(0), time(0)),)


def hours(calendar: Calendar) -> Iterator[str]:
    """The lines of a calendar: its slots, days of the same hours together, then what closes it."""
    yield f"{calendar.id} ({calendar.timezone})"
    if all(calendar.slots.get(day) == _ALL_DAY for day in range(7)):
        yield "  jour et nuit, tous les jours"
    else:
        for first, last in _alike(calendar):
            slots = ", ".join(say_slot(slot) for slot in calendar.slots[first])
            days = _DAYS[first] if first == last else f"{_DAYS[first]} à {_DAYS[last]}"
            yield f"  {days} : {slots}"
    if calendar.holidays:
        yield f"  fermé les jours fériés : {holiday_zones()[calendar.holidays]}"
    if calendar.school:
        yield (
            f"  fermé pendant les vacances scolaires de la zone {calendar.school}"
            f" (publiées jusqu'au {PUBLISHED_UNTIL:%d/%m/%Y} ; au-delà, calculées : à vérifier)"
        )
    for closure in sorted(calendar.closures, key=lambda one: (one.first, one.last)):
        name = f" : {closure.name}" if closure.name else ""
        yield f"  fermé du {closure.first:%d/%m/%Y} au {closure.last:%d/%m/%Y}{name}"


def say_slot(slot: Slot) -> str:
    """A slot as a plan writes it; the midnight that ends the day is 24:00."""
    opening, closing = slot
    return f"{opening:%H:%M}-" + ("24:00" if closing == time(0) else f"{closing:%H:%M}")


def _alike(calendar: Calendar) -> Iterator[tuple[int, int]]:
    """First and last of the days in a row that have the same slots; closed days are left out."""
    day = 0
    while day < 7:
        last = day
        while last < 6 and calendar.slots.get(last + 1) == calendar.slots.get(day):
            last += 1
        if calendar.slots.get(day):
            yield day, last
        day = last + 1
