"""The folder that pg_receivewal writes into: what is there, how full, what may leave it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from releve.adapters.engines.postgresql.archive.marks import HISTORY, PARTIAL, Place, place
from releve.domain.errors import Unreachable
from releve.domain.os_errors import reason


@dataclass(frozen=True, slots=True)
class Received:
    """A WAL file of the spool. `end`: bytes since the beginning up to which something is written in it."""

    path: Path
    at: Place
    size: int
    partial: bool
    end: int

    @property
    def name(self) -> str:
        """Its name, `.partial` or not."""
        return self.path.name

    @property
    def whole_name(self) -> str:
        """Its name once it is whole."""
        return self.path.name.removesuffix(PARTIAL)

    def open(self) -> BinaryIO:
        """Its bytes, for reading, under whichever name it has by now: what was written up to `end` stays."""
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            return self.path.with_name(self.whole_name).open("rb")


class Spool:
    """The folder, made when it is not there. Raises `Unreachable` when it cannot be read."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._size = size

    def files(self) -> list[Received]:
        """The WAL files, oldest first; a timeline after the one it came from.

        A file may take its whole name while the folder is read, and then be listed under neither: what is missing
        between two that were found is asked for by name.
        """
        found = {at for path in self._names() if (at := place(path.name, self._size)) is not None}
        numbers: dict[int, list[int]] = {}
        for at in found:
            numbers.setdefault(at.timeline, []).append(at.number)
        for timeline, known in numbers.items():
            found |= {Place(timeline, number) for number in range(min(known), max(known))}
        received = (self._received(at) for at in sorted(found, key=lambda at: (at.timeline, at.number)))
        return [one for one in received if one is not None]

    def _received(self, at: Place) -> Received | None:
        """The file of a place under the name that it has by now; None when it has none, or is torn."""
        name = at.name(self._size)
        for path in (self.folder / name, self.folder / (name + PARTIAL), self.folder / name):
            with suppress(FileNotFoundError), path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != self._size:
                    return None  # a partial one is filled with zeros before any WAL is in it
                partial = path.name.endswith(PARTIAL)
                end = at.number * self._size + (_filled(file) if partial else self._size)
                return Received(path, at, self._size, partial, end)
        return None

    def histories(self) -> list[Path]:
        """The history files."""
        return sorted(path for path in self._names() if path.name.endswith(HISTORY))

    def size(self) -> int:
        """Bytes on disk, files that are not yet full included."""
        return sum(path.stat().st_size for path in self._names() if path.exists())

    def clear(self, kept: Iterable[str]) -> None:
        """Remove the whole segments named so, but for the newest of all: pg_receivewal goes on from it."""
        whole = [one for one in self.files() if not one.partial]
        names = set(kept)
        for one in whole[:-1]:
            if one.name in names:
                one.path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove everything; what was there must be in the vault.

        The histories too: pg_receivewal asks for none that is there, were it that of another timeline of that number.
        """
        for path in [*(one.path for one in self.files()), *self.histories()]:
            path.unlink(missing_ok=True)

    def drop_partial(self) -> None:
        """Remove what is not whole: it will be received again from its first byte."""
        for path in self._names():
            if path.name.endswith(PARTIAL):
                path.unlink(missing_ok=True)

    def drop_torn(self) -> None:
        """Remove what was cut while it was being made, by a kill or a full disk: pg_receivewal would refuse it for ever."""
        for path in self._names():
            if path.name.endswith(PARTIAL) and path.stat().st_size != self._size:
                path.unlink(missing_ok=True)

    def _names(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except OSError as error:
            raise Unreachable(
                "spool-unreadable",
                f"la réserve de journaux {self.folder} ne se lit pas : {reason(error)}",
                retryable=True,
            ) from error


_STEP = 1 << 20


def _filled(file: BinaryIO) -> int:
    """Bytes of a file up to its last one that is not zero; pg_receivewal fills it with zeros beforehand."""
    at = os.fstat(file.fileno()).st_size
    while at > 0:
        first = max(0, at - _STEP)
        file.seek(first)
        piece = file.read(at - first).rstrip(b"\0")
        if piece:
            return first + len(piece)
        at = first
    return 0
