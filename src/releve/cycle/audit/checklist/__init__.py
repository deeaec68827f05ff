"""The questions that no scanner can answer, as data, and to whom each is put. Pure.

Sources: the audit of weak points that ANSSI, PGSSI-S and CERT Santé call for (`rules/sources.py` names the text
of each question); the lengths of validity are proposals of ours. An answer is a fact with an author and an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from importlib.resources import files
from typing import Any

from releve.cycle.audit.rule import Severity
from releve.cycle.plan.source import plain, read_source
from releve.domain.audit import Answer
from releve.domain.plan import Plan


class About(StrEnum):
    """To whom a question is put, once each."""

    ASSOCIATION = "association"
    SITE = "site"
    SUPPLIER = "supplier"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Question:
    """One question; "yes" is always the wanted answer.

    `code`: stable, that of the rule which names a "no". `days`: how long an answer holds. `bad`: what "no"
    means, as a weak point says it. `sources`: names of `rules/sources.py`.
    """

    code: str
    text: str
    about: About
    days: int
    severity: Severity
    bad: str
    why: str
    sources: tuple[str, ...]
    mend: str


def _questions() -> tuple[Question, ...]:
    source = read_source(files(__name__).joinpath("checklist.yaml").read_bytes(), "checklist.yaml")
    if source.root is None or source.faults:
        raise ValueError(f"the checklist of the package is damaged: {source.faults}")
    values: Mapping[str, Any] = plain(source.root)
    return tuple(
        Question(
            row["code"],
            row["text"],
            About(row["about"]),
            row["days"],
            Severity(row["severity"]),
            row["bad"],
            row["why"],
            tuple(row["sources"]),
            row["mend"],
        )
        for row in values["questions"]
    )


QUESTIONS: tuple[Question, ...] = _questions()


def subjects(plan: Plan, question: Question) -> tuple[str, ...]:
    """For whom it is asked, in the order of the plan; the association's subject is empty.

    The premises of a third party are its own business: a site that one hosts is asked nothing of.
    """
    match question.about:
        case About.ASSOCIATION:
            return ("",)
        case About.SITE:
            return tuple(site.id for site in plan.sites if not site.third_party)
        case About.SUPPLIER:
            return tuple(item.id for item in plan.inventory.suppliers)
        case About.APPLICATION:
            return tuple(item.id for item in plan.applications)


def holds(answer: Answer, question: Question, today: date) -> bool:
    """Whether an answer still counts on that day: until the day it says, else for the question's own length."""
    until = answer.until or answer.on + timedelta(days=question.days)
    return until >= today
