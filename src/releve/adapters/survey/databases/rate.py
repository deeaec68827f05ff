"""How fast a server writes: two positions in its log, some time apart."""

from __future__ import annotations

from dataclasses import dataclass

PAUSE = 2.0  # seconds between two looks: short enough to wait for, long enough to be of more than one commit


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log has come (bytes), and when (seconds), by the server's own clock."""

    at: float
    position: int


def rate(first: Place | None, second: Place | None) -> float | None:
    """Bytes a second; None when it cannot be said (restarted meanwhile, clock set back, not told)."""
    if first is None or second is None:
        return None
    seconds, written = second.at - first.at, second.position - first.position
    return written / seconds if seconds > 0 and written >= 0 else None
