"""Needs and priorities, as text and as values."""

from __future__ import annotations

from collections.abc import Iterable

from releve.cycle.objectives.choice.arbitration import say_arbitration
from releve.cycle.objectives.gaps import Accepted, accepted_of
from releve.cycle.objectives.need import Need, reason_of
from releve.cycle.objectives.priority import Rank
from releve.cycle.objectives.scale import Scale, proposed_scale
from releve.cycle.plan.grid import WIDE, grid
from releve.domain.objectives import Objectives
from releve.domain.plan import Plan
from releve.domain.units import MAX_SPAN_SECONDS, Clock, Span, say_count, say_seconds, say_span

NOTHING = "—"
_BETWEEN = {
    "rules": "entre les règles",
    "people": "entre personnes",
    "self": "d'une personne avec elle-même",
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


def needs_text(
    plan: Plan, objectives: Objectives, needs: Iterable[Need], accepted: Accepted, *, width: int = WIDE
) -> str:
    """One line a need, the strictest of each application first; then what is open, then what was accepted."""
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
                    _state(need) + _star(need, accepted),
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
    lines = [table]
    gaps = dict.fromkeys(accepted.values())
    if gaps:
        lines += ["", f"Écarts acceptés ({len(gaps)}) : le besoin reste ce qu'il est"]
        lines += [f"  {item.subject} : {say_arbitration(item)}" for item in gaps]
    if not opened:
        return "\n".join(lines)
    lines += [
        "",
        f"À trancher ({say_count(len(opened), 'besoin')}) — le plus strict compte en attendant :",
    ]
    for need in opened:
        for item in need.disagreements:
            place = objectives.establishment(need.establishment).name
            lines.append(f"  {plan.application(need.application).name}, {place} : {item.sentence}")
            lines += [f"    {reason}" for reason in item.reasons]
    lines += [
        "",
        "Un responsable tranche dans le fichier d'objectifs : settled: [{application: …, rto: …, by: …, on: …, why: …}]",
    ]
    return "\n".join(lines)


def _star(need: Need, accepted: Accepted) -> str:
    """A mark where a gap was accepted; the list below the table says which."""
    return " — écart accepté" if accepted_of(accepted, need.application, need.establishment) else ""


def need_text(need: Need, objectives: Objectives, scale: Scale, accepted: Accepted) -> str:
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
    lines += [
        f"  écart accepté : {say_arbitration(item)}"
        for item in accepted_of(accepted, need.application, need.establishment)
    ]
    for item in need.disagreements:
        lines.append(f"  désaccord ({_BETWEEN[item.kind]}) : {item.sentence}")
        lines += [f"    {reason}" for reason in item.reasons]
    return "\n".join(lines)


def _period(wanted: str, objectives: Objectives) -> str:
    return next((item.name for item in objectives.periods if item.id == wanted), wanted)


def ranks_text(ranks: Iterable[Rank], *, width: int = WIDE) -> str:
    """The order of restart, each line with its reason."""
    rows = [(str(rank.place), rank.priority, rank.name, _within(rank.seconds), rank.why) for rank in ranks]
    table = grid(
        ("Rang", "Classe", "Quoi", "À revenir en", "Pourquoi"), rows, right=frozenset({0}), width=width
    )
    return (
        f"{table}\n\n« À revenir en » : heures d'horloge, au plus court ; un délai en heures ouvrées peut durer plus "
        "(releve objectives show)"
    )


def _within(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    return say_seconds(seconds) if seconds else "aussitôt"


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
    apart = need.open or any(item.kind != "rules" for item in need.disagreements)
    return ", ".join(people) + (" — désaccord" if apart else "")


def need_value(need: Need, accepted: Accepted) -> dict[str, object]:
    """A need, JSON-ready, with everything that it comes from."""
    return {
        "application": need.application,
        "establishment": need.establishment,
        "calendar": need.calendar or None,
        "rto": say_span(need.rto),
        "rto_least_seconds": need.least.total_seconds(),
        "rto_worst_seconds": need.worst.total_seconds(),
        "rto_in_periods": {period or "usual": say_span(span) for period, span in need.rto_in.items()},
        "rpo": say_span(need.rpo) if need.rpo is not None and need.rpo.seconds < MAX_SPAN_SECONDS else None,
        "rpo_reasons": list(need.loss),
        "answered": need.answered,
        "open": need.open,
        "settled": _settled(need),
        "accepted": [
            say_arbitration(item) for item in accepted_of(accepted, need.application, need.establishment)
        ],
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
