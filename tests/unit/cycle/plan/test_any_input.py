"""Whatever is handed in, the reader answers with a plan or with faults, and nothing else."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.plan.load import judge, parse_plan
from releve.cycle.plan.show import show
from releve.cycle.plan.source import Mapping, Sequence, read_source
from releve.cycle.plan.value import plan_value
from releve.domain.errors import PlanError

ROOT = Path(__file__).parents[4]
VALID = (ROOT / "tests/golden/plan/valid.yaml").read_bytes()
TODAY = date(2026, 6, 1)
LINE_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# Pieces that mean something to YAML or to the plan: a random byte rarely does.
PIECES = st.sampled_from(
    [
        b"",
        b"\n",
        b"  ",
        b"\t",
        b":",
        b"- ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"&a ",
        b"*a",
        b"!!int ",
        b'"',
        b"'",
        b"|\n",
        b"#",
        b"? ",
        b"<<: ",
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"\\u0000",
        b"\x00",
        b"\xff",
        b"\xe2\x80\xa8",
        b"null",
        b"~",
        b"true",
        b"0",
        b"-1",
        b"9" * 30,
        b"id: ",
        b"needs: [dui]",
        b"8 h ouvr\xc3\xa9es",
        b"0 j ouvr\xc3\xa9",
        b"2027-02-31",
    ]
)


def takes(data: bytes) -> None:
    """Either a plan that can be drawn, or faults in file order inside the file."""
    judgement = judge(data, "plan.yaml", today=TODAY)
    if judgement.plan is not None:
        assert show(judgement.plan, year=2026)
        assert plan_value(judgement.plan, year=2026)
        assert parse_plan(data, "plan.yaml", today=TODAY) == judgement.plan
        return
    with pytest.raises(PlanError):
        parse_plan(data, "plan.yaml", today=TODAY)
    faults = judgement.faults
    last = len(LINE_ENDS.split(data.decode("utf-8", errors="replace")))
    assert faults
    assert sorted(faults, key=lambda fault: (fault.line, fault.column)) == list(faults)
    assert all(0 <= fault.line <= last for fault in faults)
    assert all(fault.code and fault.sentence and not fault.sentence.endswith(".") for fault in faults)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_reader(data: bytes) -> None:
    """Any bytes give a plan or PlanError."""
    takes(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=25).map(b"".join))
def test_arbitrary_yaml_never_crashes_the_reader(data: bytes) -> None:
    """Any heap of YAML pieces gives a plan or PlanError."""
    takes(data)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_mutated_plan_never_crashes_the_reader(data: st.DataObject) -> None:
    """A valid plan with a few pieces cut, replaced or added gives a plan or PlanError."""
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    takes(text)


def leaves() -> list[tuple[str, int]]:
    """Where each value of the valid plan begins and ends, as slices of its text."""
    found: list[tuple[str, int]] = []
    root = read_source(VALID, "p").root
    pending = [root]
    lines = VALID.decode().split("\n")
    while pending:
        node = pending.pop()
        if isinstance(node, Sequence):
            pending.extend(node.items)
        elif isinstance(node, Mapping):
            pending.extend(node.entries.values())
        elif node is not None and node.plain:
            offset = sum(len(line) + 1 for line in lines[: node.mark.line - 1]) + node.mark.column - 1
            found.append((node.text, offset))
    return found


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(leaves()),
    st.sampled_from(["[]", "{}", "''", "-1", "true", "[a, [b]]", "{a: {b: c}}", "12 lunes", "~", "99999999"]),
)
def test_any_value_may_be_of_the_wrong_kind(leaf: tuple[str, int], other: str) -> None:
    """Each value of a plan replaced by another kind gives a plan or a fault on its own line or later."""
    written, offset = leaf
    text = VALID.decode()
    assert text[offset : offset + len(written)] == written
    takes((text[:offset] + other + text[offset + len(written) :]).encode())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_plan_reads_the_same_whatever_the_layout(data: st.DataObject) -> None:
    """Blank lines and comments between blocks change no judgement but the line numbers."""
    lines = VALID.decode().split("\n")
    starts = [index for index, line in enumerate(lines) if line and line[0] not in " -#}"]
    extra = data.draw(st.lists(st.sampled_from(starts), max_size=5))
    padded = [
        line for index, line in enumerate(lines) for line in [*["", "# note"] * extra.count(index), line]
    ]
    judgement = judge("\n".join(padded).encode(), "plan.yaml", today=TODAY)
    assert (judgement.faults, judgement.remarks) == ((), ())
