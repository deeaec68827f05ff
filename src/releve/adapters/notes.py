"""Small files that say how far a process is: replaced whole, and on the disk once that is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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


def drop(note: Path) -> None:
    """Remove the file, if it is there; it does not come back after a power cut. Raises OSError."""
    note.unlink(missing_ok=True)
    _settle(note.parent)


def _settle(folder: Path) -> None:
    """What was renamed or removed in it is on the disk on return: of itself it may still be undone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
