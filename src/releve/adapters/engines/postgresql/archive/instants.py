"""The instants of a chapter: which position held everything that had been acknowledged before which instant. Pure.

A line "0/3000148 2026-01-31T12:00:00Z". One a segment is enough: where a later file is missing, the end of the
one before it is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from releve.adapters.engines.postgresql.parse import lsn, say_lsn
from releve.adapters.vault.clock import rfc3339, to_datetime


def read(text: str) -> dict[int, datetime]:
    """Position in bytes -> instant. A line that is not one is left out: it would prove too little, not too much."""
    found: dict[int, datetime] = {}
    for line in text.splitlines():
        position, _, at = line.partition(" ")
        try:
            found[lsn(position)] = to_datetime(at.strip())
        except (ValueError, OverflowError):
            continue
    return found


def write(known: Mapping[int, datetime]) -> str:
    """The same as text, in order."""
    return "".join(f"{say_lsn(position)} {rfc3339(at)}\n" for position, at in sorted(known.items()))


def within(one: Mapping[int, datetime], other: Mapping[int, datetime]) -> bool:
    """Whether `other` proves all that `one` does. Its last one alone may have made way: for one as far, and as late."""
    *before, last = sorted(one) or [0]
    newer = min((position for position in other if position >= last), default=None)
    return all(other.get(position) == one[position] for position in before) and (
        not one or (newer is not None and other[newer] >= one[last])
    )


def with_one(known: Mapping[int, datetime], until: int, at: datetime, size: int) -> dict[int, datetime]:
    """The same with one more; only the last of each segment (`size` bytes) stays."""
    return last_of_each({**known, until: at}, size)


def last_of_each(known: Mapping[int, datetime], size: int) -> dict[int, datetime]:
    """The last of each segment (`size` bytes)."""
    last = {max(0, position - 1) // size: position for position in sorted(known)}
    return {position: known[position] for position in last.values()}
