"""A segment that grows -> blobs. What was kept of it before is kept no second time.

A partial segment is a file of full size whose end is zeros. Cut where the content says so, its last chunk (about
1 MiB) would be stored again at each look; here only what is new is, and small pieces are joined now and then so that
the list of them stays short. Any cut is legal in the format. The zeros are a few blobs that cost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

LARGEST = 1 << 20  # bytes of a piece
MANY = 16  # small pieces at the end of a segment that are joined into one
_ZEROS = bytes(LARGEST)

Piece = tuple[bytes, int]  # blob id, bytes


def grown(
    data: memoryview, end: int, known: Sequence[Piece], save: Callable[[memoryview], bytes]
) -> tuple[bytes, ...]:
    """The blobs of a segment filled up to `end` bytes, zeros after. `known`: those of its last version.

    Each known piece is compared with the bytes of now before it is believed.
    """
    pieces: list[Piece] = []
    at = 0
    for identity, length in known:
        if not length or at + length > end or hashlib.sha256(data[at : at + length]).digest() != identity:
            break
        pieces.append((identity, length))
        at += length
    small = _small(pieces)
    if at < end and (small >= MANY or end == len(data)):
        for _identity, length in pieces[len(pieces) - small :]:
            at -= length
        del pieces[len(pieces) - small :]
    while at < end:
        length = min(LARGEST, end - at)
        pieces.append((save(data[at : at + length]), length))
        at += length
    while at < len(data):
        length = min(LARGEST - at % LARGEST, len(data) - at)
        pieces.append((save(memoryview(_ZEROS)[:length]), length))
        at += length
    return tuple(identity for identity, _length in pieces)


def begins_as(
    one: Sequence[bytes],
    other: Sequence[bytes],
    end: int,
    size: Callable[[bytes], int],
    read: Callable[[bytes], bytes],
) -> bool:
    """Whether two segments (their blobs) have the same first `end` bytes.

    `size` and `read` ask for a blob's bytes, in number and themselves: only what lies where the cuts differ is read.
    """
    at = shared = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs or at >= end:
            break
        at += size(mine)
        shared += 1
    left = right = b""
    mine_left, theirs_left = iter(one[shared:]), iter(other[shared:])
    while at < end:
        left = left or next((piece for blob in mine_left if (piece := read(blob))), b"")
        right = right or next((piece for blob in theirs_left if (piece := read(blob))), b"")
        length = min(len(left), len(right), end - at)
        if not length or left[:length] != right[:length]:
            return False
        left, right, at = left[length:], right[length:], at + length
    return True


def _small(pieces: Sequence[Piece]) -> int:
    """How many pieces at the end are smaller than the largest."""
    count = 0
    for _identity, length in reversed(pieces):
        if length >= LARGEST:
            break
        count += 1
    return count
