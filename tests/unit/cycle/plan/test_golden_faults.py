"""Every bad plan of `tests/golden/plan`, with the whole of what a person is told about it.

RELEVE_GOLDEN=write writes the texts again: read the difference before you keep it.
"""

from __future__ import annotations

import ast
import os
from datetime import date
from pathlib import Path

import pytest

import releve.cycle.plan
from releve.cycle.plan.load import Judgement, judge

GOLDEN = Path(__file__).parents[3] / "golden" / "plan"
TODAY = date(2026, 6, 1)
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))


def alias_bomb() -> bytes:
    """Nine levels of nine references: a billion values in 400 bytes."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()


GENERATED = {
    "too-deep-flow": b"[" * 20_000,
    "too-deep-mappings": b"{a: " * 20_000,
    "too-deep-dashes": b"- " * 20_000,
    "too-deep-lines": b"".join(b" " * n + b"a:\n" for n in range(1_300)),
    "alias-refused-bomb": alias_bomb(),
    "file-too-big": b"a: b\n" * 10_000_000,
    "too-many-nodes": b"".join(b"k%d: v\n" % n for n in range(60_000)),
    "line-too-long": b"a: b\nc: " + b"!" * 900_000,
    "file-empty": b"",
    "file-empty-blank": b" \n\n",
    "not-utf8": "version: 1\nassociation: {name: Les Érables}\n".encode("latin-1"),
    "not-utf8-utf16": "version: 1\n".encode("utf-16"),
    "control-character": b"version: 1\nassociation: {name: a\x00b}\n",
}


def say(judgement: Judgement) -> str:
    """The judgement as a command prints it, remarks below."""
    lines = []
    for title, faults in (("", judgement.faults), ("remarques :", judgement.remarks)):
        lines += [title] if title and faults else []
        for fault in faults:
            lines.append(f"{fault.file}:{fault.line}:{fault.column}: {fault.code}: {fault.sentence}")
            lines += [f"  conseil : {fault.hint}"] if fault.hint else []
    return "\n".join(lines or ["rien à redire"]) + "\n"


def compare(case: str, judgement: Judgement) -> None:
    """The golden text of `case` is what is said, and its first word is one of the codes."""
    golden = GOLDEN / f"{case}.txt"
    said = say(judgement)
    if os.environ.get("RELEVE_GOLDEN") == "write":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_a_bad_plan_says_everything_that_is_wrong_with_it(case: str) -> None:
    """Each plan of the folder gets exactly the faults and remarks of its golden text."""
    compare(case, judge((GOLDEN / f"{case}.yaml").read_bytes(), "plan.yaml", today=TODAY))


@pytest.mark.parametrize("case", sorted(GENERATED))
def test_a_hostile_file_gets_one_clear_fault(case: str) -> None:
    """A file made to hurt the reader is refused with exactly one fault and no remark."""
    judgement = judge(GENERATED[case], "plan.yaml", today=TODAY)
    assert len(judgement.faults) == 1
    compare(case, judgement)


@pytest.mark.parametrize(
    "case",
    [
        name
        for name in [*CASES, *GENERATED]
        if name not in {"valid", "valid-share", "valid-inventory", "many"}
    ],
)
def test_a_case_is_named_for_a_code_that_it_shows(case: str) -> None:
    """The name of a case begins with a code of its golden text: cases are found by their code."""
    codes = shown_codes(case)
    assert any(case == code or case.startswith(f"{code}-") for code in codes)


def shown_codes(case: str) -> set[str]:
    """The codes of the golden text of a case."""
    lines = (GOLDEN / f"{case}.txt").read_text(encoding="utf-8").splitlines()
    return {line.split(": ")[1] for line in lines if line.startswith("plan.yaml:")}


def test_every_code_of_the_stage_has_a_golden_case() -> None:
    """A fault whose wording nobody has read cannot be added."""
    shown = set().union(*(shown_codes(case) for case in [*CASES, *GENERATED]))
    # Said of a path and not of a text: tested beside `read_plan`.
    assert spoken_codes() - shown == {"file-missing", "file-unreadable"}


def spoken_codes() -> set[str]:
    """The code of every fault built in the stage, read from its source."""
    place = {"Finding": 1, "Fault": 3, "wrong": 0, "_fault": 0, "_fatal": 0, "_Known": 1, "_unread": 1}
    codes: set[str] = set()
    for file in Path(releve.cycle.plan.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in place and len(call.args) > place[name]:
                argument = call.args[place[name]]
                codes |= {
                    node.value
                    for node in ast.walk(argument)
                    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
                }
    return codes


@pytest.mark.parametrize("name", ["valid", "valid-share"])
def test_the_valid_plans_of_the_folder_have_nothing_to_say(name: str) -> None:
    """The plans that every bad one was made from have neither fault nor remark."""
    judgement = judge((GOLDEN / f"{name}.yaml").read_bytes(), "plan.yaml", today=TODAY)
    assert judgement.plan is not None
    assert (judgement.faults, judgement.remarks) == ((), ())


def test_no_golden_text_repeats_a_secret() -> None:
    """A secret found in clear is never copied into a message, that may end in a log."""
    assert "hunter2" in (GOLDEN / "secret-clear.yaml").read_text(encoding="utf-8")
    assert all("hunter2" not in path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt"))
