"""Disasters in a row on one estate: strike, work on the relief, return, work. And the cold command.

Each has a witness of its own, whose journal stays small; the content is judged after each return and
once more over all journals at the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from bench.figures import Row
from bench.launch import launched
from releve.app import utc_now
from releve.demo.journal import Ack, Miss, read_journal
from releve.demo.judge import compare, judge
from releve.demo.witness import Witness
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.runbook import RunRecord
from releve.entrypoints.story import PERSON, PRIMARY, Disaster, Return, Scene, come_back, strike

WORK = 0.7  # seconds of writing before the blow and after the switch
STOP_PATIENCE = 20.0


def mute(_text: str) -> None:
    """Say nothing: the bench has its own progress."""


class Series:
    """The estate with its resident workers, and the journals so far."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._scene, self._folder = scene, folder
        self._journals: list[Path] = []

    def resident(self, number: int) -> Row:
        """One disaster, conducted by the relief's resident worker. Raises `ReleveError`."""
        scene, load = self._scene, os.getloadavg()[0]
        with self._witness(f"resident-{number}") as witness:
            self._ready()
            disaster = strike(scene, witness, mute)
            time.sleep(WORK)
            back = come_back(scene, witness, disaster.incident, mute)
        row = {"number": number, "at": disaster.struck_at.isoformat(), "load": round(load, 2)}
        return {**row, **_switched(disaster), **self._closed(witness, disaster.incident, back)}

    def cold(self, number: int) -> Row:
        """One disaster with no resident worker: two commands take its place, one after the other."""
        scene, load = self._scene, os.getloadavg()[0]
        with self._witness(f"froid-{number}") as witness:
            self._ready()
            self._stop_owner()
            blow = scene.estate.destroy_site(PRIMARY, [scene.guard.pid] if scene.guard else [])
            declared, _ = self._command("incident", "declare", "--site", PRIMARY, "--by", PERSON,
                                        "--summary", "Exercice fictif : le site principal est détruit",
                                        "--began", blow.at.isoformat())  # fmt: skip
            incident, began = str(declared["incident"]), time.monotonic()
            _, peak = self._command("switch", "--incident", incident, "--by", PERSON,
                                    "--stopped", "Constaté sur place : le site principal est détruit",
                                    "--since", blow.at.isoformat())  # fmt: skip
            url = scene.estate.urls[1]
            scene.wait_for(lambda: witness.live().by_url.get(url, 0) > 0, "une écriture sur le secours")
            outage = witness.outage(blow.monotonic)
            record = next(run for run in scene.home.ledger.runs.all() if run.runbook.incident == incident)
            scene.start_owner()
            time.sleep(WORK)
            back = come_back(scene, witness, incident, mute)
        if outage.first_after is None:
            raise ReleveError("no-write-after", "aucune écriture n'a été confirmée après la bascule")
        declared_at = datetime.fromisoformat(str(declared["declared_at"]))
        row = {
            "number": number,
            "at": blow.at.isoformat(),
            "load": round(load, 2),
            "promotion_ms": _promotion(record),
            "rto_seconds": outage.seconds,
            "declared_to_ack_seconds": (outage.first_after.at - declared_at).total_seconds(),
            "blow_to_declared_seconds": (declared_at - blow.at).total_seconds(),
            "command_to_ack_seconds": outage.first_after.monotonic - began,
            "switch_tasks": _tasks(record),
        }
        closed = self._closed(witness, incident, back)
        return {**row, **closed, "orchestrator_peak_bytes": max(peak, closed["orchestrator_peak_bytes"])}

    def content(self) -> Row:
        """The verdict over every write acknowledged in the whole series, read from the database now."""
        import psycopg

        acks: list[Ack] = []
        misses: list[Miss] = []
        for journal in self._journals:
            found = read_journal(journal)
            acks += found[0]
            misses += found[1]
        with psycopg.connect(self._scene.estate.dsn(PRIMARY)) as link:
            rows = link.execute("SELECT id::text, author, seq, text FROM transmissions").fetchall()
        verdict = compare(acks, misses, rows)
        return {
            "acknowledged": verdict.acknowledged,
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "in_doubt": verdict.in_doubt,
            "refused": verdict.refused,
        }

    def _witness(self, name: str) -> Witness:
        witness = Witness.start(self._scene.estate.urls, self._folder / name)
        self._journals.append(witness.journal)
        return witness

    def _ready(self) -> None:
        """Some work, and a proof younger than it that the copy is synchronous."""
        home, since = self._scene.home, utc_now()

        def proven() -> bool:
            found = [home.ledger.facts.last_contact(item.id) for item in home.plan.data_sets]
            return all(item is not None and item.synchronous and item.asked_at >= since for item in found)

        time.sleep(WORK)
        self._scene.wait_for(proven, "la preuve de copie synchrone")

    def _closed(self, witness: Witness, incident: str, back: Return) -> Row:
        scene = self._scene
        verdict = judge(witness.journal, scene.estate.dsn(PRIMARY))
        scene.order("close", incident=incident, by=PERSON)
        return {
            "return_gap_seconds": back.outage.seconds,
            "return_tasks": _tasks(back.run),
            "acknowledged": verdict.acknowledged,
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "orchestrator_peak_bytes": _peak(scene.owner),
            "guard_peak_bytes": _peak(scene.guard),
        }

    def _stop_owner(self) -> None:
        owner = self._scene.owner
        if owner is not None:
            owner.send_signal(signal.SIGTERM)
            owner.wait(STOP_PATIENCE)

    def _command(self, *arguments: str) -> tuple[Mapping[str, object], int]:
        """Run `releve …` as a person would; its JSON and its own peak memory in bytes."""
        argv = [str(Path(sys.executable).with_name("releve")), *arguments]
        argv += ["--plan", str(self._scene.estate.plan), "--json"]
        out, used = self._folder / "commande.json", self._folder / "commande.cost"
        with out.open("wb") as stdout, (self._folder / "commande.log").open("ab") as log:
            subprocess.run(
                launched(str(used), argv), stdin=subprocess.DEVNULL, stdout=stdout, stderr=log, check=True
            )
        answer, took = json.loads(out.read_text() or "{}"), json.loads(used.read_text())
        if took["code"] != 0:
            raise Unreachable("command-failed", f"{arguments[0]} : code {took['code']}, {answer}")
        return answer, took["memory"]


def _switched(disaster: Disaster) -> Row:
    return {
        "promotion_ms": disaster.promotion_ms,
        "rto_seconds": disaster.outage.seconds,
        "declared_to_ack_seconds": disaster.declared_to_ack_seconds,
        "blow_to_declared_seconds": (disaster.declared_at - disaster.struck_at).total_seconds(),
        "switch_tasks": _tasks(disaster.run),
    }


def _tasks(record: RunRecord) -> list[Row]:
    kinds = {task.id: task.kind for task in record.runbook.tasks}
    return [
        {
            "kind": str(kinds[item.task]),
            "task": item.task,
            "after_seconds": (item.started_at - record.started_at).total_seconds()
            if item.started_at
            else None,
            "seconds": (item.ended_at - item.started_at).total_seconds()
            if item.started_at and item.ended_at
            else None,
        }
        for item in record.tasks
    ]


def _promotion(record: RunRecord) -> float:
    facts = [item.outcome.facts for item in record.tasks if item.outcome is not None]
    return max(float(str(found["promotion_ms"])) for found in facts if "promotion_ms" in found)


def _peak(process: subprocess.Popen[bytes] | None) -> int:
    """Highest resident memory of a live process so far, in bytes."""
    if process is None:
        return 0
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
