"""The encoded entries of a folder until its tree is written. Of a wide folder they wait in a file, not in memory."""

from __future__ import annotations

from collections.abc import Iterator

from releve.adapters.vault.helping import Ticket
from releve.adapters.vault.node import tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.scratch import Scratch
from releve.adapters.vault.writer import Writer

_WIDE = 20_000  # entries: some 7 MB; a folder of a million is 350 MB
_OPEN = b'{"nodes":['


class Rows:
    """Entries in the order of their names; a ticket stands for a folder that is still being saved elsewhere."""

    __slots__ = ("_rows", "_tree")

    def __init__(self) -> None:
        self._rows: list[bytes | Ticket] = []
        self._tree: Scratch | None = None

    def add(self, row: bytes | Ticket) -> None:
        """One more."""
        self._rows.append(row)
        if len(self._rows) % _WIDE:
            return
        if any(isinstance(one, Ticket) and one.encoded is None for one in self._rows):
            return
        if self._tree is None:
            self._tree = Scratch()
            self._tree.write(_OPEN)
        self._spill(self._tree)

    def save(self, writer: Writer) -> bytes:
        """Write the tree of these entries, every ticket being back; its id."""
        if self._tree is None:
            return writer.save(BlobKind.TREE, tree(list(self._whole())))
        self._spill(self._tree)
        self._tree.write(b"]}\n")
        return writer.save_parts(BlobKind.TREE, self._tree.__iter__)

    def _whole(self) -> Iterator[bytes]:
        for row in self._rows:
            encoded = row.encoded if isinstance(row, Ticket) else row
            if encoded:  # a folder that has gone since leaves nothing
                yield encoded

    def _spill(self, tree: Scratch) -> None:
        rows = list(self._whole())
        if rows:
            tree.write((b"," if tree.size > len(_OPEN) else b"") + b",".join(rows))
        self._rows = []
