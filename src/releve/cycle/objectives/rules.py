"""What is wrong with the objectives and the answers, once each block can be read. Pure.

Nothing is guessed: a curve that falls, a criterion without a level, a name that the plan does not know
are faults with a place; an answer that nobody gave yet is a remark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import TypeVar

from releve.cycle.objectives.draft import Draft
from releve.cycle.objectives.scale import Scale
from releve.cycle.objectives.schema import (
    AnswerBlock,
    ComponentBlock,
    PromiseBlock,
    ReliefBlock,
    SettledBlock,
)
from releve.cycle.plan.blocks import Block, Placed
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Path
from releve.domain.calendars import worst_wall
from releve.domain.names import among, did_you_mean, nearest
from releve.domain.objectives import in_window
from releve.domain.plan import Plan, SiteRole
from releve.domain.units import Clock, Span, say_span

T = TypeVar("T", bound=Block)
DAY_HOURS = 24


def objectives_rules(draft: Draft, plan: Plan, scale: Scale, today: date | None) -> Iterator[Finding]:
    """Every finding of the objectives file that needs more than one block, the plan, or the day (None: not judged)."""
    known = _Known(draft, plan)
    yield from _twice(draft.establishments, lambda item: item.id, "id", "establishments")
    yield from _twice(draft.periods, lambda item: item.id, "id", "periods")
    yield from _twice(draft.components, lambda item: item.id, "id", "components")
    yield from _twice(draft.suppliers, lambda item: item.id, "id", "suppliers")
    yield from _twice(draft.scale, lambda item: item.criterion, "criterion", "scale")
    yield from _twice(draft.recoveries, lambda item: item.application, "application", "recoveries")
    yield from _twice(draft.scenarios, lambda item: item.scenario, "scenario", "scenarios")
    for place in draft.establishments:
        yield from known.calendar(place.item.calendar, (*place.path, "calendar"))
        yield from known.applications(place.item.applications, (*place.path, "applications"))
        yield from _weight(place.item.weight, place.path)
    for changed in draft.scale:
        yield from _criterion(changed.item.criterion, scale, (*changed.path, "criterion"))
        yield from _weight(changed.item.weight, changed.path)
    for settled in draft.settled:
        yield from known.application(settled.item.application, (*settled.path, "application"))
        if settled.item.establishment:
            yield from known.establishment(settled.item.establishment, (*settled.path, "establishment"))
            yield from known.not_used(settled.item.application, settled.item.establishment, settled.path)
        if today is not None and settled.item.on > today:
            yield Finding(
                (*settled.path, "on"),
                "settled-future",
                f"ceci est tranché le {settled.item.on:%d/%m/%Y} : ce jour n'est pas encore arrivé",
                "écrivez la date où la personne a tranché",
            )
        yield from _business(settled.item, known, settled.path)
        hours = known.calendar_of(settled.item.establishment)
        yield from known.fits(settled.item.rto, hours, (*settled.path, "rto"))
    yield from _settled_twice(draft.settled)
    for component in draft.components:
        yield from known.carried(component.item.carries, (*component.path, "carries"))
        yield from known.components(component.item.needs, (*component.path, "needs"))
    yield from _component_loop(draft.components)
    yield from _shared(draft, plan)
    for supplier in draft.suppliers:
        for index, promise in enumerate(supplier.item.promises):
            yield from _promise(promise, known, (*supplier.path, "promises", index))
    for recovery in draft.recoveries:
        yield from known.application(recovery.item.application, (*recovery.path, "application"))

    for rate in draft.scenarios:
        yield from known.scenario(rate.item.scenario, (*rate.path, "scenario"))


def relief_rules(relief: ReliefBlock, draft: Draft, plan: Plan) -> Iterator[Finding]:
    """What is wrong with the relief's means, once the plan is known."""
    yield from _Known(draft, plan).calendar(relief.calendar, ("relief", "calendar"))


