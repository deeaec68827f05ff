"""Answers -> what may be lost. Pure.

What cannot be typed again may not be lost at all: it is copied as it is written. What can is bounded by
the time that people can spend on typing it again after an outage (a budget, two hours proposed), at the
pace that they gave: "a day takes six hours". The class of the data has its own bound, whatever people
say: critical data (health, accounts) at most 15 minutes, and off the site; the rest a day.

Source: the three classes of data of Direction[s], « Tous connectés » (2013), and the rule that what cannot
be re-created asks for replication; the ladder, the budget and the 15 minutes are proposals of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from releve.domain.objectives import DataAnswer
from releve.domain.plan import Sensitivity
from releve.domain.units import MAX_SPAN_SECONDS, Span, say_span

DAY = 86_400.0
LADDER: tuple[Span, ...] = tuple(Span(seconds) for seconds in (0.0, 900.0, 3600.0, 4 * 3600.0, DAY, 7 * DAY))
CLASS_BOUND = {
    Sensitivity.CRITICAL: Span(900.0),
    Sensitivity.SENSITIVE: Span(DAY),
    Sensitivity.STANDARD: Span(DAY),
}


@dataclass(frozen=True, slots=True)
class Losable:
    """What may be lost (on the wall clock), and the sentence that says why. None: nothing is typed."""

    span: Span | None
    why: str

    @property
    def seconds(self) -> float:
        """The same as a number; without a bound, more than any."""
        return self.span.seconds if self.span is not None else float("inf")


def losable(data: DataAnswer | None, budget: Span) -> Losable:
    """What one answer gives."""
    if data is None:
        return Losable(None, "rien n'a été dit des données")
    if data.entries == 0:
        return Losable(Span(DAY), "rien n'est saisi chaque jour : la copie du jour suffit")
    if not data.paper or data.retype_hours is None:
        return Losable(Span(), f"{data.kinds} : rien ne permet de les ressaisir")
    if data.retype_hours == 0:
        return Losable(LADDER[-1], f"{data.kinds} : un jour se ressaisit sans y passer de temps")
    hours = budget.seconds / 3600
    kept = max(
        (step for step in LADDER if step.seconds / DAY * data.retype_hours <= hours),
        key=lambda step: step.seconds,
    )
    return Losable(
        kept,
        f"{data.kinds} : {_plain(data.retype_hours)} h pour ressaisir un jour ({data.entries} saisies), "
        f"{say_span(budget)} de ressaisie admise",
    )


def planned(rpo: Span) -> Losable:
    """What the plan itself says, while no answer describes the data: an answer never makes the need weaker."""
    said = "rien à perdre" if rpo.seconds >= MAX_SPAN_SECONDS else say_span(rpo) if rpo.seconds else "rien"
    return Losable(rpo, f"valeur du plan : {said} (aucune réponse ne décrit les données)")


def class_bound(sensitivity: Sensitivity) -> Losable:
    """What the class of the data asks, whatever people say."""
    name = {"critical": "critiques", "sensitive": "sensibles", "standard": "courantes"}[sensitivity.value]
    return Losable(
        CLASS_BOUND[sensitivity],
        f"données {name} : au plus {say_span(CLASS_BOUND[sensitivity])}, hors du site",
    )


def _plain(number: float) -> str:
    return f"{number:g}".replace(".", ",")
