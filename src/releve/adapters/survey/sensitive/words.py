"""Health words in a plain text, whole words only, all at once.

A word is compared by its first eight letters, as one 64-bit number: `ordonnances` counts as `ordonnance`. The
list is a file of ours (`health.txt`). A table of 32,768 bits on a multiplied hash throws out nearly every other
word before the exact comparison.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, TAOCP 6.4)
_SHIFT = np.uint64(64 - 15)
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(9)], dtype=np.uint64)
PAD = 8  # bytes that must follow the last letter of a text


@cache
def _known() -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    text = (files("releve.adapters.survey.sensitive") / "health.txt").read_text(encoding="utf-8")
    words = {line.strip().encode("ascii")[:8] for line in text.splitlines() if line and line[0] != "#"}
    keys = np.array(sorted(int.from_bytes(word, "little") for word in words), dtype=np.uint64)
    table = np.zeros(1 << 15, dtype=np.bool_)
    table[(keys * _MULTIPLIER) >> _SHIFT] = True
    return keys, table


def health(
    plain: NDArray[np.uint8], letters: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Where health words begin, and which ones (their keys).

    `letters` tells which bytes of `plain` are letters; neither begins nor ends with one, and at least PAD
    bytes follow the last letter.
    """
    keys, table = _known()
    edges = np.flatnonzero(letters[1:] != letters[:-1])
    starts, ends = edges[0::2] + 1, edges[1::2] + 1
    eight: NDArray[np.uint64] = np.ndarray((len(plain) - 7,), dtype="<u8", buffer=plain.data, strides=(1,))
    found = eight.take(starts)
    found &= _MASKS.take(ends - starts, mode="clip")  # of a longer word, eight letters
    maybe = np.flatnonzero(table[(found * _MULTIPLIER) >> _SHIFT])
    exact = maybe[keys[np.minimum(np.searchsorted(keys, found[maybe]), len(keys) - 1)] == found[maybe]]
    return starts[exact], found[exact]
