"""What people say, as values, for tests of pure stages. Everything in them is fictional."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from releve.cycle.objectives.scale import proposed_scale
from releve.domain.objectives import DataAnswer, Establishment, Impact, Objectives, Statement

SCALE = proposed_scale()
HOME = Establishment("ehpad", "EHPAD fictif", weight=80)
OFFICE_PLACE = Establishment("siege", "Siège fictif", "bureau", 20)


def impact(**onsets: int) -> Impact:
    """An impact where each named criterion is unacceptable from a step on, and the rest never matters."""
    return {
        criterion.code: tuple(
            criterion.unacceptable if criterion.code in onsets and step >= onsets[criterion.code] else 1
            for step in range(SCALE.steps)
        )
        for criterion in SCALE.criteria
    }


def statement(
    application: str = "dui",
    establishment: str = "ehpad",
    *,
    by: str = "infirmière coordinatrice",
    step: int = 5,
    data: DataAnswer | None = None,
    why: str = "le traitement ne peut plus être vérifié",
) -> Statement:
    """One person's answer: safety becomes unacceptable at `step` of the ladder."""
    return Statement(
        application,
        establishment,
        by,
        date(2026, 10, 5),
        why,
        impact(SECU=step),
        data=data,
        source="reponses.yaml:3",
    )


def objectives(*statements: Statement, places: tuple[Establishment, ...] = (HOME,)) -> Objectives:
    """The objectives of one or more establishments."""
    return Objectives(places, statements=statements)


def at_night(said: Statement, period: str, step: int) -> Statement:
    """The same, stricter in a critical period."""
    return replace(said, in_period={period: impact(SECU=step)})
