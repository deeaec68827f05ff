"""Which process wrote something: a pid alone is used again, and means another one in a container or after a start."""

from __future__ import annotations

import itertools
import os
import re
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

_VERB = re.compile("[a-z]+")  # a word of a command, neither an option nor the place of a vault
_UNIT = re.compile(r"/system\.slice/([^/\n]+\.service)$", re.MULTILINE)


@cache
def here() -> str:
    """Where a pid means what it means for us: this start of this machine, this pid namespace; "": not to be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def born(pid: int) -> str:
    """When a process began, in ticks since the machine started (proc(5), field 22); "": not to be known."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return fields[19] if fields else ""


def since(pid: int) -> datetime | None:
    """When a process began, by the machine's clock; None: not to be known."""
    ticks = born(pid)
    if not ticks:
        return None
    up = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return datetime.now(UTC) - timedelta(seconds=up)


def called(pid: int) -> str:
    """What a process is, as its user typed it: "releve share capture", or the name of another program; "": unknown."""
    words = _words(pid)
    at = next((at for at, word in enumerate(words) if Path(word).name == "releve"), None)
    if at is None:
        return Path(words[0]).name if words else ""
    return " ".join(["releve", *itertools.takewhile(_VERB.fullmatch, words[at + 1 : at + 4])])


def stopping(pid: int) -> str:
    """What to type to end a process of ours: its service, or the one of ours that started it and would start it again."""
    top = pid
    while called(_parent(top)).startswith("releve"):
        top = _parent(top)
    if _parent(top) == 1 and (unit := _UNIT.search(_read(top, "cgroup"))):
        return f"systemctl stop {unit[1]}"
    return f"kill {top}"


def _words(pid: int) -> list[str]:
    return _read(pid, "cmdline").split("\0")[:-1]


def _parent(pid: int) -> int:
    """0 where it has none."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, name: str) -> str:
    """A file of /proc; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "backslashreplace")
    except OSError:
        return ""
