"""Bytes that may be too large for the memory: beyond 16 MiB they lie in a file without a name.

By the format the tree of a folder is one blob: 350 MB of a folder of a million files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from releve.domain.errors import Unreachable
from releve.domain.os_errors import reason

if TYPE_CHECKING:
    from io import FileIO

PIECE = 1 << 20  # bytes that are in memory at a time
NO_ROOM = "scratch-unwritable"  # code of its error
_HELD = 16 << 20  # bytes that stay in memory: as much as a pack
_ROOM = "/var/tmp"  # noqa: S108 (the file has no name): on a disk everywhere; /tmp is memory on many systems


class Scratch:
    """Bytes written once, read as often as asked: iterated, they come in pieces. They go away with whoever holds them.

    The file lies in TMPDIR, or in /var/tmp. Raises `Unreachable` when there is no room.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: FileIO | None = None
        self.size = 0

    def write(self, part: bytes | memoryview) -> None:
        """Bytes more."""
        self.size += len(part)
        if self.size <= _HELD:
            self._held += part
            return
        try:
            if self._file is None:
                self._file = _made()
                _write(self._file, self._held)
                self._held = bytearray()
            _write(self._file, part)
        except OSError as error:
            raise _full(error) from error

    def read(self, at: int, length: int) -> bytes:
        """So many bytes from there, fewer only at the end."""
        if self._file is None:
            return bytes(memoryview(self._held)[at : at + length])
        try:
            found = os.pread(self._file.fileno(), length, at)
            while len(found) < min(length, self.size - at):
                found += os.pread(self._file.fileno(), length - len(found), at + len(found))
        except OSError as error:
            raise _full(error) from error
        return found

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces(0, self.size)

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes from `begin` to `end`."""
        for at in range(begin, end, PIECE):
            yield self.read(at, min(PIECE, end - at))


def _made() -> FileIO:
    import tempfile  # which a run of usual folders does not pay

    place = os.environ.get("TMPDIR") or (_ROOM if os.access(_ROOM, os.W_OK) else None)
    return tempfile.TemporaryFile(prefix="releve-", dir=place, buffering=0)


def _write(file: FileIO, part: bytes | bytearray | memoryview) -> None:
    left = memoryview(part)
    while left:
        left = left[file.write(left) :]


def _full(error: OSError) -> Unreachable:
    return Unreachable(
        NO_ROOM,
        f"il manque un endroit pour les fichiers de passage d'un dossier très large : {reason(error)}",
        hint="libérez de la place dans /var/tmp, ou désignez un autre dossier par la variable TMPDIR",
        retryable=True,
    )