def _shared(draft: Draft, plan: Plan) -> Iterator[Finding]:
    """One id, one thing: needs flow along ids, and two things of one id would be one."""
    applications = {item.id for item in plan.applications}
    data = {item.id for item in plan.data_sets}
    hosts = {item.id for item in plan.hosts if plan.site(item.site).role is SiteRole.PRIMARY}
    for name in sorted((applications & data) | (applications & hosts) | (data & hosts)):
        yield Finding(
            (),
            "id-shared",
            f"« {name} » désigne deux choses du plan (application, jeu de données ou machine)",
            "donnez deux identifiants différents dans le plan : un délai va à l'un ou à l'autre",
        )
    for placed in draft.components:
        if placed.item.id in applications | data:
            yield Finding(
                (*placed.path, "id"),
                "id-shared",
                f"« {placed.item.id} » est déjà une application ou un jeu de données du plan",
                f"donnez un autre identifiant au composant, « srv-{placed.item.id} » par exemple",
            )


def _weight(weight: float, path: Path) -> Iterator[Finding]:
    if weight < 0:
        yield Finding((*path, "weight"), "weight-negative", "un poids ne peut pas être négatif")


def _promise(promise: PromiseBlock, known: _Known, path: Path) -> Iterator[Finding]:
    yield from known.promised(promise.on, (*path, "on"))
    yield from known.calendar(promise.calendar, (*path, "calendar"))
    for key in ("respond", "restore"):
        span = getattr(promise, key)
        if span is not None:
            yield from known.fits(in_window(span, promise.calendar), promise.calendar, (*path, key))
        if span is not None and span.clock is Clock.BUSINESS and not promise.calendar:
            yield Finding(
                (*path, key),
                "promise-calendar",
                f"« {say_span(span)} » se compte dans un calendrier, et aucun n'est nommé",
                "ajoutez « calendar: … » : les heures pendant lesquelles le fournisseur travaille",
            )


def answers_rules(
    answers: Iterable[Placed[AnswerBlock]], draft: Draft, plan: Plan, scale: Scale, today: date | None = None
) -> Iterator[Finding]:
    """Every finding of one file of answers. `today` judges their dates; None leaves them alone."""
    known = _Known(draft, plan)
    for placed in answers:
        item, path = placed.item, placed.path
        yield from known.application(item.application, (*path, "application"))
        yield from known.establishment(item.establishment, (*path, "establishment"))
        yield from known.not_used(item.application, item.establishment, path)
        yield from _impact(item.impact, scale, (*path, "impact"))
        seen = set()
        for index, other in enumerate(item.in_period):
            place = (*path, "in_period", index)
            yield from known.period(other.period, (*place, "period"))
            yield from _impact(other.impact, scale, (*place, "impact"))
            if other.period in seen:
                yield Finding(
                    (*place, "period"),
                    "period-twice",
                    f"la période « {other.period} » est répondue deux fois",
                )
            seen.add(other.period)
        if today is not None and item.on > today:  # the newest counts: one of the year 2062 would for ever
            yield Finding(
                (*path, "on"),
                "answer-future",
                f"cette réponse est datée du {item.on} : ce jour n'est pas encore arrivé",
                "écrivez la date où la personne a répondu",
            )
        hours = item.data.retype_hours if item.data is not None else None
        if hours is not None and hours > DAY_HOURS:
            yield Finding(
                (*path, "data", "retype_hours"),
                "retype-long",
                f"ressaisir une seule journée prendrait {hours:g} h : plus que n'en compte un jour".replace(
                    ".", ","
                ),
                "est-ce bien pour une journée ? à plusieurs, c'est la somme de leurs heures : laissez alors ce nombre",
                grave=False,
            )
        if not item.why:
            yield Finding(
                path,
                "why-missing",
                "cette réponse ne dit pas pourquoi",
                'ajoutez « why: "…" » : ce qui arrive quand ce n\'est plus acceptable',
                grave=False,
            )


