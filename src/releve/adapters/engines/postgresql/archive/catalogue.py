"""What a vault holds of one database: its bases, and its WAL by chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.engines.postgresql.archive.instants import read as read_instants
from releve.adapters.engines.postgresql.archive.marks import (
    HISTORY,
    INSTANTS,
    PARTIAL,
    BaseMark,
    Place,
    WalMark,
    chapter_of,
    is_history,
    is_size,
    is_wal,
    mark_of,
    place,
)
from releve.adapters.engines.postgresql.timelines import History, history
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository, Snapshot, walk
from releve.adapters.vault.sight import Sight
from releve.domain.errors import BadInput
from releve.domain.names import nearest


@dataclass(frozen=True, slots=True)
class Base:
    """A base and the snapshot that holds it."""

    mark: BaseMark
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Chapter:
    """A snapshot of a chapter."""

    mark: WalMark
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Segment:
    """A WAL file of the vault. `end`: bytes since the beginning up to which it is filled, when known."""

    name: str
    at: Place
    node: Node
    partial: bool
    end: int


@dataclass(slots=True)
class Wal:
    """All WAL files of a database, the best version of each; histories of its timelines.

    `proofs`: (timeline, position, instant): what was acknowledged before the instant is below the position.
    """

    size: int = 0  # bytes of a segment
    segments: dict[Place, Segment] = field(default_factory=dict)
    histories: dict[int, History] = field(default_factory=dict)
    history_files: dict[str, Node] = field(default_factory=dict)
    marks: list[WalMark] = field(default_factory=list)
    proofs: list[tuple[int, int, datetime]] = field(default_factory=list)


class Catalogue:
    """The snapshots of one database, each file read once."""

    def __init__(self, vault: Repository, database: str) -> None:
        self._database = database
        self._sight: Sight[Base | Chapter] = Sight(vault, self._ours)

    @property
    def unreadable(self) -> Sequence[str]:
        """The snapshot files that the last look could not read, whosever they are."""
        return self._sight.unreadable

    def look(self) -> Sequence[Base | Chapter]:
        """Those that are there now and can be read."""
        return self._sight.look()

    def _ours(self, snapshot: Snapshot) -> Base | Chapter | None:
        mark = mark_of(snapshot)
        if mark is None or mark.database != self._database:
            return None
        return Base(mark, snapshot) if isinstance(mark, BaseMark) else Chapter(mark, snapshot)


def unknown_database(vault: Repository, database: str) -> BadInput:
    """The error for a name under which a vault keeps no database."""
    marks: Sight[WalMark | BaseMark] = Sight(vault, mark_of)
    known = {mark.database for mark in marks.look()}
    return BadInput(
        "unknown-database",
        f"le coffre ne garde aucune base de données sous le nom « {database} »",
        hint=nearest(database, known, "il n'en garde aucune : releve database archive en commence une"),
    )


def bases(found: Sequence[Base | Chapter]) -> list[Base]:
    """The bases, oldest first by the WAL that they end with."""
    return sorted((one for one in found if isinstance(one, Base)), key=lambda one: one.mark.ready)


def chapters(found: Sequence[Base | Chapter]) -> Mapping[str, list[Chapter]]:
    """The snapshots of each chapter, the fullest last."""
    known: dict[str, list[Chapter]] = {}
    for one in found:
        if isinstance(one, Chapter):
            known.setdefault(one.mark.chapter, []).append(one)
    for same in known.values():
        same.sort(key=_fullness)
    return known


def _fullness(one: Chapter) -> tuple[int, datetime, str]:
    return one.mark.until, one.mark.safe or one.snapshot.at, one.snapshot.id


def files_of(vault: Repository, snapshot: Snapshot) -> dict[str, Node]:
    """The WAL and history files of a snapshot, by name."""
    return {
        node.name.decode("ascii", "replace"): node
        for _path, node in walk(vault, snapshot.tree)
        if node.kind == "file"
    }


def wal_of(vault: Repository, found: Sequence[Base | Chapter]) -> Wal:
    """Everything known of the WAL.

    The fullest snapshot of a chapter is believed, unless a file is missing in it: then all of that chapter are looked
    through, so that whoever may only add an emptied snapshot hides nothing. A file that no archiver of ours would have
    put there counts for nothing.
    """
    every = sorted(chapters(found).values(), key=lambda same: min(_arrival(one) for one in same))
    wal = Wal(_size(vault, found))
    for same in every:
        wal.marks += [one.mark for one in same]
        files = _versions(vault, same[-1:], wal.size)
        first = min(same, key=_arrival)
        if len(same) > 1 and not _whole(files, _versions(vault, [first], wal.size), same[-1].mark, wal.size):
            files = _versions(vault, same, wal.size)
        for name, node, mark in files:
            _add(vault, wal, name, node, mark)
    return wal


def _size(vault: Repository, found: Sequence[Base | Chapter]) -> int:
    """Bytes of a segment, as the first base that came says it, or else the first WAL; 0 when nothing does."""
    first = min((one for one in found if isinstance(one, Base)), key=_seen, default=None)
    if first is not None:
        return first.mark.segment
    for one in sorted((one for one in found if isinstance(one, Chapter)), key=_arrival):
        for name, node in files_of(vault, one.snapshot).items():
            if is_wal(name) and is_size(node.size):
                return node.size
    return 0


def _versions(vault: Repository, same: Sequence[Chapter], size: int) -> list[tuple[str, Node, WalMark]]:
    """Every file of these snapshots that belongs there; what the store saw first comes first."""
    return [
        (name, node, one.mark)
        for one in sorted(same, key=_arrival)
        for name, node in files_of(vault, one.snapshot).items()
        if _belongs(name, node, one.mark.chapter, size)
    ]


def _belongs(name: str, node: Node, chapter: str, size: int) -> bool:
    """Whether an archiver puts such a file in a snapshot of that chapter."""
    if is_wal(name):
        return chapter_of(name) == chapter and node.size == size
    return is_history(name) or name == chapter + INSTANTS


def _seen(one: Base | Chapter) -> datetime:
    return one.snapshot.seen or one.snapshot.at


def _arrival(one: Chapter) -> tuple[datetime, int]:
    return _seen(one), one.mark.until


def _whole(
    fullest: Sequence[tuple[str, Node, WalMark]],
    first: Sequence[tuple[str, Node, WalMark]],
    mark: WalMark,
    size: int,
) -> bool:
    """Whether the fullest snapshot of a chapter has no hole up to where it says, and all that the first to come had."""
    names, before = (
        {name.removesuffix(PARTIAL) for name, _node, _mark in files if is_wal(name)}
        for files in (fullest, first)
    )
    numbers = sorted(at.number for name in names if (at := place(name, size)))
    return (
        bool(numbers)
        and numbers[-1] - numbers[0] + 1 == len(numbers)
        and mark.until <= (numbers[-1] + 1) * size
        and before <= names
    )


def _text(vault: Repository, node: Node) -> str:
    return b"".join(vault.blob(one) for one in node.content).decode("utf-8", "replace")


def _add(vault: Repository, wal: Wal, name: str, node: Node, mark: WalMark) -> None:
    if name.endswith(HISTORY):
        if name not in wal.history_files:
            timeline = int(name.removesuffix(HISTORY), 16)
            with suppress(ValueError):  # a history that does not read as one is none
                wal.histories[timeline] = history(timeline, _text(vault, node))
                wal.history_files[name] = node
        return
    if name.endswith(INSTANTS):
        wal.proofs += [(mark.timeline, until, at) for until, at in read_instants(_text(vault, node)).items()]
        return
    at = place(name, wal.size)
    if at is None:
        return
    partial = name.endswith(PARTIAL)
    start = at.number * wal.size
    end = start + wal.size
    if partial:
        end = mark.until if start < mark.until < end else start
    before = wal.segments.get(at)
    if before is None or (before.partial and (not partial or end >= before.end)):
        wal.segments[at] = Segment(name.removesuffix(PARTIAL), at, node, partial, end)
