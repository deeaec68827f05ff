"""The worker hears an order to stop, whichever of its threads the system gives the signal to."""

from __future__ import annotations

import subprocess
import sys

# The other thread takes the signal once the main one is seen asleep, as the kernel may choose to do.
_ELSEWHERE = """
import pathlib, signal, threading
from releve.entrypoints.worker.service import attend
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
main = pathlib.Path(f"/proc/self/task/{threading.main_thread().native_id}/stat")
def asleep():
    return main.read_text().rpartition(")")[2].split()[0] == "S"
def take():
    waiting.wait()
    while sum(asleep() for _ in range(50)) < 50:
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
waiting = threading.Event()
threading.Thread(target=take, daemon=True).start()
waiting.set()
attend(stop)
"""


def test_a_signal_that_another_thread_takes_is_heard() -> None:
    """A worker whose main thread sleeps ends all the same when another thread took SIGTERM."""
    done = subprocess.run([sys.executable, "-c", _ELSEWHERE], timeout=10, check=False)
    assert done.returncode == 0


def test_a_process_tied_to_its_worker_ends_with_its_own_code() -> None:
    """It listens to its input until the end; ending meanwhile by itself, it is not aborted."""
    program = (
        "import time; from releve.entrypoints.worker.resident import end_with_parent;"
        "end_with_parent(); time.sleep(0.2); raise SystemExit(4)"
    )
    argv = [sys.executable, "-P", "-c", program]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(30) == 4, process.stderr and process.stderr.read()
