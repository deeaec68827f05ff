"""Folders -> snapshot. The walk goes ahead; two threads read, compress and seal behind it.

A folder is written after everything in it: frames end in post-order and are completed in that same
order, so the children of a frame are always known.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from releve.adapters.vault.chunks import SMALLEST, cut
from releve.adapters.vault.metadata import node_of
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.writer import Writer
from releve.domain.errors import BadInput, PromiseBroken
from releve.domain.os_errors import reason

_THREADS = 2
_BATCH = 64  # small files handed to a thread at once: a hand-over costs as much as sealing one
_AHEAD = 4096  # files that the walk may be ahead of the threads: bounds the memory
_TRIES = 3  # readings of a file that changes while it is read


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
    """A folder on its way: a slot an entry, in the order of the names."""

    path: bytes
    name: bytes
    facts: os.stat_result
    names: Sequence[bytes]
    before: Mapping[bytes, Node]
    slots: list[bytes | _Frame | None] = field(default_factory=list)
    jobs: list[Future[list[_Done]]] = field(default_factory=list)
    batch: list[tuple[int, bytes, os.stat_result, Node | None]] = field(default_factory=list)
    at: int = 0
    encoded: bytes = b""
    subtree: bytes = b""


@dataclass(frozen=True, slots=True)
class _Done:
    slot: int
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
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault-read")
        self._ended: deque[_Frame] = deque()
        self._pending = 0
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
            self._pool.shutdown(wait=True, cancel_futures=True)

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
        (done,) = self._read_all([(0, path, facts, old)])
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
        return _Frame(
            path, name, facts, names, self._children(old) if before is None else before, [None] * len(names)
        )

    def _walk(self, top: _Frame) -> None:
        stack = [top]
        while stack:
            frame = stack[-1]
            if frame.at == len(frame.names):
                stack.pop()
                self._hand_over(frame)
                self._ended.append(frame)
                self._complete(_AHEAD)
                continue
            slot = frame.at
            frame.at += 1
            child = self._look_at(frame, slot)
            if child is not None:
                stack.append(child)
        self._complete(0)

    def _look_at(self, frame: _Frame, slot: int) -> _Frame | None:
        name = frame.names[slot]
        path = os.path.join(frame.path, name)
        if self._excluded(name, path):
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
            child = self._open(path, name, facts, old, None)
            frame.slots[slot] = child
            return child
        frame.batch.append((slot, path, facts, old))
        self._pending += 1
        if len(frame.batch) >= _BATCH or facts.st_size >= SMALLEST:
            self._hand_over(frame)
        if self._pending > 2 * _AHEAD:
            for job in frame.jobs[: -_AHEAD // _BATCH]:
                job.exception()
        return None

    def _excluded(self, name: bytes, path: bytes) -> bool:
        return any(
            fnmatch.fnmatchcase(path if b"/" in pattern else name, pattern) for pattern in self._excludes
        )

    def _hand_over(self, frame: _Frame) -> None:
        if frame.batch:
            frame.jobs.append(self._pool.submit(self._read_all, frame.batch))
            frame.batch = []

    def _complete(self, ahead: int) -> None:
        while self._ended and (self._pending > ahead or not ahead):
            frame = self._ended.popleft()
            for job in frame.jobs:
                for done in job.result():
                    self._pending -= 1
                    self._count(done)
                    frame.slots[done.slot] = done.encoded
            self._write_folder(frame)

    def _write_folder(self, frame: _Frame) -> None:
        nodes = [item.encoded if isinstance(item, _Frame) else item for item in frame.slots if item]
        subtree = self._writer.save(BlobKind.TREE, tree(nodes))
        self.tally.folders += 1
        try:
            node = node_of(frame.name, frame.path, frame.facts)
        except OSError:
            node = Node(frame.name, "dir", stat.S_IMODE(frame.facts.st_mode), frame.facts.st_mtime_ns)
        frame.encoded = encode(replace(node, subtree=subtree))
        frame.subtree = subtree
        frame.slots, frame.jobs, frame.names, frame.before = [], [], (), {}
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

    def _read_all(self, batch: Sequence[tuple[int, bytes, os.stat_result, Node | None]]) -> list[_Done]:
        return [self._read(*item) for item in batch]

    def _read(self, slot: int, path: bytes, facts: os.stat_result, old: Node | None) -> _Done:
        try:
            node = node_of(os.path.basename(path), path, facts)
            if node.kind != "file":
                return _Done(slot, encode(node), news="same" if old == node else "new")
            if old is not None and self._unchanged(old, node, facts.st_size):
                return _Done(
                    slot, encode(replace(node, size=old.size, content=old.content)), old.size, "same"
                )
            content, size, facts, settled = self._content(path)
            node = replace(node_of(node.name, path, facts, size=size), content=content)
        except FileNotFoundError:
            return _Done(slot, None)
        except OSError as error:
            return _Done(slot, None, unread=(os.fsdecode(path), reason(error)))
        unsettled = "" if settled else os.fsdecode(path)
        return _Done(slot, encode(node), size, "changed" if old else "new", unsettled=unsettled)

    def _unchanged(self, old: Node, new: Node, size: int) -> bool:
        same = (old.kind, old.size, old.mtime, old.ctime, old.inode) == (
            new.kind,
            size,
            new.mtime,
            new.ctime,
            new.inode,
        )
        return same and all(identity in self._repository.index for identity in old.content)

    def _content(self, path: bytes) -> tuple[tuple[bytes, ...], int, os.stat_result, bool]:
        for _ in range(_TRIES):
            handle = _open_file(path)
            try:
                before = _regular(os.fstat(handle))
                content, size = self._chunks(handle, before.st_size)
                after = os.fstat(handle)
            finally:
                os.close(handle)
            settled = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
            if settled and size == after.st_size:
                return content, size, after, True
        return content, size, after, False

    def _chunks(self, handle: int, size: int) -> tuple[tuple[bytes, ...], int]:
        if size < SMALLEST:
            whole = os.read(handle, SMALLEST)
            if len(whole) < SMALLEST:
                rest = os.read(handle, SMALLEST) if len(whole) != size else b""
                whole += rest
                return ((self._writer.save(BlobKind.DATA, whole),) if whole else ()), len(whole)
            os.lseek(handle, 0, os.SEEK_SET)
        content, total = [], 0
        for chunk in cut(lambda wanted: os.read(handle, wanted)):
            content.append(self._writer.save(BlobKind.DATA, chunk))
            total += len(chunk)
        return tuple(content), total


def _open_file(path: bytes) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        return os.open(path, flags)  # O_NOATIME is for the owner alone


def _regular(facts: os.stat_result) -> os.stat_result:
    """The facts of an open file; OSError when something else took its name since it was listed."""
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EAGAIN, "ce n'est plus un fichier")
    return facts


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
