"""How long `releve --help` takes, beside an empty Python and a small C program, run in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

RUNS = 20


def start_up(pg_ctl: str, runs: int = RUNS) -> dict[str, list[float]]:
    """Milliseconds of each run, by program. The three take turns, so that load falls on all alike.

    Raises `subprocess.CalledProcessError` when one of them fails: a failure is often quick.
    """
    commands = {
        "releve_help_ms": [str(Path(sys.executable).with_name("releve")), "--help"],
        "python_pass_ms": [sys.executable, "-c", "pass"],
        "pg_ctl_help_ms": [pg_ctl, "--help"],
    }
    for argv in commands.values():  # once for the disk's cache, not counted
        _run(argv)
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, argv in commands.items():
            found[name].append(_run(argv))
    return found


def _run(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000
