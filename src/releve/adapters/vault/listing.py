"""What packs hold and which blobs are used, in bytes rather than objects: a million files are a million blobs."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, KeysView

from releve.adapters.vault.index import FULL, from_json, to_json
from releve.adapters.vault.pack import BlobKind, Placed
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.store import Kind

_RECORD = struct.Struct(">32sBIII")  # id, kind, offset, length, plain length: 45 bytes, not 300
_ID = 32
_EMPTY = bytes(_ID)


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


def listed(repository: Repository, names: Iterable[str]) -> Listing:
    """What these index files say. Raises `Absent`, `PromiseBroken`, ValueError."""
    packs = Listing()
    for name in names:
        for pack, blobs in from_json(repository.get(Kind.INDEX, name)):
            packs.add(pack, blobs)
    return packs


class Lists:
    """Index files, written as they fill."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._part: dict[str, list[Placed]] = {}

    def add(self, pack: str, blobs: list[Placed]) -> None:
        """One more pack."""
        self._part[pack] = blobs
        if sum(map(len, self._part.values())) >= FULL:
            self.end()

    def end(self) -> None:
        """Write what is left."""
        if self._part:
            self._repository.put_plain(Kind.INDEX, to_json(self._part))
            self._part = {}


class Ids:
    """A set of ids, 43 to 86 bytes each once there are as many as expected. It grows by itself."""

    def __init__(self, expected: int = 1 << 10) -> None:
        self._slots = 1 << max(10, (expected * 4 // 3).bit_length())
        self._table = bytearray(self._slots * _ID)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, identity: bytes) -> bool:
        return self._table.startswith(identity, self._place(identity))

    def add(self, identity: bytes) -> bool:
        """One more; whether it was not there yet."""
        at = self._place(identity)
        if self._table.startswith(identity, at):
            return False
        self._table[at : at + _ID] = identity
        self._count += 1
        if self._count * 4 > self._slots * 3:
            self._grow()
        return True

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
        holds = self._table.startswith
        at = int.from_bytes(identity[:8], "big") % self._slots * _ID
        while not (holds(identity, at) or holds(_EMPTY, at)):
            at = (at + _ID) % len(self._table)
        return at

    def _grow(self) -> None:
        old = list(self)
        self._slots *= 2
        self._table = bytearray(self._slots * _ID)
        self._count = 0
        self.update(old)
