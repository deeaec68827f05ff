"""`python -m bench.psplib [FOLDER]`: our scheduler on single-mode RCPSP instances in PSPLIB's format.

The folder (or RELEVE_PSPLIB) holds `.sm` files that the user supplies, and if he has them the known makespans:
files `.sol` or `.opt` with lines `NAME MAKESPAN`. Without a folder nothing is measured, and it says "not run".
The format is that of the library described by R. Kolisch and A. Sprecher, "PSPLIB - A project scheduling
problem library" (European Journal of Operational Research 96, 1997): sections PRECEDENCE RELATIONS,
REQUESTS/DURATIONS and RESOURCEAVAILABILITIES. Renewable resources only, one mode a job.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Row, spread
from releve.cycle.objectives.prediction.schedule import makespan
from releve.domain.work import Job, Pool, Spread

PLACE = "RELEVE_PSPLIB"


class BadInstance(ValueError):
    """A file that is not a single-mode instance: `file:line:column: what`."""

    def __init__(self, name: str, line: int, column: int, what: str) -> None:
        super().__init__(f"{name}:{line}:{column}: {what}")
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    column: int


class _Reader:
    """The lines of a file as words that know where they stand (from 1)."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = [
            [_Word(found.group(), number, found.start() + 1) for found in re.finditer(r"\S+", line)]
            for number, line in enumerate(text.splitlines(), 1)
        ]

    def fault(self, word: _Word | None, what: str) -> BadInstance:
        line, column = (word.line, word.column) if word else (len(self.lines) + 1, 1)
        return BadInstance(self.name, line, column, what)

    def number(self, word: _Word) -> int:
        if not word.text.isdecimal():
            raise self.fault(word, f"a whole number, not {word.text!r}")
        return int(word.text)

    def section(self, title: str) -> list[list[_Word]]:
        """The rows of numbers under `title`: its head and its rules skipped, up to the next line of stars."""
        begins = [index for index, row in enumerate(self.lines) if row and row[0].text.startswith(title)]
        if not begins:
            raise self.fault(None, f"no section {title}")
        rows = []
        for row in self.lines[begins[0] + 1 :]:
            if row and row[0].text.startswith("***"):
                break
            if not row or row[0].text.startswith("---") or row[0].text in {"jobnr.", "R", "N"}:
                continue
            rows.append(row)
        return rows


def read(name: str, text: str) -> tuple[list[Job], list[Pool]]:
    """The jobs (ids "1", "2"…, one application) and pools ("R1"…) of one `.sm` file.

    Raises BadInstance with line and column: a section or a column that is missing, a number that is not one, a
    job that is unknown or given twice, several modes, non-renewable resources.
    """
    reader = _Reader(name, text)
    sizes = reader.section("RESOURCEAVAILABILITIES")
    if not sizes:
        raise reader.fault(None, "no availabilities")
    _renewable(reader)
    pools = [Pool(f"R{index}", f"R{index}", reader.number(word)) for index, word in enumerate(sizes[0], 1)]
    before: dict[int, list[str]] = {}
    known: dict[int, _Word] = {}
    rows = reader.section("PRECEDENCE")
    for row in rows:
        job = reader.number(row[0])
        if job in known:
            raise reader.fault(row[0], f"job {job} is given twice")
        known[job] = row[0]
        if len(row) < 3:
            raise reader.fault(row[-1], "job, modes, successors: one is missing")
        if reader.number(row[1]) != 1:
            raise reader.fault(row[1], f"job {job} has {row[1].text} modes: single-mode instances only")
        if len(row) != 3 + reader.number(row[2]):
            raise reader.fault(row[2], f"{row[2].text} successors are said, {len(row) - 3} are given")
    for row in rows:
        for word in row[3:]:
            if reader.number(word) not in known:
                raise reader.fault(word, f"no job {word.text}")
            before.setdefault(reader.number(word), []).append(row[0].text)
    jobs: dict[int, Job] = {}
    for row in reader.section("REQUESTS/DURATIONS"):
        job = reader.number(row[0])
        if job not in known:
            raise reader.fault(row[0], f"no job {job}" if len(row) > 3 else "a second mode")
        if job in jobs:
            raise reader.fault(row[0], f"job {job} is given twice")
        if len(row) != 3 + len(pools):
            raise reader.fault(row[-1], f"{3 + len(pools)} columns, not {len(row)}")
        lasting = float(reader.number(row[2]))
        demands = {
            pool.id: reader.number(word)
            for pool, word in zip(pools, row[3:], strict=True)
            if reader.number(word)
        }
        if demands and not lasting:
            raise reader.fault(row[2], f"job {job} holds units and lasts nothing")
        jobs[job] = Job(
            str(job),
            "project",
            str(job),
            Spread(lasting, lasting, lasting),
            demands,
            after=tuple(before.get(job, ())),
        )
    for job, word in known.items():
        if job not in jobs:
            raise reader.fault(word, f"job {job} has no duration")
    return [jobs[job] for job in known], pools


