"""A folder made the same as a tree of the vault, touching only what differs: the hot copy.

Each file is prepared beside (in `.releve`, at the root of the copy), made durable, then renamed into
place: at any instant a name holds a whole version, the one of before or the one of after.
"""

from __future__ import annotations

import ctypes
import errno
import heapq
import os
import re
import shutil
import stat
import subprocess
from array import array
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from releve.adapters.engines.files.capture import WORKROOM
from releve.adapters.engines.files.events import join
from releve.adapters.vault.filling import Filler, sane
from releve.adapters.vault.metadata import put_back
from releve.adapters.vault.names import in_order
from releve.adapters.vault.node import Node, format_of
from releve.adapters.vault.repository import Repository, damaged
from releve.domain.errors import PromiseBroken, ReleveError
from releve.domain.os_errors import reason, unwritable

_BATCH_FILES = 2000  # files prepared before they are made durable together
_BATCH_BYTES = 256 * 1024 * 1024
_OURS = re.compile(rb"[0-9]+(\.from)?")  # what stands in the workroom
_FROM = b".from"  # beside a folder that waits in the workroom: where it was, and where it goes
_BESIDE = " (déplacé)".encode()
_CLOSED = 0o700  # of the root while the copy follows: nobody but us may enter, so nobody writes


_HERE, _WANTED, _KNOWN = range(3)
_Named = tuple[bytes, int, Node]  # an entry of one of three sides


@dataclass(slots=True)
class Applied:
    """What was done to a hot copy. `lost`: (path, why), what the vault could not give: the old version stays."""

    files: int = 0
    folders: int = 0
    moved: int = 0
    removed: int = 0
    size: int = 0  # bytes written
    lost: list[tuple[bytes, str]] = field(default_factory=list)
    missed: list[tuple[bytes, str]] = field(default_factory=list)  # metadata that could not be given
    aside: list[bytes] = field(default_factory=list)  # what only this side had, moved away
    gone_here: list[bytes] = field(default_factory=list)  # removed on this side alone, now back


@dataclass(slots=True)
class _Folder:
    """A folder on its way."""

    path: bytes
    node: Node | None
    todo: Iterator[tuple[Node | None, Node | None]]


