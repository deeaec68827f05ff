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


ZEROS = memoryview(
    bytes(LARGEST)
)  # what a hole is made of: known by its identity, never read nor hashed twice


def cut(
    read: Callable[[int, int], bytes], hole: Callable[[int], int] = lambda _at: 0
) -> Iterator[memoryview]:
    """The chunks of a file, in order; `read(n, at)` gives at most n bytes from there, none past the end.

    `hole(at)`: how many bytes from there are in a hole. What follows the last cut of a window is read again
    with the next one: it costs less than moving it.
    """
    from fastcdc.fastcdc_cy import fastcdc_cy  # 70 ms, which a run of small files alone does not pay

    at = 0
    while True:
        for _ in range(hole(at) // LARGEST):
            yield ZEROS
            at += LARGEST
        window = _fill(read, at)
        view = memoryview(window)
        cuts = [(chunk.offset, chunk.length) for chunk in fastcdc_cy(view, SMALLEST, USUAL, LARGEST)]
        last = len(window) < _WINDOW
        if not last and len(cuts) > 1:
            cuts.pop()  # the end of the window is no cut
        for offset, length in cuts:
            yield view[offset : offset + length]
        if last:
            return
        at += sum(cuts[-1])


def _fill(read: Callable[[int, int], bytes], at: int) -> bytes:
    window = read(_WINDOW, at)
    while window and len(window) < _WINDOW and (more := read(_WINDOW - len(window), at + len(window))):
        window += more
    return window
