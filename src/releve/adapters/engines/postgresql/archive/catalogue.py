"""What a vault holds of one database: its bases, and its WAL by chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    mark_of,
    place,
)
from releve.adapters.engines.postgresql.timelines import History, history
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository, Snapshot, walk
from releve.adapters.vault.sight import Sight


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
    through, so that whoever may only add an emptied snapshot hides nothing.
    """
    wal = Wal()
    for same in chapters(found).values():
        wal.marks += [one.mark for one in same]
        files = _versions(vault, same[-1:])
        if len(same) > 1 and not _whole(files, _versions(vault, [min(same, key=_arrival)])):
            files = _versions(vault, same)
        for name, node, mark in files:
            _add(vault, wal, name, node, mark)
    return wal


def _versions(vault: Repository, same: Sequence[Chapter]) -> list[tuple[str, Node, WalMark]]:
    """Every file of these snapshots; what the store saw first comes first."""
    ordered = sorted(same, key=_arrival)
    return [(name, node, one.mark) for one in ordered for name, node in files_of(vault, one.snapshot).items()]


def _arrival(one: Chapter) -> tuple[datetime, int]:
    return one.snapshot.seen or one.snapshot.at, one.mark.until


def _whole(fullest: Sequence[tuple[str, Node, WalMark]], first: Sequence[tuple[str, Node, WalMark]]) -> bool:
    """Whether the fullest snapshot of a chapter has no hole, and all that the first one to arrive had."""
    names, before = (
        {name.removesuffix(PARTIAL) for name, _node, _mark in files if name.removesuffix(PARTIAL).isalnum()}
        for files in (fullest, first)
    )
    tails = sorted(int(name[16:24], 16) for name in names)
    return bool(tails) and tails[-1] - tails[0] + 1 == len(tails) and before <= names


def _text(vault: Repository, node: Node) -> str:
    return b"".join(vault.blob(one) for one in node.content).decode("utf-8", "replace")


def _add(vault: Repository, wal: Wal, name: str, node: Node, mark: WalMark) -> None:
    if name.endswith(HISTORY):
        if name not in wal.history_files:
            timeline = int(name.removesuffix(HISTORY), 16)
            wal.history_files[name] = node
            wal.histories[timeline] = history(timeline, _text(vault, node))
        return
    if name.endswith(INSTANTS):
        wal.proofs += [(mark.timeline, until, at) for until, at in read_instants(_text(vault, node)).items()]
        return
    wal.size = wal.size or node.size
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
