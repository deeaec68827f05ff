"""An instant as a person writes it, in the zone of a clock on a wall; never guessed.

A local time is refused when the clock never showed it (the hour that spring skips) and when it showed
it twice (the hour that autumn repeats), unless it is written with its distance to UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

EXAMPLES = "2026-11-30T10:00 ou 30/11/2026 10:00"
_FRENCH = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})(?:T|\s+à\s+|\s+)"
    r"(?P<hour>\d{1,2})\s?[:hH]\s?(?P<minute>\d{2})?(?::(?P<second>\d{2}))?\s?(?P<offset>Z|[+-]\d{2}:?\d{2})?"
)
_FRENCH_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_ISO_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}.*)?)?")


DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip


class NotOneInstant(ValueError):
    """A local time that the clock skips or shows twice. `instead`: the two nearest that name one instant."""

    def __init__(self, sentence: str, instead: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.instead = instead


def say_instant(instant: datetime, zone: ZoneInfo) -> str:
    """An aware instant on the wall: "lundi 30 novembre 2026 à 10 h 00"; which one, where the clock shows it twice."""
    local = instant.astimezone(zone)
    number = "1er" if local.day == 1 else str(local.day)
    said = (
        f"{DAYS[local.weekday()]} {number} {MONTHS[local.month - 1]} {local.year}"
        f" à {local.hour} h {local.minute:02}"
    )
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return said
    return f"{said} ({'la seconde' if local.fold else 'la première'} fois)"


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name. Raises ValueError in French."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # ZoneInfo's three ways of not knowing a name
        raise ValueError(f"fuseau horaire inconnu : « {name} »") from error


def read_day(text: str) -> date:
    """A day written 2026-08-21 or 21/08/2026. Raises ValueError in French."""
    said = text.strip()
    french = _FRENCH_DAY.fullmatch(said)
    if french is None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", said):
        raise ValueError(f"« {said[:40]} » n'est pas une date")
    try:
        return date(int(french[3]), int(french[2]), int(french[1])) if french else date.fromisoformat(said)
    except ValueError as error:
        raise ValueError(f"le jour « {said} » n'existe pas") from error


def read_instant(text: str, zone: tzinfo | None) -> datetime:
    """The instant (aware, UTC) that `text` names: "2026-11-30T10:00", "30/11/2026 10:00", "… 10 h 30".

    Without a distance to UTC in the text, it is a time of `zone`; None: the zone of this machine.
    Raises ValueError in French for what is no instant, for a day without its hour, for a time that the
    clock of the zone skips (the instants before and after are named) or shows twice (both readings are).
    """
    said = text.strip()
    read = _read(said)
    try:
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        early, late = (read.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if early == late:
            return early
        # Not `early > late`, which PEP 495 promises: the clock of a machine answers the other way round.
        if early.astimezone(zone).replace(tzinfo=None, fold=0) != read:
            after = change(min(early, late), max(early, late), zone)
            before = after - timedelta(seconds=1)
            raise NotOneInstant(
                f"« {said} » n'existe pas : l'horloge passe de {_shown(before, zone)} à {_shown(after, zone)}",
                (_shown(after - timedelta(minutes=1), zone), _shown(after, zone)),
            )
    except OverflowError as error:
        raise ValueError(f"« {said[:40]} » est hors de tout calendrier") from error
    raise NotOneInstant(
        f"« {said} » désigne deux instants : écrivez {_shown(early, zone)} ou {_shown(late, zone)}",
        (_shown(early, zone), _shown(late, zone)),
    )


def change(low: datetime, high: datetime, zone: tzinfo | None) -> datetime:
    """The first second of the new offset, between two aware instants that have different ones in `zone`."""
    old = offset(low, zone)
    left, right = 0, int((high - low).total_seconds())
    while right - left > 1:
        middle = (left + right) // 2
        if offset(low + timedelta(seconds=middle), zone) == old:
            left = middle
        else:
            right = middle
    return low + timedelta(seconds=right)


def offset(instant: datetime, zone: tzinfo | None) -> timedelta:
    """How far the zone's clock is ahead of UTC at an aware instant; None: this machine's."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _read(said: str) -> datetime:
    found = _FRENCH.fullmatch(said)
    try:
        if found is not None:
            day = f"{found['year']}-{int(found['month']):02}-{int(found['day']):02}"
            at = f"{int(found['hour']):02}:{found['minute'] or '00'}:{found['second'] or '00'}"
            return datetime.fromisoformat(f"{day}T{at}{found['offset'] or ''}")
        read = datetime.fromisoformat(said)
    except ValueError as error:
        if found is not None or _ISO_SHAPE.fullmatch(said):
            raise ValueError(f"« {said[:40]} » : ce jour ou cette heure n'existe pas") from error
        hour = "n'a pas d'heure" if _FRENCH_DAY.fullmatch(said) else "n'est pas une date et une heure"
        raise ValueError(f"« {said[:40]} » {hour} ; écrivez par exemple {EXAMPLES}") from error
    if _is_day(said):
        raise ValueError(f"« {said} » n'a pas d'heure ; écrivez par exemple {EXAMPLES}")
    return read


def _is_day(said: str) -> bool:
    try:
        date.fromisoformat(said)
    except ValueError:
        return False
    return True


def _shown(instant: datetime, zone: tzinfo | None) -> str:
    local = instant.astimezone(zone)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
