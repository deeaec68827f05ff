"""Need, commitment and measure side by side, as text and as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from releve.cycle.objectives.choice.arbitration import say_arbitration
from releve.cycle.objectives.choice.wishes import Objective
from releve.cycle.objectives.compare import Band, Commitment, Compared, LossLine
from releve.cycle.objectives.gaps import Accepted, accepted_of
from releve.cycle.objectives.show.needs import NOTHING, say_loss, say_rto
from releve.cycle.plan.grid import WIDE, Row, grid
from releve.domain.objectives import Objectives
from releve.domain.units import say_count, say_seconds, say_span

BANDS: Mapping[Band, str] = {
    Band.EASY: "tenu largement",
    Band.KEPT: "tenu",
    Band.TIGHT: "tenu de justesse",
    Band.BROKEN: "non tenu",
    Band.FAR: "non tenu, de loin",
    Band.NEVER: "jamais prouvé",
}


TITLES = ("Application", "Établissements", "Besoin", "Engagement", "Mesure", "Mesure ÷ besoin", "Verdict")


def compared_text(
    lines: Iterable[Compared], objectives: Objectives, accepted: Accepted, *, width: int = WIDE
) -> str:
    """Need, commitment, measure, side by side: the outage, then the data lost. `accepted`: gaps beside verdicts."""
    found = list(lines)
    outages = [
        (
            line,
            (
                say_rto(line.need) + ("" if line.answered else " (plan)"),
                _promises(line, [_rto(item) for item in line.commitments]),
                _measure(line),
                _ratio(line.ratio),
                BANDS[line.band] + _gap(accepted, line, Objective.RTO),
            ),
        )
        for line in found
    ]
    losses = [
        (
            line,
            (
                say_loss(line.loss.need) + ("" if line.answered else " (plan)"),
                _promises(line, [_rpo(item) for item in line.commitments]),
                _lost(line.loss),
                _ratio(line.loss.ratio),
                BANDS[line.loss.band] + _gap(accepted, line, Objective.RPO),
            ),
        )
        for line in found
        if line.loss is not None
    ]
    tables = [
        f"Arrêt : combien de temps sans ({_count(line.band for line in found)})",
        _table(outages, objectives, width),
    ]
    lost = [line.loss.band for line in found if line.loss is not None]
    if losses:
        tables += [
            "",
            f"Données perdues : l'âge de la plus ancienne écriture qui manque ({_count(lost)})",
            _table(losses, objectives, width),
        ]
    return "\n".join(tables)


def _count(bands: Iterable[Band]) -> str:
    """How many needs are in each band, the worst first; a table of a hundred lines needs its sum."""
    found = list(bands)
    counts = {band: found.count(band) for band in reversed(Band)}
    said = [f"{count} {BANDS[band]}" for band, count in counts.items() if count]
    return f"{say_count(len(found), 'besoin')} : {', '.join(said)}"


def _table(rows: Iterable[tuple[Compared, Row]], objectives: Objectives, width: int) -> str:
    """One row for the establishments of an application of which the same is said."""
    together: dict[tuple[str, Row], list[str]] = {}
    for line, cells in rows:
        place = objectives.establishment(line.establishment).name
        together.setdefault((line.name, cells), []).append(place)
    every = [(name, ", ".join(places), *cells) for (name, cells), places in together.items()]
    return grid(TITLES, every, right=frozenset({4, 5}), width=width)


def _promises(line: Compared, said: Iterable[str]) -> str:
    """Who promises what."""
    promises = zip(line.commitments, said, strict=True)
    return " ; ".join(f"{item.who or 'plan'} : {what}" for item, what in promises) or "rien de promis"


def _rto(item: Commitment) -> str:
    return "aucun délai de rétablissement promis" if item.rto is None else say_rto(item.rto)


def _rpo(item: Commitment) -> str:
    return "aucune perte bornée" if item.rpo is None else say_loss(item.rpo)


def _lost(line: LossLine) -> str:
    if line.lost is None:
        return NOTHING
    if not line.lost.seconds:
        return "rien" if not line.lost.at_most else "au plus 0"
    return ("au plus " if line.lost.at_most else "") + say_seconds(round(line.lost.seconds, 1))


def _gap(accepted: Accepted, line: Compared, objective: Objective) -> str:
    item = accepted.get((line.application, line.establishment, objective))
    if item is None:
        return ""
    return f" (écart accepté : {say_seconds(item.accepted)}, jusqu'au {item.until:%d/%m/%Y})"


def _ratio(ratio: float | None) -> str:
    """In percent, never rounded to the other side of a bound: 100,4 % is over a need that was not kept."""
    if ratio is None or ratio == float("inf"):  # a need of no outage at all has no ratio
        return NOTHING
    percent = round(100 * ratio)
    return f"{percent + 1 if ratio > 1 and percent <= 100 else percent} %"


def _measure(line: Compared) -> str:
    if line.measured is None:
        return NOTHING
    return say_seconds(round(line.measured.last, 1)) + (" (en cours)" if line.measured.ongoing else "")


def compared_value(line: Compared, accepted: Accepted) -> dict[str, object]:
    """One line of the comparison, JSON-ready: need, commitments and measure are three keys."""
    loss = line.loss
    return {
        "application": line.application,
        "establishment": line.establishment,
        "need": {"rto": say_span(line.need), "calendar": line.calendar or None, "answered": line.answered},
        "commitments": [
            {
                "who": item.who or None,
                "rto": say_span(item.rto) if item.rto is not None else None,
                "rpo": say_span(item.rpo) if item.rpo is not None else None,
                "calendar": item.calendar or None,
            }
            for item in line.commitments
        ],
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
        "ratio": _finite(line.ratio),
        "band": line.band.value,
        "commitment_kept": line.promise_kept,
        "loss": (
            {
                "need": say_span(loss.need),
                "measure": (
                    {
                        "seconds": loss.lost.seconds,
                        "at_most": loss.lost.at_most,
                        "incident": loss.lost.incident,
                        "reason": loss.lost.reason,
                    }
                    if loss.lost
                    else None
                ),
                "ratio": _finite(loss.ratio),
                "band": loss.band.value,
            }
            if loss
            else None
        ),
        "accepted": [
            say_arbitration(item) for item in accepted_of(accepted, line.application, line.establishment)
        ],
    }


def _finite(ratio: float | None) -> float | None:
    return ratio if ratio != float("inf") else None
