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


def with_one(known: Mapping[int, datetime], until: int, at: datetime, size: int) -> dict[int, datetime]:
    """The same with one more; only the last of each segment (`size` bytes) stays."""
    last: dict[int, int] = {}
    every = {**known, until: at}
    for position in sorted(every):
        last[max(0, position - 1) // size] = position
    return {position: every[position] for position in last.values()}
