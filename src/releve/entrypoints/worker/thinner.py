"""A thinning started every ten minutes beside a resident process, of a share or of a database's history."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Self

from releve.entrypoints.worker.resident import say

EVERY = 600.0  # seconds between two thinnings


class Thinner:
    """Starts the thinning in a process of its own: it may take a minute, and its owner goes on meanwhile."""

    def __init__(
        self,
        command: Sequence[str],
        first: float = EVERY,
        ended: Callable[[int], None] = lambda _code: None,
    ) -> None:
        """`command`: empty where nothing is to be thinned. `first`: seconds until it is started for the first time.

        `ended`: told the code of each one that ended.
        """
        self._ended = ended
        self._command = command
        self._running: subprocess.Popen[bytes] | None = None
        self._next = time.monotonic() + first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tick(self) -> None:
        """Start it when it is time; say how it ended."""
        if self._running is not None and (code := self._running.poll()) is not None:
            self._running = None
            self._ended(code)
            if code:
                say(f"l'éclaircissage a fini par le code {code} ; il sera repris")
        if self._command and self._running is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def close(self) -> None:
        """Stop it: cut anywhere, it loses nothing."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait()
