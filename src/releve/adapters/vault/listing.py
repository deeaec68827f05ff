"""What packs hold and which blobs are used, in bytes rather than objects: a million files are a million blobs."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, KeysView

from releve.adapters.vault.pack import BlobKind, Placed

_RECORD = struct.Struct(">32sBIII")  # id, kind, offset, length, plain length: 45 bytes, not 300
_ID = 32


class Listing:
    """Packs and the blobs of each, as the index files say."""

    def __init__(self) -> None:
        self._packs: dict[str, bytes] = {}

    def add(self, pack: str, blobs: Iterable[Placed]) -> None:
        """Remember what a pack holds; what was said of it before is forgotten."""
        self._packs[pack] = b"".join(
            [_RECORD.pack(blob.id, blob.kind, blob.offset, blob.length, blob.plain) for blob in blobs]
        )

    def names(self) -> KeysView[str]:
        """The packs."""
        return self._packs.keys()

    def get(self, pack: str) -> list[Placed] | None:
        """The blobs of a pack; None when nothing was said of it."""
        raw = self._packs.get(pack)
        return None if raw is None else list(_blobs(raw))

    def __getitem__(self, pack: str) -> list[Placed]:
        return list(_blobs(self._packs[pack]))


def _blobs(raw: bytes) -> Iterator[Placed]:
    for identity, kind, offset, length, plain in _RECORD.iter_unpack(raw):
        yield Placed(identity, BlobKind(kind), offset, length, plain)


class Ids:
    """A set of ids, 64 bytes each at the most. It grows by itself."""

    def __init__(self, expected: int = 1 << 10) -> None:
        self._slots = 1 << max(10, (2 * expected - 1).bit_length())
        self._table = bytearray(self._slots * _ID)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, identity: bytes) -> bool:
        return self._table.startswith(identity, self._place(identity))

    def add(self, identity: bytes) -> None:
        """One more."""
        at = self._place(identity)
        if self._table.startswith(identity, at):
            return
        self._table[at : at + _ID] = identity
        self._count += 1
        if self._count * 4 > self._slots * 3:
            self._grow()

    def update(self, identities: Iterable[bytes]) -> None:
        """Several more."""
        for identity in identities:
            self.add(identity)

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._table), _ID):
            if any(found := bytes(self._table[at : at + _ID])):
                yield found

    def _place(self, identity: bytes) -> int:
        """Where it stands, or the empty place where it would. An id of zeros only is of no blob (SHA-256)."""
        slot = int.from_bytes(identity[:8], "big") % self._slots
        while True:
            at = slot * _ID
            if self._table.startswith(identity, at) or not any(self._table[at : at + _ID]):
                return at
            slot = (slot + 1) % self._slots

    def _grow(self) -> None:
        old = list(self)
        self._slots *= 2
        self._table = bytearray(self._slots * _ID)
        self._count = 0
        self.update(old)
