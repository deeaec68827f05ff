"""Hints -> a snapshot of the whole share, at a cost that follows the change and not the share.

A hint says where to compare; what is saved is what the comparison with the last snapshot shows. Only the
folders that hold a difference, and those above them, are written again.
"""

from __future__ import annotations

import heapq
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice

from releve.adapters.engines.files.cache import ROOT, Cache, Row, fit
from releve.adapters.engines.files.events import Hints, Spot, join
from releve.adapters.engines.files.marks import Mark, Snapshots
from releve.adapters.engines.files.orders import Barred
from releve.adapters.engines.files.place import absent, elsewhere, shown
from releve.adapters.vault.metadata import node_of, user_of
from releve.adapters.vault.names import in_order
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.reading import Reader
from releve.adapters.vault.repository import Repository, Snapshot, as_kept, snapshot_value
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken, Unreachable
from releve.domain.os_errors import reason

WORKROOM = b".releve"  # at the root of a share: where a hot copy prepares its files; never saved
_SAME_TICK = 20_000_000  # ns: two writes so close may leave the same dates (a kernel tick is 1 to 10 ms)
_LOOK_AGAIN = 10.0  # seconds between two looks at the vault's list of index files
_WIDE = 20_000  # entries of a folder whose tree is made in one piece: about 7 MB


@dataclass(frozen=True, slots=True)
class Share:
    """What is captured. `root` is absolute; `epoch` is that of the site which may write.

    `after`: as in `Mark`. `adopted`: the folder was filled by us from the share's last snapshot: in the first
    comparison an equal size and date are enough, and a terabyte is not read again. `barred`: the root as its
    users know it, while the folder is barred; None: as it stands.
    """

    id: str
    root: bytes
    hostname: str
    epoch: int = 0
    excludes: tuple[bytes, ...] = ()
    after: int = 0
    adopted: bool = False
    barred: Callable[[], Barred | None] = lambda: None


@dataclass(slots=True)
class Seen:
    """What one round saw and did. `again` must be looked at in the next round."""

    compared: int = 0  # entries looked at
    changed: int = 0
    removed: int = 0
    read_bytes: int = 0
    again: set[Spot] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Taken:
    """A durable snapshot. `at`: everything that was closed before that instant is in it. Times in seconds."""

    id: str
    number: int
    at: datetime
    tree: bytes
    changed: bool
    seen: Seen
    work: float
    stored: int  # bytes added to the vault


