"""Suppliers' promises flow up, and where they do not meet what is needed is a finding with a code. Pure.

A GTR is judged on the longest that it can last on the clock, its service hours included; a GTI is no GTR,
and an availability rate bounds no single outage: it is turned into hours.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from releve.cycle.objectives.flow import Graph, NodeKind, Required
from releve.cycle.objectives.need import Need
from releve.domain.calendars import Calendar, least_wall, worst_wall
from releve.domain.objectives import Objectives, Supplier, SupplierPromise, in_window
from releve.domain.plan import Plan
from releve.domain.units import Span, say_count, say_seconds, say_span, write_span

HOURS_A_MONTH = 730.0  # 365 × 24 / 12: the month in which an availability rate is read
HOURS_A_YEAR = 8760.0
FLOW_SOURCE = "une ressource a le délai du plus pressé de ce qu'elle porte, moins sa remise en route (BIA, ISO 22301 8.2)"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where what is asked and what is promised do not meet. `code` is stable; `grave` False: to look at.

    `about`: the value that somebody wrote and could change (a promise with its supplier's id, a component,
    a recovery, an answer, a settled need), by which its file and line are found; None: the plan's own.
    """

    code: str
    node: str
    sentence: str
    hint: str
    source: str
    grave: bool = True
    about: Hashable = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Availability:
    """An availability rate turned into hours: what it lets stop, in a month and in a year."""

    percent: float
    month: timedelta
    year: timedelta


def availability(percent: float) -> Availability:
    """The time that a rate (0 < percent ≤ 100) lets stop: 99,5 % is 3 h 39 a month of 730 h."""
    share = 1 - percent / 100
    return Availability(
        percent, timedelta(hours=HOURS_A_MONTH * share), timedelta(hours=HOURS_A_YEAR * share)
    )


@dataclass(frozen=True, slots=True)
class Promised:
    """What a supplier's promise is worth on the clock at one node. None: nothing is promised."""

    node: str
    supplier: str
    promise: SupplierPromise
    longest: timedelta | None
    rate: Availability | None
    written: Hashable = None  # (supplier id, promise)


def promised(objectives: Objectives, calendars: Mapping[str, Calendar], *, year: int) -> tuple[Promised, ...]:
    """Every supplier's promise, turned into the longest that it lets last."""
    return tuple(
        Promised(
            promise.on,
            supplier.name,
            promise,
            _longest(promise, calendars, year),
            availability(promise.availability) if promise.availability is not None else None,
            (supplier.id, promise),
        )
        for supplier in objectives.suppliers
        for promise in supplier.promises
    )


def _longest(promise: SupplierPromise, calendars: Mapping[str, Calendar], year: int) -> timedelta | None:
    if promise.restore is None:
        return None
    return worst_wall(
        in_window(promise.restore, promise.calendar), calendars.get(promise.calendar), year=year
    )


def contradictions(
    plan: Plan,
    objectives: Objectives,
    stood: Graph,
    asked: Mapping[str, Required],
    needs: Iterable[Need],
    *,
    year: int,
) -> tuple[Contradiction, ...]:
    """Everything that does not meet, the graph over; in a stable order.

    `needs`, and `asked` which flows from them: what is left to keep once gaps were accepted, and once what is
    too slow by itself is mended (`flow.mended`).
    """
    offers = promised(objectives, plan.calendars, year=year)
    needs = tuple(needs)
    found = [
        *(item for offer in offers for item in _judged(offer, asked[offer.node], stood)),
        *_upwards(stood, asked, offers),
        *_losses(offers, needs, stood),
        *_silent(objectives.suppliers, stood),
        *_plan_against(plan, objectives, needs, year),
        *_no_time(stood, asked, objectives),
    ]
    return tuple(dict.fromkeys(found))


def _judged(offer: Promised, need: Required, stood: Graph) -> Iterator[Contradiction]:
    name = f"{offer.supplier} pour « {need.name} »"
    if (
        offer.longest is not None
        and need.seconds is not None
        and offer.longest.total_seconds() > need.seconds
    ):
        yield Contradiction(
            "promise-too-slow",
            need.node,
            f"{name} promet {say_span(offer.promise.restore or Span())}, jusqu'à {_said(offer.longest)} d'horloge ; "
            f"{_wanted(need, stood)}",
            "négociez la GTR ou sa plage, prenez un secours qui n'en dépend pas, ou faites accepter l'écart",
            "PGSSI-S 7.4.1.1 (délais admissibles)",
            about=offer.written,
        )
    if (
        offer.rate is not None
        and need.seconds is not None
        and offer.rate.month.total_seconds() > need.seconds
    ):
        yield Contradiction(
            "rate-too-low",
            need.node,
            f"{name} : {_percent(offer.rate.percent)} permettent {_said(offer.rate.month)} d'arrêt par mois "
            f"({_said(offer.rate.year)} par an) ; {_wanted(need, stood)}",
            "un taux ne borne aucun arrêt : "
            + ("demandez une GTR" if offer.longest is None else "c'est la GTR qui compte"),
            "arithmétique de disponibilité, mois de 730 h",
            grave=False,
            about=offer.written,
        )


