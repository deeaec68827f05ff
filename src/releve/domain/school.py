"""School holidays of the three zones of mainland France, from the `holidays` package.

The ministry publishes about two years ahead. Beyond, the package goes on with the ministry's own rule
(the three zones take turns): a day so computed is a projection, told by `published`, never "no holiday".
Why a projection rather than an error: docs/decisions/0019.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

SCHOOL_ZONES = ("A", "B", "C")  # Corsica and overseas have calendars of their own: dated closures there
FIRST_YEAR = 2018  # the first year that the package knows from January to December
# The last day of class of 2027-2028, the last year published when this was written (arrêté of 2026).
# What was compared with the published dates, and when: docs/decisions/0019.
PUBLISHED_UNTIL = date(2028, 7, 4)


def school_holidays(zone: str, year: int) -> frozenset[date]:
    """The days of a year without school in a zone ("A", "B" or "C"), weekends of the holidays included.

    After `PUBLISHED_UNTIL` they are projected. Raises ValueError in French for an unknown zone, and for
    a year of which nothing is known (before 2018, after 2100).
    """
    if zone not in SCHOOL_ZONES:
        raise ValueError(f"zone scolaire inconnue : « {zone} » (A, B ou C)")
    days = _days(zone, year) if year >= FIRST_YEAR else frozenset()
    if not days:
        raise ValueError(f"les vacances scolaires de {year} ne sont pas connues")
    return days


def published(day: date) -> bool:
    """Whether the ministry had published the calendar of that day; False: its holidays are projected."""
    return day <= PUBLISHED_UNTIL


@lru_cache(maxsize=128)
def _days(zone: str, year: int) -> frozenset[date]:
    import holidays  # 285 ms: paid only by a calendar that follows the school's

    return frozenset(
        holidays.country_holidays("FR", subdiv=f"Zone {zone}", categories=("school",), years=year)
    )
