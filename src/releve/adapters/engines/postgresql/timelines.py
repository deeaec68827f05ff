"""Where the histories of two servers part. Pure.

A promotion begins a new timeline; its history file lists the timelines it came from and the
position at which each was left. Two servers have diverged when one of them wrote beyond the point
where the other's history leaves the timeline they shared. `pg_control` is not asked for this: it
learns of a new timeline only at the checkpoint after the promotion (measured on 15: pg_rewind then
says "no rewind required", returns 0, and the old source follows with WAL of its own).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from releve.adapters.engines.postgresql.parse import lsn

_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")


@dataclass(frozen=True, slots=True)
class History:
    """A timeline and its ancestors, oldest first, each with the position at which it was left."""

    timeline: int
    ancestors: tuple[tuple[int, int], ...] = ()

    @property
    def began(self) -> int:
        """Position at which this timeline begins; 0 for the first."""
        return self.ancestors[-1][1] if self.ancestors else 0


def history(timeline: int, text: str) -> History:
    """Read a history file (`pg_wal/0000000N.history`); the first timeline has none."""
    found = [_LINE.match(line) for line in text.splitlines() if not line.lstrip().startswith("#")]
    return History(timeline, tuple((int(match[1]), lsn(match[2])) for match in found if match))


@dataclass(frozen=True, slots=True)
class Fork:
    """The last timeline that two servers share, and the position up to which they share it."""

    timeline: int
    position: int


def fork(one: History, other: History) -> Fork | None:
    """Where the two part; None when they are on the same timeline (then they have not parted).

    Raises ValueError when they share no timeline at all.
    """
    mine: list[tuple[int, int | None]] = [*one.ancestors, (one.timeline, None)]
    theirs: list[tuple[int, int | None]] = [*other.ancestors, (other.timeline, None)]
    shared: Fork | None = None
    for (a, a_end), (b, b_end) in zip(mine, theirs, strict=False):
        if a != b:
            break
        ends = [end for end in (a_end, b_end) if end is not None]
        if not ends:
            return None
        shared = Fork(a, min(ends))
        if a_end != b_end:
            break
    if shared is None:
        raise ValueError("the two servers share no timeline")
    return shared


def follows(site: History, site_end: int, source: History, source_end: int) -> bool:
    """Whether a server whose WAL ends at `site_end` may simply go on as a standby of `source`."""
    try:
        parted = fork(site, source)
    except ValueError:
        return False
    if parted is None:
        return site_end <= source_end
    return site.timeline == parted.timeline and site_end <= parted.position
