"""Cuts a stream where its content says so, so that an insertion moves no other cut.

fastcdc's gear hash, not restic's Rabin fingerprint: any cut is legal in the format. What it costs
is stated in docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

SMALLEST = 512 * 1024  # bytes; a file below is one blob, as in restic
USUAL = 1024 * 1024
LARGEST = 8 * 1024 * 1024
_WINDOW = 16 * 1024 * 1024  # bytes read at a time: the memory that a file of any size takes


def cut(read: Callable[[int], bytes]) -> Iterator[bytes | memoryview]:
    """The chunks of a stream, in order; `read(n)` gives at most n bytes, none at the end."""
    from fastcdc.fastcdc_cy import fastcdc_cy  # 70 ms, which a run of small files alone does not pay

    held = b""
    while True:
        fresh = _fill(read, _WINDOW)
        window = held + fresh if held else fresh
        if not window:
            return
        view = memoryview(window)
        cuts = [(chunk.offset, chunk.length) for chunk in fastcdc_cy(view, SMALLEST, USUAL, LARGEST)]
        last = len(fresh) < _WINDOW
        if not last and len(cuts) > 1:
            offset, _ = cuts.pop()  # the end of the window is no cut: it waits for what follows
            held = bytes(view[offset:])
        else:
            held = b""
        for offset, length in cuts:
            yield view[offset : offset + length]
        if last:
            return


def _fill(read: Callable[[int], bytes], wanted: int) -> bytes:
    first = read(wanted)
    if len(first) == wanted or not first:
        return first
    parts = [first]
    missing = wanted - len(first)
    while missing and (more := read(missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)
