"""What every resident process needs: to hear that it must stop, to write its log, to know the machine's start."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

TURN = 1.0  # seconds: at most so long until an order to stop is heard; each turn wakes an idle machine
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def say(line: str) -> None:
    """One line of the log, on stderr."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {line}\n")
    sys.stderr.flush()


class Stop:
    """Set by SIGTERM and SIGINT."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Wait, in short turns."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, TURN))


def end_with_parent() -> None:
    """End (SIGTERM) when whoever started us goes away: it holds the other end of our standard input."""
    source = sys.stdin.fileno()

    def listen() -> None:
        while os.read(
            source, 4096
        ):  # not through Python's buffer: its lock, still held at our end, aborts us
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, name="worker", daemon=True).start()


class View:
    """How long ago the capture last read what the vault lists: told in its lock, for whoever deletes."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def taken(self) -> None:
        """The list was read anew, and nothing decided before counts any more."""
        self._at = time.monotonic()

    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self._at


def boot() -> str:
    """What changes when the machine starts anew."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"{time.time() - time.monotonic():.0f}"  # no Linux: the instant of the start, to the second
