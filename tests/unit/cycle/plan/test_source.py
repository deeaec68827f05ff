"""The safe reader of YAML: values, places, and the time that a hostile text may cost."""

from __future__ import annotations

import time

import pytest

from releve.cycle.plan.source import Mapping, Mark, find, mark_of, plain, read_source, scalars


def read(text: str) -> Mapping:
    """The root of a text that has no fault."""
    source = read_source(text.encode(), "plan.yaml")
    assert source.faults == ()
    assert isinstance(source.root, Mapping)
    return source.root


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0612", "0612"),
        ("9.10", "9.10"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("2027-12-31", "2027-12-31"),
        ('"12"', "12"),
        ("'true'", "true"),
        ('""', ""),
        ("9" * 40, "9" * 40),
    ],
)
def test_a_value_is_only_a_number_when_nobody_can_doubt_it(written: str, value: object) -> None:
    """Phone numbers, versions, dates and Norway stay text; quotes always make text."""
    assert plain(read(f"a: {written}")) == {"a": value}


def test_a_key_without_value_counts_as_not_written() -> None:
    """`phone:` left blank is a field still to be filled, not a fault."""
    assert plain(read("a:\nb: ~\nc: null\nd: 1")) == {"d": 1}


def test_places_are_those_that_an_editor_shows() -> None:
    """Lines and columns begin at one, for values, keys and items."""
    root = read("a:\n  - é: [x, yy]\n")
    path = ("a", 0, "é", 1)
    assert mark_of(root, path) == Mark(2, 12)
    assert mark_of(root, path[:3], key=True) == Mark(2, 5)


def test_what_is_absent_is_placed_at_the_nearest_thing_above() -> None:
    """A missing key points at the block that lacks it."""
    root = read("a:\n  - b: 1\n")
    assert mark_of(root, ("a", 0, "c")) == Mark(2, 5)
    assert find(root, ("a", 3)) is None


def test_every_text_is_met_in_file_order() -> None:
    """The search for secrets sees each value once, with its path."""
    root = read("a: 1\nb: [2, {c: 3}]\nd: 4\n")
    assert [(path, scalar.text) for path, scalar in scalars(root)] == [
        (("a",), "1"),
        (("b", 0), "2"),
        (("b", 1, "c"), "3"),
        (("d",), "4"),
    ]


HOSTILE = {
    "brackets": "[" * 20_000,
    "braces": "{a: " * 20_000,
    "dashes": "- " * 20_000,
    "questions": "? " * 20_000,
    "bangs": "!" * 99_000,
    "anchors": "&a " * 20_000,
    "stars": "*a " * 20_000,
    "quotes": '"' * 99_000,
    "directives": "%a\n" * 20_000,
    "documents": "---\n" * 20_000,
    "long escape": 'a: "\\U00110000"',
    "long version": "%YAML 1." + "9" * 5_000 + "\n---\na: 1",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_text_is_refused_in_less_than_a_second(name: str) -> None:
    """No text of a few kilobytes keeps the reader busy, whatever it repeats (CPU time)."""
    began = time.process_time()
    source = read_source(HOSTILE[name].encode(), "plan.yaml")
    assert time.process_time() - began < 1.0
    assert source.faults