class Capture:
    """Takes snapshots of one share. One thread; the caller holds the vault's shared lock."""

    def __init__(
        self,
        repository: Repository,
        share: Share,
        cache: Cache,
        *,
        cover: Callable[[bytes], None],
        now: Callable[[], datetime],
        number: int = 0,
        still_ours: Callable[[], None] = lambda: None,
        viewed: Callable[[], None] = lambda: None,
    ) -> None:
        """`number`: that of the share's last snapshot. `viewed` is told when the vault's list was read anew."""
        self._viewed = viewed
        self._number = number
        self._unsure = False  # whether a snapshot may be in the vault though its writing failed
        self._repository = repository
        self._share = share
        self._cache = cache
        self._cover = cover
        self._now = now
        self._still_ours = still_ours
        self._writer = Writer(repository, still_ours)
        self._reader = Reader(self._writer)
        self._dirty: set[int] = set()  # folders whose tree is to be written again
        self._placed: set[int] = set()  # folders that were not where they are
        self._touched: set[int] = set()  # folders whose own dates may have changed
        self._seen = Seen()
        self._began = 0  # ns since 1970: start of the present take
        self._also: set[Spot] = set()  # names of a file of which another name has changed
        self._listed = -_LOOK_AGAIN
        self._turn = 0  # folder reached by the slow comparison
        self.unread: dict[bytes, str] = {}  # path -> why: what the snapshots hold of it is older, or nothing

    def close(self) -> None:
        """Give the threads back."""
        self._reader.close()
        self._writer.close()

    def again(self) -> set[Spot]:
        """What the last take asks to look at again: files that changed while they were read, hard links."""
        return self._seen.again

    @property
    def moving(self) -> str:
        """Changes as long as a take goes on: for whoever waits for the first one."""
        return f"{self._seen.compared}:{self._seen.changed}:{self._seen.read_bytes}:{self._number}"

    def counts(self) -> tuple[int, int]:
        """(files, bytes) of the share."""
        return self._cache.files, self._cache.size

    def take(
        self,
        hints: Hints,
        *,
        last: Snapshot | None = None,
        force: bool = False,
        proved: datetime | None = None,
    ) -> Taken | None:
        """Compare where the hints say and save what differs; None when nothing does, unless `force`.

        `proved`: everything closed before it will be in the snapshot, where hints do not tell of all that changes.
        `last`: the share's last snapshot, from which an empty cache is filled. On an error nothing was
        changed, and the same hints are to be given again. Raises `Unreachable` when the share is not
        there, and what the vault's store raises.
        """
        begun, at = time.monotonic(), self._now()
        self._began = time.time_ns()
        stored = self._writer.stored_bytes
        self._dirty, self._touched, self._placed = set(), set(), set()
        self._seen, self._also = Seen(), set()
        try:
            inode = _look(self._share.root)
            self._index()
            force |= self._was_kept()
            other = self._another(inode, last)
            if other or hints.everything or not self._cache.snapshot[0]:
                self._whole(last)
            if other:
                self._dirty.add(ROOT)
            self._again_folders(hints.folders)
            self._spots(hints.spots | hints.writing)
            self._forget_unread(inode)
            before, old_root = self._cache.snapshot
            changed = bool(self._dirty or self._touched) or not before
            if not changed and not force:
                self._cache.rollback()
                return None
            root = self._emit()
            _still(self._share.root, inode)
            if root == old_root and not force:
                # Dates of a file that was read, and the like: nothing of it is in the trees.
                self._cache.commit(before, root, inode)
                return None
            self._writer.flush()
            value = self._value(at, proved, root, before, changed=root != old_root)
            self._unsure = True
            name = self._repository.save_snapshot(value, self._still_ours)
            self._unsure = False
            self._number += (
                1  # only now: a number that was never used would look like a snapshot that was hidden
            )
            self._cache.commit(name, root, inode)
        except sqlite3.Error as error:
            self._back()
            raise Unreachable(
                "share-cache",
                f"le cache de la capture ne peut pas être écrit : {error}",
                hint="libérez de la place dans le dossier d'état ; le cache peut être supprimé, il est refait du coffre",
                retryable=True,
            ) from error
        except OSError as error:
            self._back()
            raise _missing(self._share.root, error) from error
        except BaseException:
            self._back()
            raise
        return Taken(
            name,
            self._number,
            at,
            root,
            root != old_root,
            self._seen,
            time.monotonic() - begun,
            self._writer.stored_bytes - stored,
        )

    def _was_kept(self) -> bool:
        """Whether the snapshot whose writing failed is in the vault all the same: only its answer was lost.

        Its number is taken then, and another one must follow: what was given up here may be in it.
        """
        if not self._unsure:
            return False
        known = Snapshots(self._repository, self._share.id).look()
        newest = max((mark.number for mark, _ in known if mark.epoch == self._share.epoch), default=0)
        kept = newest > self._number
        self._number, self._unsure = max(self._number, newest), False
        return kept

    @property
    def replaced(self) -> bool:
        """Whether another folder, or none, is where the last snapshot was taken. One look at the root."""
        try:
            return bool(self._cache.snapshot[0]) and _look(self._share.root) != self._cache.inode
        except Unreachable:
            return True

    def _another(self, inode: int, last: Snapshot | None) -> bool:
        """Whether the folder is another one than that of the cache: no event told of what it holds.

        Raises `Unreachable` when it is another one than at the last snapshot, and has nothing of it.
        """
        if self._cache.snapshot[0]:
            if inode == self._cache.inode:
                return False
            example = absent(self._share.root, (row.name for row in self._cache.rows(ROOT)))
        else:
            node = down(self._repository, last) if last is not None else None
            if node is None or last is None:
                return False
            if last.hostname == self._share.hostname and inode == fit(node.inode):
                return False
            example = b""
            with suppress(PromiseBroken):  # a damaged past is no reason not to save the present
                past = self._repository.nodes(node.subtree)
                example = absent(self._share.root, (one.name for one in past))
        if example:
            raise elsewhere(
                self._share.root,
                example,
                f"Si tout a vraiment été remplacé, créez-y un instant un dossier nommé « {shown(example)} »",
            )
        return bool(self._cache.snapshot[0])

    def _index(self) -> None:
        """What the vault lists: all of it after an error, what is new from time to time.

        A merging by the relief takes blobs away that no snapshot held for long; we must not count on them.
        """
        begun = time.monotonic()
        if self._listed < 0:
            self._repository.load_index()
        elif begun - self._listed > _LOOK_AGAIN:
            self._repository.refresh_index()
        else:
            return
        self._listed = begun
        self._viewed()

    def _back(self) -> None:
        with suppress(sqlite3.Error):  # the error that led here is the one to tell
            self._cache.rollback()
        self._restart()

    def _restart(self) -> None:
        """After an error: what the writer had begun is given up, what the vault really lists is asked again."""
        self.close()
        self._writer = Writer(self._repository, self._still_ours)
        self._reader = Reader(self._writer)
        self._listed = -_LOOK_AGAIN

    def _value(
        self, at: datetime, proved: datetime | None, root: bytes, parent: str, *, changed: bool
    ) -> Mapping[str, object]:
        summary = {
            "files_changed": self._seen.changed if changed else 0,
            "total_files_processed": self._cache.files,
            "total_bytes_processed": self._cache.size,
        }
        return snapshot_value(
            at=at,
            tree=root,
            paths=[os.fsdecode(self._share.root)],
            hostname=self._share.hostname,
            username="releve",
            uid=os.getuid(),
            gid=os.getgid(),
            tags=Mark(self._share.id, self._share.epoch, self._number + 1, self._share.after, proved).tags(),
            parent=parent,
            program="releve",
            summary=summary,
        )

    # Comparing

    def _whole(self, last: Snapshot | None) -> None:
        self.unread = {}
        past = down(self._repository, last) if last is not None else None
        self._folders([(ROOT, b"", past.subtree if past is not None else b"")])
        if not self._cache.subtree(ROOT):
            self._dirty.add(ROOT)

    def _folders(self, waiting: list[tuple[int, bytes, bytes]], *, whole: bool = True) -> None:
        """Compare these folders with everything below them: (id, path, its tree in the past).

        Not `whole`: go down only into what is new, or whose dates differ. All that is below a folder which came here
        from elsewhere is gone through: it is listened to under its old paths until then.
        """
        todo = [(*one, whole) for one in waiting]
        while todo:
            folder, path, past, all_of_it = todo.pop()
            pasts = self._fill(folder, path, past) if past and not self._cache.subtree(folder) else {}
            for name, child in self._folder(folder, path):
                below = all_of_it or child in self._placed
                if below or child in self._dirty:
                    todo.append((child, join(path, name), pasts.get(name, b""), below))

    def _again_folders(self, paths: set[bytes]) -> None:
        """Compare these folders, and whatever is new in them."""
        for path in paths:
            folder = self._find(path)
            if folder is not None:
                self._folders([(folder, path, b"")], whole=False)

    def next_folder(self) -> bytes:
        """The next folder of a slow comparison of everything, round and round."""
        path: bytes | None = None
        while path is None:
            self._turn = self._cache.folder_after(self._turn) or ROOT
            path = self._cache.path(self._turn)
        return path

    def _fill(self, folder: int, path: bytes, past: bytes) -> Mapping[bytes, bytes]:
        """Take what a folder held from the vault, so that unchanged files are not read again; its folders' trees."""
        below: dict[bytes, bytes] = {}
        with suppress(
            PromiseBroken
        ):  # a damaged past is no reason not to save the present: all is read again
            for node in self._repository.nodes(past):
                self._known(folder, path, node)
                if node.is_dir:
                    below[node.name] = node.subtree
        return below

    def _known(self, folder: int, path: bytes, node: Node) -> None:
        """Take a file that the vault has whole."""
        if node.kind == "file" and all(one in self._repository.index for one in node.content):
            known = self._adopted(path, node) if self._share.adopted else node
            if known is not node:
                self._dirty.add(folder)
            self._cache.put(folder, _row(known, encode(known), None), self._cache.row(folder, node.name))

    def _adopted(self, path: bytes, node: Node) -> Node:
        """The same file as it stands here, when its size and date say that it is the same."""
        full = os.path.join(self._share.root, path, node.name)
        try:
            facts = os.lstat(full)
            if stat.S_ISREG(facts.st_mode) and (facts.st_size, facts.st_mtime_ns) == (node.size, node.mtime):
                return node_of(node.name, full, facts, node.size, node.content)
        except OSError:
            return node  # the comparison itself will say what is wrong with it
        return node

    def _folder(self, folder: int, path: bytes) -> Iterator[tuple[bytes, int]]:
        """Compare every entry of a folder; the folders in it: (name, id)."""
        self._cover(path)
        try:
            names = in_order(os.listdir(os.path.join(self._share.root, path)))
        except (FileNotFoundError, NotADirectoryError):
            return  # gone since: the folder above says so, now or by its own event
        except OSError as error:
            self.unread[path] = reason(error)
            return
        self.unread.pop(path, None)
        rows = self._cache.rows(folder)
        row = next(rows, None)
        for name in names:
            while row is not None and row.name < name:
                self._gone(folder, row)
                row = next(rows, None)
            mine = row if row is not None and row.name == name else None
            child = self._entry(folder, path, name, mine)
            if child is not None:
                yield name, child
            if mine is not None:
                row = next(rows, None)
        while row is not None:
            self._gone(folder, row)
            row = next(rows, None)

    def _spots(self, spots: set[Spot]) -> None:
        """Compare these entries, and those that turn out to have changed with them."""
        while spots := spots | self._also:
            self._also = set()
            gone = {spot for spot in spots if not os.path.lexists(os.path.join(self._share.root, *spot))}
            known: dict[bytes, int | None] = {}
            for folder, name in (*gone, *(spots - gone)):  # so that what moved is found where it went
                self._spot(folder, name, known)
            for inode in self._cache.sweep():
                self._siblings(inode)
            spots = set()

    def _spot(self, path: bytes, name: bytes, known: dict[bytes, int | None]) -> None:
        if not name:
            self._dirty.add(ROOT)
            return
        if path not in known:
            known[path] = self._find(path)
        folder = known[path]
        if folder is None:  # a folder that we do not know: the one above it is compared instead
            above, _, own = path.rpartition(b"/")
            self._spot(above, own, known)
            return
        row = self._cache.row(folder, name)
        self._touched.add(folder)
        child = self._entry(folder, path, name, row)
        if child is None:
            return
        if row is None or row.child != child:
            known.clear()
            self._folders([(child, join(path, name), b"")])
        elif child in self._dirty:
            # Another folder may have come in its place under the same inode number: heard of by nobody yet.
            self._folders([(child, join(path, name), b"")], whole=False)

    def _find(self, path: bytes) -> int | None:
        folder = ROOT
        for part in path.split(b"/") if path else ():
            row = self._cache.row(folder, part)
            if row is None or row.child is None:
                return None
            folder = row.child
        return folder

    def _entry(self, folder: int, path: bytes, name: bytes, row: Row | None) -> int | None:
        """Compare one entry with what was saved; the folder's id when it is a folder."""
        inside = join(path, name)
        full = os.path.join(self._share.root, inside)
        self._seen.compared += 1
        if inside == WORKROOM:
            self.unread[inside] = "nom réservé à Relève, pas sauvé"  # forgotten below when it is not there
        try:
            facts = None if self._excluded(path, name) else os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            facts = None
        except OSError as error:
            self.unread[inside] = reason(error)
            return None
        if facts is None:
            if row is not None:
                self._gone(folder, row)
            return None
        if stat.S_ISDIR(facts.st_mode):
            child = self._subfolder(folder, name, facts, row)
            if inside in self.unread:
                self._dirty.add(child)  # it is listed again: it may be readable now
            return child
        if row is not None and row.child is None and _same(row, facts):
            self.unread.pop(inside, None)
            return None
        self._file(folder, path, name, full, row)
        return None

    def _forget_unread(self, inode: int) -> None:
        """What is there no more is not to be read any more. Raises `Unreachable` when that is the share itself."""
        gone = [path for path in self.unread if _is_gone(os.path.join(self._share.root, path))]
        if gone:
            _still(self._share.root, inode)
        for path in gone:
            del self.unread[path]

    def _excluded(self, path: bytes, name: bytes) -> bool:
        if not path and name == WORKROOM:
            return True
        return any(
            fnmatchcase(join(path, name) if b"/" in pattern else name, pattern)
            for pattern in self._share.excludes
        )

    def _subfolder(self, folder: int, name: bytes, facts: os.stat_result, row: Row | None) -> int:
        inode, device = fit(facts.st_ino), fit(facts.st_dev)
        if row is not None and row.child is not None and row.inode == inode:
            if (row.mtime, row.ctime) != (fit(facts.st_mtime_ns), fit(facts.st_ctime_ns)):
                self._dirty.add(row.child)
            return row.child
        if row is not None:
            self._cache.drop(folder, row)
        child = self._cache.make_folder(inode, device)
        self._cache.put(folder, Row(name, child, inode, 0, 0, 0, 0, b""), None)
        self._dirty.add(child)
        self._placed.add(child)
        return child

    def _gone(self, folder: int, row: Row) -> None:
        self._cache.drop(folder, row)
        self._dirty.add(folder)
        self._seen.removed += 1
        if row.links > 1:
            self._siblings(row.inode)

    def _siblings(self, inode: int, but: Spot | None = None) -> None:
        """The other names of a hard-linked file have changed with it, and no event says so."""
        for folder, name in self._cache.same_inode(inode):
            path = self._cache.path(folder)
            if path is not None and (path, name) != but:
                self._also.add((path, name))

    def _file(self, folder: int, path: bytes, name: bytes, full: bytes, row: Row | None) -> None:
        settled, tick = True, time.time_ns()
        try:
            facts = os.lstat(full)
            if stat.S_ISREG(facts.st_mode):
                content, size, facts, settled = self._reader.content(full)
                node = node_of(name, full, facts, size, content)
                self._seen.read_bytes += size
            else:
                node = node_of(name, full, facts)
        except FileNotFoundError:
            if row is not None:
                self._gone(folder, row)
            return
        except OSError as error:
            # What the vault has of it stays in the snapshot: older, and said to be.
            self.unread[join(path, name)] = reason(error)
            return
        self.unread.pop(join(path, name), None)
        fresh = _row(node, encode(node), None)
        if not settled or facts.st_ctime_ns > tick - _SAME_TICK:
            fresh = replace(fresh, ctime=0)
        if not settled:
            self._seen.again.add((path, name))
        if row is None or row.node != fresh.node:
            self._dirty.add(folder)
            self._seen.changed += 1
        self._cache.put(folder, fresh, row)
        shared = {one.inode for one in (fresh, row) if one is not None and one.links > 1}
        if row is None or row.node != fresh.node:
            for inode in shared:
                self._siblings(inode, but=(path, name))

    # Writing the trees

    def _emit(self) -> bytes:
        """Write the tree of each folder that differs, deepest first; the id of the root of the snapshot."""
        heap = [
            (-path.count(b"/") - bool(path), path, folder)
            for folder in self._touched | self._dirty
            if (path := self._cache.path(folder)) is not None
        ]
        heapq.heapify(heap)
        done: set[int] = set()
        while heap:
            _, path, folder = heapq.heappop(heap)
            if folder in done:
                continue
            done.add(folder)
            subtree = b"" if folder in self._dirty else self._cache.subtree(folder)
            if not subtree:
                subtree = self._tree(folder)
                self._cache.set_subtree(folder, subtree)
            if folder == ROOT:
                continue
            above, _, name = path.rpartition(b"/")
            parent = self._find(above)
            if parent is None or not self._node(parent, path, name, folder, subtree):
                continue
            self._dirty.add(parent)
            if parent not in done:
                heapq.heappush(heap, (-above.count(b"/") - bool(above), above, parent))
        return self._chain(self._cache.subtree(ROOT))

    def _tree(self, folder: int) -> bytes:
        """Write a folder's tree; the id. A wide one is streamed: a million entries are 354 MB."""
        if self._cache.width(folder) <= _WIDE:
            return self._writer.save(BlobKind.TREE, tree(list(self._cache.nodes(folder))))
        return self._writer.save_parts(BlobKind.TREE, lambda: _tree_parts(self._cache.nodes(folder)))

    def _node(self, parent: int, path: bytes, name: bytes, folder: int, subtree: bytes) -> bool:
        """Give a folder's entry its new tree; whether that changed the entry."""
        old = self._cache.row(parent, name)
        full = os.path.join(self._share.root, path)
        try:
            facts = os.lstat(full)
            node = replace(node_of(name, full, facts), subtree=subtree)
        except OSError:
            # Gone since it was compared: an event says so and the next snapshot is without it.
            node = Node(name, "dir", 0o700, 0, subtree=subtree)
            self._seen.again.add(_spot(path))
        row = _row(node, encode(node), folder)
        if node.ctime > self._began - _SAME_TICK:  # it may be another folder than the one that was compared
            row = replace(row, ctime=0)
        if old is not None and old.node == row.node and old.ctime == row.ctime:
            return False
        self._cache.put(parent, row, None)
        return old is None or old.node != row.node

    def _chain(self, subtree: bytes) -> bytes:
        """The trees above the share, from the root of the file system, as the format wants them."""
        path = self._share.root
        while path != b"/":
            above, name = os.path.split(path)
            node = replace(node_of(name, path, os.lstat(path)), subtree=subtree)
            known = self._share.barred() if path == self._share.root else None
            node = node if known is None else _as_known(node, known)
            subtree = self._writer.save(BlobKind.TREE, tree([encode(node)]))
            path = above
        return subtree