class HotCopy:
    """Brings a folder from one tree of the vault to another. One thread."""

    def __init__(self, repository: Repository, root: bytes) -> None:
        self._repository = repository
        self.root = root
        self._work = os.path.join(root, WORKROOM)
        self._filler = Filler(repository)
        self._later: list[Callable[[], None]] = []
        self._waiting_bytes = 0
        self._number = 0
        self._staged: dict[object, bytes] = {}  # where it goes, or its mark -> where it waits
        self._left: set[bytes] = (
            set()
        )  # paths whose file now also waits elsewhere: not to be changed in place
        self._owed: frozenset[bytes] = frozenset()
        self._links: dict[object, bytes] = {}
        self._sync = _syncfs
        self._unsettled = False  # names were changed since they were last made durable
        self.done = Applied()

    def close(self) -> None:
        """Give the threads back."""
        self._filler.close()

    def prepare(self, aside: Callable[[], bytes]) -> Applied:
        """Make the root and an empty workroom, closed to everybody else. Raises `Unreachable`, `Refused`.

        What stands there under the workroom's name and is none of ours goes to the folder `aside`.
        """
        self.done = Applied()
        try:
            os.makedirs(self.root, exist_ok=True)
            os.chmod(self.root, _CLOSED)
            clear_workroom(self.root)
            if os.path.lexists(self._work):
                self._strange(WORKROOM, None, aside())
            os.mkdir(self._work, 0o700)
        except OSError as error:
            raise _refused(self.root, error) from error
        return self.done

    def release(self, node: Node | None) -> None:
        """Open the root as its node says (everything else has its own metadata already); no workroom left.

        Without a node (nothing was ever followed) it stays closed.
        """
        try:
            clear_workroom(self.root)
            if node is not None:
                put_back(node, self.root)
        except OSError as error:
            raise _refused(self.root, error) from error

    def apply(self, old: bytes, new: bytes, owed: Iterable[bytes] = ()) -> Applied:
        """From the tree `old` (empty: nothing yet), which the folder holds, to `new`. Safe to repeat.

        `owed`: paths that the folder does not hold as `old` has them, because the vault could not give them.
        Raises `Unreachable`/`Refused` when the disk or the store says no: then call again.
        """
        with self._one_step():
            self._owed = frozenset(owed)
            self._stage(old, new)
            self._walk(b"", old, new)
        return self.done

    @contextmanager
    def _one_step(self) -> Iterator[None]:
        """Begin `done` anew, see all of it durable and in place, and remember nothing of it afterwards."""
        self.done = Applied()
        try:
            yield
            self._flush()
            for left in self._staged.values():
                self._clear(left)
        except OSError as error:
            raise _refused(self.root, error) from error
        finally:
            with suppress(OSError):  # whoever comes next does it: see `prepare`
                undo_moves(self.root)
            self._later, self._waiting_bytes, self._links = [], 0, {}
            self._staged, self._left, self._owed = {}, set(), frozenset()

    # What moved: found first, so that it is neither fetched nor removed

    def _stage(self, old: bytes, new: bytes) -> None:
        if not old or old == new:
            return
        moved = self._moved(old, new)
        if not moved:
            return
        gone: dict[object, bytes] = {}
        come: dict[object, bytes] = {}
        shared: set[object] = set()  # marks of hard-linked files: any of their names will do
        for path, was, is_ in self._changes(old, new, moved):
            left, found = _mark(was), _mark(is_)
            if left != found:
                if hash(left) in moved:
                    gone.setdefault(left, path)
                if hash(found) in moved:
                    come.setdefault(found, path)
                    if is_ is not None and is_.links > 1:
                        shared.add(found)
        false = {above for path in self._owed for above in _upwards(path)}  # not what their marks say
        for mark in sorted(gone.keys() & come.keys(), key=lambda one: gone[one]):  # what holds others first
            if gone[mark] in false:
                continue
            source = os.path.join(self.root, gone[mark])
            place = self._fresh()
            with suppress(FileNotFoundError):  # moved already by an attempt that was cut
                if isinstance(mark, bytes):
                    _note_move(place, gone[mark], come[mark])
                    os.rename(source, place)
                else:
                    os.link(
                        source, place, follow_symlinks=False
                    )  # the old name stays until the new one is there
                self._left.add(gone[mark])
                self._staged[mark if mark in shared else come[mark]] = place

    def _moved(self, old: bytes, new: bytes) -> set[int]:
        """Hashes of the marks that went somewhere and came elsewhere. Of what did only one of them 8 bytes are kept."""
        gone, come = array("q"), array("q")
        for _path, was, is_ in self._changes(old, new):
            left, found = _mark(was), _mark(is_)
            if left != found:
                gone.append(hash(left))
                come.append(hash(found))
        few, many = sorted((gone, come), key=len)
        return set(few).intersection(many) - {hash(None)}

    def _changes(
        self, old: bytes, new: bytes, whole: Container[int] = ()
    ) -> Iterator[tuple[bytes, Node | None, Node | None]]:
        """Every entry that differs, with its path; what is in a folder that went or came is an entry too.

        `whole`: hashes of marks; a folder that went or came under one of them is not gone into.
        """
        waiting = [(b"", old, new)]
        while waiting:
            path, before, after = waiting.pop()
            for was, is_ in self._repository.differences(before, after):
                inside = join(path, (was or is_ or _NOBODY).name)
                below = [one.subtree if one is not None and one.is_dir else b"" for one in (was, is_)]
                if not all(below):
                    yield inside, was, is_
                    below = [b"" if hash(tree) in whole else tree for tree in below]
                if any(below):
                    waiting.append((inside, below[0], below[1]))

    def _walk(self, path: bytes, old: bytes, new: bytes) -> None:
        stack = [_Folder(path, None, iter(self._repository.differences(old, new)))]
        while stack:
            folder = stack[-1]
            pair = next(folder.todo, None)
            if pair is None:
                stack.pop()
                if folder.node is not None:
                    self._finish_later(folder.path, folder.node)
                continue
            was, is_ = pair
            if not folder.path and (was or is_ or _NOBODY).name == WORKROOM:
                continue
            if is_ is None:
                self._remove_later(join(folder.path, (was or _NOBODY).name))
                continue
            sane(is_)
            inside = join(folder.path, is_.name)
            if is_.is_dir:
                stack.append(self._enter(inside, was, is_))
            else:
                self._file(inside, was, is_)

    def _enter(self, path: bytes, was: Node | None, is_: Node) -> _Folder:
        place = os.path.join(self.root, path)
        before = was.subtree if was is not None and was.is_dir else b""
        staged = self._staged.pop(path, None)
        if staged is not None:
            self._clear(place)
            os.rename(staged, place)
            self.done.moved += 1
            before = is_.subtree
        elif not before or not _is_folder(place):
            if not _is_folder(place):
                self._clear(place)
                os.mkdir(place, 0o700)
            before = b""
            self.done.folders += 1
        return _Folder(path, is_, iter(self._repository.differences(before, is_.subtree)))

    def _file(
        self, path: bytes, was: Node | None, is_: Node, clear: Callable[[], None] = lambda: None
    ) -> None:
        """`clear`: what makes the place free, just before the new file takes it."""
        place = os.path.join(self.root, path)
        if is_.links > 1 and self._link(path, is_, clear):
            return
        if path in self._owed:
            was = None
        if was is not None and path not in self._left and self._same_content(place, was, is_):
            self._finish_later(path, is_)
            return
        staged = self._staged.pop(_mark(is_) if is_.links > 1 else path, None)
        if staged is None:
            staged = self._fresh()
            try:
                former = (place, was) if was is not None and was.kind == is_.kind == "file" else None
                self._filler.make(staged, is_, former)
            except (PromiseBroken, PermissionError) as error:
                if isinstance(error, PermissionError) and is_.kind not in _DEVICES:
                    raise
                with suppress(FileNotFoundError):
                    os.unlink(staged)
                why = error.sentence if isinstance(error, PromiseBroken) else reason(error)
                self.done.lost.append((path, why))
                self._links.pop(_linked(is_), None)  # its other names have nothing to be linked to
                return
            self._waiting_bytes += is_.size
            self.done.size += is_.size
        else:
            self.done.moved += 1
        missed = put_back(is_, staged)
        if missed:
            self.done.missed.append((path, ", ".join(missed)))
        self.done.files += 1
        self._do_later(lambda: self._place(staged, place, clear))

    def _link(self, path: bytes, node: Node, clear: Callable[[], None] = lambda: None) -> bool:
        """A second name of a file that was just made; False for the first."""
        first = self._links.setdefault(_linked(node), path)
        if first == path:
            return False
        source, place = os.path.join(self.root, first), os.path.join(self.root, path)

        def act() -> None:
            draft = self._fresh()
            os.link(source, draft, follow_symlinks=False)
            self._place(draft, place, clear)

        self.done.files += 1
        self._do_later(act)
        return True

    def _same_content(self, place: bytes, was: Node, is_: Node) -> bool:
        if was.kind != "file" or is_.kind != "file" or was.content != is_.content:
            return False
        if was.links > 1 and (is_.links < 2 or was.inode != is_.inode):
            return False  # it no longer goes with its other names
        try:
            facts = os.lstat(place)
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and facts.st_size == is_.size

    # What is done once the files are durable

    def _do_later(self, act: Callable[[], None]) -> None:
        self._later.append(act)
        if len(self._later) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
            self._flush()

    def _finish_later(self, path: bytes, node: Node) -> None:
        def act() -> None:
            missed = put_back(node, os.path.join(self.root, path))
            if missed:
                self.done.missed.append((path, ", ".join(missed)))

        self._do_later(act)

    def _remove_later(self, path: bytes) -> None:
        def act() -> None:
            self._clear(os.path.join(self.root, path))
            self.done.removed += 1

        self._do_later(act)

    def settled(self) -> None:
        """Make the names durable that the last steps gave, took and changed. Raises as `apply`."""
        if self._unsettled:
            try:
                self._sync_all()
            except OSError as error:
                raise _refused(self.root, error) from error
            self._unsettled = False

    def _sync_all(self) -> None:
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if self._sync(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)

    def _flush(self) -> None:
        if self._waiting_bytes or self._later:
            self._sync_all()
            self._unsettled = True
        later, self._later, self._waiting_bytes = self._later, [], 0
        for act in later:
            act()

    def _place(self, draft: bytes, place: bytes, clear: Callable[[], None]) -> None:
        if _one_file(draft, place):
            os.unlink(draft)  # a rename between two names of one file does nothing
            return
        clear()
        try:
            os.rename(draft, place)
        except IsADirectoryError:
            self._clear(place)
            os.rename(draft, place)

    def _clear(self, place: bytes) -> None:
        try:
            if _is_folder(place):
                shutil.rmtree(place)
            else:
                os.unlink(place)
        except FileNotFoundError:
            return

    def _fresh(self) -> bytes:
        self._number += 1
        return os.path.join(self._work, b"%d" % self._number)

    def mend(self, tree: bytes, paths: Iterable[bytes]) -> Applied:
        """Try again what the vault could not give; what it still cannot is in `lost` again."""
        above: dict[bytes, Node] = {}
        with self._one_step():
            for path in paths:
                way = self._way(tree, path)
                if not way or way[-1][0] != path or way[-1][1].is_dir:
                    continue  # no longer in the share: nothing is owed
                above.update(way[:-1])
                self._file(path, None, way[-1][1])
            for folder in sorted(above, reverse=True):  # what came into it changed its dates
                self._finish_later(folder, above[folder])
        return self.done

    def _way(self, tree: bytes, path: bytes) -> list[tuple[bytes, Node]]:
        """What stands on the way down to `path`, itself last; shorter when it is not there."""
        found: list[tuple[bytes, Node]] = []
        here, inside = b"", tree
        for part in path.split(b"/"):
            nodes = self._repository.nodes(inside) if inside else ()
            node = next((one for one in nodes if one.name == part), None)
            if node is None:
                break
            here, inside = join(here, part), node.subtree
            found.append((here, node))
        return found

    # Where the folder may hold anything: first follow, return, after a power cut

    def settle(self, tree: bytes, base: bytes, aside: bytes) -> Applied:
        """From whatever the folder holds to `tree`; what is equal stays, nothing that is only here is lost.

        `base`: the last tree known to both sides. What differs from both goes to the folder `aside`, under its
        path; what stands in the base alone was removed here.
        """
        with self._one_step():
            self._settle(tree, base, aside)
        return self.done

    def _settle(self, tree: bytes, base: bytes, aside: bytes) -> None:
        waiting: list[tuple[bytes, bytes, bytes, Node | None]] = [(b"", tree, base, None)]
        folders: list[tuple[bytes, Node]] = []
        while waiting:
            path, wanted, known, node = waiting.pop()
            if node is not None:
                folders.append((path, node))
            for name, here, one, old in self._abreast(os.path.join(self.root, path), wanted, known):
                inside = join(path, name)
                if inside == WORKROOM:
                    continue
                if one is None:
                    if here:
                        self._do_later(self._taking(inside, old, aside))
                    continue
                sane(one)
                full = os.path.join(self.root, inside)
                if old is not None and not here:
                    self.done.gone_here.append(inside)
                if one.is_dir:
                    if not _is_folder(full):
                        self._strange(inside, old, aside)
                        os.mkdir(full, 0o700)
                        self.done.folders += 1
                    waiting.append((inside, one.subtree, old.subtree if old else b"", one))
                elif not _already(full, one):
                    self._file(inside, None, one, self._making_room(inside, old, aside))
                elif one.links < 2 or not self._link(inside, one):
                    self._finish_later(inside, one)
        for path, node in reversed(folders):
            self._finish_later(path, node)

    def _taking(self, path: bytes, base: Node | None, aside: bytes) -> Callable[[], None]:
        """What takes away the thing that stands there, once what takes its place is durable."""
        return lambda: self._strange(path, base, aside)

    def _making_room(self, path: bytes, base: Node | None, aside: bytes) -> Callable[[], None]:
        """The same before a file is renamed there: what both sides knew need not go first, so no name is ever missing."""

        def act() -> None:
            full = os.path.join(self.root, path)
            if base is None or _is_folder(full) or not _already(full, base):
                self._strange(path, base, aside)

        return act

    def _strange(self, path: bytes, base: Node | None, aside: bytes) -> None:
        """Take away what stands here in the place of something else: aside, unless both sides knew it."""
        full = os.path.join(self.root, path)
        if not os.path.lexists(full):
            return
        if base is not None and _is_folder(full) and base.is_dir:
            for name, here, _, old in self._abreast(full, b"", base.subtree):
                if here:
                    self._strange(join(path, name), old, aside)
            os.rmdir(full)
            return
        if base is not None and _already(full, base):
            os.unlink(full)
            self.done.removed += 1
            return
        place = os.path.join(aside, path)
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        _carry(full, place)
        self.done.aside.append(path)

    def _abreast(
        self, folder: bytes, wanted: bytes, known: bytes
    ) -> Iterator[tuple[bytes, bool, Node | None, Node | None]]:
        """Every name of a folder as it is now and of two trees (empty: none), in order; none of them is whole in memory.

        (name, whether it is here, its entry in `wanted`, in `known`). Raises `PromiseBroken`.
        """
        with os.scandir(folder) as found:
            here = in_order(one.name for one in found)
        sides = [((name, _HERE, _NOBODY) for name in here), self._side(_WANTED, wanted)]
        if known != wanted:
            sides.append(self._side(_KNOWN, known))
        last = b""
        for name, some in groupby(heapq.merge(*sides, key=_by_name), key=_by_name):
            if name <= last:
                raise damaged(f"arbre {wanted.hex() or known.hex()}", "les noms n'y sont pas dans l'ordre")
            last = name
            of = {side: node for _, side, node in some}
            yield name, _HERE in of, of.get(_WANTED), of.get(_WANTED if known == wanted else _KNOWN)

    def _side(self, side: int, tree: bytes) -> Iterator[_Named]:
        return ((node.name, side, node) for node in (self._repository.nodes(tree) if tree else ()))


