"""The encoded entries of a folder until its tree is written. Of a wide folder they wait in a file, not in memory."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import IO

from releve.adapters.vault.helping import Ticket
from releve.adapters.vault.node import tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.writer import Writer

_WIDE = 20_000  # entries: some 7 MB; a folder of a million is 350 MB
_LENGTH = struct.Struct("<I")


class Rows:
    """Entries in the order of their names; a ticket stands for a folder that is still being saved elsewhere."""

    __slots__ = ("_file", "_rows")

    def __init__(self) -> None:
        self._rows: list[bytes | Ticket] = []
        self._file: IO[bytes] | None = None

    def add(self, row: bytes | Ticket) -> None:
        """One more."""
        self._rows.append(row)
        if len(self._rows) % _WIDE == 0:
            self._spill()

    def save(self, writer: Writer) -> bytes:
        """Write the tree of these entries, every ticket being back; its id."""
        if self._file is None:
            return writer.save(BlobKind.TREE, tree(list(self._whole())))
        with self._file:
            return writer.save_parts(BlobKind.TREE, self._parts)

    def _whole(self) -> Iterator[bytes]:
        for row in self._rows:
            encoded = row.encoded if isinstance(row, Ticket) else row
            if encoded:  # a folder that has gone since leaves nothing
                yield encoded

    def _spill(self) -> None:
        if any(isinstance(row, Ticket) and row.encoded is None for row in self._rows):
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="releve-")  # noqa: SIM115 (`save` closes it)
        self._file.write(b"".join(part for row in self._whole() for part in (_LENGTH.pack(len(row)), row)))
        self._rows = []

    def _kept(self) -> Iterator[bytes]:
        if self._file is not None:
            self._file.seek(0)
            while head := self._file.read(_LENGTH.size):
                yield self._file.read(*_LENGTH.unpack(head))
        yield from self._whole()

    def _parts(self) -> Iterator[bytes]:
        kept, lead = self._kept(), b'{"nodes":['
        while some := list(islice(kept, _WIDE)):
            yield lead + b",".join(some)
            lead = b","
        yield b"]}\n"
