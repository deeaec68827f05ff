"""Packs: many sealed blobs in one file, with a sealed list of them at its end.

Source: restic's `internal/repository/pack/pack.go`. A pack holds data or trees, never both.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from releve.adapters.vault.scratch import Scratch
from releve.adapters.vault.seal import OVERHEAD, Forged, Key

TARGET = 16 * 1024 * 1024  # bytes: a pack is closed once it is that large (restic's default)
MOST = 20_000  # blobs of a pack: tiny ones would otherwise hold 280,000 in memory until 16 MiB are full
_PLAIN = struct.Struct("<BI32s")
_SQUEEZED = struct.Struct("<BII32s")
_LENGTH = struct.Struct("<I")
_LARGEST_HEADER = 16 * 1024 * 1024


class BlobKind(IntEnum):
    """What a blob holds."""

    DATA = 0
    TREE = 1


class Placed(NamedTuple):
    """A blob inside a pack; a tuple, for there are millions of them. `length`: bytes as stored; `plain`: uncompressed length, 0 when not compressed."""

    id: bytes
    kind: BlobKind
    offset: int
    length: int
    plain: int

    @property
    def size(self) -> int:
        """Bytes of the blob itself."""
        return self.plain or self.length - OVERHEAD


class Draft:
    """A pack that is being filled."""

    __slots__ = ("_long", "_parts", "blobs", "kind", "size")

    def __init__(self, kind: BlobKind) -> None:
        self.kind = kind
        self.size = 0
        self.blobs: list[Placed] = []
        self._parts: list[bytes] = []
        self._long: Scratch | None = None

    @classmethod
    def alone(cls, kind: BlobKind, identity: bytes, sealed: Scratch, plain: int) -> Draft:
        """A pack of one blob that is too large for the memory."""
        draft = cls(kind)
        draft.blobs.append(Placed(identity, kind, 0, sealed.size, plain))
        draft._long, draft.size = sealed, sealed.size
        return draft

    @property
    def full(self) -> bool:
        """Whether it is to be closed."""
        return self.size >= TARGET or len(self.blobs) >= MOST

    def add(self, identity: bytes, sealed: Sequence[bytes], plain: int) -> None:
        """Append a sealed blob, which may come in parts; `plain` as in `Placed`."""
        length = sum(map(len, sealed))
        self.blobs.append(Placed(identity, self.kind, self.size, length, plain))
        self._parts += sealed
        self.size += length

    def take(self, other: Draft) -> None:
        """Append everything that another draft holds."""
        for blob in other.blobs:
            self.blobs.append(blob._replace(offset=self.size + blob.offset))
        self._parts += other._parts
        self.size += other.size

    def close(self, key: Key) -> tuple[str, Iterable[bytes]]:
        """The name of the pack and its bytes, in parts."""
        header = key.seal(b"".join(_entry(blob) for blob in self.blobs))
        tail = header + _LENGTH.pack(len(header))
        parts: Iterable[bytes] = [*self._parts, tail]
        if self._long is not None:
            self._long.write(tail)
            parts = self._long
        name = hashlib.sha256()  # here, in the thread that sends, and not under the gate of those who fill
        for part in parts:
            name.update(part)
        return name.hexdigest(), parts


def _entry(blob: Placed) -> bytes:
    if blob.plain:
        return _SQUEEZED.pack(blob.kind + 2, blob.length, blob.plain, blob.id)
    return _PLAIN.pack(blob.kind, blob.length, blob.id)


def header_of(pack: bytes | memoryview, key: Key) -> list[Placed]:
    """The blobs that a whole pack says it holds. Raises `Forged` when its end is not what we sealed."""
    return header_in(lambda at, length: pack[at : at + length], len(pack), key)


def header_in(read: Callable[[int, int], bytes | memoryview], size: int, key: Key) -> list[Placed]:
    """The same of a pack of `size` bytes, of which `read(at, length)` gives some."""
    if size < _LENGTH.size + OVERHEAD:
        raise Forged
    (length,) = _LENGTH.unpack(read(size - _LENGTH.size, _LENGTH.size))
    start = size - _LENGTH.size - length
    if length > _LARGEST_HEADER or start < 0:
        raise Forged
    blobs = list(_entries(key.unseal(read(start, length))))
    if sum(blob.length for blob in blobs) != start:
        raise Forged
    return blobs


def _entries(header: bytes) -> Iterator[Placed]:
    at = offset = 0
    while at < len(header):
        kind = header[at]
        shape = _PLAIN if kind < 2 else _SQUEEZED
        if kind > 3 or at + shape.size > len(header):
            raise Forged
        if kind < 2:
            _, length, identity = _PLAIN.unpack_from(header, at)
            plain = 0
        else:
            _, length, plain, identity = _SQUEEZED.unpack_from(header, at)
        yield Placed(identity, BlobKind(kind % 2), offset, length, plain)
        offset += length
        at += shape.size
