"""How a report says instants, numbers, states and people, in French."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from releve.domain.document import Mark, Tone
from releve.domain.measure import Verdict
from releve.domain.plan import Plan
from releve.domain.runbook import Direction, TaskState

_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)  # fmt: skip

VERDICTS: Mapping[Verdict, Mark] = {
    Verdict.KEPT: Mark(Tone.KEPT, "tenu"),
    Verdict.BROKEN: Mark(Tone.BROKEN, "non tenu"),
    Verdict.NOT_MEASURED: Mark(Tone.UNKNOWN, "non mesuré"),
}
STATES: Mapping[TaskState, Mark] = {
    TaskState.PENDING: Mark(Tone.UNKNOWN, "pas commencée"),
    TaskState.RUNNING: Mark(Tone.UNKNOWN, "en cours"),
    TaskState.WAITING: Mark(Tone.UNKNOWN, "attend une personne"),
    TaskState.DONE: Mark(Tone.OK, "faite"),
    TaskState.SKIPPED: Mark(Tone.NOTE, "sautée"),
    TaskState.REFUSED: Mark(Tone.BROKEN, "refusée"),
    TaskState.FAILED: Mark(Tone.BROKEN, "échouée"),
    TaskState.ABANDONED: Mark(Tone.UNKNOWN, "abandonnée"),
}
DIRECTIONS: Mapping[Direction, str] = {Direction.SWITCH: "bascule", Direction.RETURN: "retour"}
OF_DIRECTIONS: Mapping[Direction, str] = {Direction.SWITCH: "de la bascule", Direction.RETURN: "du retour"}
NOTHING = "—"


def day(at: datetime, zone: tzinfo) -> str:
    """A day: "mardi 22 septembre 2026"."""
    local = at.astimezone(zone)
    number = "1er" if local.day == 1 else str(local.day)
    return f"{_DAYS[local.weekday()]} {number} {_MONTHS[local.month - 1]} {local.year}"


def moment(at: datetime, zone: tzinfo) -> str:
    """An instant to the second: "22/09/2026 à 14:05:12"."""
    return at.astimezone(zone).strftime("%d/%m/%Y à %H:%M:%S")


def clock(at: datetime, zone: tzinfo, *, dated: bool = False) -> str:
    """An instant of a chronology: "14:05:12,3" or "22/09 14:05:12,3", cut to the tenth of a second."""
    local = at.astimezone(zone)
    text = f"{local:%H:%M:%S},{local.microsecond // 100_000}"
    return f"{local:%d/%m} {text}" if dated else text


def number(count: int) -> str:
    """A count: "12 345"."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(count: int, one: str, many: str) -> str:
    """A count of things: "1 étape", "3 étapes" (French counts 0 and 1 as one)."""
    return f"{number(count)} {many if count > 1 else one}"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: « A », « B » et « C »."""
    quoted = [f"« {name} »" for name in names]
    return " et ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def person(plan: Plan, contact_id: str) -> str:
    """The name of a contact; its id when the plan does not know it."""
    return next((item.name for item in plan.contacts if item.id == contact_id), contact_id) or NOTHING


def place(plan: Plan, site_id: str) -> str:
    """The name of a site; its id when the plan does not know it."""
    return next((item.name for item in plan.sites if item.id == site_id), site_id)


def subject(plan: Plan, item_id: str) -> str:
    """The name of an application or a data set; its id when the plan does not know it."""
    names = {item.id: item.name for item in plan.data_sets}
    names |= {item.id: item.name for item in plan.applications}
    return names.get(item_id, item_id)
