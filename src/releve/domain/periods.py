"""Critical periods: the days on which an outage hurts more than the rest of the year.

A period is a rule over days, written as people write it ("du 18 au 5", "du 1 janvier au 30 avril").
A day without its month that a month does not have ("du 31 au 5", in February) means the last day of that
month; with its month it must be a day that the month has in some year.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from releve.domain.instants import MONTHS, read_day
from releve.domain.names import unaccented
from releve.domain.school import SCHOOL_ZONES, school_holidays

ACCEPTED = (
    "écrivez « du 18 au 5 », « du 1 janvier au 30 avril », « du 2026-12-20 au 2027-01-05 »"
    " ou « période scolaire zone B »"
)


@dataclass(frozen=True, slots=True)
class Monthly:
    """Every month, from day to day, both included; across the end of the month when `last` < `first`."""

    first: int
    last: int

    def holds(self, day: date) -> bool:
        """Whether the rule holds on that day."""
        end = monthrange(day.year, day.month)[1]
        first, last = min(self.first, end), min(self.last, end)
        if self.first <= self.last:
            return first <= day.day <= last
        return day.day >= first or day.day <= last


@dataclass(frozen=True, slots=True)
class Yearly:
    """Every year, from (month, day) to (month, day), both included; across new year when `last` < `first`."""

    first: tuple[int, int]
    last: tuple[int, int]

    def holds(self, day: date) -> bool:
        """Whether the rule holds on that day."""
        first, last = _in_year(self.first, day.year), _in_year(self.last, day.year)
        if self.first <= self.last:
            return first <= day <= last
        return day >= first or day <= last


@dataclass(frozen=True, slots=True)
class Dated:
    """Once, from a date to a date, both included."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Whether the rule holds on that day."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Term:
    """The days of a school zone ("A", "B", "C") outside school holidays: the busy days of an IME or ITEP."""

    zone: str

    def holds(self, day: date) -> bool:
        """Whether the rule holds on that day. Raises ValueError for a year of which nothing is known."""
        return day not in school_holidays(self.zone, day.year)


Rule = Monthly | Yearly | Dated | Term


@dataclass(frozen=True, slots=True)
class Period:
    """A critical period. `source`: the text or the habit that it comes from; empty when people wrote it."""

    id: str
    name: str
    rule: Rule
    source: str = ""


def active(period: Period, day: date) -> bool:
    """Whether the period holds on that day (local date of the establishment)."""
    return period.rule.holds(day)


def intervals(period: Period, first: date, last: date) -> tuple[tuple[date, date], ...]:
    """The longest runs of days of the period between two days, all ends included, cut at both days."""
    runs: list[tuple[date, date]] = []
    since: date | None = None
    day = first
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        if active(period, day):
            since = since or day
        elif since is not None:
            runs.append((since, date.fromordinal(number - 1)))
            since = None
    return (*runs, (since, day)) if since is not None else tuple(runs)


def parse_period(text: str, *, id: str = "", name: str = "") -> Period:  # noqa: A002
    """The period that a plan writes, "du 18 au 5", "le 30 avril" or "du 2026-12-20 au 2027-01-05" say.

    `id` and `name` are those of the result; without a name it is named as it is written. Raises
    ValueError in French, with what is accepted.
    """
    said = " ".join(text.split())
    return Period(id, name or said, _rule(said))


def say_rule(rule: Rule) -> str:
    """The rule in French, as `parse_period` reads it."""
    match rule:
        case Monthly(first, last):
            return f"du {first} au {last}"
        case Yearly(first, last):
            return f"du {first[1]} {MONTHS[first[0] - 1]} au {last[1]} {MONTHS[last[0] - 1]}"
        case Dated(first, last):
            return f"du {first.isoformat()} au {last.isoformat()}"
        case Term(zone):
            return f"période scolaire zone {zone}"


_FROM_TO = re.compile(r"du (?P<first>.+?) au (?P<last>.+)|le (?P<only>.+)", re.IGNORECASE)
_TERM = re.compile(r"periode scolaire,? (?:de la )?zone ([a-z])")
_DAY = re.compile(r"(\d{1,2})(?:er)?")
_LEAP = 2028  # any year in which every month has all the days that it ever has
_DAY_OF_YEAR = re.compile(r"(\d{1,2})(?:er)? ([a-z]+)")


