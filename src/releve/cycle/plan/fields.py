"""The kinds of value that a plan is written with, each with the sentence of its own fault.

A validator raises `wrong(code, sentence, hint)`: pydantic carries it, `shape.py` gives it a place.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from releve.domain.instants import read_day
from releve.domain.secret import SecretRef
from releve.domain.units import Clock, Span, parse_bytes, parse_span

DURATION_HINT = "écrivez par exemple 30 s, 15 min, 4 h, 8 h ouvrées, 2 j ouvrés"
SECRET_HINT = "écrivez où il se trouve : file:/etc/releve/pg.pw, env:NOM ou command:programme argument"  # noqa: S105
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SECRET = re.compile(r"(env|file|command):(\S.*)", re.DOTALL)
_YEARS = range(2000, 2100)  # beyond, it is a slip (value of ours)
_MOMENT = re.compile(r"(\d{1,2})[:h](\d{2})")
_SLOT = re.compile(r"(\d{1,2})[:h](\d{2})\s*-\s*(\d{1,2})[:h](\d{2})")


def wrong(code: str, sentence: str, hint: str = "") -> PydanticCustomError:
    """A fault, as pydantic carries it: `code` is stable, `sentence` and `hint` are French."""
    # The sentence goes through the context: as a template its braces would be replaced.
    return PydanticCustomError(code, "{sentence}", {"sentence": sentence, "hint": hint, "ours": True})


def quote(value: object) -> str:
    """A value as shown in a sentence: one line, cut at 40 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"


def _span(value: Any) -> Span:
    if not isinstance(value, str | int):
        raise wrong("duration", "une durée s'écrit avec son unité", DURATION_HINT)
    try:
        return parse_span(value if isinstance(value, bool | int) else value[:60])
    except ValueError as error:
        raise wrong("duration", str(error), DURATION_HINT) from error


def _wall(value: Any) -> Span:
    span = _span(value)
    if span.clock is Clock.BUSINESS:
        raise wrong(
            "duration-clock",
            f"« {quote(value)} » : cette durée se compte en temps réel, jour et nuit",
            "écrivez des heures ou des jours sans « ouvré »",
        )
    return span


def _seconds(value: Any) -> float:
    seconds = _wall(value).seconds
    if seconds == 0:
        raise wrong("duration-zero", "cette durée ne peut pas être nulle", DURATION_HINT)
    return seconds


def _size(value: Any) -> int:
    if not isinstance(value, str):
        raise wrong("size", "une taille s'écrit avec son unité", "écrivez par exemple 2 Go")
    try:
        count = parse_bytes(value[:60])
    except ValueError as error:
        raise wrong("size", str(error)) from error
    if count < 16 * 10**6:  # one WAL segment of PostgreSQL
        raise wrong("size-small", f"« {quote(value)} » est trop peu", "gardez au moins 100 Mo")
    return count


def _id(value: str) -> str:
    if _ID.fullmatch(value) is None:
        raise wrong(
            "id-format",
            f"« {quote(value)} » ne peut pas servir d'identifiant",
            "minuscules sans accent, chiffres, tiret et souligné, sans espace",
        )
    return value


def _secret(value: Any) -> SecretRef:
    """Never repeats the value: it may be the secret itself."""
    match = _SECRET.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("secret-clear", "un secret est écrit en clair dans le plan", SECRET_HINT)
    return SecretRef(match[1], match[2].strip())


def _slot(value: Any) -> tuple[time, time]:
    """Opening and closing. A closing at 24:00 (or 00:00) is the midnight that ends the day."""
    match = _SLOT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise wrong("slot", f"« {quote(value)} » n'est pas une plage horaire", 'écrivez "09:00-12:30"')
    hours = [int(number) for number in match.groups()]
    if hours[2:] == [24, 0]:
        hours[2] = 0
    try:
        opening, closing = time(hours[0], hours[1]), time(hours[2], hours[3])
    except ValueError as error:
        raise wrong(
            "slot", f"« {quote(value)} » contient une heure qui n'existe pas", "de 00:00 à 24:00"
        ) from error
    if closing <= opening and closing != time(0, 0):
        raise wrong(
            "slot-order",
            f"la plage « {quote(value)} » ferme avant d'ouvrir",
            "une plage qui passe minuit s'écrit en deux : 20:00-24:00, puis 00:00-06:00 le lendemain",
        )
    return opening, closing


def _moment(value: Any) -> time:
    """A time of day. YAML reads 02:30 as text (we keep YAML 1.2)."""
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        return time(int(match[1]), int(match[2])) if match else _no_moment(value)
    except ValueError as error:
        raise wrong("moment", f"« {quote(value)} » n'est pas une heure", 'écrivez "02:30"') from error


def _no_moment(value: Any) -> time:
    raise wrong("moment", f"« {quote(value)} » n'est pas une heure", 'écrivez "02:30"')


def _day(value: Any) -> date:
    """A day of a year. YAML reads it as text (we keep YAML 1.2)."""
    try:
        day = read_day(str(value)[:60])
    except ValueError as error:
        raise wrong("day", str(error), "écrivez 2026-08-21 ou 21/08/2026") from error
    if day.year not in _YEARS:
        raise wrong("day-year", f"« {quote(value)} » : vérifiez l'année", "de 2000 à 2099")
    return day


def _path(value: str) -> str:
    if not value.strip() or "\n" in value:
        raise wrong("path", "un chemin de fichier est attendu")
    return value


Text = Annotated[str, Field(max_length=4000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, AfterValidator(_id)]
FilePath = Annotated[str, Field(max_length=1000), AfterValidator(_path)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Duration = Annotated[Span, PlainValidator(_span)]
WallDuration = Annotated[Span, PlainValidator(_wall)]
Seconds = Annotated[float, PlainValidator(_seconds)]
Size = Annotated[int, PlainValidator(_size)]
Secret = Annotated[SecretRef, PlainValidator(_secret)]
Moment = Annotated[time, PlainValidator(_moment)]
Day = Annotated[date, PlainValidator(_day)]
Slot = Annotated[tuple[time, time], PlainValidator(_slot)]
