"""Who still holds a file of a folder open for writing: barring a folder does not take back what was given before."""

from __future__ import annotations

import os
from dataclasses import dataclass

_ACCESS = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that a program may still write into."""

    pid: int
    program: str
    path: bytes


def open_writers(root: bytes) -> list[OpenFile]:
    """What the programs of this machine hold open below `root`, ourselves left out.

    Without root only our own account's programs can be looked at (Linux, proc(5)); one that ends meanwhile is
    no longer a writer.
    """
    inside, found = root.rstrip(b"/") + b"/", []
    for name in os.listdir(b"/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        home = b"/proc/" + name
        try:
            for handle in os.listdir(home + b"/fd"):
                path = os.readlink(home + b"/fd/" + handle)
                if path.startswith(inside) and _writes(home + b"/fdinfo/" + handle):
                    found.append(OpenFile(int(name), _program(home), path))
        except OSError:
            continue
    return found


def _writes(info: bytes) -> bool:
    with open(info, "rb") as file:
        flags = next(line for line in file if line.startswith(b"flags:"))
    return bool(int(flags.split()[1], 8) & _ACCESS)


def _program(home: bytes) -> str:
    with open(home + b"/comm", "rb") as file:
        return file.read().decode(errors="replace").strip()
