"""The worker's memory: what does not grow with its threads."""

from __future__ import annotations

import subprocess
import sys

from releve.entrypoints.worker.memory import ARENAS

# Threads that all live at once each take a heap of their own from glibc, as long as it allows one more.
_HEAPS = """
import ctypes, sys, tempfile, threading
from releve.entrypoints.worker.memory import few_arenas
if sys.argv[1] == "held":
    assert few_arenas()
together = threading.Barrier(6)
def work():
    kept = bytearray(20_000)
    together.wait(20)
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    stream = ctypes.c_void_p(libc.fopen(told.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(told.read().count(b"<heap nr="))
"""


def test_threads_share_few_heaps() -> None:
    """Six threads at once make more heaps than the worker allows, and no more than that once it says so."""
    free, held = (
        int(subprocess.run([sys.executable, "-c", _HEAPS, word], capture_output=True, check=True).stdout)
        for word in ("free", "held")
    )
    assert free > ARENAS >= held
