"""From answered questionnaires to a ranked restart order: one association, then sixty establishments of forty applications.

The answers are generated (a seed), written to files as people's are, read again, and taken through every
rule. Reading is stated apart: it is YAML, and a ledger's rows need none of it.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from bench.figures import Row
from releve.cycle.objectives.ask import curve_of
from releve.cycle.objectives.buying import subjects, wishes
from releve.cycle.objectives.contradictions import contradictions
from releve.cycle.objectives.flow import graph, required
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.priority import ranked
from releve.cycle.objectives.read import read_objectives
from releve.cycle.objectives.scale import proposed_scale
from releve.cycle.objectives.written import HEAD, written
from releve.cycle.plan.load import read_plan
from releve.domain.objectives import DataAnswer, Statement

FORTY = Path(__file__).parent.parent / "examples" / "quarante"


def estate(establishments: int, runs: int = 3) -> Row:
    """Seconds of each step, each run."""
    plan = read_plan(FORTY / "plan.yaml")
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="releve-bench-objectives-") as name:
        folder = Path(name)
        (folder / "objectifs.yaml").write_text(_objectives(establishments), encoding="utf-8")
        files = []
        for place in range(establishments):
            files.append(folder / f"e{place}.yaml")
            said = (_statement(place, item.id) for item in plan.applications)
            files[-1].write_text(HEAD + written(said), encoding="utf-8")
        counts: Row = {}
        for _ in range(runs):
            clock = _Clock(seconds)
            objectives, _bargain = read_objectives(folder / "objectifs.yaml", files, plan)
            clock.lap("read")
            found = needs(plan, objectives, proposed_scale(), year=2026)
            clock.lap("needs")
            stood = graph(plan, objectives)
            asked = required(stood, found)
            clock.lap("flow")
            clashes = contradictions(plan, objectives, stood, asked, found, year=2026)
            clock.lap("contradictions")
            ranks = ranked(stood, asked, found, objectives)
            clock.lap("ranks")
            everything = subjects(plan, objectives)
            wished = wishes(plan, objectives, found, everything)
            clock.lap("wishes")
            counts = {
                "needs": len(found),
                "contradictions": len(clashes),
                "ranks": len(ranks),
                "wishes": len(wished),
            }
    return {"establishments": establishments, **counts, "seconds": seconds}


class _Clock:
    """Laps between steps."""

    def __init__(self, seconds: dict[str, list[float]]) -> None:
        self._seconds, self._last = seconds, time.perf_counter()

    def lap(self, name: str) -> None:
        """What passed since the last one."""
        now = time.perf_counter()
        self._seconds.setdefault(name, []).append(round(now - self._last, 4))
        self._last = now


def _objectives(establishments: int) -> str:
    lines = ["version: 1", "establishments:"]
    for place in range(establishments):
        hours = "" if place % 3 else ", calendar: bureau"
        lines.append(f'  - {{id: e{place}, name: "Établissement {place}", weight: {20 + place}{hours}}}')
    return "\n".join(lines) + "\n"


def _statement(place: int, application: str) -> Statement:
    chance = random.Random(f"{place} {application}")  # one answer does not depend on the others
    scale = proposed_scale()
    impact = {}
    for criterion in scale.criteria:
        first = chance.randrange(2, scale.steps)
        onsets = sorted(min(scale.steps - 1, first + chance.randrange(0, 4)) for _ in range(3))
        impact[criterion.code] = curve_of(tuple(onsets), scale.steps)
    said = Statement(
        application, f"e{place}", "responsable", date(2026, 10, 5), "réponse tirée au sort", impact
    )
    paper = chance.random() < 0.8
    return replace(said, data=DataAnswer("saisies", chance.randrange(0, 300), chance.uniform(0.5, 9), paper))


if __name__ == "__main__":
    for size in (1, 60):
        print(estate(size))
