"""The quick reading of answers and the YAML parser never say two things of one text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.quick import quick_source
from releve.cycle.objectives.written import HEAD, written
from releve.cycle.plan.source import read_source
from tests.fakes.objectives import at_night, statement
from tests.unit.cycle.objectives.test_written import STATEMENTS

EXAMPLE = Path(__file__).parents[4] / "examples/quarante"
WRITTEN = (HEAD + written([at_night(statement(), "paie", 3), statement(by="médecin")])).encode()
PIECES = st.sampled_from(
    [b"", b"\n", b" ", b"  ", b"\t", b":", b": ", b"- ", b"-", b"[", b"]", b", ", b"{", b"}", b'"', b"'", b"|", b"#", b" #", b"?", b"&a ",
     b"*a", b"!!int ", b"---\n", b"...", b"\\", b"\r\n", b"\x00", b"\xff", b"\xe2\x80\xa8", b"\xc2\x85", b"\xef\xbb\xbf", b"null", b"~",
     b"impact:", b"why: x\n", b"  a: b\n", b"- a: b\n", b"0", b"1, 2", b"%"]
)  # fmt: skip


def agrees(data: bytes) -> bool:
    """Whether it was read quickly; if so, to the very nodes, texts and places of the parser."""
    found = quick_source(data)
    if found is None:
        return False
    source = read_source(data, "x")
    assert source.faults == ()
    assert found == source.root
    return True


@pytest.mark.parametrize("file", sorted((EXAMPLE / "reponses").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_answers_of_the_example_are_read_quickly(file: Path) -> None:
    """What `ask` writes takes the short way."""
    assert agrees(file.read_bytes())


def test_a_file_that_was_just_written_is_read_quickly() -> None:
    """With a critical period and two people."""
    assert agrees(WRITTEN)


@settings(max_examples=150, deadline=None)
@given(st.lists(STATEMENTS, max_size=3))
def test_any_statement_is_the_same_to_both(said) -> None:
    """Quotes, backslashes and odd letters included, whichever way they take."""
    agrees((HEAD + written(said)).encode())


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_change_by_hand_is_the_same_to_both(data: st.DataObject) -> None:
    """A few pieces cut, replaced or added anywhere."""
    text = WRITTEN
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    agrees(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_any_heap_of_pieces_is_the_same_to_both(data: bytes) -> None:
    """Small texts, where every rule of indentation is met."""
    agrees(data)


def test_lines_moved_about_are_the_same_to_both() -> None:
    """Three thousand files with lines dropped, doubled, swapped or indented otherwise; some still take the short way."""
    rng = random.Random(20_261_126)
    lines = WRITTEN.decode().splitlines(keepends=True)
    quick = 0
    for _ in range(3000):
        mixed = list(lines)
        for _change in range(rng.randint(1, 3)):
            at = rng.randrange(len(mixed))
            new = [[], [mixed[at]] * 2, [" " * rng.randrange(9) + mixed[at].lstrip()], [rng.choice(lines)]]
            mixed[at : at + 1] = rng.choice(new)
        if rng.random() < 0.2:
            first = rng.randrange(len(mixed))
            mixed = mixed[first : first + rng.randrange(12)]
        quick += agrees("".join(mixed).encode())
    assert 100 < quick < 2900


def test_a_key_that_is_too_long_for_yaml_is_not_read_quickly() -> None:
    """The parser refuses a key of more than a thousand letters: the short way leaves it to it."""
    assert quick_source(b"a" * 1100 + b": x\n") is None
