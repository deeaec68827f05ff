"""The file systems of a machine, their room, and what their disks say of their health. Read-only.

Sent as source to `python3 -I -` with a last line `main({...})`; one JSON document comes back. A file system that
does not answer (a server of files that is gone holds whoever asks) is named in "gaps", and holds nobody else.

Asked: patience (seconds for one file system, or one disk).
"""

# ruff: noqa: PTH110, PTH112, PTH119, PTH120, PTH123, PTH208, PLW1510 - plain paths, and pathlib costs a tenth of the start

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any, Callable  # noqa: UP035 - Python 3.8

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
# The kernel calls these "nodev" as it does /proc, and they hold people's files.
_REAL = frozenset({"zfs", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuseblk"})
_AFAR = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse"}
)  # the disks are somebody else's
_PICTURES = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"})  # full by nature
_NO_DISK = ("fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs", "fuse.snapfuse", "fuse.squashfuse")


def mounts_of(text: str, nodev: set[str]) -> list[tuple[str, str, str]]:
    """(device as major:minor, mount point, type) of each real file system once, from mountinfo (proc(5)).

    Of a file system mounted several times, the shortest place; of two at one place, the one on top. An overlay is
    the disk of who lives in it: elsewhere than at the root it is a container's, on a disk that counts already.
    """
    on_top: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) > 4 and kinds:
            place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            on_top[place] = (fields[2], kinds[0])
    found: dict[str, tuple[str, str, str]] = {}
    for place, (device, kind) in sorted(on_top.items(), key=lambda item: (len(item[0]), item[0])):
        real = (
            kind in _REAL
            or (kind == "overlay" and place == "/")
            or (kind.startswith("fuse.") and not kind.startswith(_NO_DISK))
        )
        if kind in _PICTURES or (kind.partition(".")[0] in nodev and not real):
            continue
        found.setdefault(device, (device, place, kind))
    return list(found.values())


def room(place: str, patience: float) -> dict[str, int] | str:
    """Bytes and inodes of a file system; a code when it cannot be asked. "" for what is no folder."""
    told: list[dict[str, int] | str] = []

    def ask() -> None:
        try:
            if not os.path.isdir(place):
                told.append("")
                return
            seen = os.statvfs(place)
        except PermissionError:
            told.append("denied")
        except OSError:
            told.append("unreadable")
        else:
            told.append(
                {
                    "size": seen.f_blocks * seen.f_frsize,
                    "free": seen.f_bavail * seen.f_frsize,
                    "inodes": seen.f_files,
                    "inodes_free": seen.f_favail,
                }
            )

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(patience)
    return told[0] if told else "silent"


def disk_of(device: str, numbers: str = "/sys/dev/block/") -> str:
    """The whole disk that lies below a device number; empty when none does, or several do."""
    place = os.path.realpath(numbers + device)
    while os.path.isdir(place):
        below = os.listdir(place + "/slaves") if os.path.isdir(place + "/slaves") else []
        if len(below) > 1:
            return ""
        if below:
            place = os.path.realpath(place + "/slaves/" + below[0])
        elif os.path.exists(place + "/partition"):
            place = os.path.dirname(place)
        else:
            return os.path.basename(place)
    return ""


def told_of(device: str, kind: str, ask: Callable[[str], str], numbers: str = "/sys/dev/block/") -> str:
    """What is said of the health below a file system; "" where no disk of this machine is (a server's, a container's).

    A code after a "?" says why nothing is.

    `ask` says it of one disk. Several disks (RAID, LVM, and ZFS or btrfs, whose devices the kernel does not
    number) are not asked: one that fails would not say which file system it takes with it.
    """
    if kind.partition(".")[0] in _AFAR or kind == "overlay":
        return ""
    disk = disk_of(device, numbers)
    return ask(disk) if disk else "?smart-unknown"


def health_of(text: str) -> str:
    """The word passed or failed, from what `smartctl -H -j` (7.0 and later) prints; empty when it says neither."""
    try:
        told = json.loads(text)["smart_status"]["passed"]
    except (ValueError, KeyError, TypeError):
        return ""
    return {True: "passed", False: "failed"}.get(told, "")


def health(disk: str, patience: float) -> str:
    """What smartctl says of a disk; or a code after a question mark."""
    program = shutil.which("smartctl", path=_PATH)
    if program is None:
        return "?smart-missing"
    argv = [program, "-H", "-j", "/dev/" + disk]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
        )
    except (subprocess.TimeoutExpired, OSError):
        return "?smart-silent"
    return health_of(done.stdout.decode("utf-8", "replace")) or "?smart-silent"


def main(asked: dict[str, Any]) -> None:
    """Look at each file system; print what was found."""
    patience = float(asked.get("patience", 3.0))
    with open("/proc/filesystems", encoding="ascii", errors="replace") as file:
        nodev = {line.split()[1] for line in file if line.startswith("nodev")}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = mounts_of(file.read(), nodev)
    disks: list[dict[str, Any]] = []
    gaps: list[list[str]] = []
    ask = lru_cache(maxsize=None)(lambda disk: health(disk, patience))
    for device, place, kind in mounts:
        seen = room(place, patience)
        shown = place.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if isinstance(seen, str):
            if seen:
                gaps.append([shown, seen])
            continue
        if not seen["size"]:
            continue
        told = told_of(device, kind, ask)
        if told.startswith("?"):
            gaps.append([shown, told[1:]])
            told = ""
        disks.append({"mount": shown, "kind": kind, **seen, "health": told})
    print(json.dumps({"disks": disks, "gaps": gaps}))  # noqa: T201 - this is the answer
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait for a server of files that is gone