def _as_known(node: Node, known: Barred) -> Node:
    node = replace(node, mode=known.mode)
    return node if known.owner < 0 else replace(node, uid=known.owner, user=user_of(known.owner))


def _tree_parts(nodes: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a tree, some entries at a time."""
    lead = b'{"nodes":['
    while some := list(islice(nodes, _WIDE)):
        yield lead + b",".join(some)
        lead = b","
    yield b"]}\n"


def _row(node: Node, encoded: bytes, child: int | None) -> Row:
    return Row(
        node.name,
        child,
        fit(node.inode),
        node.links,
        node.size,
        fit(node.mtime),
        fit(node.ctime),
        encoded,
    )


def _same(row: Row, facts: os.stat_result) -> bool:
    return (row.inode, row.links, row.mtime, row.ctime) == (
        fit(facts.st_ino),
        facts.st_nlink,
        fit(facts.st_mtime_ns),
        fit(facts.st_ctime_ns),
    ) and (not stat.S_ISREG(facts.st_mode) or row.size == facts.st_size)


def _is_gone(full: bytes) -> bool:
    try:
        os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _spot(path: bytes) -> Spot:
    above, _, name = path.rpartition(b"/")
    return above, name


def _look(root: bytes) -> int:
    """The inode of the share's folder, as `fit` keeps it. Raises `Unreachable`."""
    try:
        facts = os.lstat(root)
    except OSError as error:
        raise _missing(root, error) from error
    if not stat.S_ISDIR(facts.st_mode):
        raise Unreachable("share-missing", f"« {shown(root)} » n'est pas un dossier")
    return fit(facts.st_ino)


def _still(root: bytes, inode: int) -> None:
    if _look(root) != inode:
        raise _gone(root, "il a été remplacé pendant qu'il était comparé")


def _missing(root: bytes, error: OSError) -> Unreachable:
    return _gone(root, reason(error))


def _gone(root: bytes, why: str) -> Unreachable:
    return Unreachable(
        "share-missing",
        f"le partage « {shown(root)} » ne répond pas : {why}",
        hint="vérifiez le disque ou le montage ; tant qu'il manque, rien n'est effacé du coffre",
        retryable=True,
    )


def down(repository: Repository, snapshot: Snapshot) -> Node | None:
    """The node of the one folder that a share's snapshot holds; None when it is not there or cannot be read."""
    subtree, node = snapshot.tree, None
    try:
        for part in filter(None, snapshot.paths[0].split("/")):
            found = (one for one in repository.nodes(subtree) if as_kept(os.fsdecode(one.name)) == part)
            node = next((one for one in found if one.is_dir), None)
            if node is None:
                return None
            subtree = node.subtree
    except (PromiseBroken, IndexError):
        return None
    return node
