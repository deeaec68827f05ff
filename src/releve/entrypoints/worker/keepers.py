"""What a site's worker keeps running: one process for each share end, one for the history of each database.

A keeper reads its standard input: when the worker goes away, kill -9 included, the pipe closes and the keeper
takes its last look and ends. The worker that is started next begins a new one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

_RESTART = 1.0  # seconds before a keeper that ended is started again
_END = 30.0  # seconds given to a keeper to take its last look


class KeeperProcess:
    """One keeper. `tick` starts it when it does not run, and says so; `close` lets it end."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def tick(self) -> str:
        """What is to be said: why it ended; empty while it runs."""
        said = ""
        if self._process is not None and (code := self._process.poll()) is not None:
            said = f"s'est arrêté (code {code}), relancé"
            self._release()
        if self._process is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + _RESTART
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        return said

    def close(self) -> None:
        """Close its input and wait; a keeper that does not end in time is killed: cut anywhere, it loses nothing."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _release(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


def keeper_command(plan: str, site: str, kind: str, data_set: str) -> list[str]:
    """How the keeper of a share, or of a database's history, is started. `kind`: "share" or "database"."""
    return [sys.executable, "-P", "-m", "releve", kind, "keep", data_set, "--site", site, "--plan", plan]
