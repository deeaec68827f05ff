"""Received WAL -> durable snapshots, one a chapter that grew. What it returns is in the vault."""

from __future__ import annotations

import hashlib
import mmap
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from releve import __version__
from releve.adapters.engines.postgresql.archive import instants
from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, Chapter, chapters
from releve.adapters.engines.postgresql.archive.marks import (
    HISTORY,
    INSTANTS,
    PARTIAL,
    WalMark,
    chapter_of,
    filled,
    group_of,
    is_size,
    leads_to,
    place,
)
from releve.adapters.engines.postgresql.archive.pieces import Piece, grown
from releve.adapters.engines.postgresql.archive.segments import arrival
from releve.adapters.engines.postgresql.archive.spool import Received
from releve.adapters.engines.postgresql.archive.trees import Trees
from releve.adapters.vault.metadata import node_of
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.repository import Repository, snapshot_value
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken, Refused

FOLDER = "wal"
_LOOK_AGAIN = 10.0  # seconds between two looks at what the vault lists


@dataclass(frozen=True, slots=True)
class Claim:
    """Everything acknowledged before `at` (the server's clock) is below `until` (bytes) of `timeline`."""

    timeline: int
    until: int
    at: datetime


@dataclass(slots=True)
class _Chapter:
    """What the next snapshot of a chapter goes on from.

    By the whole name of a file, in bytes since the beginning: `ends`, up to where it is filled; `proven`, up to where
    it was seen to be what was received. What is not proven, anybody who may add to the vault may have written.
    """

    files: dict[str, Node] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    proven: dict[str, int] = field(default_factory=dict)
    instants: dict[int, datetime] = field(default_factory=dict)
    claimed: int = 0

    @property
    def until(self) -> int:
        """Bytes since the beginning up to which it has everything."""
        return max([self.claimed, *self.ends.values()])

    def copy(self) -> _Chapter:
        """One that may be changed."""
        return _Chapter(
            dict(self.files), dict(self.ends), dict(self.proven), dict(self.instants), self.claimed
        )

    def put(self, one: Received, node: Node) -> None:
        """A file as it was received."""
        self.drop(one.whole_name)
        self.files[one.name] = node
        self.ends[one.whole_name] = self.proven[one.whole_name] = one.end

    def drop(self, name: str) -> None:
        """A file, whole or not."""
        for there in (name, name + PARTIAL):
            self.files.pop(there, None)
        self.ends.pop(name, None)
        self.proven.pop(name, None)

    def kept(self) -> set[str]:
        """The whole files that are those that were received."""
        return {name for name in self.files if name in self.ends and self.proven.get(name) == self.ends[name]}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a keeping wrote. `names`: whole segments that a durable snapshot has; `stored`: bytes."""

    snapshot: str = ""
    names: frozenset[str] = frozenset()
    stored: int = 0


class Keeper:
    """The one writer of a database's WAL."""

    def __init__(
        self,
        vault: Repository,
        database: str,
        system: str,
        *,
        now: Callable[[], datetime],
        still_ours: Callable[[], None] = lambda: None,
        viewed: Callable[[], None] = lambda: None,
    ) -> None:
        """`viewed` is told when the vault's list was read anew (see `vault.merging`)."""
        self._vault = vault
        self._database = database
        self._system = system
        self._now = now
        self._still_ours = still_ours
        self._viewed = viewed
        self._catalogue = Catalogue(vault, database)
        self._chapters: dict[str, _Chapter] = {}
        self._histories: dict[str, Node] = {}
        self._writer = Writer(vault, still_ours)
        self._listed = -1.0  # when the list was read last; negative: never, or not to be believed

    def prove_ours(self) -> None:
        """Raises `Refused` when the vault has another server's WAL under this name."""
        for one in self._catalogue.look():
            if one.mark.system != self._system:
                raise Refused(
                    "database-other",
                    f"sous le nom « {self._database} », le coffre garde un autre serveur ({one.mark.system})",
                    hint="donnez un autre nom à ces données : --database",
                )

    def ends(self) -> Mapping[int, int]:
        """Up to where (bytes) the vault has each timeline, by the word of its snapshots."""
        found: dict[int, int] = {}
        for one in self._catalogue.look():
            if isinstance(one, Chapter):
                found[one.mark.timeline] = max(found.get(one.mark.timeline, 0), one.mark.until)
        return found

    def keep(self, files: Sequence[Received], histories: Sequence[Path], claim: Claim | None) -> Kept:
        """Store what the vault does not have of these; with a claim, also when nothing grew.

        `claim` must be true of `files`. After an error nothing is known of what was begun: call it again.
        """
        stored = self._writer.stored_bytes
        try:
            self._look()
            fresh = self._histories_of(histories)
            grew: dict[str, _Chapter] = {}
            for name in sorted({chapter_of(one.name) for one in files}):
                chapter = self._chapter(name)
                more = chapter.copy()
                if self._fill(more, [one for one in files if chapter_of(one.name) == name]) or fresh:
                    grew[name] = more
                else:
                    self._chapters[name] = more  # what was proven meanwhile
            if claim is not None and files:
                self._claimed(grew, files, claim)
            written = self._write(grew, claim)
        except BaseException:
            self._restart()
            raise
        names = {name for chapter in self._chapters.values() for name in chapter.kept()}
        for past in sorted(self._chapters)[:-2]:
            del self._chapters[past]  # looked up again should it ever be needed
        return Kept(written, frozenset(names), self._writer.stored_bytes - stored)

    def close(self) -> None:
        """Give the writer's threads back."""
        self._writer.close()

    def _look(self) -> None:
        begun = time.monotonic()
        if self._listed < 0:
            self._catalogue.look()  # snapshots are listed before the list of blobs is read
            self._vault.load_index()
        elif begun - self._listed > _LOOK_AGAIN:
            self._vault.refresh_index()
        else:
            return
        self._listed = begun
        self._viewed()

    def _restart(self) -> None:
        self._writer.close()
        self._writer = Writer(self._vault, self._still_ours)
        self._listed = -1.0
        self._chapters.clear()

    def _chapter(self, name: str) -> _Chapter:
        known = self._chapters.get(name)
        if known is not None:
            return known
        chapter = _Chapter()
        for one in chapters(self._catalogue.look()).get(name, [])[-1:]:
            try:
                chapter = self._begun(name, one)
            except PromiseBroken:  # what it has stays in the vault; this chapter begins anew beside it
                chapter = _Chapter()
        self._chapters[name] = chapter
        return chapter

    def _begun(self, name: str, one: Chapter) -> _Chapter:
        trees = Trees(self._vault)
        found = trees.files(one.snapshot.tree)
        self._histories |= {file: node for file, node in found.items() if leads_to(file, name)}
        noted = found.get(name + INSTANTS)
        chapter = _Chapter(instants=instants.read(trees.text(noted)) if noted else {})
        for file, node in found.items():
            at = place(file, node.size) if is_size(node.size) and chapter_of(file) == name else None
            if at is not None and all(map(self._length, node.content)):
                whole = not file.endswith(PARTIAL)
                chapter.files[file] = node
                chapter.ends[file.removesuffix(PARTIAL)] = at.number * node.size + (
                    node.size if whole else filled(file, node.size, one.mark.until)
                )
        return chapter

    def _histories_of(self, paths: Sequence[Path]) -> bool:
        """Whether there are new ones. Raises `Refused` for a timeline whose number another one bears in the vault."""
        fresh = False
        for path in paths:
            data = path.read_bytes()
            known = self._histories.get(path.name) or self._told(path.name)
            if known is not None and known.content != ((hashlib.sha256(data).digest(),) if data else ()):
                self._histories.pop(path.name, None)  # looked up again: it may have been removed meanwhile
                raise _reused(int(path.name.removesuffix(HISTORY), 16))
            if known is not None:
                self._histories[path.name] = known
            else:
                content = (self._writer.save(BlobKind.DATA, data),) if data else ()
                name = os.fsencode(path.name)
                self._histories[path.name] = node_of(name, os.fsencode(path), path.stat(), len(data), content)
                fresh = True
        return fresh

    def _told(self, name: str) -> Node | None:
        """A history as the vault has it: that of the first snapshot of its timeline that tells it."""
        timeline, trees = int(name.removesuffix(HISTORY), 16), Trees(self._vault)
        found = [one for one in self._catalogue.look() if isinstance(one, Chapter)]
        for one in sorted(found, key=arrival):
            if one.mark.timeline != timeline:
                continue
            try:
                node = trees.files(one.snapshot.tree).get(name)
            except PromiseBroken:
                continue  # what it tells nobody knows; another one may
            if node is not None:
                return node
        return None

    def _fill(self, chapter: _Chapter, files: Sequence[Received]) -> bool:
        """Put into the chapter what it did not have of these files; whether there was any."""
        changed = False
        for one in files:
            name = one.whole_name
            whole, begun = chapter.files.get(name), chapter.files.get(name + PARTIAL)
            proven = chapter.proven.get(name, 0)
            if one.end <= max(proven, one.at.number * one.size) and (one.partial or whole is not None):
                continue
            there = whole or (begun if one.partial else None)
            if there is not None and proven < chapter.ends[name] and self._holds(there, one):
                chapter.proven[name] = one.end
                continue
            chapter.put(one, self._node(one, begun))
            changed = True
        return changed

    def _holds(self, node: Node, one: Received) -> bool:
        """Whether a file of the vault begins with all that was received of it."""
        end = one.end - one.at.number * one.size
        at = 0
        with _mapped(one) as (data, _stamp):
            for blob in node.content:
                if at >= end:
                    break
                length = self._length(blob)
                if not length or not self._is(
                    blob, data[at : min(at + length, end)], whole=at + length <= end
                ):
                    return False
                at += length
        return at >= end

    def _is(self, blob: bytes, data: memoryview, *, whole: bool) -> bool:
        if whole:
            return hashlib.sha256(data).digest() == blob
        try:
            return self._vault.blob(blob)[: len(data)] == data
        except PromiseBroken:
            return False  # then it is stored again

    def _node(self, one: Received, before: Node | None) -> Node:
        known = [(blob, self._length(blob)) for blob in before.content] if before else []
        with _mapped(one) as (data, stamp):
            content = grown(data, one.end - one.at.number * one.size, known, self._save)
        return _plain(one.name, one.size, stamp, content)

    def _length(self, blob: bytes) -> int:
        where = self._vault.index.find(blob)
        return where.blob.size if where else 0

    def _save(self, piece: memoryview) -> bytes:
        return self._writer.save(BlobKind.DATA, piece)

    def _claimed(self, grew: dict[str, _Chapter], files: Sequence[Received], claim: Claim) -> None:
        """Note the claim in the chapter of the newest file, which gets a snapshot of its own for it.

        Nothing of a timeline lies beyond where its server is: what the vault had there, nobody of ours wrote.
        """
        newest = files[-1]
        name = chapter_of(newest.name)
        chapter = grew.get(name) or self._chapter(name).copy()
        for file in [file for file in chapter.ends if file not in chapter.proven]:
            at = place(file, newest.size)
            if at is None or at.number * newest.size >= claim.until:
                chapter.drop(file)
        chapter.instants = instants.with_one(chapter.instants, claim.until, claim.at, newest.size)
        chapter.claimed = max(chapter.claimed, claim.until)
        grew[name] = chapter

    def _write(self, grew: Mapping[str, _Chapter], claim: Claim | None) -> str:
        trees = {name: self._tree(name, chapter) for name, chapter in grew.items()}
        self._writer.flush()
        written = ""
        for name, chapter in grew.items():  # oldest first: what is later stands on what is earlier
            timeline = int(name[:8], 16)
            true = claim is not None and claim.timeline == timeline and claim.until in chapter.instants
            mark = WalMark(
                self._database,
                self._system,
                timeline,
                name,
                chapter.until,
                claim.at if claim is not None and true else None,
            )
            written = self._vault.save_snapshot(self._value(trees[name], mark, chapter), self._still_ours)
            self._chapters[name] = chapter
        return written

    def _value(self, root: bytes, mark: WalMark, chapter: _Chapter) -> Mapping[str, object]:
        return snapshot_value(
            at=self._now(),
            tree=root,
            paths=[f"/{FOLDER}"],
            hostname=socket.gethostname(),
            username=str(os.geteuid()),
            uid=os.geteuid(),
            gid=os.getegid(),
            tags=mark.tags(),
            program=f"releve {__version__}",
            summary={
                "total_files_processed": len(chapter.files),
                "total_bytes_processed": sum(node.size for node in chapter.files.values()),
            },
        )

    def _tree(self, name: str, chapter: _Chapter) -> bytes:
        """`wal/`: a folder for sixteen segments, and beside them the histories and the instants."""
        groups: dict[str, list[Node]] = {}
        for file, node in chapter.files.items():
            groups.setdefault(group_of(file), []).append(node)
        top = [_folder(group, nodes, self._folder_tree(nodes)) for group, nodes in groups.items()]
        top += [node for file, node in self._histories.items() if leads_to(file, name)]
        if chapter.instants:
            said = instants.write(chapter.instants).encode()
            blob = self._writer.save(BlobKind.DATA, said)
            stamp = int(max(chapter.instants.values()).timestamp() * 1e9)
            top.append(_plain(name + INSTANTS, len(said), stamp, (blob,)))
        wal = _folder(FOLDER, top, self._folder_tree(top))
        return self._folder_tree([wal])

    def _folder_tree(self, nodes: Sequence[Node]) -> bytes:
        ordered = sorted(nodes, key=lambda node: node.name)
        return self._writer.save(BlobKind.TREE, tree([encode(node) for node in ordered]))


