"""The demo's own recovery: predicted from ten real disasters, then measured by ten more.

What is known to the prediction is what the ledger remembers of the first ten, as it would be of an
association; the witness that measures the next ten stands outside and tells it nothing.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

from bench.disasters import Series, mute
from bench.figures import Row
from releve.app import recovery_runbook
from releve.cycle.objectives.flow import graph
from releve.cycle.objectives.history import history
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.predict import Situation
from releve.cycle.objectives.scale import proposed_scale
from releve.cycle.objectives.what_if import understood, what_if
from releve.domain.objectives import Establishment, Objectives, Relief
from releve.entrypoints.story import PRIMARY, Scene, on_stage

RUNS = 10  # disasters that the ledger knows, then as many that it is judged on
APPLICATION = "dui"
# The demo has nobody to wait for: what its machine can do, and no person among the pools.
RELIEF = Relief(processors=2, memory=4 * 10**9, restores=1, throughput=1e8, people=0)


def demo(runs: int = RUNS) -> Row:
    """Both series and the prediction between them, in seconds."""
    folder = Path(tempfile.mkdtemp(prefix="releve-bench-demo-"))
    folder.chmod(0o711)  # the database's account walks through
    try:
        with on_stage(folder / "releve", mute) as scene:
            series = Series(scene, folder)
            known = [series.resident(number)["rto_seconds"] for number in range(runs)]
            predicted = _predicted(scene)
            seen = [series.resident(runs + number)["rto_seconds"] for number in range(runs)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = statistics.median(seen)
    return {
        "known_seconds": known,
        "measured_seconds": seen,
        "predicted": predicted,
        "median_measured": middle,
        "within": predicted["p10"] <= middle <= predicted["p90"],
        "off_the_middle": middle / predicted["p50"] - 1,
    }


def _predicted(scene: Scene) -> dict[str, float]:
    """P10, P50 and P90 of the demo's application, from the ledger alone."""
    plan, ledger = scene.home.plan, scene.home.ledger
    objectives = Objectives((Establishment("demo", "Démonstration"),), relief=RELIEF)
    situation = Situation(
        plan,
        objectives,
        RELIEF,
        needs(plan, objectives, proposed_scale(), year=2026),
        graph(plan, objectives),
        history(ledger.runs.all(), ledger.incidents.all()),
        recovery_runbook(plan, ledger),
    )
    found = what_if(situation, understood(f"{PRIMARY} lost", situation), ledger.incidents.all()[0].began_at)
    forecast = next(line.forecast for line in found.lines if line.application == APPLICATION)
    if forecast is None or forecast.p10 is None or forecast.p50 is None or forecast.p90 is None:
        raise ValueError("the demo's own application could not be predicted")
    return {"p10": forecast.p10, "p50": forecast.p50, "p90": forecast.p90}


if __name__ == "__main__":
    print(demo())
