"""Predictions and suppositions, as text and as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from releve.cycle.objectives.predict import Prediction
from releve.cycle.objectives.prediction.simulate import Forecast
from releve.cycle.objectives.recovery import Way
from releve.cycle.objectives.show.grid import WIDE, grid
from releve.cycle.objectives.what_if import Line, Supposition
from releve.domain.plan import Plan
from releve.domain.statutory import AS_OF
from releve.domain.units import say_count, say_seconds
from releve.domain.work import SEED

NOTHING = "—"
WAYS = {
    Way.SWITCH: "bascule par Relève",
    Way.RESTORE: "remise en service",
    Way.MOOT: "sans objet, son site est perdu",
    Way.ITSELF: "reprend seul",
    Way.FOLLOWS: "revient avec ce qui la porte",
    Way.UNKNOWN: "inconnu",
}


@dataclass(frozen=True, slots=True)
class Chance:
    """One application over every scenario that touches it.

    `kept`: the chance to keep its need when it is touched, each scenario in proportion to its rate (None
    when no rate is known); `worst`: the scenario that keeps it least, with its forecast. `unknown`: scenarios
    of which its return cannot be estimated, nothing being declared or the relief being too small: they are
    in none of the other figures. `loss`: a year, over the scenarios whose rate and return are known.
    """

    application: str
    name: str
    kept: float | None
    worst: Prediction | None
    forecast: Forecast | None
    touched: int
    unknown: tuple[str, ...]
    loss: float | None


def chances(plan: Plan, predictions: Iterable[Prediction]) -> tuple[Chance, ...]:
    """Every application of the plan, in its order."""
    found = list(predictions)
    return tuple(_chance(application.id, application.name, found) for application in plan.applications)


def _chance(name: str, said: str, predictions: list[Prediction]) -> Chance:
    touching = [item for item in predictions if item.work.ways.get(name, Way.MOOT) is not Way.MOOT]
    told = [(item, forecast) for item in touching if (forecast := _of(item, name)) is not None]
    seen = [(item, forecast) for item, forecast in told if forecast.kept is not None]
    unknown = tuple(item.scenario.code for item in touching if item.refused or name in item.work.unknown)
    worst = min(seen, key=lambda pair: (pair[1].kept or 0.0, -(pair[1].p50 or 0.0)), default=None)
    rated = [
        (item.per_year, forecast.kept)
        for item, forecast in seen
        if item.per_year and forecast.kept is not None
    ]
    whole = sum(rate for rate, _kept in rated)
    # what nobody asks back by an hour costs what it costs
    losses = [
        item.per_year * forecast.loss
        for item, forecast in told
        if item.per_year is not None and forecast.loss is not None
    ]
    return Chance(
        name,
        said,
        sum(rate * kept for rate, kept in rated) / whole if whole else None,
        worst[0] if worst else None,
        worst[1] if worst else None,
        len(touching),
        unknown,
        sum(losses) if losses else None,
    )


def _of(prediction: Prediction, name: str) -> Forecast | None:
    if prediction.outlook is None or name in prediction.work.unknown:
        return None
    return next(
        (item for item in prediction.outlook.applications if item.application == name and item.touched), None
    )


def chances_text(
    rows: Iterable[Chance], predictions: Iterable[Prediction], *, seed: int = SEED, width: int = WIDE
) -> str:
    """One line an application, then what the figures rest on (`seed`: their draws), then what could not be estimated."""
    lines, silent, found = [], [], list(predictions)
    refusing = {item.scenario.code for item in found if item.refused}
    for row in rows:
        undeclared = [code for code in row.unknown if code not in refusing]
        if undeclared:
            silent.append(f"  {row.name} : {', '.join(undeclared)}")
        lines.append(
            (
                row.name,
                str(row.touched),
                _percent(row.kept) + _without(row),
                row.worst.scenario.code if row.worst else NOTHING,
                _interval(row.forecast),
                _seconds(row.forecast.p50 if row.forecast else None),
                _seconds(row.forecast.p90 if row.forecast else None),
                f"{row.loss:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
                if row.loss is not None
                else NOTHING,
            )
        )
    table = grid(
        (
            "Application",
            "Scénarios",
            "Tient son délai",
            "Le pire",
            "y tient",
            "1 fois sur 2",
            "9 fois sur 10",
            "Perte par an",
        ),
        lines,
        right=frozenset({1, 2, 4, 5, 6, 7}),
        width=width,
    )
    text = [table, "", *_rests_on(found), say_seed(seed)]
    refused = [
        f"  {item.scenario.code} {item.scenario.name} : {item.refused}" for item in found if item.refused
    ]
    if refused:
        text += ["", "Le secours ne peut pas tout porter (ces scénarios manquent aux chiffres) :", *refused]
    if silent:
        text += [
            "",
            "Ne peut pas être estimé, et manque aux chiffres (rien n'est déclaré de la remise en service) :",
            *silent,
        ]
    return "\n".join(text)


def _rests_on(found: list[Prediction]) -> list[str]:
    draws = sum(item.outlook.draws for item in found if item.outlook)
    timed = [item for item in found if item.outlook]
    assumed = sum(item.assumed for item in timed) / len(timed) if timed else 1.0
    unrated = [item.scenario.code for item in found if item.per_year is None]
    lines = [
        f"{say_count(draws, 'sinistre simulé', 'sinistres simulés')}, {say_count(len(timed), 'scénario')} ; "
        f"{assumed:.0%} des durées sont supposées, les autres mesurées".replace("%", " %"),
    ]
    if unrated:
        lines.append(f"sans fréquence dite, hors de la moyenne et de la perte par an : {', '.join(unrated)}")
    bounds = [item for item in timed if item.timetable and not item.timetable.proven]
    if bounds:
        widest = max(item.timetable.gap for item in bounds if item.timetable)
        lines.append(
            f"ordre de reprise prouvé le meilleur pour {len(timed) - len(bounds)} scénarios sur {len(timed)} ; "
            f"au plus {widest:.1%} au-dessus de la borne ailleurs".replace("%", " %")
        )
    return lines


def say_seed(seed: int) -> str:
    """Which draws they were, and how to have them again."""
    return f"tirages au sort no {seed} : la même commande avec --seed {seed} redonne ces chiffres"


def chance_value(row: Chance) -> dict[str, object]:
    """One application, JSON-ready."""
    return {
        "application": row.application,
        "touched_by": row.touched,
        "kept": row.kept,
        "worst": row.worst.scenario.code if row.worst else None,
        "worst_forecast": forecast_value(row.forecast, row.worst.per_year if row.worst else None),
        "unknown_in": list(row.unknown),
        "loss_per_year": row.loss,
    }


def prediction_value(item: Prediction) -> dict[str, object]:
    """One scenario, JSON-ready."""
    timetable = item.timetable
    return {
        "scenario": item.scenario.code,
        "name": item.scenario.name,
        "hits": list(item.hit),
        "per_year": item.per_year,
        "assumed_share": item.assumed,
        "order": list(timetable.order) if timetable else None,
        "schedule": (
            {
                "lateness": timetable.lateness,
                "broken": timetable.broken,
                "bound": timetable.bound,
                "gap": timetable.gap,
                "proven": timetable.proven,
            }
            if timetable
            else None
        ),
        "draws": item.outlook.draws if item.outlook else 0,
        "applications": [
            forecast_value(one, item.per_year)
            for one in item.outlook.applications
            if one.application and one.application not in item.work.unknown
        ]
        if item.outlook
        else [],
        "unknown": dict(item.work.unknown),
        "refused": item.refused or None,
    }


def forecast_value(item: Forecast | None, per_year: float | None = None) -> dict[str, object] | None:
    """What the draws say of one application, JSON-ready; `per_year` None: how often is not known."""
    if item is None:
        return None
    return {
        "application": item.application,
        "draws": item.touched,
        "kept": item.kept,
        "kept_low": item.low,
        "kept_high": item.high,
        "p10_seconds": item.p10,
        "p50_seconds": item.p50,
        "p90_seconds": item.p90,
        "loss_each": item.loss,
        "loss_each_error": item.loss_error,
        "loss_per_year": item.loss * per_year if item.loss is not None and per_year is not None else None,
    }


def supposition_text(
    found: Supposition, timezone: str, before: Supposition | None = None, *, width: int = WIDE
) -> str:
    """What stops, when it is back, what to do by when; `before`: the same without the change, beside it."""
    zone = ZoneInfo(timezone)
    old = {line.application: line for line in before.lines} if before else {}
    rows = []
    for line in found.lines:
        cells = [
            line.name,
            ", ".join(line.establishments),
            WAYS[line.way],
            _when(line.forecast) if line.way is not Way.MOOT else NOTHING,
            f"{_local(line.due, zone)} ({line.due_at})" if line.way is not Way.MOOT else NOTHING,
            _interval(line.forecast),
        ]
        if before is not None:
            was = old.get(line.application)
            cells.append(_interval(was.forecast) if was else NOTHING)
        rows.append(tuple(cells))
    titles = [
        "S'arrête",
        "Chez",
        "Retour par",
        "De retour, 1 fois sur 2 (9 sur 10)",
        "Au plus tard",
        "Tient son délai",
    ]
    if before is not None:
        titles.append("sans cela")
    lines = [
        (
            f"« {found.supposed.scenario.name} » le {_local(found.at, zone)} : "
            f"{say_count(len(found.lines), 'application')}, {_percent(found.weight)} de l'activité"
        ),
        "",
    ]
    if not rows:
        lines.append("rien de ce qui est déclaré ne s'arrête")
    else:
        lines.append(grid(tuple(titles), rows, right=frozenset({5, 6}), width=width))
    lines += ["", *_decisions(found, zone), *_paper(found, zone), *_clocks(found, zone)]
    return "\n".join(lines).rstrip()


def _without(row: Chance) -> str:
    """The worst scenario when nobody said how often it comes: the mean beside it does not hold it."""
    unrated = row.worst is not None and row.worst.per_year is None and row.kept is not None
    return f" hors {row.worst.scenario.code}" if unrated and row.worst is not None else ""


def _decisions(found: Supposition, zone: ZoneInfo) -> list[str]:
    if not found.lines:
        return []
    share = f"{found.prediction.assumed:.0%}".replace("%", " %")
    lines = [
        f"{share} des durées de cette estimation sont supposées : personne ne les a mesurées",
        say_seed(found.seed),
    ]
    if found.major_at is not None:
        lines.append(
            f"Incident majeur : le {_local(found.major_at, zone)}, si rien ne va plus vite que prévu"
        )
    else:
        lines.append("Incident majeur : non, une fois sur deux au moins")
    if found.decide_by is not None:
        late = found.decide_by <= found.at
        lines.append(
            "Décider : tout de suite, un délai au moins ne tient déjà pas neuf fois sur dix"
            if late
            else f"Décider : le {_local(found.decide_by, zone)} au plus tard, pour tenir neuf fois sur dix chaque délai qui peut être estimé"
        )
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
            if line.on_paper
            else ""
        )
        until = f" — tenable jusqu'au {_local(line.copes_until, zone)}" if line.copes_until else ""
        lines.append(f"  {line.name} : {line.without_it or 'rien n’est écrit'}{entries}{until}")
    return [*lines, ""]


def _clocks(found: Supposition, zone: ZoneInfo) -> list[str]:
    lines = [
        f"Délais légaux qui peuvent courir, à compter d'ici (textes au {AS_OF:%d/%m/%Y} ; une personne en décide) :"
    ]
    for duty, due in found.clocks:
        when = f"avant le {_local(due, zone)}" if due is not None else duty.words
        doubt = "" if duty.checked else " [à vérifier]"
        condition = f" — {duty.condition}" if duty.condition else ""
        lines.append(f"  {duty.name} : {when} ({duty.source}){doubt}{condition}")
    return lines if found.clocks else []


def supposition_value(found: Supposition) -> dict[str, object]:
    """All of it, JSON-ready."""
    return {
        "what": found.supposed.scenario.name,
        "at": found.at.isoformat(),
        "seed": found.seed,
        "hits": list(found.supposed.hit),
        "components": list(found.components),
        "share_of_activity": found.weight,
        "major_at": found.major_at.isoformat() if found.major_at else None,
        "decide_by": found.decide_by.isoformat() if found.decide_by else None,
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
        "without_it": line.without_it,
        "entries_on_paper": line.on_paper,
        "copes_until": line.copes_until.isoformat() if line.copes_until else None,
    }


def _when(forecast: Forecast | None) -> str:
    if forecast is None or forecast.p50 is None or forecast.p90 is None:
        return "inconnu"
    return f"{say_seconds(_rounded(forecast.p50))} ({say_seconds(_rounded(forecast.p90))})"


def _rounded(seconds: float) -> float:
    """Whole minutes above ten of them: a prediction has no seconds."""
    return seconds if seconds < 600 else round(seconds / 60) * 60


def _seconds(value: float | None) -> str:
    return say_seconds(_rounded(value)) if value is not None else NOTHING


def _percent(value: float | None) -> str:
    if value is None:
        return NOTHING
    if 0 < value < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= value < 1 else f"{value:.0%}".replace("%", " %")


def _interval(forecast: Forecast | None) -> str:
    """The chance as it is read: "97 % (96 à 98)": the chance, and what the number of draws leaves open."""
    if forecast is None or forecast.kept is None or forecast.low is None or forecast.high is None:
        return NOTHING
    return f"{_percent(forecast.kept)} ({forecast.low * 100:.0f} à {forecast.high * 100:.0f})"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%d/%m/%Y %H:%M}"