def _losses(offers: tuple[Promised, ...], needs: tuple[Need, ...], stood: Graph) -> Iterator[Contradiction]:
    """A supplier that may lose more than people can."""
    for offer in offers:
        given = offer.promise.loss
        held = _holding(stood, offer.node)
        used = [need for need in needs if need.application in held and need.rpo is not None]
        asked = [need for need in used if need.answered] or used  # the plan's own value where nobody answered
        if given is None or not asked:
            continue
        least = min((need.rpo for need in asked if need.rpo is not None), key=lambda span: span.seconds)
        if given.seconds > least.seconds:
            yield Contradiction(
                "promise-loses-more",
                offer.node,
                f"{offer.supplier} peut perdre {say_span(given)} de « {stood.names[offer.node]} » ; "
                + (
                    f"ceux qui s'en servent {_only(least)}"
                    if asked[0].answered
                    else f"le plan {_only(least, 'en admet')}"
                ),
                "négociez la perte promise, ou gardez une copie de votre côté",
                "CaRE D2.O2.A : la politique de sauvegarde s'applique aussi aux logiciels hébergés",
                about=offer.written,
            )


def _holding(stood: Graph, node: str) -> frozenset[str]:
    """The applications that have their data on `node`: itself, or those whose data it carries, however deep."""
    if stood.kinds[node] is NodeKind.APPLICATION:
        return frozenset({node})
    carried = stood.touched([node])
    below = {item for item in carried if stood.kinds[item] is not NodeKind.APPLICATION}
    return frozenset(item for item in carried - below if below.intersection(stood.needs[item]))


def _upwards(
    stood: Graph, asked: Mapping[str, Required], offers: tuple[Promised, ...]
) -> Iterator[Contradiction]:
    """The way up: the slowest promise below, plus what each step takes, is longer than what applications need.

    One contradiction for each promise that is in the way, with everything that it holds up.
    """
    slower: dict[str, Promised] = {}  # where two suppliers promise the same thing, what may come
    longest: dict[str, float] = {}
    for offer in offers:
        if offer.longest is not None and offer.longest.total_seconds() > longest.get(offer.node, -1.0):
            slower[offer.node], longest[offer.node] = offer, offer.longest.total_seconds()
    back: dict[str, tuple[float, str]] = {}
    late: dict[str, list[tuple[str, float, float]]] = {}
    for node in stood.order():
        slowest = max((back[below] for below in stood.needs[node] if below in back), default=(0.0, ""))
        own = longest.get(node, stood.own.get(node, 0.0))
        back[node] = (slowest[0] + own, slowest[1] or (node if node in longest else ""))
        need = asked[node]
        if (
            need.kind is NodeKind.APPLICATION
            and need.seconds is not None
            and slowest[1]
            and back[node][0] > need.seconds
        ):
            late.setdefault(slowest[1], []).append((need.name, need.seconds, back[node][0]))
    for node, held in late.items():
        shown = " ; ".join(
            f"« {name} » (il faut {say_seconds(need) if need else 'que ce soit aussitôt'}, ce qui est promis mène à {say_seconds(leads)})"
            for name, need, leads in sorted(held, key=lambda item: item[1])[:3]
        )
        more = f" ; et {say_count(len(held) - 3, 'autre')}" if len(held) > 3 else ""
        yield Contradiction(
            "way-up-too-slow",
            node,
            f"ce qui est promis pour « {stood.names[node]} » retient {say_count(len(held), 'application')} : {shown}{more}",
            "raccourcissez ce qui est en dessous, prévoyez un secours qui n'en dépend pas, ou faites accepter l'écart",
            FLOW_SOURCE,
            about=slower[node].written,
        )


