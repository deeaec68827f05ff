"""Received WAL -> durable snapshots, one a chapter that grew. What it returns is in the vault."""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from releve import __version__
from releve.adapters.engines.postgresql.archive import instants
from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, chapters, files_of
from releve.adapters.engines.postgresql.archive.marks import (
    INSTANTS,
    PARTIAL,
    WalMark,
    chapter_of,
    group_of,
    is_history,
    is_wal,
)
from releve.adapters.engines.postgresql.archive.pieces import Piece, grown
from releve.adapters.engines.postgresql.archive.spool import Received
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
    """What the last snapshot of a chapter holds."""

    files: dict[str, Node] = field(default_factory=dict)
    until: int = 0
    instants: dict[int, datetime] = field(default_factory=dict)


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
                if (
                    now := self._filled(chapter, [one for one in files if chapter_of(one.name) == name])
                ) or fresh:
                    grew[name] = now or chapter
            if claim is not None and files:
                self._claimed(grew, files, claim)
            written = self._write(grew, claim)
        except BaseException:
            self._restart()
            raise
        names = {name for chapter in self._chapters.values() for name in chapter.files}
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
            found = files_of(self._vault, one.snapshot)
            self._histories |= {name: node for name, node in found.items() if is_history(name)}
            noted = found.get(name + INSTANTS)
            said = (
                b"".join(self._vault.blob(blob) for blob in noted.content).decode(errors="replace")
                if noted
                else ""
            )
            wal = {file: node for file, node in found.items() if is_wal(file) and chapter_of(file) == name}
            chapter = _Chapter(wal, one.mark.until, instants.read(said))
        self._chapters[name] = chapter
        return chapter

    def _histories_of(self, paths: Sequence[Path]) -> bool:
        """Whether there are new ones."""
        fresh = [path for path in paths if path.name not in self._histories]
        for path in fresh:
            data = path.read_bytes()
            content = (self._writer.save(BlobKind.DATA, data),) if data else ()
            self._histories[path.name] = node_of(
                os.fsencode(path.name), os.fsencode(path), path.stat(), len(data), content
            )
        return bool(fresh)

    def _filled(self, chapter: _Chapter, files: Sequence[Received]) -> _Chapter | None:
        """The chapter with what it did not have of these files; None when it has all."""
        nodes = dict(chapter.files)
        until = chapter.until
        changed = False
        for one in files:
            start = one.at.number * one.size
            if one.whole_name in nodes:
                continue
            before = nodes.get(one.whole_name + PARTIAL)
            if one.partial and (one.end <= start or (before is not None and one.end <= until)):
                continue
            node = self._node(one, before)
            nodes.pop(one.whole_name + PARTIAL, None)
            nodes[one.name] = node
            until = max(until, one.end)
            changed = True
        return _Chapter(nodes, until, chapter.instants) if changed else None

    def _node(self, one: Received, before: Node | None) -> Node:
        known = [(blob, self._length(blob)) for blob in before.content] if before else []
        with one.open() as file:
            facts = os.fstat(file.fileno())
            if facts.st_size != one.size:
                raise PromiseBroken("wal-short", f"le journal {one.path} n'a pas la taille d'un segment")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole, memoryview(whole) as data:
                content = grown(data, one.end - one.at.number * one.size, known, self._save)
        return _plain(one.name, one.size, facts.st_mtime_ns, content)

    def _length(self, blob: bytes) -> int:
        where = self._vault.index.find(blob)
        return where.blob.size if where else 0

    def _save(self, piece: memoryview) -> bytes:
        return self._writer.save(BlobKind.DATA, piece)

    def _claimed(self, grew: dict[str, _Chapter], files: Sequence[Received], claim: Claim) -> None:
        """Note the claim in the chapter of the newest file, which gets a snapshot of its own for it."""
        newest = files[-1]
        name = chapter_of(newest.name)
        chapter = grew.get(name) or self._chapter(name)
        noted = instants.with_one(chapter.instants, claim.until, claim.at, newest.size)
        grew[name] = _Chapter(chapter.files, max(chapter.until, newest.end, claim.until), noted)

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
        top += self._histories.values()
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
