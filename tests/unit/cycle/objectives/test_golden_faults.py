"""Every bad file of `tests/golden/objectives`, with the whole of what a person is told about it.

`case.yaml` is an objectives file, `case.answers` a file of answers beside it. RELEVE_GOLDEN=write writes
the texts again: read the difference before you keep it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from releve.cycle.objectives.read import Judgement, judge_objectives
from tests.fakes.objectives import statement
from tests.fakes.plans import application, plan

GOLDEN = Path(__file__).parents[3] / "golden" / "objectives"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))
PLAN = plan((application("dui", data=("dossiers",)), application("mail", moved=False)))


def say(judgement: Judgement, folder: Path) -> str:
    """The judgement as a command prints it, remarks below."""
    lines = []
    for title, faults in (("", judgement.faults), ("remarques :", judgement.remarks)):
        lines += [title] if title and faults else []
        for fault in faults:
            lines.append(f"{fault.file}:{fault.line}:{fault.column}: {fault.code}: {fault.sentence}")
            lines += [f"  conseil : {fault.hint}"] if fault.hint else []
    return "\n".join(lines or ["rien à redire"]).replace(f"{folder}/", "") + "\n"


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_named_with_its_line_and_what_to_write(case: str) -> None:
    """The golden text of a case is what is said, and something is said of each."""
    answers = GOLDEN / f"{case}.answers"
    judgement = judge_objectives(GOLDEN / f"{case}.yaml", [answers] if answers.exists() else [], PLAN)
    said = say(judgement, GOLDEN)
    golden = GOLDEN / f"{case}.txt"
    if os.environ.get("RELEVE_GOLDEN") == "write":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")
    assert said != "rien à redire\n"


def test_there_are_cases() -> None:
    """A folder that was moved away would leave nothing to compare."""
    assert len(CASES) >= 20


def test_a_file_that_is_not_there_says_how_to_write_one(tmp_path: Path) -> None:
    """The first thing that a newcomer meets."""
    judgement = judge_objectives(tmp_path / "objectifs.yaml", [], PLAN)
    assert judgement.objectives is None
    (fault,) = judgement.faults
    assert (fault.code, fault.hint) == ("file-missing", "écrivez-en un premier : releve objectives init")


@pytest.mark.parametrize("case", ["duplicate-key", "block-unread", "section-misspelt", "empty", "not-yaml"])
def test_what_cannot_be_read_is_said_alone(case: str) -> None:
    """Answers name establishments and periods that stand in what could not be read: only the cause is said."""
    told = judge_objectives(GOLDEN / f"{case}.yaml", [GOLDEN / f"{case}.answers"], PLAN)
    assert told.faults
    assert all(fault.line and fault.column and fault.hint for fault in told.faults)
    assert {Path(fault.file).name for fault in told.faults} == {f"{case}.yaml"}
    assert not [fault.code for fault in told.faults if fault.code.endswith("-unknown")]


def test_an_answer_of_a_day_to_come_is_a_fault_with_its_place(tmp_path: Path) -> None:
    """The newest answer counts: one dated 2062 would count for ever. Of today it is taken; without a today too."""
    file = tmp_path / "r.yaml"
    file.write_bytes((GOLDEN / "retype-long.answers").read_bytes())
    objectives = GOLDEN / "retype-long.yaml"
    eve = judge_objectives(objectives, [file], PLAN, today=date(2026, 10, 4))
    (fault,) = eve.faults
    assert (fault.file, fault.line, fault.column, fault.code) == (str(file), 6, 9, "answer-future")
    assert "2026-10-05" in fault.sentence and fault.hint
    for day in (date(2026, 10, 5), None):
        assert judge_objectives(objectives, [file], PLAN, today=day).faults == ()


def test_a_row_of_the_ledger_waits_for_its_day() -> None:
    """Nothing is taken back there: the row is named and counts for nothing yet."""
    said, later = statement(), replace(statement(by="médecin"), on=date(2062, 1, 1))
    told = judge_objectives(
        GOLDEN / "retype-long.yaml", [], PLAN, recorded=[said, later], today=date(2026, 10, 5)
    )
    assert told.objectives is not None
    assert [item.by for item in told.objectives.statements] == [said.by]
    (remark,) = [item for item in told.remarks if item.code == "answer-future"]
    assert "médecin" in remark.sentence and "2062-01-01" in remark.sentence


def test_the_last_recorded_of_a_day_corrects_those_before() -> None:
    """A ledger knows its order: one answer a person, a thing and a day; another person's, or a later day's, is another."""
    first, other = statement(step=5), statement(by="médecin")
    corrected = statement(step=3, why="je m'étais trompée")
    told = judge_objectives(GOLDEN / "retype-long.yaml", [], PLAN, recorded=[first, other, corrected])
    assert told.objectives is not None
    assert {said.why for said in told.objectives.statements} == {corrected.why, other.why}
    assert len(told.objectives.statements) == 2
    later = replace(first, on=date(2026, 10, 6))
    told = judge_objectives(GOLDEN / "retype-long.yaml", [], PLAN, recorded=[later, corrected])
    assert told.objectives is not None
    assert told.objectives.statements == (later,)


def test_one_bad_file_of_answers_hides_nothing_of_another(tmp_path: Path) -> None:
    """Each respondent's faults are said, file by file."""
    (tmp_path / "objectifs.yaml").write_text(
        'version: 1\nestablishments: [{id: e, name: "E"}]\n', encoding="utf-8"
    )
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text("version: 1\nanswers:\n  - {application: dui}\n", encoding="utf-8")
    judgement = judge_objectives(tmp_path / "objectifs.yaml", files, PLAN)
    assert {fault.file for fault in judgement.faults} == {str(file) for file in files}


def test_a_need_settled_tomorrow_is_refused_with_its_line(tmp_path: Path) -> None:
    """It would count before it is decided; on its own day it does."""
    file = tmp_path / "objectifs.yaml"
    file.write_text(
        'version: 1\nestablishments: [{id: ehpad, name: "EHPAD fictif"}]\nsettled:\n'
        '  - {application: dui, establishment: ehpad, rto: 8 h, by: directrice, on: 2026-10-20, why: "x"}\n'
    )
    (fault,) = judge_objectives(file, [], PLAN, today=date(2026, 10, 19)).faults
    assert (fault.code, fault.line) == ("settled-future", 4)
    assert judge_objectives(file, [], PLAN, today=date(2026, 10, 20)).faults == ()


@pytest.mark.parametrize(
    ("second", "faults"),
    [
        ("establishment: ehpad, rto: 4 h, by: cadre, on: 2026-10-20", [("settled-twice", 5)]),
        ("establishment: ehpad, rto: 4 h, by: cadre, on: 2026-10-21", []),
        ("rto: 4 h, by: cadre, on: 2026-10-20", []),
    ],
    ids=["same day", "another day", "everywhere"],
)
def test_a_thing_is_settled_once_a_day(tmp_path: Path, second: str, faults: list[tuple[str, int]]) -> None:
    """Of two days the newest counts; of one day nobody knows which."""
    file = tmp_path / "objectifs.yaml"
    file.write_text(
        'version: 1\nestablishments: [{id: ehpad, name: "EHPAD fictif"}]\nsettled:\n'
        '  - {application: dui, establishment: ehpad, rto: 8 h, by: directrice, on: 2026-10-20, why: "x"}\n'
        f'  - {{application: dui, {second}, why: "y"}}\n'
    )
    assert [(item.code, item.line) for item in judge_objectives(file, [], PLAN).faults] == faults
