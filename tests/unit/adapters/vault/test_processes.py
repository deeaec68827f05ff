"""What a process is, and what to type to end it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from releve.adapters.vault.processes import called, since, stopping
from tests.waiting import until

_WORKER = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", "input()", "releve", "share", "keep", "documents", "--site", "x"]) as child:
    print(child.pid, flush=True)
"""


def test_what_a_worker_started_ends_with_the_worker() -> None:
    """A keeper is named as it was started; it is its worker that is to be stopped, which would start it again."""
    argv = [sys.executable, "-c", _WORKER, "releve", "worker", "--site", "x"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        assert called(worker.pid) == "releve worker"
        until(lambda: called(child) == "releve share keep documents")
        assert stopping(child) == stopping(worker.pid) == f"kill {worker.pid}"
        began = since(child)
        assert began is not None
        assert timedelta() <= datetime.now(UTC) - began < timedelta(minutes=1)
        worker.communicate("\n")
    assert (called(child), since(child), stopping(child)) == ("", None, f"kill {child}")


def test_another_program_is_called_by_its_name() -> None:
    """The name of the file that runs."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"x")
        other.stdin.flush()
        assert other.stdout.read(1) == b"x"  # it runs
        assert called(other.pid) == "cat"
        other.stdin.close()