def _impact(impact: Mapping[str, list[int]], scale: Scale, path: Path) -> Iterator[Finding]:
    for code, levels in impact.items():
        place = (*path, code)
        unknown = list(_criterion(code, scale, place, key=True))
        yield from unknown
        if unknown:
            continue
        if len(levels) != scale.steps:
            yield Finding(
                place,
                "levels-count",
                f"« {code} » : {len(levels)} niveaux, il en faut {scale.steps}",
                "un par durée : " + ", ".join(say_span(step) for step in scale.wall),
            )
            continue
        for index, (before, after) in enumerate(pairwise(levels)):
            if after < before:
                yield Finding(
                    (*place, index + 1),
                    "impact-falls",
                    f"« {code} » : la gêne baisse de {before} à {after} quand l'arrêt passe de"
                    f" {say_span(scale.wall[index])} à {say_span(scale.wall[index + 1])}",
                    "une gêne ne diminue pas quand l'arrêt dure : corrigez l'un des deux niveaux",
                )
    missing = [item.code for item in scale.criteria if item.code not in impact]
    if missing:
        yield Finding(
            path,
            "criterion-missing",
            f"il manque {', '.join(missing)} dans les impacts",
            "répondez à chaque critère ; 1 partout quand rien n'est touché",
        )


def _criterion(code: str, scale: Scale, path: Path, *, key: bool = False) -> Iterator[Finding]:
    if code not in {item.code for item in scale.criteria}:
        names = [item.code for item in scale.criteria]
        near = did_you_mean(code, [name.lower() for name in names]).upper()
        asked = f"vouliez-vous dire « {near} » ? " if near else ""
        yield Finding(
            path,
            "criterion-unknown",
            f"critère inconnu : « {code} »",
            asked + among(names, "critères"),
            key=key,
        )


def _business(item: SettledBlock, known: _Known, path: Path) -> Iterator[Finding]:
    """A need settled in opening hours needs an establishment that has some."""
    if item.rto.clock is not Clock.BUSINESS:
        return
    hours = known.hours(item.establishment)
    if not hours:
        yield Finding(
            (*path, "rto"),
            "settled-calendar",
            f"« {say_span(item.rto)} » se compte dans un calendrier, et l'établissement n'en a pas",
            "nommez un établissement qui a des horaires, ou écrivez une durée sans « ouvré »",
        )


def _component_loop(components: list[Placed[ComponentBlock]]) -> Iterator[Finding]:
    from graphlib import CycleError, TopologicalSorter

    places = {placed.item.id: placed.path for placed in components}
    try:
        TopologicalSorter({placed.item.id: placed.item.needs for placed in components}).prepare()
    except CycleError as error:
        loop = error.args[1]
        first = next(name for name in loop if name in places)
        yield Finding(
            (*places[first], "needs"),
            "component-loop",
            f"les composants s'attendent en boucle : {' → '.join(loop)}",
            "retirez l'un de ces « needs »",
        )


