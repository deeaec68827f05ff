"""Folders -> snapshot, by a whole walk. A folder is written after everything in it."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from releve.adapters.vault.metadata import node_of
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.reading import Reader
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.writer import Writer
from releve.domain.errors import BadInput, PromiseBroken
from releve.domain.os_errors import reason

_TELL = 256  # files between two words of progress


@dataclass(slots=True)
class Tally:
    """What a saving saw so far. `unread` are (path, why); `unsettled` changed at each of three readings."""

    files: int = 0
    folders: int = 0
    size: int = 0  # bytes of all files
    files_new: int = 0
    files_changed: int = 0
    files_same: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)


Progress = Callable[[Tally], None]


@dataclass(slots=True, eq=False)
class _Frame:
    """A folder on its way: its entries so far, in the order of the names."""

    path: bytes
    name: bytes
    facts: os.stat_result
    names: Sequence[bytes]
    before: Mapping[bytes, Node]
    nodes: list[bytes] = field(default_factory=list)
    at: int = 0
    encoded: bytes = b""
    subtree: bytes = b""


@dataclass(frozen=True, slots=True)
class _Done:
    encoded: bytes | None
    size: int = 0
    news: str = ""  # "new", "changed", "same"
    unread: tuple[str, str] | None = None
    unsettled: str = ""


class Archiver:
    """Saves folders into an open vault."""

    def __init__(
        self,
        repository: Repository,
        writer: Writer,
        *,
        excludes: Sequence[str] = (),
        progress: Progress = lambda _tally: None,
    ) -> None:
        self._repository = repository
        self._writer = writer
        self._excludes = tuple(os.fsencode(pattern) for pattern in excludes)
        self._progress = progress
        self._reader = Reader(writer)
        self.tally = Tally()

    def save(self, paths: Sequence[str], parent: Snapshot | None) -> bytes:
        """The id of the root tree of these absolute paths; everything below is saved, not yet durable.

        Raises `BadInput` when a path cannot be looked at; what cannot be read below is in `tally.unread`.
        """
        try:
            wanted = _outermost([os.fsencode(path) for path in paths])
            root = self._repository.tree(parent.tree) if parent else []
            return self._root(b"/", wanted, {node.name: node for node in root})
        finally:
            self._reader.close()

    def _root(self, above: bytes, wanted: Sequence[bytes], before: Mapping[bytes, Node]) -> bytes:
        """The tree of `above`, which holds only the way down to what is wanted."""
        if b"/" in wanted:
            frame = self._open(b"/", b"/", os.lstat(b"/"), None, before)
            self._walk(frame)
            return frame.subtree
        parts: dict[bytes, list[bytes]] = {}
        for path in wanted:
            rest = path[len(above) :].lstrip(b"/")
            parts.setdefault(rest.split(b"/", 1)[0], []).append(path)
        nodes = []
        for name in sorted(parts):
            path = os.path.join(above, name)
            facts = _look(path)
            old = before.get(name)
            if path in wanted:
                nodes.append(self._one(path, name, facts, old))
            else:
                inside = self._children(old)
                subtree = self._root(path, parts[name], inside)
                nodes.append(encode(replace(node_of(name, path, facts), subtree=subtree)))
        return self._writer.save(BlobKind.TREE, tree(nodes))

    def _one(self, path: bytes, name: bytes, facts: os.stat_result, old: Node | None) -> bytes:
        if stat.S_ISDIR(facts.st_mode):
            frame = self._open(path, name, facts, old, None)
            self._walk(frame)
            return frame.encoded
        done = self._read(path, facts, old)
        self._count(done)
        if done.encoded is None:
            raise BadInput("unreadable", f"« {os.fsdecode(path)} » ne peut pas être lu : {done.unread}")
        return done.encoded

    def _children(self, old: Node | None) -> Mapping[bytes, Node]:
        if old is None or not old.subtree:
            return {}
        try:
            return {node.name: node for node in self._repository.tree(old.subtree)}
        except PromiseBroken:
            return {}  # a damaged past is no reason not to save the present: everything is read again

    def _open(
        self,
        path: bytes,
        name: bytes,
        facts: os.stat_result,
        old: Node | None,
        before: Mapping[bytes, Node] | None,
    ) -> _Frame:
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            names = []
            self.tally.unread.append((os.fsdecode(path), reason(error)))
        return _Frame(path, name, facts, names, self._children(old) if before is None else before)

    def _walk(self, top: _Frame) -> None:
        stack = [top]
        while stack:
            frame = stack[-1]
            if frame.at < len(frame.names):
                name = frame.names[frame.at]
                frame.at += 1
                child = self._enter(frame, name)
                if child is not None:
                    stack.append(child)
                continue
            stack.pop()
            self._write_folder(frame)
            if stack:
                stack[-1].nodes.append(frame.encoded)

    def _enter(self, frame: _Frame, name: bytes) -> _Frame | None:
        """Save an entry, or return it when it is a folder to go down into."""
        path = os.path.join(frame.path, name)
        if self._excludes and self._excluded(name, path):
            return None
        try:
            facts = os.lstat(path)
        except FileNotFoundError:
            return None  # gone since it was listed
        except OSError as error:
            self.tally.unread.append((os.fsdecode(path), reason(error)))
            return None
        old = frame.before.get(name)
        if stat.S_ISDIR(facts.st_mode):
            return self._open(path, name, facts, old, None)
        done = self._read(path, facts, old)
        self._count(done)
        if done.encoded is not None:
            frame.nodes.append(done.encoded)
        if self.tally.files % _TELL == 0:
            self._progress(self.tally)
        return None

    def _excluded(self, name: bytes, path: bytes) -> bool:
        return any(
            fnmatch.fnmatchcase(path if b"/" in pattern else name, pattern) for pattern in self._excludes
        )

    def _write_folder(self, frame: _Frame) -> None:
        subtree = self._writer.save(BlobKind.TREE, tree(frame.nodes))
        self.tally.folders += 1
        try:
            node = node_of(frame.name, frame.path, frame.facts)
        except OSError:
            node = Node(frame.name, "dir", stat.S_IMODE(frame.facts.st_mode), frame.facts.st_mtime_ns)
        frame.encoded = encode(replace(node, subtree=subtree))
        frame.subtree = subtree
        frame.nodes, frame.names, frame.before = [], (), {}
        self._progress(self.tally)

    def _count(self, done: _Done) -> None:
        if done.unread:
            self.tally.unread.append(done.unread)
        if done.encoded is None:
            return
        self.tally.files += 1
        self.tally.size += done.size
        if done.unsettled:
            self.tally.unsettled.append(done.unsettled)
        match done.news:
            case "new":
                self.tally.files_new += 1
            case "changed":
                self.tally.files_changed += 1
            case _:
                self.tally.files_same += 1

    def _read(self, path: bytes, facts: os.stat_result, old: Node | None) -> _Done:
        name = os.path.basename(path)
        try:
            if not stat.S_ISREG(facts.st_mode):
                node = node_of(name, path, facts)
                return _Done(encode(node), news="same" if old == node else "new")
            if old is not None and self._unchanged(old, facts):
                return _Done(encode(node_of(name, path, facts, old.size, old.content)), old.size, "same")
            content, size, facts, settled = self._reader.content(path)
            node = node_of(name, path, facts, size, content)
        except FileNotFoundError:
            return _Done(None)
        except OSError as error:
            return _Done(None, unread=(os.fsdecode(path), reason(error)))
        unsettled = "" if settled else os.fsdecode(path)
        return _Done(encode(node), size, "changed" if old else "new", unsettled=unsettled)

    def _unchanged(self, old: Node, facts: os.stat_result) -> bool:
        same = (old.kind, old.size, old.mtime, old.ctime, old.inode) == (
            "file",
            facts.st_size,
            facts.st_mtime_ns,
            facts.st_ctime_ns,
            facts.st_ino,
        )
        return same and all(identity in self._repository.index for identity in old.content)


def _look(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise BadInput(
            "unreadable", f"« {os.fsdecode(path)} » ne peut pas être lu : {reason(error)}"
        ) from error


def _outermost(paths: Sequence[bytes]) -> list[bytes]:
    """The paths that lie in no other one, absolute."""
    whole = sorted({os.path.abspath(path) for path in paths})
    kept: list[bytes] = []
    for path in whole:
        if not any(path == one or path.startswith(one.rstrip(b"/") + b"/") for one in kept):
            kept.append(path)
    return kept