def _silent(suppliers: tuple[Supplier, ...], stood: Graph) -> Iterator[Contradiction]:
    for supplier in suppliers:
        for promise in supplier.promises:
            if promise.restore is None:
                what = []
                if promise.respond is not None:
                    what.append(f"répondre en {say_span(promise.respond)}")
                if promise.availability is not None:
                    rate = availability(promise.availability)
                    what.append(f"{_percent(rate.percent)}, soit {_said(rate.month)} d'arrêt par mois")
                yield Contradiction(
                    "no-restore-promise",
                    promise.on,
                    f"{supplier.name} ne promet aucun délai de rétablissement pour « {stood.names[promise.on]} »"
                    + (f" (seulement : {' ; '.join(what)})" if what else ""),
                    "demandez une GTR et sa plage ; une GTI ou un taux ne disent pas quand le service revient",
                    "contrats : GTI, GTR, plage de service garantie",
                    grave=False,
                    about=(supplier.id, promise),
                )


def _plan_against(
    plan: Plan, objectives: Objectives, needs: tuple[Need, ...], year: int
) -> Iterator[Contradiction]:
    """What the plan carries as the need must be what people said; what it promises must keep it."""
    for application in plan.applications:
        said = [
            need for need in needs if need.application == application.id and (need.answered or need.settled)
        ]
        if not said:
            continue
        calendar = plan.calendars.get(application.need.calendar)
        shortest = least_wall(application.need.rto, calendar, year=year)
        longest = worst_wall(application.need.rto, calendar, year=year)
        # two clocks: "8 h ouvrées" may be over before a day is, and may last four
        short = [need for need in said if shortest > need.least or longest > need.worst]
        if short:
            strictest = min(short, key=lambda need: (need.least, need.worst))
            place = objectives.establishment(strictest.establishment).name
            yield Contradiction(
                "need-differs",
                application.id,
                f"« {application.name} » : le plan écrit {say_span(application.need.rto)} ; besoin retenu : "
                f"{_rto(strictest.rto)} ({place})",
                f"dans le plan : tolerance: {{rto: {write_span(strictest.rto)}}}",
                "Direction[s], dossier « Tous connectés » (2013) : le délai est fixé par les utilisateurs",
                about=_origin(strictest),
            )
        lost = [need for need in said if need.rpo is not None]
        least = min(lost, key=lambda need: need.rpo.seconds if need.rpo else 0.0, default=None)
        if least is not None and least.rpo is not None and application.need.rpo.seconds > least.rpo.seconds:
            yield Contradiction(
                "loss-differs",
                application.id,
                f"« {application.name} » : le plan admet une perte de {say_span(application.need.rpo)} ; besoin "
                f"retenu : {say_span(least.rpo) if least.rpo.seconds else 'aucune perte'}",
                f"dans le plan : tolerance: {{rpo: {write_span(least.rpo)}}}",
                "Direction[s], dossier « Tous connectés » (2013) : quelles données, en quelle quantité, peuvent être perdues",
                about=_origin(least),
            )


def _origin(need: Need) -> Hashable:
    """What somebody wrote that the need comes from."""
    return need.settled or (need.decisive.answer if need.decisive else None)


def _no_time(stood: Graph, asked: Mapping[str, Required], objectives: Objectives) -> Iterator[Contradiction]:
    written: dict[str, Hashable] = {item.id: item for item in objectives.components}
    written |= {item.application: item for item in objectives.recoveries}
    for node in stood.order():
        need = asked[node]
        own = stood.own.get(node, 0.0)
        if need.seconds is not None and own > need.seconds:
            yield Contradiction(
                "no-time-left",
                node,
                f"« {need.name} » se remet en route en {say_seconds(own)} ; {_wanted(need, stood)}",
                "prévoyez un secours déjà prêt, ou faites accepter l'écart",
                FLOW_SOURCE,
                about=written.get(node),
            )


def _wanted(need: Required, stood: Graph) -> str:
    """How little time a node has, and because of whom; there must be something that asks for it."""
    first = need.why[0].because
    others = f" et {say_count(len(need.why) - 1, 'autre')}" if len(need.why) > 1 else ""
    if first == need.node:
        who = f"ceux qui s'en servent{others}"
        return (
            f"il faut {say_seconds(need.seconds)} ({who})"
            if need.seconds
            else f"il faut que ce soit aussitôt ({who})"
        )
    who = f"« {stood.names[first]} »{others}"
    if need.seconds:
        return f"il faut {say_seconds(need.seconds)} ({who})"
    return f"il ne lui reste aucun temps, ce qui est au-dessus le prend tout ({who})"


def _rto(rto: Span) -> str:
    return say_span(rto) if rto.seconds or rto.business_days else "aucun arrêt admis"


def _only(loss: Span, verb: str = "en admettent") -> str:
    return f"n'{verb} que {say_span(loss)}" if loss.seconds else f"n'{verb} aucune"


def _percent(value: float) -> str:
    return f"{value:g} %".replace(".", ",")


def _said(span: timedelta) -> str:
    return say_seconds(span.total_seconds())
