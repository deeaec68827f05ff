"""What is asked, what is promised, and what the protection can give. Pure.

Need ≠ commitment ≠ measure: a commitment must be at least as good as the need, and nobody may ask
for less loss than the protection of the data gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from releve.cycle.plan.blocks import Placed
from releve.cycle.plan.build import calendar_of
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.schema import (
    ApplicationBlock,
    DataSetBlock,
    ShareBlock,
    ToleranceBlock,
)
from releve.cycle.plan.shape import Draft
from releve.cycle.plan.source import Path
from releve.domain.calendars import Calendar, OpensTooLittle, due_at, length, worst_wall
from releve.domain.plan import ProtectionMode, Sensitivity
from releve.domain.units import Clock, Span, say_span

DAY = 86_400.0
# Sensitive and standard data leave the site at least daily (trade rule A7); a real-time copy of
# critical data that may be older than this is no longer "real time" (value of ours, proposed).
CRITICAL_RPO = 15 * 60.0
_ANY_DAY = date(2026, 1, 1)  # weeks are alike where nothing is closed


def promises(draft: Draft) -> Iterator[Finding]:
    """RTO and RPO against each other, their calendars and the protections."""
    data_sets = {data.item.id: data.item for data in draft.data_sets}
    applications = {application.item.id: application.item for application in draft.applications}
    for application in draft.applications:
        for name in ("tolerance", "commitment"):
            tolerance: ToleranceBlock | None = getattr(application.item, name)
            if tolerance is not None:
                yield from _sense(draft, application, tolerance, (*application.path, name))
        yield from _commitment(draft, application)
        yield from _loss(data_sets, application)
        yield from _slower_needs(draft, applications, application)
    yield from _protections(draft)


def _sense(
    draft: Draft, application: Placed[ApplicationBlock], tolerance: ToleranceBlock, path: Path
) -> Iterator[Finding]:
    rto = tolerance.rto
    if rto == Span() or (rto.seconds == 0 and not rto.business_days):
        yield Finding(
            (*path, "rto"),
            "rto-zero",
            "un délai de reprise nul n'a pas de sens : personne ne reprend en zéro seconde",
            "écrivez combien de temps on peut s'en passer, 5 min par exemple",
        )
    if rto.clock is Clock.BUSINESS:
        calendar_id = tolerance.calendar or application.item.tolerance.calendar
        if not calendar_id:
            yield Finding(
                (*path, "rto"),
                "rto-calendar",
                f"« {say_span(rto)} » se compte dans un calendrier, et aucun n'est nommé",
                "ajoutez « calendar: … », ou écrivez une durée sans « ouvré »",
            )
        yield from _never_ends(draft, rto, calendar_id, (*path, "rto"))
    if tolerance is application.item.tolerance and tolerance.rpo is None and application.item.data:
        yield Finding(
            path,
            "rpo-missing",
            "il manque « rpo » : cette application a des données",
            "écrivez combien de données on peut perdre (0, 1 h, 24 h…)",
        )


def _never_ends(draft: Draft, rto: Span, calendar_id: str, path: Path) -> Iterator[Finding]:
    """A delay that its calendar does not let end. One that never opens has its own fault."""
    found = next((placed.item for placed in draft.calendars if placed.item.id == calendar_id), None)
    if found is None or not any(slots for _, slots in found.open):
        return
    # without holidays: they change nothing to it, and reading them is slow
    calendar = replace(calendar_of(found), holidays="", school="")
    starts = [closure.first for closure in calendar.closures] or [_ANY_DAY]
    try:
        for day in starts:
            due_at(datetime(day.year, day.month, day.day, tzinfo=UTC), rto, calendar)
    except OpensTooLittle:
        yield Finding(
            path,
            "rto-never-ends",
            f"« {say_span(rto)} » ne finirait pas dans le calendrier « {calendar_id} » : il n'ouvre pas assez",
            "élargissez ses plages horaires, ou raccourcissez ses fermetures",
        )
    except (ValueError, OverflowError):  # a calendar that is wrong has its own fault
        return


@dataclass(frozen=True, slots=True)
class _Delay:
    """A span with the calendar that it is counted in."""

    span: Span
    calendar: Calendar | None = None


def _delay(draft: Draft, tolerance: ToleranceBlock, inherited: str = "") -> _Delay:
    name = tolerance.calendar or inherited
    found = next((placed.item for placed in draft.calendars if placed.item.id == name), None)
    return _Delay(tolerance.rto, calendar_of(found) if found is not None else None)


def longer(first: _Delay, second: _Delay) -> bool:
    """Whether `first` may outlast `second`: what is compared is what is sure for the users.

    On one clock, lengths are compared. Business hours against the wall clock: their longest night
    and weekend of the year counts. The wall clock against business hours never outlasts them for
    equal figures; beyond, it depends on the hour of the failure, and nothing is said.
    """
    try:
        if first.span.clock is second.span.clock:
            return length(first.span, first.calendar) > length(second.span, second.calendar)
        if first.span.clock is Clock.BUSINESS:
            return worst_wall(first.span, first.calendar) > length(second.span, second.calendar)
    except ValueError:  # a calendar that is missing or wrong has its own fault
        return False
    return False


def _commitment(draft: Draft, application: Placed[ApplicationBlock]) -> Iterator[Finding]:
    need, promise = application.item.tolerance, application.item.commitment
    if promise is None:
        return
    path = (*application.path, "commitment")
    if longer(_delay(draft, promise, need.calendar), _delay(draft, need)):
        clocks = need.rto.clock is Clock.WALL and promise.rto.clock is Clock.BUSINESS
        yield Finding(
            (*path, "rto"),
            "commitment-rto",
            f"l'engagement ({say_span(promise.rto)}) est plus long que le besoin ({say_span(need.rto)})"
            + (", qui court aussi la nuit et le week-end" if clocks else ""),
            "raccourcissez l'engagement, ou faites accepter un besoin plus long par le responsable",
        )
    if need.rpo is not None and promise.rpo is not None and promise.rpo.seconds > need.rpo.seconds:
        yield Finding(
            (*path, "rpo"),
            "commitment-rpo",
            f"l'engagement ({say_span(promise.rpo)}) laisse perdre plus que le besoin ({say_span(need.rpo)})",
            "protégez mieux les données, ou faites accepter la perte par le responsable",
        )


def _loss(
    given: dict[str, DataSetBlock | ShareBlock], application: Placed[ApplicationBlock]
) -> Iterator[Finding]:
    """An RPO asked, or else promised, that is shorter than what a protection gives."""
    for name, verb in (("tolerance", "demandé"), ("commitment", "promis")):
        tolerance: ToleranceBlock | None = getattr(application.item, name)
        if tolerance is None or tolerance.rpo is None:
            continue
        for data_id in application.item.data:
            data = given.get(data_id)
            if data is not None and data.protection.rpo.seconds > tolerance.rpo.seconds:
                yield Finding(
                    (*application.path, name, "rpo"),
                    "rpo-too-short",
                    f"RPO {verb} : {say_span(tolerance.rpo)}, mais la protection de « {data_id} » peut perdre"
                    f" {say_span(data.protection.rpo)}",
                    f"protégez mieux « {data_id} » ({_best(data)}), ou allongez ce RPO",
                )
                return


def _best(data: DataSetBlock | ShareBlock) -> str:
    return f"mode: realtime, rpo: {'2 s' if isinstance(data, ShareBlock) else '0'}"


def _protections(draft: Draft) -> Iterator[Finding]:
    for data in draft.data_sets:
        protection = data.item.protection
        path = (*data.path, "protection")
        if protection.mode is ProtectionMode.DAILY and protection.rpo.seconds < DAY:
            yield Finding(
                (*path, "rpo"),
                "rpo-mode",
                f"une copie par jour ne peut pas tenir un RPO de {say_span(protection.rpo)}",
                "écrivez mode: realtime, ou rpo: 24 h",
            )
        if data.item.sensitivity is Sensitivity.CRITICAL and protection.mode is not ProtectionMode.REALTIME:
            yield Finding(
                (*path, "mode"),
                "critical-not-realtime",
                "des données critiques doivent être copiées en temps réel sur le site de secours",
                "écrivez mode: realtime, ou revoyez la sensibilité avec le responsable",
            )
        elif data.item.sensitivity is Sensitivity.CRITICAL and protection.rpo.seconds > CRITICAL_RPO:
            yield Finding(
                (*path, "rpo"),
                "critical-rpo",
                f"données critiques, et pourtant on accepte d'en perdre {say_span(protection.rpo)}",
                "valeur proposée : 15 min au plus",
                grave=False,
            )
        if data.item.sensitivity is not Sensitivity.CRITICAL and protection.rpo.seconds > DAY:
            yield Finding(
                (*path, "rpo"),
                "rpo-beyond-a-day",
                f"on accepte de perdre {say_span(protection.rpo)} : plus d'un jour",
                "valeur proposée : une copie hors du site chaque jour (24 h)",
                grave=False,
            )


def _slower_needs(
    draft: Draft, known: dict[str, ApplicationBlock], application: Placed[ApplicationBlock]
) -> Iterator[Finding]:
    """A shared resource takes the highest criticality of what it carries."""
    for index, name in enumerate(application.item.needs):
        other = known.get(name)
        if other is None or other is application.item:
            continue
        if longer(_delay(draft, other.tolerance), _delay(draft, application.item.tolerance)):
            yield Finding(
                (*application.path, "needs", index),
                "needs-slower",
                f"« {application.item.name} » doit revenir en {say_span(application.item.tolerance.rto)}, mais a besoin de"
                f" « {other.name} », dont on dit pouvoir se passer {say_span(other.tolerance.rto)}",
                "ce qui porte plusieurs services prend le délai du plus pressé",
                grave=False,
            )
