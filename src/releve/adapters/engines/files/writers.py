"""Who may still write into a folder: barring it does not take back what was opened before."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from releve.adapters.engines.files.mounts import Mounts

_ACCESS = os.O_WRONLY | os.O_RDWR
_GONE = (FileNotFoundError, ProcessLookupError)  # it was closed, or ended, since it was listed


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that a program may still write into."""

    pid: int
    program: str
    path: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """Who writes, as far as could be seen. `hidden`: how many programs our account may not look at."""

    writers: tuple[OpenFile, ...]
    hidden: int = 0


def open_writers(root: bytes) -> Look:
    """What the programs of this machine hold open, or mapped, for writing below `root` (resolved), ourselves left out.

    Also from another mount namespace (a container), where the same folder has another name. Never seen: what the
    kernel itself serves (NFS). Without root, other accounts' programs cannot be looked at (Linux, proc(5)).
    """
    here = _mountinfo(b"/proc/self")
    ours = Mounts.read(here)
    place = ours.place(root)
    found: list[OpenFile] = []
    hidden = 0
    for name in os.listdir(b"/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        home = b"/proc/" + name
        try:
            with suppress(*_GONE):
                there = _mountinfo(home)
                mounts = ours if there == here else Mounts.read(there)
                paths = [path for path in _written(home) if mounts.below(path, place)]
                found += [OpenFile(int(name), _program(home), path) for path in paths]
        except PermissionError:
            hidden += (
                name != b"1"
            )  # on some machines it refuses even root; it starts programs and serves no file
    return Look(tuple(found), hidden)


def _mountinfo(home: bytes) -> bytes:
    try:
        with open(home + b"/mountinfo", "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno == errno.EINVAL:  # it has ended, and nobody has asked for its exit code yet
            raise ProcessLookupError from error
        raise


def _written(home: bytes) -> Iterator[bytes]:
    """Every path that a program holds open or mapped (shared) for writing."""
    for handle in os.listdir(home + b"/fd"):
        with suppress(*_GONE):
            path = os.readlink(home + b"/fd/" + handle)
            if path.startswith(b"/") and _writes(home + b"/fdinfo/" + handle):
                yield path
    # Asks for more rights than the descriptors (PTRACE_MODE_ATTACH, proc(5)): the first process may refuse even root.
    with suppress(PermissionError), open(home + b"/maps", "rb") as file:
        for line in file:
            fields = line.rstrip(b"\n").split(maxsplit=5)  # range, rights, offset, device, inode, path
            if len(fields) == 6 and fields[1][1:2] == b"w" and fields[1][3:4] == b"s":
                yield fields[5]


def _writes(info: bytes) -> bool:
    with open(info, "rb") as file:
        flags = next(line for line in file if line.startswith(b"flags:"))
    return bool(int(flags.split()[1], 8) & _ACCESS)


def _program(home: bytes) -> str:
    with open(home + b"/comm", "rb") as file:
        return file.read().decode(errors="replace").strip()
