"""Predictions over every scenario, as text and as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from releve.cycle.objectives.choice.arbitration import Arbitration
from releve.cycle.objectives.choice.money import say_money
from releve.cycle.objectives.predict import Prediction
from releve.cycle.objectives.prediction.simulate import Forecast
from releve.cycle.objectives.recovery import Way
from releve.cycle.objectives.show.figures import (
    ENOUGH,
    NOTHING,
    decimal,
    duration,
    forecast_value,
    interval,
    percent,
    say_accepted,
    say_assumed,
    say_coarse,
    say_seed,
    whole,
)
from releve.cycle.plan.grid import WIDE, grid
from releve.domain.plan import Plan
from releve.domain.units import say_count
from releve.domain.work import SEED

_READING = "« 1 sur 2 », « 9 sur 10 » : dans le pire scénario, de retour avant ce temps une fois sur deux, neuf fois sur dix"


@dataclass(frozen=True, slots=True)
class Chance:
    """One application over every scenario that touches it.

    `kept`: the chance to keep its need when it is touched, each scenario in proportion to its rate (None
    when no rate is known); `worst`: the scenario that keeps it least, with its forecast. `unknown`: scenarios
    of which its return cannot be estimated, nothing being declared or the relief being too small: they are
    in none of the other figures. `local`: scenarios that take its site away, without which it does not come
    back, relief or not; nor are they in the figures. `loss`: a year, over the scenarios whose rate and return are known.
    """

    application: str
    name: str
    kept: float | None
    worst: Prediction | None
    forecast: Forecast | None
    touched: int
    unknown: tuple[str, ...]
    loss: float | None
    local: tuple[str, ...] = ()


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
        tuple(item.scenario.code for item in predictions if item.work.ways.get(name) is Way.MOOT),
    )


def _of(prediction: Prediction, name: str) -> Forecast | None:
    if prediction.outlook is None or name in prediction.work.unknown:
        return None
    return next(
        (item for item in prediction.outlook.applications if item.application == name and item.touched), None
    )


def chances_text(
    rows: Iterable[Chance],
    predictions: Iterable[Prediction],
    *,
    seed: int = SEED,
    currency: str = "EUR",
    accepted: Iterable[Arbitration] = (),
    width: int = WIDE,
) -> str:
    """One line an application, what the figures rest on (`seed`: their draws), what could not be estimated, the scenarios.

    `accepted`: the gaps in force, said beside the figures.
    """
    lines, silent, found, found_rows = [], [], list(predictions), list(rows)
    refusing = {item.scenario.code for item in found if item.refused}
    for row in found_rows:
        silent += _silent(row, [item for item in found if item.scenario.code not in refusing])
        lines.append(
            (
                row.name,
                str(row.touched),
                percent(row.kept) + _without(row),
                row.worst.scenario.code if row.worst else NOTHING,
                interval(row.forecast),
                duration(row.forecast.p50 if row.forecast else None),
                duration(row.forecast.p90 if row.forecast else None),
                say_money(round(row.loss) * 100, currency) if row.loss is not None else NOTHING,
            )
        )
    table = grid(
        (
            "Application",
            "Scénarios",
            "Tient son délai",
            "Le pire",
            "y tient",
            "1 sur 2",
            "9 sur 10",
            "Perte/an",
        ),
        lines,
        right=frozenset({1, 2, 4, 5, 6, 7}),
        width=width,
    )
    text = [table, "", _READING, *_rests_on(found), say_seed(seed)]
    if warning := say_coarse(fewest(found)):
        text.append(warning)
    if told := say_accepted(accepted, {row.application: row.name for row in found_rows}):
        text += ["", *told]
    refused = [
        f"  {item.scenario.code} {item.scenario.name} : {item.refused}" for item in found if item.refused
    ]
    if refused:
        text += ["", "Le secours ne peut pas tout porter (ces scénarios manquent aux chiffres) :", *refused]
    if silent:
        text += [
            "",
            "Ne peut pas être estimé, et manque aux chiffres :",
            *silent,
        ]
    if bound := _local(found_rows):
        text += ["", "Ne revient pas avec le secours, dépend du site, et manque aux chiffres :", *bound]
    text += ["", "Les scénarios :", *(f"  {item.scenario.code} {item.scenario.name}" for item in found)]
    return "\n".join(text)


def _silent(row: Chance, found: list[Prediction]) -> list[str]:
    """The scenarios of which its return cannot be told: one line a reason."""
    reasons: dict[str, list[str]] = {}
    for item in found:
        if why := item.work.unknown.get(row.application):
            reasons.setdefault(why, []).append(item.scenario.code)
    return [f"  {row.name}, {', '.join(codes)} : {why}" for why, codes in reasons.items()]


def _local(rows: list[Chance]) -> list[str]:
    """Of the scenarios that take a site away, what goes with it: one line for all that share them."""
    names: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row.local:
            names.setdefault(row.local, []).append(row.name)
    return [f"  {', '.join(codes)} : {' ; '.join(held)}" for codes, held in names.items()]


def fewest(found: Iterable[Prediction]) -> int:
    """The fewest draws of any scenario that was simulated."""
    return min((item.outlook.draws for item in found if item.outlook), default=ENOUGH)


def _rests_on(found: list[Prediction]) -> list[str]:
    draws = sum(item.outlook.draws for item in found if item.outlook)
    timed = [item for item in found if item.outlook]
    assumed = sum(item.assumed for item in timed) / len(timed) if timed else 1.0
    unrated = [item.scenario.code for item in found if item.per_year is None]
    lines = [
        (
            f"{whole(draws)} {'sinistres simulés' if draws > 1 else 'sinistre simulé'}, "
            f"{say_count(len(timed), 'scénario')} ; {say_assumed(assumed)}"
        )
    ]
    if unrated:
        lines.append(f"sans fréquence dite, hors de la moyenne et de la perte par an : {', '.join(unrated)}")
    bounds = [item for item in timed if item.timetable and not item.timetable.proven]
    if bounds:
        widest = max(item.timetable.gap for item in bounds if item.timetable)
        lines.append(
            f"ordre de reprise prouvé le meilleur pour {say_count(len(timed) - len(bounds), 'scénario')} sur {len(timed)} ; "
            f"ailleurs, à {decimal(widest)} au plus du meilleur possible"
        )
    return lines


def chance_value(row: Chance) -> dict[str, object]:
    """One application, JSON-ready."""
    return {
        "application": row.application,
        "touched_by": row.touched,
        "kept": row.kept,
        "worst": row.worst.scenario.code if row.worst else None,
        "worst_forecast": forecast_value(row.forecast, row.worst.per_year if row.worst else None),
        "unknown_in": list(row.unknown),
        "bound_to_site_in": list(row.local),
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


def _without(row: Chance) -> str:
    """The worst scenario when nobody said how often it comes: the mean beside it does not hold it."""
    unrated = row.worst is not None and row.worst.per_year is None and row.kept is not None
    return f" hors {row.worst.scenario.code}" if unrated and row.worst is not None else ""