def _renewable(reader: _Reader) -> None:
    for row in reader.lines:
        words = [word.text for word in row]
        if words[:1] == ["-"] and words[1:2] in (["nonrenewable"], ["doubly"]):
            counts = [word for word in row if word.text.isdecimal()]
            if counts and reader.number(counts[0]):
                raise reader.fault(row[1], f"{words[1]} resources are not read")


def known_makespans(folder: Path) -> dict[str, int]:
    """The makespans that the user supplies, by name of instance."""
    found = {}
    for path in sorted([*folder.glob("*.sol"), *folder.glob("*.opt")]):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) >= 2 and words[1].isdecimal():
                found[Path(words[0]).stem] = int(words[1])
    return found


def measure(folder: Path, limit: float) -> list[Row]:
    """One row an instance: makespan, bound, whether it is proven, the known one, seconds."""
    known: Mapping[str, int] = known_makespans(folder)
    rows = []
    for path in sorted(folder.glob("*.sm")):
        jobs, pools = read(path.name, path.read_text(encoding="latin-1"))
        began = time.perf_counter()
        found = makespan(jobs, pools, limit=limit)
        rows.append(
            {
                "instance": path.stem,
                "jobs": len(jobs),
                "makespan": found.seconds,
                "bound": found.bound,
                "proven": found.proven,
                "known": known.get(path.stem),
                "seconds": time.perf_counter() - began,
            }
        )
    return rows


def contradicted(rows: list[Row]) -> list[str]:
    """The instances whose known makespan is below our bound, or above what we call proven."""
    return [
        row["instance"]
        for row in rows
        if row["known"] is not None
        and (row["known"] < row["bound"] or (row["proven"] and row["known"] > row["makespan"]))
    ]


def summary(rows: list[Row]) -> str:
    """What came out, in a line or two."""
    if not rows:
        return "psplib: not run (no .sm file)"
    told = [row for row in rows if row["known"] is not None]
    said = f"psplib: {len(rows)} instances, {sum(row['proven'] for row in rows)} proven"
    said += f", seconds {spread([row['seconds'] for row in rows])}"
    if told:
        above = spread([(row["makespan"] / max(row["known"], 1) - 1) * 100 for row in told])
        said += f"\n{len(told)} known: % above {above}"
        said += f"; in contradiction: {', '.join(contradicted(rows)) or 'none'}"
    return said


def main() -> int:
    """Measure the folder that is given, or say that nothing was run. 3: contradicted by a known makespan."""
    reader = argparse.ArgumentParser(prog="python -m bench.psplib")
    reader.add_argument("folder", nargs="?", default=os.environ.get(PLACE))
    reader.add_argument("--limit", type=float, default=1.0, help="deterministic time an instance")
    given = reader.parse_args()
    if not given.folder:
        print(f"psplib: not run (give a folder of .sm files, or {PLACE})")
        return 0
    rows = measure(Path(given.folder), given.limit)
    print(summary(rows))
    return 3 if contradicted(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
