"""Values of the domain ↔ JSON text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.ledger.codec import dump, load, load_object
from releve.domain.incident import Incident
from releve.domain.protection import Contact, Suspension, Tenure
from releve.domain.runbook import (
    Answer,
    Decision,
    Direction,
    Outcome,
    Question,
    Runbook,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)

TEXT = st.text(max_size=8) | st.just("\udcff\x00é")
INSTANTS = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 — bounds of a strategy are naive; beyond them no plan has instants
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))]
    ),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
FACTS = st.dictionaries(TEXT, PLAIN, max_size=3)
OUTCOMES = st.builds(Outcome, st.sampled_from(TaskState), TEXT, FACTS)
QUESTIONS = st.builds(
    Question,
    TEXT,
    st.lists(st.builds(Answer, TEXT, TEXT, st.booleans()), max_size=2).map(tuple),
    NUMBERS,
    st.lists(TEXT, max_size=2).map(tuple),
    st.integers(1, 3),
)
WORDS = st.lists(TEXT, max_size=2).map(tuple)
TASKS = st.builds(
    Task,
    TEXT,
    st.sampled_from(TaskKind),
    TEXT,
    TEXT,
    TEXT,
    NUMBERS,
    TEXT,
    WORDS,
    WORDS,
    TEXT,
    st.none() | QUESTIONS,
)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    Tenure: st.builds(Tenure, TEXT, st.integers(), TEXT, TEXT, st.none() | INSTANTS),
    Contact: st.builds(
        Contact,
        TEXT,
        INSTANTS,
        NUMBERS,
        st.booleans(),
        st.none() | INSTANTS,
        WORDS,
        st.none() | st.integers(),
    ),
    Suspension: st.builds(Suspension, TEXT, st.integers(), INSTANTS, TEXT, st.none() | INSTANTS),
    Incident: st.builds(
        Incident,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        INSTANTS,
        INSTANTS,
        st.none() | INSTANTS,
        st.none() | st.dictionaries(TEXT, INSTANTS, max_size=2),
    ),
    Question: QUESTIONS,
    Task: TASKS,
    Outcome: OUTCOMES,
    Decision: st.builds(Decision, TEXT, TEXT, TEXT, TEXT, TEXT, INSTANTS, st.none() | INSTANTS),
    TaskRecord: st.builds(
        TaskRecord,
        TEXT,
        st.sampled_from(TaskState),
        st.none() | INSTANTS,
        st.none() | INSTANTS,
        st.none() | OUTCOMES,
    ),
    Runbook: st.builds(
        Runbook,
        TEXT,
        st.sampled_from(Direction),
        TEXT,
        TEXT,
        TEXT,
        st.dictionaries(TEXT, st.integers(), max_size=2),
        st.lists(TASKS, max_size=2).map(tuple),
    ),
}


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_value_comes_back_equal(kind: type, data: st.DataObject) -> None:
    """Law: load(kind, dump(value)) == value, and the text is ASCII that any database keeps."""
    value = data.draw(VALUES[kind])
    text = dump(value)
    assert load(kind, text) == value
    assert text.isascii()
    assert "\x00" not in text


def test_instants_are_written_in_utc_with_microseconds() -> None:
    """One instant has one text, whatever zone it was told in."""
    paris = timezone(timedelta(hours=2))
    tenure = Tenure("d", 1, "s", "r", datetime(2026, 6, 1, 10, 0, tzinfo=paris))
    assert json.loads(dump(tenure))["at"] == "2026-06-01T08:00:00.000000+00:00"


def test_a_naive_instant_is_refused() -> None:
    """Without a zone an instant designates no moment."""
    with pytest.raises(ValueError, match="naive"):
        dump(Tenure("d", 1, "s", "r", datetime(2026, 6, 1, 10, 0)))  # noqa: DTZ001


@pytest.mark.parametrize(
    "value", [{"a": float("nan")}, {"a": float("inf")}, {"a": object()}, {1: "a"}, {"a": b"x"}]
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    """Nothing is written that could not be read back as it was."""
    with pytest.raises((TypeError, ValueError)):
        dump(value)


def test_a_member_of_an_older_text_takes_its_default() -> None:
    """A decision written before `since` existed is still read."""
    old = '{"answer":"yes","at":"2026-06-01T08:00:00+00:00","by":"d","run":"r","task":"t","words":"w"}'
    assert load(Decision, old).since is None


@pytest.mark.parametrize(
    "text",
    [
        '{"state":"done"}',
        '{"state":"unheard-of","sentence":"","facts":{}}',
        '{"state":1,"sentence":"","facts":{}}',
        "[]",
    ],
)
def test_a_text_of_another_shape_is_refused(text: str) -> None:
    """A missing member, an unknown word, a wrong type: an error, never half a value."""
    with pytest.raises((KeyError, ValueError, TypeError)):
        load(Outcome, text)


def test_an_object_is_an_object() -> None:
    """A list is not taken for an object."""
    with pytest.raises(ValueError, match="object"):
        load_object("[1]")
