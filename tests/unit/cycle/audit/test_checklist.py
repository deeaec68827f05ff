"""The questions that no scanner can answer: whom they are put to, and how long an answer holds."""

from __future__ import annotations

from datetime import date

from releve.cycle.audit.checklist import QUESTIONS, About, holds, subjects
from releve.cycle.audit.rules import RULES
from releve.domain.audit import Answer
from tests.unit.cycle.audit.cases import estate


def test_each_question_is_put_to_those_it_is_about() -> None:
    """Once to the association, to each site of ours, each supplier and each application."""
    plan = estate(
        {
            "plan": {
                "sites": {
                    "foyer": {"hosted_by": "Hébergeur", "hds": {"number": "F", "valid_until": "2029-01-01"}}
                }
            }
        }
    ).plan
    asked = {about: {subjects(plan, item) for item in QUESTIONS if item.about is about} for about in About}
    assert asked == {
        About.ASSOCIATION: {("",)},
        About.SITE: {("siege",)},  # the premises of a third party are its own
        About.SUPPLIER: {("editeur",)},
        About.APPLICATION: {("dui", "paie")},
    }


def test_an_answer_holds_until_its_day_or_its_length() -> None:
    """The day that it says, else as long as the question allows; the last day counts."""
    question = next(item for item in QUESTIONS if item.days == 365)
    answer = Answer(question.code, "", good=True, by="directrice", on=date(2026, 1, 1))
    assert holds(answer, question, date(2027, 1, 1))
    assert not holds(answer, question, date(2027, 1, 2))
    said = Answer(question.code, "", good=True, by="directrice", on=date(2026, 1, 1), until=date(2026, 3, 1))
    assert holds(said, question, date(2026, 3, 1))
    assert not holds(said, question, date(2026, 3, 2))


def test_every_question_is_a_rule_and_a_question() -> None:
    """Its code is that of the rule that names a "no", and it reads as a question."""
    codes = {rule.code for rule in RULES}
    assert len(QUESTIONS) >= 25
    assert len({item.code for item in QUESTIONS}) == len(QUESTIONS)
    for item in QUESTIONS:
        assert item.code in codes
        assert item.text.endswith("?")
        assert item.days > 0
