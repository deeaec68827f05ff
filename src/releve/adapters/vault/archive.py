"""Folders -> snapshot, by a whole walk. A folder is written after everything in it."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from releve.adapters.vault.helping import Counted, Helper, Ticket
from releve.adapters.vault.metadata import entry_of, facts_of, node_of
from releve.adapters.vault.names import Names, in_order
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.past import Past, content, past_of
from releve.adapters.vault.reading import Reader
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.rows import Rows
from releve.adapters.vault.writer import Writer
from releve.domain.errors import BadInput, PromiseBroken
from releve.domain.os_errors import reason

_FOLDER, _FILE = b"\0d", b"\0f"
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

    def take(self) -> Counted:
        """What was counted since the last call; nothing is counted afterwards."""
        found = tuple(getattr(self, name) for name in _COUNTED)
        for name in _COUNTED:
            setattr(self, name, [] if isinstance(getattr(self, name), list) else 0)
        return found

    def add(self, counted: Counted) -> None:
        """Count what another process counted."""
        for name, more in zip(_COUNTED, counted, strict=True):
            setattr(self, name, getattr(self, name) + more)


_COUNTED = tuple(one.name for one in fields(Tally))
Progress = Callable[[Tally], None]


@dataclass(slots=True, eq=False)
class _Frame:
    """A folder on its way: its entries so far, in the order of the names."""

    path: bytes
    name: bytes
    facts: os.stat_result
    names: (
        list[bytes] | Names
    )  # each with a zero byte and a letter behind it: d, f (by the folder's word), or ?
    past: Past
    rows: Rows
    folders: list[int]  # where in `names` the folders are that nobody has gone into
    away: dict[int, Ticket] = field(default_factory=dict)
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


_GONE = _Done(None)


class Archiver:
    """Saves folders into an open vault."""

    def __init__(
        self,
        repository: Repository,
        writer: Writer,
        *,
        excludes: Sequence[str] = (),
        progress: Progress = lambda _tally: None,
        helper: Helper | None = None,
    ) -> None:
        self._repository = repository
        self._writer = writer
        self._excludes = tuple(os.fsencode(pattern) for pattern in excludes)
        self._progress = progress
        self._reader = Reader(writer)
        self._helper = helper
        self._seen = 0
        self.tally = Tally()

    def save(self, paths: Sequence[str], parent: Snapshot | None) -> bytes:
        """The id of the root tree of these absolute paths; everything below is saved, not yet durable.

        Raises `BadInput` when a path cannot be looked at; what cannot be read below is in `tally.unread`.
        """
        wanted = _outermost([os.fsencode(path) for path in paths])
        past = parent.tree if parent else b""
        try:
            root = self._repository.tree(past) if past else []
        except PromiseBroken:  # a damaged past is no reason not to save the present
            root, past = [], b""
        return self._root(b"/", wanted, {node.name: node for node in root}, past)

    def close(self) -> None:
        """Give the threads back."""
        self._reader.close()

    def folder(self, path: bytes, name: bytes, past: bytes) -> bytes:
        """One folder with everything below it, `past` its last tree; its encoded node, empty when it has gone."""
        try:
            facts = os.lstat(path)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self.tally.unread.append((os.fsdecode(path), reason(error)))
            return b""
        frame = self._open(path, name, facts, past)
        self._walk(frame)
        return frame.encoded

    def _root(
        self, above: bytes, wanted: Sequence[bytes], before: Mapping[bytes, Node], past: bytes
    ) -> bytes:
        """The tree of `above`, which holds only the way down to what is wanted."""
        if b"/" in wanted:
            frame = self._open(b"/", b"/", os.lstat(b"/"), past)
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
                subtree = self._root(path, parts[name], inside, old.subtree if old else b"")
                nodes.append(encode(replace(node_of(name, path, facts), subtree=subtree)))
        return self._writer.save(BlobKind.TREE, tree(nodes))

    def _one(self, path: bytes, name: bytes, facts: os.stat_result, old: Node | None) -> bytes:
        if stat.S_ISDIR(facts.st_mode):
            frame = self._open(path, name, facts, old.subtree if old else b"")
            self._walk(frame)
            return frame.encoded
        done = self._read(path, name, facts, old)
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

    def _open(self, path: bytes, name: bytes, facts: os.stat_result, past: bytes) -> _Frame:
        try:
            with os.scandir(path) as found:
                names = in_order(one.name + _letter(one) for one in found)
        except OSError as error:
            names = []
            self.tally.unread.append((os.fsdecode(path), reason(error)))
        folders = [at for at, one in enumerate(names) if one[-2:] == _FOLDER]
        return _Frame(path, name, facts, names, self._past(past), Rows(), folders)

    def _past(self, tree: bytes) -> Past:
        try:
            return past_of(self._repository.listing(tree)) if tree else Past()
        except (PromiseBroken, ValueError):
            return Past()  # as above

    def _walk(self, top: _Frame) -> None:
        stack = [top]
        while stack:
            frame = stack[-1]
            if frame.at < len(frame.names):
                child = self._enter(frame, frame.at)
                frame.at += 1
                if child is not None:
                    stack.append(child)
                    self._share(stack)
                continue
            stack.pop()
            self._write_folder(frame)
            if stack:
                stack[-1].rows.add(frame.encoded)

    def _share(self, stack: Sequence[_Frame]) -> None:
        """Give the second process the folders that we would come to last. The last but one is never given away."""
        if self._helper is None:
            return
        self._helper.look()
        for frame in stack:
            while self._helper.free and len(frame.folders) > 1 and frame.folders[-1] > frame.at:
                at = frame.folders.pop()
                name = frame.names[at][:-2]
                path = os.path.join(frame.path, name)
                if not self._excludes or not self._excluded(name, path):
                    old = frame.past.node(name)
                    frame.away[at] = self._helper.give(path, name, old.subtree if old else b"")

    def _enter(self, frame: _Frame, at: int) -> _Frame | None:
        """Save an entry, or return it when it is a folder to go down into."""
        ticket = frame.away.get(at) if frame.away else None
        if ticket is not None:
            frame.rows.add(ticket)
            return None
        name, kind = frame.names[at][:-2], frame.names[at][-2:]
        path = os.path.join(frame.path, name)
        if self._excludes and self._excluded(name, path):
            return None
        if kind == _FILE and not frame.past:
            done = self._fresh(path, name)
        else:
            try:
                facts = os.lstat(path)
            except FileNotFoundError:
                return None  # gone since it was listed
            except OSError as error:
                self.tally.unread.append((os.fsdecode(path), reason(error)))
                return None
            if stat.S_ISDIR(facts.st_mode):
                old = frame.past.node(name)
                return self._open(path, name, facts, old.subtree if old else b"")
            done = self._compared(frame, path, name, facts)
        self._count(done)
        if done.encoded is not None:
            frame.rows.add(done.encoded)
        self._seen += 1
        if self._seen % _TELL == 0:
            self._progress(self.tally)
            if self._helper is not None:
                self._helper.look()
        return None

    def _compared(self, frame: _Frame, path: bytes, name: bytes, facts: os.stat_result) -> _Done:
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and frame.past:
            same = frame.past.same(facts_of(name, facts))
            if same and all(one in self._repository.index for one in content(same)):
                return _Done(same, facts.st_size, "same")
        return self._read(path, name, facts, frame.past.node(name))

    def _fresh(self, path: bytes, name: bytes) -> _Done:
        """A file that the last snapshot does not have: opened without another look at it."""
        try:
            return self._content(path, name, None)
        except FileNotFoundError:
            return _GONE
        except OSError as error:
            return self._unlike(path, name, error)

    def _unlike(self, path: bytes, name: bytes, error: OSError) -> _Done:
        """It could not be opened as a file: perhaps it has become something else since it was listed."""
        try:
            facts = os.lstat(path)
        except OSError:
            return _GONE
        if stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode):
            return _Done(None, unread=(os.fsdecode(path), reason(error)))
        return self._read(path, name, facts, None)

    def _excluded(self, name: bytes, path: bytes) -> bool:
        return any(
            fnmatch.fnmatchcase(path if b"/" in pattern else name, pattern) for pattern in self._excludes
        )

    def _write_folder(self, frame: _Frame) -> None:
        for ticket in frame.away.values():
            if self._helper is not None:
                self._helper.wait(ticket)
        frame.names, frame.past = [], Past()
        subtree = frame.rows.save(self._writer)
        self.tally.folders += 1
        try:
            node = node_of(frame.name, frame.path, frame.facts)
        except OSError:
            node = Node(frame.name, "dir", stat.S_IMODE(frame.facts.st_mode), frame.facts.st_mtime_ns)
        frame.encoded = encode(replace(node, subtree=subtree))
        frame.subtree = subtree
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

    def _read(self, path: bytes, name: bytes, facts: os.stat_result, old: Node | None) -> _Done:
        try:
            if not stat.S_ISREG(facts.st_mode):
                node = node_of(name, path, facts)
                return _Done(encode(node), news="same" if old == node else "new")
            if old is not None and self._unchanged(old, facts):
                return _Done(entry_of(name, path, facts, old.size, old.content), old.size, "same")
            return self._content(path, name, old)
        except FileNotFoundError:
            return _GONE
        except OSError as error:
            return _Done(None, unread=(os.fsdecode(path), reason(error)))

    def _content(self, path: bytes, name: bytes, old: Node | None) -> _Done:
        held, size, facts, settled = self._reader.content(path)
        unsettled = "" if settled else os.fsdecode(path)
        encoded = entry_of(name, path, facts, size, held)
        return _Done(encoded, size, "changed" if old else "new", unsettled=unsettled)

    def _unchanged(self, old: Node, facts: os.stat_result) -> bool:
        same = (old.kind, old.size, old.mtime, old.ctime, old.inode) == (
            "file",
            facts.st_size,
            facts.st_mtime_ns,
            facts.st_ctime_ns,
            facts.st_ino,
        )
        return same and all(identity in self._repository.index for identity in old.content)


def _letter(found: os.DirEntry[bytes]) -> bytes:
    """What the folder says it is. A zero byte is in no name and before every other: the order stays that of names."""
    if found.is_dir(follow_symlinks=False):
        return _FOLDER
    return _FILE if found.is_file(follow_symlinks=False) else b"\0?"


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
