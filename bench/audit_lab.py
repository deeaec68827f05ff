"""`python -m bench.audit_lab`: the whole audit of the laboratory, all its faults in (root, Debian).

The clock of the audit is the whole command, its start included; beside it what nmap says of its own part and how
long the laboratory took to start. Raw values are kept in `bench/results/audit-lab`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import machine
from lab.audit import RELEVE, answered, inside, running

RESULTS = Path(__file__).parent / "results" / "audit-lab"
TARGET = 120.0  # seconds for the whole audit
Row = dict[str, Any]


def main() -> int:
    """Measure, keep the raw values, say the worst. Exit code 1 when it is over the target or saw less than planned."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit_lab", description="L'audit du laboratoire")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rows = []
    for number in range(rounds):
        rows.append(once(number))
        print(json.dumps(rows[-1]))
    at = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    whole = {"at": at.isoformat(), "machine": machine(), "target": TARGET, "rows": rows}
    path = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    worst = max(row["seconds"] for row in rows)
    print(f"worst {worst} s, target {TARGET:g} s")
    return 0 if worst <= TARGET and all(row["looks"] == row["planned"] for row in rows) else 1


def once(number: int) -> Row:
    """One laboratory, one audit."""
    with (
        tempfile.TemporaryDirectory(prefix="releve-mesure-labo-") as folder,
        running(Path(folder), "all") as lab,
    ):
        answered(Path(folder), ("never-restored",))
        plan = ("--plan", str(Path(folder) / "plan.yaml"), "--json")
        begun = time.perf_counter()
        told = _said(Path(folder), "run", *plan)
        taken = time.perf_counter() - begun
        seen = _said(Path(folder), "facts", *plan)
    facts = [fact for look in seen["looks"] for fact in look["facts"]]
    return {
        "round": number,
        "seconds": round(taken, 2),
        "looks": told["looks"],
        "planned": told["planned"],
        "facts": len(facts),
        "not_seen": told["not_seen"],
        "nmap_seconds": sum(fact["value"]["seconds"] for fact in facts if fact["kind"] == "scan"),
        "lab_seconds": lab["seconds"],
        "slowest": sorted(
            ((look["seconds"], f"{look['topic']}:{look['subject']}") for look in seen["looks"]), reverse=True
        )[:5],
    }


def _said(folder: Path, *words: str) -> Row:
    done = subprocess.run(
        inside(folder, [str(RELEVE), "audit", *words]), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"releve audit {words[0]}: {done.stdout[-500:]}{done.stderr[-500:]}")
    found: Row = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
