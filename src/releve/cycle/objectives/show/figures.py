"""How the figures of predictions are read: chances, durations, draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

from releve.cycle.objectives.choice.arbitration import Arbitration, say_arbitration
from releve.cycle.objectives.prediction.simulate import Forecast, wilson
from releve.domain.units import say_count, say_seconds

NOTHING = "—"
ENOUGH = 30  # draws of a scenario below which its chances are called coarse


def say_seed(seed: int) -> str:
    """Which draws they were, and how to have them again."""
    return f"tirages au sort no {seed} : la même commande avec --seed {seed} redonne ces chiffres"


def say_assumed(share: float) -> str:
    """How much of what was computed nobody measured."""
    if share >= 1:
        return "toutes les durées sont supposées : aucune n'a été mesurée"
    if share <= 0:
        return "toutes les durées ont été mesurées"
    return f"{percent(share)} des durées sont supposées, les autres mesurées"


def decimal(share: float) -> str:
    """A small share with one decimal: "9,9 %"."""
    return f"{share * 100:.1f} %".replace(".", ",")


def whole(number: float) -> str:
    """A count as it is read: "10 000"."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def margin(draws: int) -> int:
    """By how many points a chance of one half may be wrong, 19 times out of 20, with so many draws (≥ 1)."""
    low, high = wilson(draws // 2, draws)
    return ceil((high - low) / 2 * 100)


def say_coarse(draws: int) -> str:
    """A warning where the fewest draws of a scenario leave a chance coarse; empty where they do not."""
    if draws >= ENOUGH:
        return ""
    return (
        f"Chiffres grossiers : {say_count(draws, 'tirage')} par scénario seulement ; une chance affichée peut être fausse "
        f"de ± {margin(draws)} points (intervalle à 95 %) : demandez-en plus avec --draws"
    )


def coarse_value(draws: int) -> dict[str, int] | None:
    """The same, JSON-ready; None where it is not coarse."""
    return {"draws_each": draws, "margin_points": margin(draws)} if draws < ENOUGH else None


def say_accepted(gaps: Iterable[Arbitration], names: Mapping[str, str]) -> list[str]:
    """One line a gap that somebody accepted: neither the need nor its chance takes it in."""
    return [
        f"Écart accepté de « {names[item.subject]} », le besoin et sa chance restent entiers : {say_arbitration(item)}"
        for item in gaps
    ]


def rounded(seconds: float) -> float:
    """Whole minutes above ten of them: a prediction has no seconds."""
    return seconds if seconds < 600 else round(seconds / 60) * 60


def duration(value: float | None) -> str:
    """A predicted duration as it is read."""
    return say_seconds(rounded(value)) if value is not None else NOTHING


def percent(value: float | None) -> str:
    """A share as it is read: never rounded to nothing, nor to certainty."""
    if value is None:
        return NOTHING
    if 0 < value < 0.005:
        return "< 1 %"
    return "> 99 %" if 0.995 <= value < 1 else f"{value:.0%}".replace("%", " %")


def interval(forecast: Forecast | None) -> str:
    """The chance as it is read: "97 % (96 à 98)": the chance, and what the number of draws leaves open."""
    if forecast is None or forecast.kept is None or forecast.low is None or forecast.high is None:
        return NOTHING
    return f"{percent(forecast.kept)} ({forecast.low * 100:.0f} à {forecast.high * 100:.0f})"


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
