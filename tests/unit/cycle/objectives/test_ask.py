"""The questionnaire: one question at a time, undone at will, never a curve that falls."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from releve.cycle.objectives.ask import Form, Mistake, Subject, answer, next_question, place, statement
from releve.cycle.objectives.read import read_objectives
from releve.cycle.objectives.written import HEAD, written
from releve.domain.objectives import DataAnswer
from releve.domain.periods import parse_period
from releve.domain.units import parse_span
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE
from tests.fakes.plans import application, plan

SUBJECT = Subject(application("dui", data=("dossiers",)), HOME, SCALE, "infirmière", date(2026, 10, 5))
OBJECTIVES = """\
version: 1
establishments: [{id: ehpad, name: "EHPAD"}]
periods: [{id: paie, name: "Paie", when: "du 18 au 5"}]
"""


def answered(subject: Subject, *given: str) -> Form:
    """A form with these answers, given one after the other."""
    form = Form()
    for text in given:
        found = answer(subject, form, text)
        assert isinstance(found, Form), found
        form = found
    return form


def test_an_answer_of_never_ends_a_criterion() -> None:
    """Never significant is never important: the next question is of the next criterion."""
    form = answered(SUBJECT, "jamais")
    question = next_question(SUBJECT, form)
    assert question is not None
    assert question.key == ":ACCOMP:2"


def test_a_graver_level_is_only_offered_from_the_one_before() -> None:
    """Significant from two hours: important cannot come earlier."""
    question = next_question(SUBJECT, answered(SUBJECT, "2 h"))
    assert question is not None
    assert question.choices[0] == "2 h"
    assert question.choices[-1] == "jamais"


def test_a_number_and_a_word_are_the_same_answer() -> None:
    """The fourth choice and its own words give one form."""
    assert answered(SUBJECT, "4") == answered(SUBJECT, "2 h")


@pytest.mark.parametrize("text", ["", "0", "99", "peut-être", "-1"])
def test_what_is_not_a_choice_is_refused_and_nothing_is_kept(text: str) -> None:
    """The question stays, with what may be answered."""
    assert isinstance(answer(SUBJECT, Form(), text), Mistake)


def test_going_back_asks_the_last_question_again() -> None:
    """Undoing is taking the last answer away."""
    form = answered(SUBJECT, "2 h", "4 h")
    again = next_question(SUBJECT, form.back())
    assert again is not None
    assert again.key == ":SECU:3"


def test_an_establishment_with_hours_is_asked_in_its_hours() -> None:
    """The ladder offered is the one that the answer will be read on."""
    subject = replace(SUBJECT, establishment=OFFICE_PLACE)
    question = next_question(subject, Form())
    assert question is not None
    assert question.choices[5] == "8 h ouvrées"


ALL = (
    "2 h",
    "4 h",
    "24 h",
    "jamais",
    "jamais",
    "jamais",
    "jamais",
    "jamais",
    "le traitement n'est plus sûr",
    "3 j",
)
DATA = ("oui", "soins", "400", "oui", "6,5", "40 Go")


def test_what_cannot_be_typed_again_is_asked_no_hours(tmp_path: Path) -> None:
    """The hours are asked after a yes only; nothing stands in the file for them, and it reads as it was said."""
    form = answered(SUBJECT, *ALL, "oui", "soins", "400", "non", "")
    assert next_question(SUBJECT, form) is None
    said = statement(SUBJECT, form)
    assert said.data == DataAnswer("soins", 400, None, paper=False)
    text = written([said])
    assert "retype_hours" not in text
    (tmp_path / "o.yaml").write_text(OBJECTIVES, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(HEAD + text, encoding="utf-8")
    found, _bargain = read_objectives(tmp_path / "o.yaml", [tmp_path / "r.yaml"], plan())
    assert [item.data for item in found.statements] == [said.data]


def test_a_finished_form_is_a_statement() -> None:
    """Everything that was said, and nothing else."""
    form = answered(SUBJECT, *ALL, *DATA)
    assert next_question(SUBJECT, form) is None
    said = statement(SUBJECT, form)
    assert said.impact["SECU"] == (1, 1, 1, 2, 3, 3, 4, 4, 4, 4)
    assert said.impact["FIN"] == (1,) * 10
    assert said.copes_for == parse_span("3 j")
    assert said.data == DataAnswer("soins", 400, 6.5, paper=True, volume=40 * 10**9)


@pytest.mark.parametrize(
    ("before", "text"), [(DATA[:2], "beaucoup"), (DATA[:4], "vite"), (DATA[:4], "inf"), (DATA[:5], "gros")]
)
def test_a_figure_that_cannot_be_read_is_refused(before: tuple[str, ...], text: str) -> None:
    """Entries, hours and volume are numbers."""
    assert isinstance(answer(SUBJECT, answered(SUBJECT, *ALL, *before), text), Mistake)


def test_a_critical_period_is_asked_only_when_it_is_graver() -> None:
    """No for payroll skips its six criteria; yes asks them."""
    subject = replace(SUBJECT, periods=(parse_period("du 18 au 5", id="paie", name="Paie"),))
    no = answered(subject, *ALL[:8], "non")
    yes = answered(subject, *ALL[:8], "oui")
    assert next_question(subject, no).key == "why"  # type: ignore[union-attr]
    assert next_question(subject, yes).key == "paie:SECU:2"  # type: ignore[union-attr]


def test_the_count_of_sections_never_grows_while_one_answers() -> None:
    """The number of themes said first is the number said last, and questions go forward to the end of it."""
    subject = replace(SUBJECT, periods=(parse_period("du 18 au 5", id="paie", name="Paie"),))
    given = (*ALL[:3], *["1 h", "2 h", "4 h"] * 5, "oui", "1 h", *["jamais"] * 6, *ALL[8:], *DATA)
    form, seen = Form(), []
    for text in given:
        here = place(subject, form)
        assert here is not None
        assert 1 <= here.question <= here.most
        seen.append((here.section, here.question))
        found = answer(subject, form, text)
        assert isinstance(found, Form), found
        assert here.sections == 9
        form = found
    assert seen == sorted(set(seen))
    assert seen[-1] == (9, 6)
    assert place(subject, form) is None


def test_the_help_of_a_level_explains_its_criterion_and_gives_an_example_of_each() -> None:
    """More than the line already seen: what the criterion means, four levels, four examples, the one asked pointed at."""
    for criterion in SCALE.criteria:
        assert len(set(criterion.examples)) == len(criterion.levels) == 4
    safety = SCALE.criterion("SECU")
    question = next_question(SUBJECT, answered(SUBJECT, "2 h"))
    assert question is not None
    told = "\n".join(question.about)
    for words in (safety.means, *safety.levels, *safety.examples):
        assert words in told
    assert f"→ 3, important : {safety.levels[2]}" in told
    assert "même au bout de 30 j" in told


def test_every_question_has_help_of_its_own() -> None:
    """Whoever types `?` learns something, at each question."""
    subject = replace(SUBJECT, periods=(parse_period("du 18 au 5", id="paie", name="Paie"),))
    form = Form()
    for text in (*ALL[:8], "non", *ALL[8:], *DATA):
        question = next_question(subject, form)
        assert question is not None
        assert question.about, question.key
        assert question.help not in question.about
        found = answer(subject, form, text)
        assert isinstance(found, Form)
        form = found


def test_what_is_written_is_read_again_to_the_same_statement(tmp_path: Path) -> None:
    """Round trip through the file, critical period and data included."""
    subject = replace(SUBJECT, periods=(parse_period("du 18 au 5", id="paie", name="Paie"),))
    form = answered(subject, *ALL[:8], "oui", "1 h", "2 h", "jamais", *["jamais"] * 5, *ALL[8:], *DATA)
    said = statement(subject, form)
    (tmp_path / "objectifs.yaml").write_text(OBJECTIVES, encoding="utf-8")
    file = tmp_path / "r.yaml"
    file.write_text(HEAD + written([said]), encoding="utf-8")
    read, _bargain = read_objectives(tmp_path / "objectifs.yaml", [file], plan())
    assert [replace(item, source="") for item in read.statements] == [said]
    assert read.statements[0].source == f"{file}:5"
