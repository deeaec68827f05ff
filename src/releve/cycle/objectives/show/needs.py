"""Needs, priorities, contradictions and the comparison, as text and as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from releve.cycle.objectives.compare import Band, Compared
from releve.cycle.objectives.contradictions import Contradiction
from releve.cycle.objectives.need import Need, reason_of
from releve.cycle.objectives.priority import Rank
from releve.cycle.objectives.scale import Scale, proposed_scale
from releve.cycle.objectives.show.grid import WIDE, grid
from releve.domain.objectives import Objectives
from releve.domain.plan import Plan
from releve.domain.units import MAX_SPAN_SECONDS, Clock, Span, say_count, say_seconds, say_span

NOTHING = "—"
BANDS: Mapping[Band, str] = {
    Band.EASY: "tenu largement",
    Band.KEPT: "tenu",
    Band.TIGHT: "tenu de justesse",
    Band.BROKEN: "non tenu",
    Band.FAR: "non tenu, de loin",
    Band.NEVER: "jamais prouvé",
}


def say_need(need: Need) -> str:
    """The delay as it is read: "8 h ouvrées (au pire 4 j d'horloge)", "moins de 5 min", "4 h"."""
    decisive = need.decisive
    if need.settled is None and decisive is not None and decisive.bearable.threshold < 0:
        return f"moins de {say_span(proposed_scale().ladder(need.calendar)[0])}"
    said = say_rto(need.rto)
    if need.rto.clock is Clock.BUSINESS and not _at_once(need.rto):
        said += f" (au pire {say_seconds(need.worst.total_seconds())} d'horloge)"
    return said


def say_rto(span: Span) -> str:
    """A delay as it is read; nothing at all is said in words."""
    return "aucun arrêt admis" if _at_once(span) else say_span(span)


def _at_once(span: Span) -> bool:
    return not span.seconds and not span.business_days


def needs_text(plan: Plan, objectives: Objectives, needs: Iterable[Need], *, width: int = WIDE) -> str:
    """One line a need, the strictest of each application first; then what is open."""
    found = list(needs)
    rows = []
    for application in plan.applications:
        of_application = sorted(
            (need for need in found if need.application == application.id), key=lambda need: need.least
        )
        for index, need in enumerate(of_application):
            rows.append(
                (
                    application.name if index == 0 else "",
                    objectives.establishment(need.establishment).name,
                    say_need(need),
                    _loss(need),
                    _state(need),
                )
            )
    table = grid(
        (
            "Application",
            "Établissement",
            "On peut s'en passer (DMIA)",
            "On peut perdre (PDMA)",
            "D'où cela vient",
        ),
        rows,
        width=width,
    )
    opened = [need for need in found if need.open]
    if not opened:
        return table
    lines = [
        table,
        "",
        f"À trancher ({say_count(len(opened), 'besoin')}) — le plus strict compte en attendant :",
    ]
    for need in opened:
        for item in need.disagreements:
            lines.append(f"  {need.application}, {need.establishment} : {item.sentence}")
            lines += [f"    {reason}" for reason in item.reasons]
    lines += [
        "",
        "Un responsable tranche dans le fichier d'objectifs : settled: [{application: …, rto: …, by: …, on: …, why: …}]",
    ]
    return "\n".join(lines)


def need_text(need: Need, objectives: Objectives, scale: Scale) -> str:
    """Everything that is behind one need: who said what, when and why."""
    place = objectives.establishment(need.establishment)
    settled_scale = scale.settled(objectives.thresholds)
    lines = [f"{place.name}", f"  on peut s'en passer : {say_need(need)}"]
    if need.settled is not None:
        settled = need.settled
        lines.append(f"    tranché par {settled.by} le {settled.on.isoformat()} : {settled.why}")
    lines += [
        f"    {reason_of(voice, settled_scale, place)}"
        + (f" [pendant « {_period(voice.period, objectives)} »]" if voice.period else "")
        for voice in need.voices
    ]
    if not need.voices:
        lines.append("    personne n'a répondu" + ("" if need.settled else " : c'est la valeur du plan"))
    lines += [
        f"  {f'pendant « {_period(period, objectives)} »' if period else 'le reste de l’année'} : {say_rto(span)}"
        for period, span in need.rto_in.items()
    ]
    lines.append(f"  on peut perdre : {_loss(need)}")
    lines += [f"    {why}" for why in need.loss]
    for item in need.disagreements:
        lines.append(
            f"  désaccord ({'entre les règles' if item.kind == 'rules' else 'entre personnes'}) : {item.sentence}"
        )
        lines += [f"    {reason}" for reason in item.reasons]
    return "\n".join(lines)


def _period(wanted: str, objectives: Objectives) -> str:
    return next((item.name for item in objectives.periods if item.id == wanted), wanted)


def ranks_text(ranks: Iterable[Rank], *, width: int = WIDE) -> str:
    """The order of restart, each line with its reason."""
    rows = [(str(rank.place), rank.priority, rank.name, _within(rank.seconds), rank.why) for rank in ranks]
    return grid(
        ("Rang", "Classe", "Quoi", "À revenir en", "Pourquoi"), rows, right=frozenset({0}), width=width
    )


def _measure(line: Compared) -> str:
    if line.measured is None:
        return NOTHING
    return say_seconds(round(line.measured.last, 1)) + (" (en cours)" if line.measured.ongoing else "")


def _within(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    return say_seconds(seconds) if seconds else "aussitôt"


def contradictions_text(found: Iterable[Contradiction]) -> str:
    """One paragraph a contradiction."""
    lines = []
    for item in found:
        lines.append(f"{item.code}: {item.sentence}" + ("" if item.grave else " (à regarder)"))
        lines += [f"  hint: {item.hint}", f"  source: {item.source}"]
    return "\n".join(lines)


def compared_text(lines: Iterable[Compared], objectives: Objectives, *, width: int = WIDE) -> str:
    """Need, commitment, measure, side by side."""
    rows = [
        (
            line.name,
            objectives.establishment(line.establishment).name,
            say_rto(line.need) + ("" if line.answered else " (plan)"),
            say_span(line.commitment) if line.commitment else "rien de promis",
            _measure(line),
            _ratio(line.ratio),
            BANDS[line.band],
        )
        for line in lines
    ]
    return grid(
        ("Application", "Établissement", "Besoin", "Engagement", "Mesure", "Mesure ÷ besoin", "Verdict"),
        rows,
        right=frozenset({4, 5}),
        width=width,
    )


def _ratio(ratio: float | None) -> str:
    """In percent, never rounded to the other side of a bound: 100,4 % is over a need that was not kept."""
    if ratio is None or ratio == float("inf"):  # a need of no outage at all has no ratio
        return NOTHING
    percent = round(100 * ratio)
    return f"{percent + 1 if ratio > 1 and percent <= 100 else percent} %"


def _loss(need: Need) -> str:
    return say_loss(need.rpo)


def say_loss(span: Span | None) -> str:
    """An RPO as it is read; nobody said, or nothing to lose, is not zero."""
    if span is None:
        return "pas dit"
    if span.seconds >= MAX_SPAN_SECONDS:
        return "rien à perdre"
    return "rien" if not span.seconds else say_span(span)


def _state(need: Need) -> str:
    if need.settled is not None:
        return f"tranché par {need.settled.by}"
    if not need.voices:
        return "valeur du plan : personne n'a répondu"
    people = sorted({voice.answer.by for voice in need.voices})
    apart = need.open or any(item.kind == "people" for item in need.disagreements)
    return ", ".join(people) + (" — désaccord" if apart else "")


def need_value(need: Need) -> dict[str, object]:
    """A need, JSON-ready, with everything that it comes from."""
    return {
        "application": need.application,
        "establishment": need.establishment,
        "calendar": need.calendar or None,
        "rto": say_span(need.rto),
        "rto_least_seconds": need.least.total_seconds(),
        "rto_worst_seconds": need.worst.total_seconds(),
        "rto_in_periods": {period or "usual": say_span(span) for period, span in need.rto_in.items()},
        "rpo": say_span(need.rpo) if need.rpo is not None else None,
        "rpo_reasons": list(need.loss),
        "answered": need.answered,
        "open": need.open,
        "settled": _settled(need),
        "voices": [
            {
                "by": voice.answer.by,
                "on": voice.answer.on.isoformat(),
                "why": voice.answer.why,
                "source": voice.answer.source,
                "period": voice.period or None,
                "rto": say_span(voice.rto),
                "threshold_step": voice.bearable.threshold,
                "weighted_step": voice.bearable.weighted,
                "crossings": [
                    {"criterion": item.criterion, "level": item.level, "step": item.step}
                    for item in voice.bearable.crossings
                ],
            }
            for voice in need.voices
        ],
        "disagreements": [
            {"kind": item.kind, "sentence": item.sentence, "reasons": list(item.reasons)}
            for item in need.disagreements
        ],
    }


def _settled(need: Need) -> dict[str, object] | None:
    if need.settled is None:
        return None
    return {
        "rto": say_span(need.settled.rto),
        "by": need.settled.by,
        "on": need.settled.on.isoformat(),
        "why": need.settled.why,
    }


def rank_value(rank: Rank) -> dict[str, object]:
    """A rank, JSON-ready."""
    return {
        "place": rank.place,
        "id": rank.node,
        "name": rank.name,
        "kind": rank.kind.value,
        "priority": rank.priority,
        "back_within_seconds": rank.seconds,
        "weight": rank.weight,
        "why": rank.why,
    }


def contradiction_value(item: Contradiction) -> dict[str, object]:
    """A contradiction, JSON-ready."""
    return {
        "code": item.code,
        "on": item.node,
        "sentence": item.sentence,
        "hint": item.hint,
        "source": item.source,
        "grave": item.grave,
    }


def compared_value(line: Compared) -> dict[str, object]:
    """One line of the comparison, JSON-ready: need, commitment and measure are three keys."""
    return {
        "application": line.application,
        "establishment": line.establishment,
        "need": {"rto": say_span(line.need), "calendar": line.calendar or None, "answered": line.answered},
        "commitment": {"rto": say_span(line.commitment)} if line.commitment else None,
        "measure": (
            {
                "rto_seconds": line.measured.last,
                "worst_seconds": line.measured.worst,
                "count": line.measured.count,
                "incident": line.measured.incident,
                "ongoing": line.measured.ongoing,
            }
            if line.measured
            else None
        ),
        "ratio": line.ratio if line.ratio != float("inf") else None,
        "band": line.band.value,
        "commitment_kept": line.promise_kept,
    }
