"""The orchestrator killed −9 around every task of a real switch and a real return: once, and nothing lost."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from releve.app import utc_now
from releve.demo.judge import judge
from releve.demo.witness import Witness
from releve.domain.evidence import verify
from releve.entrypoints.story import PRIMARY, RELIEF, Scene, come_back, on_stage, strike

KILLER = Path(__file__).with_name("killed_worker.py")
INSTANTS = ("before-intent", "after-intent", "after-effect", "after-outcome")
SWITCH = [
    "close:dui",
    "start:dui",
    "fence:dossiers",
    "confirm-fence:dossiers",
    "assess:dossiers",
    "accept-loss:dossiers",
    "promote:dossiers",
    "verify:dui",
    "open:dui",
]
RETURN = [
    "survey:dossiers",
    "rebuild:dossiers",
    "arm:dossiers",
    "start:dui",
    "close:dui",
    "fence:dossiers",
    "drain:dossiers",
    "promote:dossiers",
    "rebuild-back:dossiers",
    "verify:dui",
    "arm-back:dossiers",
    "open:dui",
]
ALL_SWITCH = [(instant, task) for task in SWITCH for instant in INSTANTS]
ALL_RETURN = [(instant, task) for task in RETURN for instant in INSTANTS]


# The control file names the timeline only after the next checkpoint; the WAL's own name does at once.
TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"


class Nurse:
    """Restarts the relief's worker whenever it was killed, as a service manager would."""

    def __init__(self, scene: Scene, order: Path) -> None:
        self.scene, self.order, self.deaths = scene, order, 0

    def condemn(self, instant: str, task: str) -> None:
        """The worker will die at that instant."""
        self.order.write_text(f"{instant} {task}")

    def __call__(self) -> None:
        """Called while a run is waited for."""
        owner = self.scene.owner
        if owner is not None and owner.poll() is not None:
            self.deaths += 1
            self.scene.start_owner()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[tuple[Scene, Witness, Nurse]]:
    """A protected estate whose workers can be condemned, and the witness writing."""
    order = tmp_path / "order"

    def worker(plan: str, site: str) -> list[str]:
        return [sys.executable, "-P", str(KILLER), plan, site, str(order)]

    said: list[str] = []
    with on_stage(tmp_path / "estate", said.append, worker) as scene:
        nurse = Nurse(scene, order)
        scene.tend = nurse
        with Witness.start(scene.estate.urls, tmp_path / "witness", rate=100) as witness:
            time.sleep(0.5)
            yield scene, witness, nurse


def proven(scene: Scene) -> bool:
    """Whether the relief saw, just now, that the copy is synchronous: a blow before that loses an unknown."""
    ledger, now = scene.home.ledger, utc_now()
    found = [ledger.facts.last_contact(item.id) for item in scene.home.plan.data_sets]
    fresh = now - timedelta(seconds=1)
    return all(item is not None and item.synchronous and item.asked_at >= fresh for item in found)


def play(stage: tuple[Scene, Witness, Nurse], pairs: list[tuple[tuple[str, str], tuple[str, str]]]) -> None:
    """One disaster and one return a pair, each with its death; then judge everything."""
    scene, witness, nurse = stage
    for there, back in pairs:
        for condemned, act in ((there, "switch"), (back, "return")):
            before = nurse.deaths
            nurse.condemn(*condemned)
            if act == "switch":
                scene.wait_for(lambda: proven(scene), "la preuve de copie synchrone")
                disaster = strike(scene, witness, str)
            else:
                come_back(scene, witness, disaster.incident, str)
            assert nurse.deaths == before + 1, f"{act}: nobody died at {condemned}"
    witness.stop()
    verdict = judge(witness.journal, scene.estate.dsn(PRIMARY))
    assert verdict.acknowledged > 0
    assert (verdict.lost, verdict.duplicated) == (0, 0), verdict
    with psycopg.connect(scene.estate.dsn(PRIMARY)) as link:
        tenures = link.execute("SELECT epoch, site FROM releve.tenure ORDER BY epoch").fetchall()
        timeline = link.execute(TIMELINE).fetchone()
    expected = [(0, PRIMARY)]
    for number in range(len(pairs)):
        expected += [(2 * number + 1, RELIEF), (2 * number + 2, PRIMARY)]
    assert tenures == expected, "one tenure a run"
    assert timeline == (2 * len(pairs) + 1,), "one promotion a run"
    ledger = scene.home.ledger
    entries = ledger.evidence.entries()
    assert verify(entries, head=ledger.evidence.head()) == []
    ended = [(entry.body["run"], entry.body["task"]) for entry in entries if entry.kind == "task-ended"]
    assert len(ended) == len(set(ended)), "one outcome a task"


def test_sample(stage: tuple[Scene, Witness, Nurse]) -> None:
    """Two deaths drawn by a printed seed: the run goes on, each effect happened once, nothing is lost."""
    seed = int(os.environ["RELEVE_SEED"])
    draw = random.Random(seed)
    deaths = (draw.choice(ALL_SWITCH), draw.choice(ALL_RETURN))
    sys.stderr.write(f"seed {seed}: killed at {deaths}\n")  # shown with a failure
    play(stage, [deaths])


@pytest.mark.parametrize("number", range(max(len(ALL_SWITCH), len(ALL_RETURN)) // 4))
@pytest.mark.torture
def test_every_instant(stage: tuple[Scene, Witness, Nurse], number: int) -> None:
    """The whole matrix, four disasters an estate: every instant of every task of both runs is hit."""
    pairs = [
        (ALL_SWITCH[index % len(ALL_SWITCH)], ALL_RETURN[index % len(ALL_RETURN)])
        for index in range(4 * number, 4 * number + 4)
    ]
    play(stage, pairs)
