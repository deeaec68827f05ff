"""Whatever is handed in as objectives or as answers, the reader answers with values or with faults."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.check import checked
from releve.cycle.objectives.flow import graph, required
from releve.cycle.objectives.gaps import gaps
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.priority import ranked
from releve.cycle.objectives.read import Judgement, judge_answers_text, judge_objectives
from releve.cycle.objectives.scale import proposed_scale
from releve.cycle.objectives.show.check import check_text
from releve.cycle.objectives.show.needs import need_text, needs_text, ranks_text
from releve.cycle.plan.load import read_plan
from releve.domain.errors import Fault

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "examples/quarante"
PLAN = read_plan(str(EXAMPLE / "plan.yaml"))
VALID = b"""\
version: 1
establishments:
  - {id: ehpad, name: "EHPAD", weight: 80, applications: [dui, mail, net, lan, elec]}
  - {id: siege, name: "Si\xc3\xa8ge", calendar: bureau, weight: 20}
periods: [{id: paie, name: "Paie", when: "du 18 au 5"}]
scale: [{criterion: FIN, weight: 2, unacceptable: 3}]
settled: [{application: mail, establishment: siege, rto: "4 h ouvr\xc3\xa9es", by: "d", on: 2026-10-20, why: "x"}]
components:
  - {id: baie, name: "Baie", kind: storage, carries: [dui, dossiers], rebuild: 6 h}
  - {id: fibre, name: "Fibre", kind: link, carries: [net], needs: [baie], rebuild: 8 h}
suppliers:
  - id: op
    name: "Op"
    promises: [{on: fibre, respond: 4 h, restore: "8 h ouvr\xc3\xa9es", calendar: bureau, availability: 99.5, loss: 1 h}]
relief: {processors: 8, memory: 64 Go, throughput: 100 Mo, link: 50 Mo, people: 1, calendar: bureau, on_call: 1 h, detection: {p10: 5 min, p50: 10 min, p90: 1 h}}
recoveries: [{application: dui, install: 1 h, memory: 2 Go, volume: 60 Go, hourly_cost: 20}]
scenarios: [{scenario: S03, per_year: 0.3, who: "t"}]
retype_budget: 2 h
"""
ANSWERS = b"""\
version: 1
answers:
  - application: dui
    establishment: ehpad
    by: "infirmi\xc3\xa8re"
    on: 2026-10-05
    why: "raison"
    impact: {SECU: [1, 1, 2, 2, 3, 3, 3, 4, 4, 4], ACCOMP: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], FIN: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], JUR: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], IMAGE: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], SOCIAL: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}
    in_period: []
    copes_for: 8 h
    data: {kinds: soins, entries_per_day: 400, retype_hours: 6.5, paper: oui, volume: 40 Go}
"""
PIECES = st.sampled_from(
    [b"", b"\n", b"  ", b"\t", b":", b"- ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!int ", b'"', b"'",
     b"|\n", b"#", b"? ", b"<<: ", b"---\n", b"\\u0000", b"\x00", b"\xff", b"\xe2\x80\xa8", b"null", b"~", b"true",
     b"0", b"-1", b"9" * 30, b"1e400", b"nan", b"inf", b"-0", b"0,5", b"1e-320", b"id: ", b"dui", b"baie", b"ehpad",
     b"bureau", b"8 h ouvr\xc3\xa9es", b"0 j ouvr\xc3\xa9", b"366 j ouvr\xc3\xa9s", b"0 o", b"2027-02-31", b"9999-12-31", b"0001-01-01"]
)  # fmt: skip
WORDS = ["[]", "{}", "''", "-1", "0", "true", "[a, [b]]", "{a: {b: c}}", "12 lunes", "~", "99999999", "1e308", "dui",
         "elec", "bureau", "366 j ouvrés", "0 o", "1 ms", "100"]  # fmt: skip


TODAY = date(2026, 10, 1)


def walk(judgement: Judgement) -> None:
    """Everything that is derived from objectives that were judged right, and everything that is shown of it."""
    said = judgement.objectives
    assert said is not None
    found = needs(PLAN, said, proposed_scale(), year=2026)
    stood = graph(PLAN, said)
    asked = required(stood, found)
    assert ranks_text(ranked(stood, asked, found, said))
    accepted = gaps(found, judgement.bargain.arbitrations, TODAY)
    assert needs_text(PLAN, said, found, accepted)
    assert check_text(checked(PLAN, said, judgement, "objectifs.yaml", proposed_scale(), TODAY))
    assert all(need_text(need, said, proposed_scale(), accepted) for need in found)


def sound(faults: tuple[Fault, ...]) -> None:
    """Each fault has a code, a sentence without a full stop and a place in the file."""
    assert all(item.code and item.sentence and not item.sentence.endswith(".") for item in faults)
    assert all(item.line >= 0 for item in faults)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of these tests go."""
    made = tmp_path_factory.mktemp("any")
    (made / "valid.yaml").write_bytes(VALID)
    (made / "valid.answers").write_bytes(ANSWERS)
    return made


def takes(folder: Path, objectives: bytes, answers: bytes = ANSWERS) -> None:
    """Either objectives from which everything can be derived, or faults."""
    (folder / "o.yaml").write_bytes(objectives)
    (folder / "a.yaml").write_bytes(answers)
    judgement = judge_objectives(folder / "o.yaml", [folder / "a.yaml"], PLAN)
    sound(judgement.faults)
    sound(judgement.remarks)
    if judgement.objectives is None:
        assert judgement.faults
        return
    walk(judgement)


