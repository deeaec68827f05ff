"""A worker that dies by SIGKILL at the instant written in a file: `killed_worker.py PLAN SITE ORDER`.

The order is "<instant> <task>"; it is removed just before the death, so that it happens once.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from releve.cycle.plan.load import read_plan
from releve.entrypoints.worker.service import run_worker


def main() -> int:
    """Run the worker, deadly when told."""
    plan, site, order = sys.argv[1], sys.argv[2], Path(sys.argv[3])

    def die(instant: str, _run: str, task: str) -> None:
        if order.exists() and order.read_text() == f"{instant} {task}":
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return run_worker(read_plan(plan), site, die)


if __name__ == "__main__":
    sys.exit(main())
