"""The memory of a process that stays for months: what its allocator is allowed to keep.

glibc gives its threads up to eight heaps ("arenas") a core, so that they never wait for each other.
Ours wait for each other anyway (the interpreter's lock), and the thirty of a relief worker visit all
those heaps by turns: each rises to the dearest thing ever done in it and gives nothing back. On two
cores that was 9 MB more, and 0.6 MB more at each disaster, with not one Python object more.
"""

from __future__ import annotations

import ctypes

ARENAS = 2  # the main one, and one for the threads: what two cores could use at once outside the lock
_M_ARENA_MAX = -8  # <malloc.h> of glibc


def few_arenas() -> bool:
    """Hold this process to `ARENAS` heaps; False where the C library has no such setting (musl, macOS).

    To be called before threads are started: heaps that exist are not given up.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, ARENAS))
