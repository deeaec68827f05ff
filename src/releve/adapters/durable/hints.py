"""Who has ended, told inside one process: wakes a waiter at once. The database stays the truth.

A hint may come too early (the result is about to be written) or never (the result was written by a
process that is dead): whoever waits always asks the database, sooner with a hint than without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

SOONEST, LATEST = 0.001, 0.05  # seconds between two looks at a result whose hint has come
UNHINTED = 1.0  # ... and without a hint, in the long run: everything that can end, ends in this process


class Closing(BaseException):
    """The driver closes: leave the workflow as it stands, to be taken up at the next launch.

    Not an Exception on purpose: DBOS records an Exception as the result of the step.
    """


class Hints:
    """The ids that ended and when, and the alarm clock of those who wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ended: dict[str, float] = {}
        self._closing = False

    def ended(self, workflow: str) -> None:
        """Say that it ended, or is about to."""
        with self._changed:
            self._ended[workflow] = time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody: they raise `Closing`."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raises `Closing` once the driver closes."""
        if self._closing:
            raise Closing

    def sleep(self, seconds: float) -> None:
        """Sleep, and raise `Closing` as soon as the driver closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)
        self.check()

    def wait(self, workflows: Iterable[str], looks: int, limit: float = UNHINTED) -> None:
        """Return when it is worth looking at them again; `looks`: how often that was done without luck.

        At most `limit` seconds. Raises `Closing`.
        """
        wanted = list(workflows)
        with self._changed:
            since = self._since(wanted)
            if since is None:
                quiet = min(LATEST * 2 ** min(looks, 10), UNHINTED, limit)
                told = self._changed.wait_for(lambda: self._closing or self._since(wanted) is not None, quiet)
                pause = SOONEST if told else 0.0
            else:
                pause = min(max(time.monotonic() - since, SOONEST), LATEST)
        self.check()
        self.sleep(min(pause, limit))

    def forget(self, workflows: Iterable[str]) -> None:
        """Drop ids that nobody waits for any more."""
        with self._changed:
            for workflow in workflows:
                self._ended.pop(workflow, None)

    def _since(self, wanted: list[str]) -> float | None:
        """When the last of those that were told was told."""
        return max((self._ended[item] for item in wanted if item in self._ended), default=None)