def _twice(items: list[Placed[T]], name: Callable[[T], str], key: str, section: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for placed in items:
        if name(placed.item) in seen:
            yield Finding(
                (*placed.path, key),
                "id-twice",
                f"« {name(placed.item)} » est écrit deux fois dans {section}",
                "gardez-en un",
            )
        seen.add(name(placed.item))


def _settled_twice(items: list[Placed[SettledBlock]]) -> Iterator[Finding]:
    """Two decisions of one day on one thing: the newest counts, and neither is."""
    seen: set[tuple[str, str, date]] = set()
    for placed in items:
        item = placed.item
        key = (item.application, item.establishment, item.on)
        if key in seen:
            where = f" pour « {item.establishment} »" if item.establishment else ""
            yield Finding(
                placed.path,
                "settled-twice",
                f"« {item.application} » est tranchée deux fois le {item.on:%d/%m/%Y}{where} :"
                " on ne sait pas laquelle compte",
                "gardez la décision qui vaut ; une décision d'un autre jour peut rester, la plus récente compte",
            )
        seen.add(key)


class _Known:
    """The names that may be referred to."""

    def __init__(self, draft: Draft, plan: Plan) -> None:
        self._applications = {item.id for item in plan.applications}
        self._data = {item.id for item in plan.data_sets}
        self._calendars = set(plan.calendars)
        self._opening = plan.calendars
        self._establishments = {placed.item.id: placed.item for placed in draft.establishments}
        self._periods = {placed.item.id for placed in draft.periods}
        self._components = {placed.item.id for placed in draft.components}
        self._unread = draft.unread

    def application(self, name: str, path: Path) -> Iterator[Finding]:
        yield from self._one(
            name, self._applications, path, "application-unknown", "application inconnue du plan"
        )

    def applications(self, names: list[str], path: Path) -> Iterator[Finding]:
        for index, name in enumerate(names):
            yield from self.application(name, (*path, index))

    def establishment(self, name: str, path: Path) -> Iterator[Finding]:
        if "establishments" not in self._unread:
            yield from self._one(
                name, set(self._establishments), path, "establishment-unknown", "établissement inconnu"
            )

    def period(self, name: str, path: Path) -> Iterator[Finding]:
        if "periods" not in self._unread:
            yield from self._one(name, self._periods, path, "period-unknown", "période critique inconnue")

    def calendar(self, name: str, path: Path) -> Iterator[Finding]:
        if name:
            yield from self._one(
                name, self._calendars, path, "calendar-unknown", "calendrier inconnu du plan"
            )

    def scenario(self, name: str, path: Path) -> Iterator[Finding]:
        from releve.cycle.objectives.scenarios import scenarios

        yield from self._one(name, set(scenarios()), path, "scenario-unknown", "scénario inconnu")

    def not_used(self, application: str, establishment: str, path: Path) -> Iterator[Finding]:
        """An answer that counts for nothing: that establishment is said not to use that application."""
        place = self._establishments.get(establishment)
        if (
            place is not None
            and place.applications
            and application in self._applications - set(place.applications)
        ):
            yield Finding(
                path,
                "answer-not-used",
                f"ceci ne compte pas : « {establishment} » ne se sert pas de « {application} »",
                "complétez « applications » de cet établissement, ou retirez ce bloc",
                grave=False,
            )

    def components(self, names: list[str], path: Path) -> Iterator[Finding]:
        if "components" in self._unread:
            return
        for index, name in enumerate(names):
            yield from self._one(
                name, self._components, (*path, index), "component-unknown", "composant inconnu"
            )

    def carried(self, names: list[str], path: Path) -> Iterator[Finding]:
        for index, name in enumerate(names):
            yield from self._one(
                name,
                self._applications | self._data,
                (*path, index),
                "carried-unknown",
                "ni application ni jeu de données du plan",
            )

    def promised(self, name: str, path: Path) -> Iterator[Finding]:
        if "components" not in self._unread:
            yield from self._one(
                name,
                self._applications | self._components,
                path,
                "promise-unknown",
                "ni application du plan ni composant",
            )

    def calendar_of(self, establishment: str) -> str:
        """The calendar of that establishment; empty: day and night, or unknown."""
        item = self._establishments.get(establishment)
        return item.calendar if item is not None else ""

    def fits(self, span: Span, calendar: str, path: Path) -> Iterator[Finding]:
        """Whether a duration ever ends on that calendar: what never does has no length to compare."""
        found = self._opening.get(calendar)
        if found is None or span.clock is not Clock.BUSINESS:
            return
        try:
            worst_wall(span, found)
        except ValueError:
            yield Finding(
                path,
                "too-long-for-calendar",
                f"« {say_span(span)} » n'en finit pas sur le calendrier « {calendar} », qui ouvre trop peu",
                "écrivez une durée plus courte, ou comptée jour et nuit",
            )

    def hours(self, establishment: str) -> bool:
        """Whether that establishment has opening hours, as far as can be read."""
        item = self._establishments.get(establishment)
        if item is None:
            return bool(establishment) and "establishments" in self._unread
        return bool(item.calendar)

    @staticmethod
    def _one(name: str, known: set[str], path: Path, code: str, said: str) -> Iterator[Finding]:
        if name not in known:
            yield Finding(path, code, f"{said} : « {name} »", nearest(name, known, "il n'y en a aucun"))
