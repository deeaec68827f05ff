"""The scheduler on small instances of our own, whose optima are proven here by trying everything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.psplib import BadInstance, contradicted, known_makespans, main, measure, read, summary
from releve.cycle.objectives.prediction.problem import problem
from tests.timetables import everything

FOLDER = Path(__file__).parents[2] / "instances" / "rcpsp"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.sm"))]
TEXT = (FOLDER / "own-1.sm").read_text(encoding="ascii")


def test_there_are_instances() -> None:
    """A folder that moved would make the tests below say nothing."""
    assert len(NAMES) == len(known_makespans(FOLDER)) == 5


@pytest.mark.parametrize("name", NAMES)
def test_an_optimum_that_was_written_down_is_the_optimum(name: str) -> None:
    """All active timetables of six jobs: the shortest is the one of the list."""
    jobs, pools = read(name, (FOLDER / f"{name}.sm").read_text(encoding="ascii"))
    work = problem(jobs, pools)
    ends = [
        max(start + lasting for start, lasting in zip(starts, work.seconds, strict=True))
        for starts in everything(work)
    ]
    assert min(ends) == known_makespans(FOLDER)[name]


def test_the_scheduler_finds_and_proves_each_optimum() -> None:
    """Neither the first list nor the cheap bound is enough on any of them: the solver works."""
    rows = measure(FOLDER, 1.0)
    assert [(row["instance"], row["makespan"], row["proven"]) for row in rows] == [
        (name, best, True) for name, best in sorted(known_makespans(FOLDER).items())
    ]
    assert contradicted(rows) == []
    assert "5 instances, 5 proven" in summary(rows)


def test_a_known_makespan_that_contradicts_us_is_said() -> None:
    """Below our bound, or above what we call proven: one of the two is wrong, and it is not hidden."""
    row = {"instance": "x", "makespan": 25, "bound": 25, "proven": True, "seconds": 0.1}
    assert contradicted([row | {"known": 24}]) == contradicted([row | {"known": 26}]) == ["x"]
    assert contradicted([row | {"known": 25}, row | {"known": None}]) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "what"),
    [
        ("   4        1          1           8", "   4        2          1           8", 18, 13, "2 modes"),
        ("   4        1          1           8", "   4        1          1           9", 18, 36, "no job 9"),
        (
            "   4        1          1           8",
            "   4        1          2           8",
            18,
            24,
            "2 successors",
        ),
        ("   4        1          1           8", "   3        1          1           8", 18, 4, "twice"),
        ("   4        1          1           8", "   4        1", 18, 13, "missing"),
        ("  2      1     3      3      1", "  2      1     x      3      1", 28, 16, "'x'"),
        ("  2      1     3      3      1", "  2      1     3      3", 28, 23, "5 columns"),
        ("  2      1     3      3      1", "  2      1     0      3      1", 28, 16, "lasts nothing"),
        ("  2      1     3      3      1", "  9      1     3      3      1", 28, 3, "no job 9"),
        ("  2      1     3      3      1\n", "", 16, 4, "no duration"),
        ("nonrenewable              :  0", "nonrenewable              :  2", 10, 5, "nonrenewable"),
        ("RESOURCEAVAILABILITIES", "RESOURCES", 40, 1, "RESOURCEAVAILABILITIES"),
    ],
)
def test_a_fault_is_named_with_its_line_and_column(
    old: str, new: str, line: int, column: int, what: str
) -> None:
    """What cannot be read, or is not single-mode, is refused where it stands."""
    assert TEXT.count(old) >= 1
    with pytest.raises(BadInstance) as raised:
        read("own-1.sm", TEXT.replace(old, new, 1))
    assert (raised.value.line, raised.value.column) == (line, column)
    assert what in str(raised.value)
    assert str(raised.value).startswith(f"own-1.sm:{line}:{column}: ")


def test_without_instances_it_says_not_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No folder, or an empty one: never a figure, never a success."""
    monkeypatch.delenv("RELEVE_PSPLIB", raising=False)
    monkeypatch.setattr(sys, "argv", ["psplib"])
    assert main() == 0
    monkeypatch.setenv("RELEVE_PSPLIB", str(tmp_path))
    assert main() == 0
    assert capsys.readouterr().out.count("not run") == 2
