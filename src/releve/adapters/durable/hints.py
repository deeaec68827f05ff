"""How a task ended, told inside one process: wakes those who wait for it at once.

A hint is told only after DBOS has committed the checkpoint that it comes from, so it never says more
than the database: a replay after a crash ends the same way. It may never come (the task ended in a
process that is dead, or by an exception): whoever waits then asks the database.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

SOONEST, LATEST = 0.05, 1.0  # seconds between two looks at the database by somebody who was told nothing


class Closing(BaseException):
    """The driver closes: leave the workflow as it stands, to be taken up at the next launch.

    Not an Exception on purpose: DBOS records an Exception as the result of the step.
    """


class Hints:
    """What was told of each workflow, and the alarm clock of those who wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: dict[str, str] = {}
        self._closing = False

    def tell(self, workflow: str, state: str) -> None:
        """It ended in that state, and this is committed."""
        with self._changed:
            self._told[workflow] = state
            self._changed.notify_all()

    def told(self, workflows: Iterable[str]) -> Mapping[str, str]:
        """What was told of those."""
        with self._changed:
            return {item: self._told[item] for item in workflows if item in self._told}

    def wait(self, workflows: Iterable[str], seconds: float) -> bool:
        """Wait until something is told of one of them; False when nothing was. Raises `Closing`."""
        wanted = list(workflows)
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or any(item in self._told for item in wanted), seconds
            )
            found = any(item in self._told for item in wanted)
        self.check()
        return found

    def forget(self, workflows: Iterable[str]) -> None:
        """Drop what nobody waits for any more."""
        with self._changed:
            for workflow in workflows:
                self._told.pop(workflow, None)

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


def pause(looks: int) -> float:
    """Seconds before the next look at the database after `looks` without luck."""
    return float(min(SOONEST * 2 ** min(looks, 10), LATEST))
