"""How fast a server writes: two positions in its log, some time apart."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

PAUSE = 2.0  # seconds between two looks: short enough to wait for, long enough to be of more than one commit


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log has come (bytes), and when (seconds), by the server's own clock."""

    at: float
    position: int


def rate(first: Place | None, second: Place | None) -> float | None:
    """Bytes a second; None when it cannot be said (restarted meanwhile, clock set back or no number, not told).

    Raises OverflowError for positions that no server has.
    """
    if first is None or second is None:
        return None
    seconds, written = second.at - first.at, second.position - first.position
    found = written / seconds if 0 < seconds < inf and written >= 0 else inf
    return found if found < inf else None
