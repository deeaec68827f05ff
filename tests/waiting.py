"""Waiting for what must come, on a machine of any speed."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """Return once `true`; fails the test after so many seconds.

    The rest between two looks is twice as long as a look takes: many of them start a program, and would keep from the
    processor the very thing that is waited for.
    """
    limit = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if true():
            return
        now = time.monotonic()
        assert now < limit, f"{what} never came"
        time.sleep(max(0.01, 2 * (now - began)))
