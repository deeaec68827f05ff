"""One supposition, as text and as values: what stops, when it is back, what to do by when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor
from zoneinfo import ZoneInfo

from releve.cycle.objectives.choice.arbitration import say_arbitration
from releve.cycle.objectives.means import Beside
from releve.cycle.objectives.prediction.simulate import Forecast
from releve.cycle.objectives.recovery import Way
from releve.cycle.objectives.show.figures import (
    NOTHING,
    forecast_value,
    interval,
    percent,
    rounded,
    say_accepted,
    say_assumed,
    say_seed,
)
from releve.cycle.objectives.what_if import Line, Supposition
from releve.cycle.plan.grid import WIDE, grid
from releve.domain.instants import say_instant
from releve.domain.school import PUBLISHED_UNTIL
from releve.domain.statutory import AS_OF
from releve.domain.units import say_count, say_seconds

NAMED = 3  # applications named where many share a fate

WAYS = {
    Way.SWITCH: "bascule par Relève",
    Way.RESTORE: "remise en service",
    Way.MOOT: "ne revient pas avec le secours : dépend du site",
    Way.ITSELF: "reprend seul",
    Way.FOLLOWS: "revient avec ce qui la porte",
    Way.UNKNOWN: "inconnu",
}


def supposition_text(
    found: Supposition, timezone: str, aside: Beside | None = None, *, width: int = WIDE
) -> str:
    """What stops, when it is back, what to do by when; `aside`: the same without the change, beside it."""
    before = aside.before if aside is not None else None
    zone = ZoneInfo(timezone)
    old = {line.application: line for line in before.lines} if before else {}
    rows = []
    for line in found.lines:
        cells = [
            line.name,
            _places(line, found.places),
            WAYS[line.way],
            _when(line.forecast) if line.way is not Way.MOOT else "avec le site",
            say_instant(line.due, zone)
            + (f" ({found.places[line.due_at]})" if len(line.establishments) > 1 else ""),
            _verdict(line),
        ]
        if before is not None:
            was = old.get(line.application)
            cells.append(_verdict(was) if was else NOTHING)
        rows.append(tuple(cells))
    titles = [
        "S'arrête",
        "Chez",
        "Retour par",
        "De retour, 1 fois sur 2 (9 sur 10)",
        "Au plus tard",
        "Tient son délai",
    ]
    if aside is not None and before is not None:
        titles.append(f"sans {aside.change.words}")
    lines = [
        (
            f"« {found.supposed.scenario.name} » le {say_instant(found.at, zone)} : "
            f"{say_count(len(found.lines), 'application')}, {percent(found.weight)} de l'activité"
        ),
        "",
    ]
    if not rows:
        lines.append("rien de ce qui est déclaré ne s'arrête")
        if aside is not None and old:
            lines.append(
                f"sans {aside.change.words} : {say_count(len(old), 'application')} à l'arrêt, dont {', '.join(f'« {line.name} »' for line in list(old.values())[:3])}"
            )
    else:
        lines.append(grid(tuple(titles), rows, right=frozenset({5, 6}), width=width))
    if aside is not None and aside.idle:
        lines += ["", *aside.idle]
    lines += ["", *_decisions(found, zone), *_paper(found, zone), *_clocks(found, zone)]
    return "\n".join(lines).rstrip()


def _places(line: Line, names: Mapping[str, str]) -> str:
    """Who uses it, by name; all of them in two words."""
    if len(line.establishments) == len(names) > 1:
        return "tous les établissements"
    return ", ".join(names[place] for place in line.establishments)


def _verdict(line: Line) -> str:
    """The chance to keep the delay; of what does not come back with the relief, or nobody can tell, that."""
    if line.way is Way.MOOT:
        return "pas jugé"
    return interval(line.forecast) if line.forecast is not None else "inconnu"


def _major(found: Supposition, zone: ZoneInfo) -> list[str]:
    """When it becomes a major incident, or how sure it is that it does not; and what a person has to judge on site."""
    judged = [line for line in found.lines if line.way is not Way.MOOT]
    local = [line for line in found.lines if line.way is Way.MOOT]
    told = []
    if found.major_at is not None:
        name = next(line.name for line in judged if line.application == found.major_for)
        told.append(
            f"Incident majeur : le {say_instant(found.major_at, zone)}, si « {name} » n'est pas revenu d'ici là"
        )
    elif judged:
        sure = [line for line in judged if line.forecast is not None and line.forecast.kept is not None]
        weakest = min(sure, key=lambda line: (line.forecast and line.forecast.kept) or 0.0, default=None)
        told.append(
            "Incident majeur : pas attendu, chaque délai tient plus d'une fois sur deux"
            + (
                f" ; le moins sûr est « {weakest.name} », à {percent(weakest.forecast.kept)}"
                if weakest is not None and weakest.forecast is not None
                else ""
            )
        )
        if found.would_be_at is not None:
            name = next(line.name for line in judged if line.application == found.would_be_for)
            told.append(
                f"Il deviendrait majeur le {say_instant(found.would_be_at, zone)}, si « {name} » n'était pas revenu d'ici là"
            )
    if local:
        many = len(local) > 1
        told.append(
            f"À juger sur place : {say_count(len(local), 'application')} "
            f"{'dépendent' if many else 'dépend'} du site perdu et ne {'reviennent' if many else 'revient'} pas avec le secours ; "
            "si le lieu reste occupé, l'incident est majeur dès "
            f"{'leur premier délai' if many else 'son délai'}, le {say_instant(min(line.due for line in local), zone)}"
        )
    return told


def _calendars(names: Iterable[str]) -> str:
    """Calendars, as a plan names them."""
    found = [f"« {name} »" for name in names]
    return f"{'calendriers' if len(found) > 1 else 'calendrier'} {', '.join(found)}"


def _too_late(found: Supposition) -> list[str]:
    """What even an immediate decision does not keep nine times out of ten, the least kept first."""
    late = [
        (line.decide.at_once, line.name) for line in found.lines if line.decide and line.decide.by is None
    ]
    if not late:
        return []
    late.sort(key=lambda one: one[0])
    told = [f"« {name} » ne tiendrait {_times(chance)}" for chance, name in late[:NAMED]]
    if (more := len(late) - NAMED) > 0:
        told.append(
            f"{say_count(more, 'autre')} {'ne tiendraient' if more > 1 else 'ne tiendrait'} pas non plus neuf fois sur dix"
        )
    return [f"Décider : trop tard dès le début : décider tout de suite, {' ; '.join(told)}"]


def _times(chance: float) -> str:
    """A chance below nine in ten, in a hundred: never rounded up to it."""
    count = floor(chance * 100)
    return f"que {count} fois sur 100" if count else "pas une fois sur 100"


def _decisions(found: Supposition, zone: ZoneInfo) -> list[str]:
    if not found.lines:
        return []
    lines = []
    if found.prediction.outlook is not None:
        lines = [
            say_assumed(found.prediction.assumed),
            say_seed(found.seed),
        ]
    lines += _major(found, zone)
    late = _too_late(found)
    lines += late
    if found.decide_by is not None:
        lines.append(
            f"Décider : le {say_instant(found.decide_by, zone)} au plus tard, pour tenir neuf fois sur dix "
            + ("chacun des autres délais" if late else "chaque délai qui peut être estimé")
        )
    if found.projected:
        lines.append(
            f"Vacances scolaires projetées ({_calendars(found.projected)}) : publiées jusqu'au {PUBLISHED_UNTIL:%d/%m/%Y} ; "
            "au-delà, calculées : à vérifier"
        )
    lines += say_accepted(found.accepted, {line.application: line.name for line in found.lines})
    lines += [
        f"Retour inconnu de « {line.name} » : {line.why_unknown}" for line in found.lines if line.why_unknown
    ]
    return [*lines, ""]


def _paper(found: Supposition, zone: ZoneInfo) -> list[str]:
    told = [line for line in found.lines if line.without_it or line.on_paper]
    if not told:
        return []
    lines = ["Pendant ce temps :"]
    for line in told:
        entries = (
            f" — environ {say_count(round(line.on_paper), 'saisie')} à reprendre ensuite"
            if line.on_paper and round(line.on_paper)
            else ""
        )
        until = f" — tenable jusqu'au {say_instant(line.copes_until, zone)}" if line.copes_until else ""
        lines.append(f"  {line.name} : {line.without_it or 'rien n’est écrit'}{entries}{until}")
    return [*lines, ""]


def _clocks(found: Supposition, zone: ZoneInfo) -> list[str]:
    lines = [
        f"Délais légaux qui peuvent courir, à compter d'ici (textes au {AS_OF:%d/%m/%Y} ; une personne en décide) :"
    ]
    for duty, due in found.clocks:
        when = f"avant le {say_instant(due, zone)}" if due is not None else duty.words
        doubt = "" if duty.checked else " [à vérifier]"
        condition = f" — {duty.condition}" if duty.condition else ""
        lines.append(f"  {duty.name} : {when} ({duty.source}){doubt}{condition}")
    return lines if found.clocks else []


def supposition_value(found: Supposition) -> dict[str, object]:
    """All of it, JSON-ready."""
    return {
        "what": found.supposed.scenario.name,
        "code": found.supposed.scenario.code,
        "at": found.at.isoformat(),
        "seed": found.seed,
        "hits": list(found.supposed.hit),
        "components": list(found.components),
        "share_of_activity": found.weight,
        "major_at": found.major_at.isoformat() if found.major_at else None,
        "major_for": found.major_for or None,
        "would_be_major_at": found.would_be_at.isoformat() if found.would_be_at else None,
        "would_be_major_for": found.would_be_for or None,
        "decide_by": found.decide_by.isoformat() if found.decide_by else None,
        "accepted": [f"{item.subject}: {say_arbitration(item)}" for item in found.accepted],
        "school_projected": list(found.projected),
        "applications": [_line_value(line) for line in found.lines],
        "legal_clocks": [
            {
                "code": duty.code,
                "name": duty.name,
                "due_at": due.isoformat() if due else None,
                "words": duty.words,
                "source": duty.source,
                "checked": duty.checked,
                "condition": duty.condition,
            }
            for duty, due in found.clocks
        ],
    }


def _line_value(line: Line) -> dict[str, object]:
    return {
        "application": line.application,
        "way": line.way.value,
        "unknown": line.why_unknown or None,
        "establishments": list(line.establishments),
        "due_at": line.due.isoformat(),
        "due_for": line.due_at,
        "forecast": forecast_value(line.forecast),
        "decide_by": line.decide_by.isoformat() if line.decide_by else None,
        "kept_if_decided_at_once": line.decide.at_once if line.decide else None,
        "without_it": line.without_it,
        "entries_on_paper": line.on_paper,
        "copes_until": line.copes_until.isoformat() if line.copes_until else None,
    }


def _when(forecast: Forecast | None) -> str:
    if forecast is None or forecast.p50 is None or forecast.p90 is None:
        return "inconnu"
    return f"{say_seconds(rounded(forecast.p50))} ({say_seconds(rounded(forecast.p90))})"
