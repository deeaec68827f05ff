"""How a snapshot says which database's WAL or base it holds: tags, which stock restic shows and filters by.

WAL is kept in chapters: all segments of one timeline that share their first sixteen digits (4 GiB of WAL with
segments of 16 MiB). A snapshot of a chapter holds everything of it so far, so only the last one counts, and
however long the history is, a tree never has more than one chapter in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from releve.adapters.engines.postgresql.parse import lsn, say_lsn
from releve.adapters.vault.clock import rfc3339, to_datetime
from releve.adapters.vault.repository import Snapshot

PARTIAL = ".partial"
HISTORY = ".history"
INSTANTS = ".instants"  # of a chapter: "position instant" a line, what was claimed as each segment ended
_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_WORD = re.compile(r"[0-9A-F]{8}")
_COUNT = re.compile(r"[1-9][0-9]{0,9}")
_CHAPTER = 16  # digits
_GROUP = 23  # digits: sixteen segments a folder, so that a snapshot rewrites one small tree
_LOG = 1 << 32  # bytes that the first sixteen digits count


@dataclass(frozen=True, slots=True)
class Place:
    """A WAL segment: its timeline and its number since the beginning."""

    timeline: int
    number: int

    def name(self, size: int) -> str:
        """Its file name, for segments of `size` bytes."""
        a_log = _LOG // size
        return f"{self.timeline:08X}{self.number // a_log:08X}{self.number % a_log:08X}"


def place(name: str, size: int) -> Place | None:
    """The segment that a file name means, `.partial` or not; None for another file."""
    match = _NAME.fullmatch(name.removesuffix(PARTIAL))
    if match is None or not size:
        return None
    return Place(int(match[1], 16), int(match[2], 16) * (_LOG // size) + int(match[3], 16))


def filled(name: str, size: int, until: int) -> int:
    """Bytes of a partial file (`size` in all) up to `until`, a position; 0 when that lies in another segment."""
    at = place(name, size)
    within = until - at.number * size if at else 0
    return within if 0 < within <= size else 0


def is_wal(name: str) -> bool:
    """Whether a file name is one of a segment, `.partial` or not."""
    return _NAME.fullmatch(name.removesuffix(PARTIAL)) is not None


def is_history(name: str) -> bool:
    """Whether a file name is one of a timeline's history."""
    return name.endswith(HISTORY) and _WORD.fullmatch(name.removesuffix(HISTORY)) is not None


def leads_to(name: str, chapter: str) -> bool:
    """Whether a file is the history of a chapter's timeline, or of one before it: a later one is none of its business.

    A later timeline may be abandoned, and its number borne by another.
    """
    return is_history(name) and name[:8] <= chapter[:8]


def is_size(size: int) -> bool:
    """Whether a segment may have that many bytes: a power of two from 1 MiB to 1 GiB (`initdb --wal-segsize`)."""
    return 1 << 20 <= size <= 1 << 30 and size.bit_count() == 1


def chapter_of(name: str) -> str:
    """The chapter of a segment."""
    return name[:_CHAPTER]


def group_of(name: str) -> str:
    """The folder, within its chapter, of a segment."""
    return name[:_GROUP]


@dataclass(frozen=True, slots=True)
class WalMark:
    """A snapshot of a chapter. Everything of its timeline below `until` (bytes) was received.

    `safe`: everything acknowledged before that instant, by the server's clock, is below `until`; None: not claimed.
    """

    database: str
    system: str
    timeline: int
    chapter: str
    until: int
    safe: datetime | None = None

    def tags(self) -> tuple[str, ...]:
        """As they stand in the snapshot."""
        said = (f"safe={rfc3339(self.safe)}",) if self.safe else ()
        return (
            f"database={self.database}",
            f"system={self.system}",
            f"timeline={self.timeline}",
            f"wal={self.chapter}",
            f"until={say_lsn(self.until)}",
            *said,
        )


@dataclass(frozen=True, slots=True)
class BaseMark:
    """A snapshot of a base. `start` and `stop`: the WAL (bytes) without which it is not consistent.

    `ready`: an instant, by the server's clock, before which it ended: any later time can be gone to from it.
    `version`: as PostgreSQL counts (160014); `segment`: bytes of a WAL segment.
    """

    database: str
    system: str
    label: str
    timeline: int
    start: int
    stop: int
    ready: datetime
    version: int
    segment: int

    def tags(self) -> tuple[str, ...]:
        """As they stand in the snapshot."""
        return (
            f"database={self.database}",
            f"system={self.system}",
            f"timeline={self.timeline}",
            f"base={self.label}",
            f"start={say_lsn(self.start)}",
            f"stop={say_lsn(self.stop)}",
            f"ready={rfc3339(self.ready)}",
            f"version={self.version}",
            f"segment={self.segment}",
        )


def mark_of(snapshot: Snapshot) -> WalMark | BaseMark | None:
    """What a snapshot says that it is; None when it is neither.

    Whoever may add to the vault may write any tag: what does not parse to the letter is no mark.
    """
    found = dict(tag.split("=", 1) for tag in snapshot.tags if "=" in tag)
    try:
        if "wal" in found:
            return _wal(found)
        return _base(found) if "base" in found else None
    except (KeyError, ValueError, OverflowError):
        return None


def _wal(found: Mapping[str, str]) -> WalMark:
    safe = to_datetime(found["safe"]) if "safe" in found else None
    timeline, chapter = _timeline(found), found["wal"]
    if len(chapter) != _CHAPTER or not is_wal(chapter + "0" * 8) or int(chapter[:8], 16) != timeline:
        raise ValueError(f"not a chapter of timeline {timeline}: {chapter!r}")
    return WalMark(found["database"], found["system"], timeline, chapter, lsn(found["until"]), safe)


def _base(found: Mapping[str, str]) -> BaseMark:
    start, stop, segment = lsn(found["start"]), lsn(found["stop"]), _count(found["segment"])
    if start > stop or not is_size(segment):
        raise ValueError("no base is like that")
    return BaseMark(
        found["database"],
        found["system"],
        found["base"],
        _timeline(found),
        start,
        stop,
        to_datetime(found["ready"]),
        _count(found["version"]),
        segment,
    )


def _timeline(found: Mapping[str, str]) -> int:
    number = _count(found["timeline"])
    if number >= _LOG:
        raise ValueError(f"not a timeline: {number}")
    return number


def _count(text: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise ValueError(f"not a number: {text!r}")
    return int(text)
