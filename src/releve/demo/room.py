"""Room on the disk for a demo: asked for before, looked at meanwhile, named when the lack of it was the cause.

A full disk shows itself in many ways: a server that stops, a witness that fails, a worker that falls
silent. Whoever runs the demo should read one sentence about the disk, and none of these.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable

NEEDED = (
    400_000_000  # bytes; 215 MB is the most that a demo was seen to use (two servers, their logs, a clone)
)
SPARE = 20_000_000  # bytes; PostgreSQL makes its log in files of 16 MiB, and stops when it cannot make one
_CODE = "disk-full"
_FULL = (errno.ENOSPC, errno.EDQUOT)

Free = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes that we may still write in `folder`, or where it would be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require(folders: Iterable[Path], needed: int = NEEDED, *, free: Free = free_bytes) -> None:
    """Raise `Unreachable` (disk-full) unless each of `folders` has `needed` bytes free."""
    for folder in folders:
        left = free(folder)
        if left < needed:
            raise disk_full(folder, f"il reste {left // 10**6} Mo, il en faut {needed // 10**6}")


def disk_full(folder: Path, why: str) -> Unreachable:
    """The error, and what to do about it."""
    return Unreachable(
        _CODE,
        f"pas assez de place sur le disque de {folder} : {why}",
        hint="libérez de la place, ou choisissez un autre dossier avec --output",
    )


@contextmanager
def blamed(folders: Callable[[], Iterable[Path]], *, free: Free = free_bytes) -> Iterator[None]:
    """What fails in here for want of room says so (`Unreachable`, disk-full); all else passes untouched.

    To be left before anything is cleared away, which would make room and hide the cause. `folders` is
    asked then, and not before: the estate finds its ground only while it is made.
    """
    try:
        yield
    except (OSError, ReleveError, psycopg.Error, ValueError) as error:  # ValueError: a file cut short
        if isinstance(error, Unreachable) and error.code == _CODE:
            raise
        found = list(folders())
        if lacks_room(error):
            raise disk_full(found[0], "il n'y a plus rien de libre") from error
        if isinstance(error, (BadInput, Refused)):  # these name their cause, and it is not the disk
            raise
        try:
            require(found, SPARE, free=free)
        except Unreachable as lack:
            raise lack from error
        raise


def lacks_room(error: Exception) -> bool:
    """Whether an error says itself that the disk, or the quota, is full."""
    facts = " ".join(error.context.values()) if isinstance(error, ReleveError) else ""
    return (
        (isinstance(error, OSError) and error.errno in _FULL)
        or isinstance(error, psycopg.errors.DiskFull)
        or os.strerror(errno.ENOSPC) in f"{error} {facts}"
    )
