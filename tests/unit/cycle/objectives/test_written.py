"""What is written in a file of answers is what was said, to the last figure and letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.read import judge_answers_text, latest, read_answers
from releve.cycle.objectives.written import HEAD, parts, written
from releve.domain.objectives import DataAnswer, Statement
from releve.domain.units import (
    MAX_SPAN_SECONDS,
    Clock,
    Span,
    parse_bytes,
    parse_span,
    write_bytes,
    write_span,
)
from tests.fakes.objectives import SCALE, statement
from tests.fakes.plans import application, plan

PLAN = plan((application("dui", data=("dossiers",)),))
OBJECTIVES = """\
version: 1
establishments: [{id: ehpad, name: "EHPAD"}]
periods: [{id: paie, name: "Paie", when: "du 18 au 5"}]
"""
TEXTS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff\ufffe\uffff"), max_size=60
).map(str.strip)
LEVELS = st.lists(st.integers(1, 4), min_size=SCALE.steps, max_size=SCALE.steps).map(sorted).map(tuple)
IMPACTS = st.fixed_dictionaries({item.code: LEVELS for item in SCALE.criteria})
SPANS = st.one_of(
    st.integers(1, MAX_SPAN_SECONDS).map(float).map(Span),
    st.floats(0.0005, MAX_SPAN_SECONDS).map(Span),
    st.integers(1, MAX_SPAN_SECONDS).map(lambda seconds: Span(float(seconds), Clock.BUSINESS)),
    st.integers(1, 366).map(lambda days: Span(0.0, Clock.BUSINESS, days)),
)
HOURS = st.floats(0, 10_000).map(abs)
DATA = st.builds(
    lambda kinds, entries, said, volume: DataAnswer(kinds, entries, said[0], said[1], volume),
    TEXTS.filter(bool),
    st.integers(0, 10**9),
    st.tuples(HOURS, st.booleans()) | st.just((None, False)),
    st.none() | st.integers(0, 10**14),
)
STATEMENTS = st.builds(
    Statement,
    st.just("dui"),
    st.just("ehpad"),
    TEXTS.filter(bool),
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    TEXTS,
    IMPACTS,
    st.just({}) | IMPACTS.map(lambda impact: {"paie": impact}),
    st.none() | SPANS,
    st.none() | DATA,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An objectives file, and where answers go."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "objectifs.yaml").write_text(OBJECTIVES, encoding="utf-8")
    return folder / "objectifs.yaml", folder / "answers.yaml"


@settings(max_examples=120, deadline=None)
@given(span=SPANS)
def test_a_duration_is_written_as_it_is_read(span: Span) -> None:
    """Any duration, "90 min" as well as "1,5 s", is read back to the same value."""
    assert parse_span(write_span(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(5400.0), "90 min"),
        (Span(93_600.0), "26 h"),
        (Span(9000.0, Clock.BUSINESS), "150 min ouvrées"),
        (Span(172_800.0, Clock.BUSINESS), "48 h ouvrées"),
        (Span(0.0, Clock.BUSINESS, 2), "2 j ouvrés"),
        (Span(0.35), "0,35 s"),
        (Span(), "0"),
    ],
)
def test_a_duration_is_one_number_and_one_unit(span: Span, text: str) -> None:
    """What `say_span` says in two parts ("1 h 30 min") is not what a file can hold."""
    assert write_span(span) == text
    assert parse_span(text) == span


@given(st.integers(0, 2**53))
def test_a_size_is_written_whole(count: int) -> None:
    """No byte is lost to rounding, up to nine thousand To."""
    assert parse_bytes(write_bytes(count)) == count


@settings(max_examples=60, deadline=None)
@given(said=st.lists(STATEMENTS, min_size=1, max_size=3))
def test_any_statement_is_read_back_as_it_was_said(files, said: list[Statement]) -> None:
    """Durations, sizes, figures, line separators and emoji included; nothing is refused, nothing is rounded."""
    objectives, file = files
    text = HEAD + written(said)
    assert judge_answers_text(text.encode(), "r.yaml", objectives, PLAN) == ()
    file.write_text(text, encoding="utf-8")
    assert [replace(item, source="") for item in read_answers(file, objectives, PLAN, date.max)] == said


@given(st.lists(STATEMENTS, max_size=12), st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_parts_hold_everything_once_and_in_order(said: list[Statement], full: int) -> None:
    """Cut anywhere, nothing is lost, doubled or moved, and no part but the only one is empty."""
    cut = list(parts(said, full))
    assert [item for part in cut for item in part] == said
    assert all(cut) or said == []
    assert len(cut) >= 1


def test_two_answers_of_one_day_that_differ_both_stay() -> None:
    """Nobody guesses which of the two counts; a newer day replaces both, and the same words twice are one."""
    first = statement(step=5)
    laxer = statement(step=7)
    newer = replace(statement(step=3), on=date(2026, 11, 5))
    assert list(latest([first, laxer])) == [first, laxer]
    assert list(latest([first, replace(first, source="autre.yaml:9")])) == [
        replace(first, source="autre.yaml:9")
    ]
    assert list(latest([newer, first, laxer])) == [newer]