@contextmanager
def _mapped(one: Received) -> Iterator[tuple[memoryview, int]]:
    """Its bytes, and when it was written last (nanoseconds)."""
    with one.open() as file:
        facts = os.fstat(file.fileno())
        if facts.st_size != one.size:
            raise PromiseBroken("wal-short", f"le journal {one.path} n'a pas la taille d'un segment")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole, memoryview(whole) as data:
            yield data, facts.st_mtime_ns


def _reused(timeline: int) -> Refused:
    return Refused(
        "timeline-reused",
        f"le coffre a déjà une autre ligne de temps {timeline} de cette base, abandonnée depuis : rien n'est archivé "
        f"avant qu'elle en soit retirée (releve database forget … --drop-timeline {timeline})",
        hint=f"ce qu'elle a de précieux revient d'abord par : releve database restore … --timeline {timeline}",
        context={"timeline": str(timeline)},
    )


def _folder(name: str, inside: Sequence[Node], subtree: bytes) -> Node:
    newest = max((node.mtime for node in inside), default=0)
    return Node(
        os.fsencode(name),
        "dir",
        0o700,
        newest,
        ctime=newest,
        atime=newest,
        uid=os.geteuid(),
        gid=os.getegid(),
        subtree=subtree,
    )


def _plain(name: str, size: int, stamp: int, content: tuple[bytes, ...]) -> Node:
    return Node(
        os.fsencode(name),
        "file",
        0o600,
        stamp,
        ctime=stamp,
        atime=stamp,
        uid=os.geteuid(),
        gid=os.getegid(),
        size=size,
        links=1,
        content=content,
    )


__all__ = ["FOLDER", "Claim", "Keeper", "Kept", "Piece"]