def mutated(data: st.DataObject, text: bytes) -> bytes:
    """The text with a few pieces cut, replaced or added."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    return text


def test_the_valid_files_of_these_tests_are_valid(folder: Path) -> None:
    """Mutations begin at files that are read: they would prove little otherwise."""
    judgement = judge_objectives(folder / "valid.yaml", [folder / "valid.answers"], PLAN)
    assert judgement.faults == ()
    walk(judgement)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_reader(folder: Path, data: bytes) -> None:
    """Any bytes as objectives, and as answers, give values or faults."""
    takes(folder, data)
    sound(judge_answers_text(data, "a.yaml", folder / "valid.yaml", PLAN))


@settings(max_examples=60, deadline=None)
@given(data=st.lists(PIECES, max_size=25).map(b"".join))
def test_arbitrary_yaml_never_crashes_the_reader(folder: Path, data: bytes) -> None:
    """Any heap of YAML pieces gives values or faults."""
    takes(folder, data)
    takes(folder, VALID, data)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_objectives_never_crash(folder: Path, data: st.DataObject) -> None:
    """A valid file with a few pieces changed is refused, or everything can be derived from it."""
    takes(folder, mutated(data, VALID))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_mutated_answers_never_crash(folder: Path, data: st.DataObject) -> None:
    """The same of the answers."""
    takes(folder, VALID, mutated(data, ANSWERS))


def values(text: bytes) -> list[tuple[int, int]]:
    """Where each value written after a colon begins and ends."""
    import re

    return [match.span(1) for match in re.finditer(rb": (\"[^\"]*\"|[^,}\]\[{\n]+)", text)]


@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(values(VALID)), word=st.sampled_from(WORDS))
def test_any_value_of_the_objectives_may_be_of_the_wrong_kind(
    folder: Path, place: tuple[int, int], word: str
) -> None:
    """Each value replaced by one of another kind, or of an odd size, is a fault or can be derived from."""
    takes(folder, VALID[: place[0]] + word.encode() + VALID[place[1] :])


@settings(max_examples=40, deadline=None)
@given(place=st.sampled_from(values(ANSWERS)), word=st.sampled_from(WORDS))
def test_any_value_of_the_answers_may_be_of_the_wrong_kind(
    folder: Path, place: tuple[int, int], word: str
) -> None:
    """The same of the answers."""
    takes(folder, VALID, ANSWERS[: place[0]] + word.encode() + ANSWERS[place[1] :])


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"people: 1, calendar: bureau", b"people: 1, calendar: burea", "calendar-unknown"),
        (b"throughput: 100 Mo", b"throughput: 0 Mo", "wrong-value"),
        (b"link: 50 Mo", b"link: 0 o", "wrong-value"),
        (b"people: 1, calendar", b"people: 0, calendar", "wrong-value"),
        (b"scenario: S03", b"scenario: S99", "scenario-unknown"),
        (b"id: baie", b"id: mail", "id-shared"),
        (b"id: baie", b"id: comptes", "id-shared"),
    ],
)
def test_what_would_fail_later_is_refused_with_its_place(
    folder: Path, before: bytes, after: bytes, code: str
) -> None:
    """A calendar, a rate, a scenario or an id that nothing can be computed with is named where it stands."""
    text = VALID.replace(before, after).replace(b"needs: [baie]", b"needs: []")
    (folder / "o.yaml").write_bytes(text)
    faults = judge_objectives(folder / "o.yaml", [], PLAN).faults
    line = text[: text.index(after)].count(b"\n") + 1
    assert [(fault.code, fault.line) for fault in faults] == [(code, line)]


def test_an_answer_that_counts_for_nothing_is_said(folder: Path) -> None:
    """An application that the establishment does not use has no need: its answer is not dropped in silence."""
    (folder / "o.yaml").write_bytes(VALID.replace(b"[dui, mail,", b"[mail,"))
    remarks = judge_objectives(folder / "o.yaml", [folder / "valid.answers"], PLAN).remarks
    assert [item.line for item in remarks if item.code == "answer-not-used"] == [3]


def test_a_decision_that_counts_for_nothing_is_said(folder: Path) -> None:
    """Settled for an establishment that does not use the application: not dropped in silence either."""
    text = VALID.replace(
        b"application: mail, establishment: siege", b"application: paie, establishment: ehpad"
    )
    (folder / "o.yaml").write_bytes(text.replace("4 h ouvrées".encode(), b"4 h"))
    judgement = judge_objectives(folder / "o.yaml", [], PLAN)
    assert judgement.faults == ()
    assert [item.line for item in judgement.remarks if item.code == "answer-not-used"] == [7]


@pytest.mark.parametrize(
    ("section", "column"),
    [
        ('settled: [{application: net, establishment: e, rto: 2000 h ouvrées, by: "d", on: 2026-01-01, why: "x"}]', 53),
        ('suppliers: [{id: s, name: "S", promises: [{on: net, restore: 366 j, calendar: rare}]}]', 62),
    ],
    ids=["settled", "promise"],
)  # fmt: skip
def test_a_duration_that_never_ends_on_its_calendar_is_named(folder: Path, section: str, column: int) -> None:
    """Half an hour a week: two thousand hours of it have no length to compare, and that is no crash."""
    from dataclasses import replace
    from datetime import time

    from releve.domain.calendars import Calendar

    rare = Calendar("rare", "Europe/Paris", {0: ((time(9), time(9, 30)),)})
    the_plan = replace(PLAN, calendars={**PLAN.calendars, "rare": rare})
    text = f'version: 1\nestablishments: [{{id: e, name: "E", calendar: rare}}]\n{section}\n'
    (folder / "o.yaml").write_text(text, encoding="utf-8")
    faults = judge_objectives(folder / "o.yaml", [], the_plan).faults
    assert [(item.code, item.line, item.column) for item in faults] == [("too-long-for-calendar", 3, column)]
