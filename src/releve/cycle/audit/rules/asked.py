"""QUE: what people answered to the checklist, and what nobody answered (VU-13)."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.checklist import QUESTIONS, About, Question, holds, subjects
from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Check, Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import day, today
from releve.domain.units import say_count

ASSOCIATION = "association"  # the subject of a weak point of nobody in particular
SHOWN = 6  # codes in one sentence


def _said(question: Question) -> Check:
    def check(estate: Estate) -> Iterator[Weakness]:
        for subject in subjects(estate.plan, question):
            answer = estate.answers.get((question.code, subject))
            if answer is not None and answer.good is False and holds(answer, question, today(estate)):
                label = f" : {answer.label}" if answer.label else ""
                name = estate.name_of(subject) if subject else estate.plan.association.name
                yield Weakness(
                    subject or ASSOCIATION,
                    f"{name} : {question.bad} (dit par {answer.by} le {day(answer.on)}{label})",
                    estate.site_of(subject),
                )

    return check


def _unanswered(estate: Estate) -> Iterator[Weakness]:
    """One weak point for each site, supplier, application and for the association, however many questions wait."""
    for about in About:
        asked = [question for question in QUESTIONS if question.about is about]
        for subject in dict.fromkeys(name for question in asked for name in subjects(estate.plan, question)):
            waiting = [
                question.code
                for question in asked
                if (answer := estate.answers.get((question.code, subject))) is None
                or not holds(answer, question, today(estate))
            ]
            if waiting:
                name = estate.name_of(subject) if subject else estate.plan.association.name
                shown = ", ".join(waiting[:SHOWN]) + ("…" if len(waiting) > SHOWN else "")
                yield Weakness(
                    subject or ASSOCIATION,
                    f"{name} : {say_count(len(waiting), 'question')} sur {len(asked)} sans réponse qui vaille"
                    f" encore ({shown})",
                    estate.site_of(subject),
                )


RULES = (
    *(
        Rule(
            question.code,
            question.severity,
            question.bad,
            question.why,
            tuple(str(getattr(src, name)) for name in question.sources),
            question.mend,
            _said(question),
        )
        for question in QUESTIONS
    ),
    Rule(
        "VU-13",
        Severity.MINOR,
        "des questions attendent une réponse",
        "ce que les appareils ne disent pas n'est connu de personne tant que personne ne l'a dit",
        (src.RGPD_32_D, src.CERT_SANTE),
        "répondez avec « releve audit answer » ; « releve audit checklist » donne la feuille à remplir",
        _unanswered,
    ),
)
