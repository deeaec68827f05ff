"""Which process wrote something: a pid alone is used again, and means another one in a container or after a start."""

from __future__ import annotations

from functools import cache
from pathlib import Path


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
    try:
        facts = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return facts.rpartition(b")")[2].split()[19].decode("ascii")
