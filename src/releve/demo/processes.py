"""The processes of a demo site: found by what marks them, killed together, seen dead.

Standard library only: the supervisor imports this file too, and must start fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

MARKER = "RELEVE_DEMO_SITE"  # environment variable that every process of a site carries
_PROC = Path("/proc")
_IPC_RMID = 0


def alive(pid: int) -> bool:
    """Whether the process runs. A zombie is dead: its parent is only late to collect it."""
    return _stat(pid) is not None


def started(pid: int) -> int:
    """When the process started (clock ticks since boot); with the pid it names one process for ever.

    0 when it does not run.
    """
    seen = _stat(pid)
    return 0 if seen is None else seen[1]


def of_site(marker: str, root: Path, extra: Iterable[int] = ()) -> set[int]:
    """Every live process of a site, ourselves excepted.

    Found by the marker in its environment; or because it is a PostgreSQL that works below `root`
    (a backend writes its title over its environment); or by descent from one of these or of `extra`.
    """
    parents: dict[int, int] = {}
    found: set[int] = {pid for pid in extra if alive(pid)}
    wanted = f"{MARKER}={marker}".encode()
    for entry in os.listdir(_PROC):  # noqa: PTH208 - names are enough
        if not entry.isdigit():
            continue
        pid = int(entry)
        seen = _stat(pid)
        if seen is None:
            continue
        parents[pid] = seen[0]
        if _marked(pid, wanted) or _postgres_below(pid, root):
            found.add(pid)
    found |= _descendants(found, parents)
    return found - {os.getpid()}


def kill_all(find: Callable[[], set[int]], *, within: float, first: Iterable[int] = ()) -> set[int]:
    """SIGKILL to all that `find` returns, again and again until it returns nothing; who was killed.

    `first`: an earlier result of `find`, struck at once. `within`: seconds, then TimeoutError: what cannot be killed must be known, not supposed dead.
    """
    deadline = time.monotonic() + within
    killed: set[int] = set()
    found = set(first)
    while True:
        found = found or find()
        if not found:
            return killed
        if time.monotonic() > deadline:
            raise TimeoutError(f"still alive after {within:g} s: {sorted(found)}")
        for pid in sorted(found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= found
        time.sleep(0.002)  # the kernel needs a moment to take down a process
        found = set()


def free_memory_of(pids: set[int]) -> int:
    """Remove the System V segments that killed servers left; how many.

    PostgreSQL keeps a tiny one as a lock. A machine that really dies loses its memory; here we do it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    count = 0
    try:
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:  # a kernel without System V memory has nothing to free
        return 0
    for line in lines:
        fields = line.split()
        segment, creator, attached = int(fields[1]), int(fields[4]), int(fields[6])
        if creator in pids and attached == 0 and libc.shmctl(segment, _IPC_RMID, None) == 0:
            count += 1
    return count


def _stat(pid: int) -> tuple[int, int] | None:
    """(parent, start in ticks) of a live process; None when it is dead, a zombie or was never there."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name may hold spaces and parentheses
    if fields[0] in (b"Z", b"X", b"x"):
        return None
    return int(fields[1]), int(fields[19])


def _marked(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another account's: not one of ours
        return False


def _postgres_below(pid: int, root: Path) -> bool:
    try:
        program = (_PROC / str(pid) / "exe").readlink().name
        if program.removesuffix(" (deleted)") != "postgres":
            return False
        # The kernel adds " (deleted)" to a folder that is gone; the start of the path stays true.
        return str((_PROC / str(pid) / "cwd").readlink()).startswith(f"{root}/")
    except OSError:
        return False


def _descendants(of: set[int], parents: dict[int, int]) -> set[int]:
    """Those whose chain of parents meets `of`."""
    below: set[int] = set()
    for pid in parents:
        chain = [pid]
        while (up := parents.get(chain[-1], 0)) and up not in of and up not in below:
            chain.append(up)
        if up:
            below.update(chain)
    return below
