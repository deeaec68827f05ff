"""The WAL of a database as its snapshots hold it: of each file the version to believe, and those that contradict it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.engines.postgresql.archive import instants
from releve.adapters.engines.postgresql.archive.catalogue import Base, Chapter, chapters
from releve.adapters.engines.postgresql.archive.marks import (
    HISTORY,
    INSTANTS,
    PARTIAL,
    Place,
    WalMark,
    chapter_of,
    filled,
    is_wal,
    leads_to,
    place,
)
from releve.adapters.engines.postgresql.archive.trees import Trees
from releve.adapters.engines.postgresql.timelines import History, history
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Repository
from releve.domain.errors import PromiseBroken


@dataclass(frozen=True, slots=True)
class Segment:
    """A WAL file of the vault, and the snapshot that it is taken from.

    `end`: bytes since the beginning up to which it is filled, when known.
    """

    name: str
    at: Place
    node: Node
    partial: bool
    end: int
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class Doubled:
    """A WAL file that two snapshots (their ids) hold with different bytes: the first to come is believed."""

    name: str
    believed: str
    other: str


@dataclass(slots=True)
class Wal:
    """All WAL files of a database, one version of each; histories of its timelines.

    `proofs`: (timeline, position, instant): what was acknowledged before the instant is below the position.
    `doubled`: by name. `unreadable`: the snapshots (ids) of which something could not be read, and why.
    """

    size: int  # bytes of a segment
    segments: dict[Place, Segment] = field(default_factory=dict)
    histories: dict[int, History] = field(default_factory=dict)
    history_files: dict[str, Node] = field(default_factory=dict)
    marks: list[WalMark] = field(default_factory=list)
    proofs: set[tuple[int, int, datetime]] = field(default_factory=set)
    doubled: dict[str, Doubled] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def wal_of(vault: Repository, found: Sequence[Base | Chapter], size: int) -> Wal:
    """Everything known of the WAL in segments of `size` bytes. The list of blobs must have been read.

    Every snapshot is looked into, in the order of their arrival: of a file whose bytes differ, the first to come is
    believed, so that whoever may only add hides nothing that was there before. A partial file grows: one that goes on
    from what is believed takes its place. A file that no archiver of ours would have put there counts for nothing.
    """
    every = sorted(chapters(found).values(), key=lambda same: min(arrival(one) for one in same))
    reading = _Reading(vault, Wal(size))
    for same in every:
        for one in sorted(same, key=arrival):
            reading.take(one)
        reading.take_instants(same)
    return reading.wal


def arrival(one: Chapter) -> tuple[datetime, int, str]:
    """In which order snapshots came: by the store's date; by their writer's where it has none."""
    return one.snapshot.seen or one.snapshot.at, one.mark.until, one.snapshot.id


class _Reading:
    def __init__(self, vault: Repository, wal: Wal) -> None:
        self.wal = wal
        self._trees = Trees(vault)
        self._told_by: dict[str, str] = {}  # history file -> snapshot
        self._done: set[bytes] = set()  # folders whose files are all whole, and were taken

    def take(self, one: Chapter) -> None:
        """What a snapshot adds. One that cannot be read, or a part of it, adds nothing."""
        self.wal.marks.append(one.mark)
        try:
            folders = self._trees.folders(one.snapshot.tree) - self._done
        except PromiseBroken as error:
            self.wal.unreadable[one.snapshot.id] = error.sentence
            return
        for folder in folders:
            files = {name: node for name, node in self._trees.of(folder).items() if node.kind == "file"}
            for name, node in files.items():
                try:
                    self._add(one, name, node)
                except PromiseBroken as error:
                    self.wal.unreadable[one.snapshot.id] = error.sentence
            if files and all(is_wal(name) and not name.endswith(PARTIAL) for name in files):
                self._done.add(folder)

    def take_instants(self, same: Sequence[Chapter]) -> None:
        """What proves a restore: every snapshot's own claim, and the list of the fullest one that has all of these."""
        claims = {one.mark.until: one.mark.safe for one in same if one.mark.safe}
        self._prove(same[0].mark.timeline, claims)
        needed = instants.last_of_each(claims, self.wal.size)
        for one in reversed(same):
            try:
                node = self._trees.files(one.snapshot.tree).get(one.mark.chapter + INSTANTS)
                said = instants.read(self._trees.text(node)) if node else {}
            except PromiseBroken as error:
                self.wal.unreadable[one.snapshot.id] = error.sentence
                continue
            self._prove(one.mark.timeline, said)
            if instants.within(needed, said):
                return

    def _prove(self, timeline: int, said: Mapping[int, datetime]) -> None:
        self.wal.proofs |= {(timeline, until, at) for until, at in said.items()}

    def _add(self, one: Chapter, name: str, node: Node) -> None:
        if leads_to(name, one.mark.chapter):
            self._history(one, name, node)
        elif is_wal(name) and chapter_of(name) == one.mark.chapter and node.size == self.wal.size:
            self._segment(one, name, node)

    def _history(self, one: Chapter, name: str, node: Node) -> None:
        known = self.wal.history_files.get(name)
        if known is not None:
            if known.content != node.content:
                self._contradict(name, self._told_by[name], one)
            return
        with suppress(ValueError):  # a history that does not read as one is none
            timeline = int(name.removesuffix(HISTORY), 16)
            self.wal.histories[timeline] = history(timeline, self._trees.text(node))
            self.wal.history_files[name] = node
            self._told_by[name] = one.snapshot.id

    def _contradict(self, name: str, believed: str, one: Chapter) -> None:
        self.wal.doubled.setdefault(name, Doubled(name, believed, one.snapshot.id))

    def _segment(self, one: Chapter, name: str, node: Node) -> None:
        at = place(name, self.wal.size)
        if at is None:
            return
        partial = name.endswith(PARTIAL)
        inside = filled(name, node.size, one.mark.until) if partial else node.size
        end = at.number * self.wal.size + inside
        fresh = Segment(name.removesuffix(PARTIAL), at, node, partial, end, one.snapshot.id)
        known = self.wal.segments.get(at)
        if (
            known is not None
            and known.node.content == node.content
            and (not known.partial, known.end) >= (not partial, end)
        ):
            return
        self._trees.require(node)
        if known is None:
            self.wal.segments[at] = fresh
        elif not self._trees.begins_as(known.node, node, min(known.end, end) - at.number * self.wal.size):
            self._contradict(known.name, known.snapshot, one)
        elif known.partial and (not partial or end > known.end):
            self.wal.segments[at] = fresh