def _upwards(path: bytes) -> Iterator[bytes]:
    """A path, and each folder above it."""
    while path:
        yield path
        path = os.path.dirname(path)


def undo_moves(root: bytes) -> None:
    """Put the folders that a step took out of their place, and left on the way, back there or where they were going.

    The copy may be all that is left, and be opened so. Raises OSError.
    """
    work = os.path.join(root, WORKROOM)
    try:
        notes = [name for name in os.listdir(work) if name.endswith(_FROM)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for note in sorted(notes, key=lambda name: (len(name), name)):  # what held others first
        with open(os.path.join(work, note), "rb") as file:
            places = file.read().split(b"\0")
        waiting = os.path.join(work, note.removesuffix(_FROM))
        places.append(
            places[0] + _BESIDE
        )  # both names are taken: it is seen beside, and put aside when all is compared
        free = [full for path in places if not os.path.lexists(full := os.path.join(root, path))]
        if free and _is_folder(waiting):
            os.makedirs(os.path.dirname(free[0]), mode=0o700, exist_ok=True)
            os.rename(waiting, free[0])
        os.unlink(os.path.join(work, note))


def clear_workroom(root: bytes) -> None:
    """Leave nothing of ours in a copy; a thing that its users named like our workroom stays. Raises OSError."""
    undo_moves(root)
    work = os.path.join(root, WORKROOM)
    if _is_folder(work) and all(_OURS.fullmatch(name) for name in os.listdir(work)):
        shutil.rmtree(work)


def _note_move(place: bytes, old: bytes, new: bytes) -> None:
    """Durable before the folder leaves its place. Names hold no zero."""
    with open(place + _FROM, "wb") as note:
        note.write(old + b"\0" + new)
        note.flush()
        os.fsync(note.fileno())


def _carry(source: bytes, place: bytes) -> None:
    """Move a file or a folder whole, also to another disk: owners, links, attributes, pipes. Raises OSError."""
    try:
        os.rename(source, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_away(source, place)


def _copy_away(source: bytes, place: bytes) -> None:
    argv = ["cp", "-a", "-T", "--", os.fsdecode(source), os.fsdecode(place)]
    ran = subprocess.run(argv, capture_output=True, check=False)
    if ran.returncode:
        raise OSError(errno.EIO, ran.stderr.decode(errors="replace").strip()[-300:], os.fsdecode(place))
    handle = os.open(os.path.dirname(place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.fsdecode(place))
    finally:
        os.close(handle)
    if _is_folder(source):
        shutil.rmtree(source)
    else:
        os.unlink(source)


_syncfs = ctypes.CDLL(None, use_errno=True).syncfs
_DEVICES = ("dev", "chardev", "socket")  # what only some accounts may make
_NOBODY = Node(b"", "irregular", 0, 0)
_by_name = itemgetter(0)


def _mark(node: Node | None) -> object | None:
    """What tells that a thing which went and a thing which came are one; None when it is not worth it."""
    if node is None:
        return None
    if node.is_dir:
        return node.subtree
    if node.links > 1:  # its other names may have stayed where they are
        return node.inode, node.device_id, node.mtime, node.content, node.target
    if node.kind == "file" and node.content:
        return node.inode, 0, node.mtime, node.content, b""
    return None


def _linked(node: Node) -> object:
    """What the names of one file have in common."""
    return node.inode, node.device_id, node.mtime, node.content


def _already(place: bytes, node: Node) -> bool:
    try:
        facts = os.lstat(place)
    except OSError:
        return False
    if stat.S_IFMT(facts.st_mode) != (0 if node.kind == "irregular" else format_of(node.kind)):
        return False
    if node.kind == "symlink":
        return os.readlink(place) == node.target
    return facts.st_mtime_ns == node.mtime and (node.kind != "file" or facts.st_size == node.size)


def _one_file(one: bytes, other: bytes) -> bool:
    try:
        first, second = os.lstat(one), os.lstat(other)
    except FileNotFoundError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _is_folder(place: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False


def _refused(root: bytes, error: OSError) -> ReleveError:
    from pathlib import Path

    named = error.filename if isinstance(error.filename, bytes | str) else root
    found = unwritable(Path(os.fsdecode(named)), error, "hot-copy-unwritable")
    return found if isinstance(found, ReleveError) else PromiseBroken("hot-copy", reason(error))