def _rule(said: str) -> Rule:
    term = _TERM.fullmatch(unaccented(said))
    if term is not None:
        zone = term[1].upper()
        if zone not in SCHOOL_ZONES:
            raise ValueError(f"zone scolaire inconnue : « {zone} » (A, B ou C)")
        return Term(zone)
    found = _FROM_TO.fullmatch(said)
    if found is None:
        raise ValueError(f"« {said[:60]} » n'est pas une période ; {ACCEPTED}")
    first = _end(found["first"] or found["only"], said)
    last = _end(found["last"] or found["only"], said)
    match first, last:
        case int(), int():
            return Monthly(first, last)
        case tuple(), tuple():
            return Yearly(first, last)
        case date(), date():
            if last < first:
                raise ValueError(f"la période « {said} » finit avant de commencer")
            return Dated(first, last)
    raise ValueError(f"les deux bouts de « {said[:60]} » ne s'écrivent pas de la même façon ; {ACCEPTED}")


def _end(text: str, said: str) -> int | tuple[int, int] | date:
    """One end: a day of the month, a (month, day), or a date."""
    plain = unaccented(text)
    if monthly := _DAY.fullmatch(plain):
        return _day_of_month(monthly[1])
    if yearly := _DAY_OF_YEAR.fullmatch(plain):
        names = [unaccented(month) for month in MONTHS]
        if yearly[2] not in names:
            raise ValueError(f"« {yearly[2]} » n'est pas un mois ; {ACCEPTED}")
        month, day = names.index(yearly[2]) + 1, _day_of_month(yearly[1])
        longest = monthrange(_LEAP, month)[1]
        if day > longest:
            name = MONTHS[month - 1]
            raise ValueError(f"le {day} {name} n'existe pas : {name} a {longest} jours au plus")
        return month, day
    if "-" in plain or "/" in plain:
        try:
            return read_day(plain)
        except ValueError as error:
            raise ValueError(f"{error} ; {ACCEPTED}") from error
    raise ValueError(f"« {said[:60]} » n'est pas une période ; {ACCEPTED}")


def _day_of_month(digits: str) -> int:
    if not 1 <= int(digits) <= 31:
        raise ValueError(f"le {int(digits)} n'est le jour d'aucun mois (de 1 à 31)")
    return int(digits)


def _in_year(month_day: tuple[int, int], year: int) -> date:
    month, day = month_day
    return date(year, month, min(day, monthrange(year, month)[1]))


# Proposals for an association's first plan. All are to be checked every year: payroll is closed at
# another date in each house, and the instructions of a budget campaign may move its dates.
PROPOSED_AS_OF = date(2026, 11, 26)
TO_CHECK = "à vérifier chaque année"
PROPOSED: tuple[Period, ...] = (
    Period("paie", "Paie et DSN", Monthly(18, 5), "usage ; DSN le 5 ou le 15 selon l'effectif"),
    Period("dsn-15", "DSN du 15", Monthly(13, 15), "usage ; DSN le 5 ou le 15 selon l'effectif"),
    Period(
        "facturation", "Facturation mensuelle (hébergement, prix de journée)", Monthly(1, 10), "usage du secteur"
    ),
    Period("cloture", "Clôture des comptes", Yearly((1, 1), (4, 30)), "usage du secteur"),
    Period(
        "errd", "ERRD ou compte administratif, au plus tard le 30 avril", Yearly((4, 1), (4, 30)),
        "CASF L315-15 et R314-49 s. (établissements publics ; de mémoire pour les associations)",
    ),
    Period(
        "eprd", "EPRD, au plus tard le 30 juin", Yearly((5, 31), (6, 30)),
        "CASF R314-210 : 30 jours après la notification, au plus tard le 30 juin",
    ),
    Period(
        "budget", "Budget prévisionnel et annexe activité, au plus tard le 31 octobre",
        Yearly((10, 1), (10, 31)), "CASF R314-3",
    ),
    Period("anap", "Tableau de bord de la performance (ANAP)", Yearly((4, 1), (6, 15)), "usage, de mémoire"),
)  # fmt: skip
