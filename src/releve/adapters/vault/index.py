"""Where every blob lies: 53 bytes a blob in memory, because a million files are a million blobs.

Source of the file's shape: restic's `internal/repository/index/index.go`.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from releve.adapters.vault.pack import BlobKind, Placed
from releve.adapters.vault.seal import OVERHEAD

FULL = 50_000  # blobs in one index file, as restic does
_RECORD = struct.Struct(">32sIBIII4x")  # id, pack number, kind, offset, length, plain length
_ID = 32
_PARTS = 64
_NAMES = {kind: kind.name.lower() for kind in BlobKind}
_KINDS = {name: kind for kind, name in _NAMES.items()}
_RECENT = 400  # blobs of a part kept in its quick dictionary before they join a sorted run


class Where(NamedTuple):
    """A blob and the pack that holds it."""

    pack: str
    blob: Placed


class _Part:
    """The records of ids that begin alike."""

    __slots__ = ("recent", "runs")

    def __init__(self) -> None:
        self.recent: dict[bytes, bytes] = {}
        self.runs: list[bytes] = []  # sorted records, each run at least twice the next

    def add(self, identity: bytes, record: bytes) -> None:
        self.recent[identity] = record
        if len(self.recent) >= _RECENT:
            self._settle()

    def _settle(self) -> None:
        runs = [*self.runs, b"".join(sorted(self.recent.values()))]
        while len(runs) > 1 and len(runs[-2]) < 2 * len(runs[-1]):
            both = sorted([*_records(runs[-2]), *_records(runs[-1])])
            runs[-2:] = [b"".join(both)]
        self.runs = runs
        self.recent = {}

    def find(self, identity: bytes) -> bytes | None:
        found = self.recent.get(identity)
        if found is not None:
            return found
        for run in self.runs:
            found = _search(run, identity)
            if found is not None:
                return found
        return None

    def __iter__(self) -> Iterator[bytes]:
        for run in self.runs:
            yield from _records(run)
        yield from list(self.recent.values())


class Index:
    """Blobs by id. Readers need no lock.

    In parts by the first byte, so that sorting what was added never holds more than a part in objects.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._packs: list[str] = []
        self._numbers: dict[str, int] = {}
        self._parts = [_Part() for _ in range(_PARTS)]

    def add(self, pack: str, blobs: Iterable[Placed]) -> None:
        """Remember what a pack holds. A blob known already keeps its first place."""
        with self._gate:
            number = self._numbers.setdefault(pack, len(self._packs))
            if number == len(self._packs):
                self._packs.append(pack)
            for blob in blobs:
                part = self._parts[blob.id[0] % _PARTS]
                if part.find(blob.id) is None:
                    part.add(
                        blob.id,
                        _RECORD.pack(blob.id, number, blob.kind, blob.offset, blob.length, blob.plain),
                    )

    def packs(self) -> set[str]:
        """The packs that the lists name."""
        return set(self._numbers)

    def __contains__(self, identity: bytes) -> bool:
        return self._parts[identity[0] % _PARTS].find(identity) is not None

    def find(self, identity: bytes) -> Where | None:
        """Where a blob lies; None when nobody said so."""
        record = self._parts[identity[0] % _PARTS].find(identity)
        return None if record is None else self._read(record)

    def pack_of(self, identity: bytes) -> str:
        """The pack that a blob is taken from; "" when nobody said where it is."""
        record = self._parts[identity[0] % _PARTS].find(identity)
        return "" if record is None else self._packs[_RECORD.unpack(record)[1]]

    def size(self, identity: bytes) -> tuple[int, int] | None:
        """Of a blob its kind and the bytes that it unfolds to; None when nobody said where it is."""
        record = self._parts[identity[0] % _PARTS].find(identity)
        if record is None:
            return None
        _, _, kind, _, length, plain = _RECORD.unpack(record)
        return kind, plain or length - OVERHEAD

    def _read(self, record: bytes) -> Where:
        identity, number, kind, offset, length, plain = _RECORD.unpack(record)
        return Where(self._packs[number], Placed(identity, BlobKind(kind), offset, length, plain))

    def __iter__(self) -> Iterator[Where]:
        for part in self._parts:
            yield from map(self._read, part)

    def __len__(self) -> int:
        return sum(len(part.recent) + sum(map(len, part.runs)) // _RECORD.size for part in self._parts)


def _records(run: bytes) -> Iterator[bytes]:
    return (run[at : at + _RECORD.size] for at in range(0, len(run), _RECORD.size))


def _search(run: bytes, identity: bytes) -> bytes | None:
    low, high = 0, len(run) // _RECORD.size
    while low < high:
        middle = (low + high) // 2
        at = middle * _RECORD.size
        found = run[at : at + _ID]
        if found == identity:
            return run[at : at + _RECORD.size]
        if found < identity:
            low = middle + 1
        else:
            high = middle
    return None


def to_json(packs: Mapping[str, Iterable[Placed]]) -> bytes:
    """An index file, before it is sealed: an index of 50,000 blobs is most of what a saving of small files has left to do."""
    listed = (
        f'{{"id":"{name}","blobs":[{",".join(map(_blob_json, blobs))}]}}' for name, blobs in packs.items()
    )
    return f'{{"packs":[{",".join(listed)}]}}'.encode()


def _blob_json(blob: Placed) -> str:
    identity, kind, offset, length, plain = blob
    unfolded = f',"uncompressed_length":{plain}' if plain else ""
    return (
        f'{{"id":"{identity.hex()}","type":"{_NAMES[kind]}","offset":{offset},"length":{length}{unfolded}}}'
    )


def from_json(raw: bytes) -> Iterator[tuple[str, list[Placed]]]:
    """The packs of an index file. Raises ValueError."""
    value = json.loads(raw)
    try:
        for pack in value.get("packs") or []:
            yield pack["id"], [_placed(blob) for blob in pack["blobs"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an index: {error}") from error


def _placed(blob: Mapping[str, object]) -> Placed:
    offset, length, plain = blob["offset"], blob["length"], blob.get("uncompressed_length", 0)
    if not (isinstance(offset, int) and isinstance(length, int) and isinstance(plain, int)):
        raise TypeError(f"a place is not a number: {blob}")
    return Placed(bytes.fromhex(str(blob["id"])), _KINDS[str(blob["type"])], offset, length, plain)
