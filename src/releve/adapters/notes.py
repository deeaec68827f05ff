"""Small files, replaced whole and on the disk once that is said: those of a process, and those that a person names."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO


def put(note: Path, raw: bytes) -> None:
    """Replace the file: a draft beside it, fsync, rename, fsync of the folder. Raises OSError.

    One writer at a time: the draft has always the same name, so that a cut leaves one at most.
    """
    draft = note.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(note)
    _settle(note.parent)


def replace(file: Path, raw: bytes) -> None:
    """Write a file that a person named, as an editor would. Raises OSError.

    Links are followed, and what is replaced keeps its mode and its owner; where we have no right to give that
    owner, it is written in place. So is what is no regular file (a pipe, /dev/stdout). The draft beside has a name
    that nobody else has.
    """
    try:
        was = file.stat()
    except FileNotFoundError:
        was = None
    if was is not None and (not stat.S_ISREG(was.st_mode) or _spoken(was) is not None):
        _through(file, was, raw)
        return
    real = Path(os.path.realpath(file))
    draft = real.with_name(f".{real.name[:40]}.{secrets.token_hex(8)}.new")
    try:
        with _fresh(draft, 0o600 if was else 0o666) as handle:
            if was is not None:
                _like(handle, was)
            _whole(handle, raw)
        draft.replace(real)
        _settle(real.parent)
    except PermissionError:
        if was is None:
            raise
        _through(real, was, raw)
    finally:
        draft.unlink(missing_ok=True)


def beside(file: Path, ending: str, raw: bytes) -> Path:
    """Keep `raw` next to the file, under its name and `ending`, with its mode; never over another. Raises OSError.

    The second one is `ending`-2, and so on. The path it got; next to what a link leads to.
    """
    real = Path(os.path.realpath(file))
    for number in count(1):
        kept = real.with_name(f"{real.name}{ending}{f'-{number}' if number > 1 else ''}")
        try:
            handle = _fresh(kept, 0o600)
        except FileExistsError:
            continue
        try:
            with handle:
                was = real.stat()
                os.fchmod(handle.fileno(), stat.S_IMODE(was.st_mode))
                with suppress(PermissionError):  # ours, then: its bytes are what counts
                    _like(handle, was)
                _whole(handle, raw)
        except OSError:
            kept.unlink(missing_ok=True)
            raise
        break
    _settle(real.parent)
    return kept


def drop(note: Path) -> None:
    """Remove the file, if it is there; it does not come back after a power cut. Raises OSError."""
    note.unlink(missing_ok=True)
    _settle(note.parent)


def _fresh(path: Path, mode: int) -> BinaryIO:
    """A file that was not there before, to be written. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")


def _like(handle: BinaryIO, was: os.stat_result) -> None:
    """The owner first: giving a file away takes rights off its mode. Raises PermissionError."""
    ours = os.fstat(handle.fileno())
    if (was.st_uid, was.st_gid) != (ours.st_uid, ours.st_gid):
        os.fchown(handle.fileno(), was.st_uid, was.st_gid)
    os.fchmod(handle.fileno(), stat.S_IMODE(was.st_mode))


def _whole(handle: BinaryIO, raw: bytes) -> None:
    handle.write(raw)
    handle.flush()
    os.fsync(handle.fileno())


def _spoken(was: os.stat_result) -> int | None:
    """The number of our own output that this file is, or None: it has a place where the next word goes."""
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(number), was):
                return number
    return None


def _through(file: Path, was: os.stat_result, raw: bytes) -> None:
    """Write where it is, without a draft."""
    number = _spoken(was)
    with file.open("wb") if number is None else os.fdopen(os.dup(number), "wb") as handle:
        handle.write(raw)
        handle.flush()
        if number is None and stat.S_ISREG(was.st_mode):
            os.fsync(handle.fileno())


def _settle(folder: Path) -> None:
    """What was renamed or removed in it is on the disk on return: of itself it may still be undone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
