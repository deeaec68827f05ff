"""Snapshot -> folders. Content first, then names' metadata, folders last so that their dates hold."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from releve.adapters.vault.filling import Filler, sane
from releve.adapters.vault.helping import Counted, Counts, Helper, Ticket
from releve.adapters.vault.metadata import put_back
from releve.adapters.vault.node import Node, decode, encode, format_of, tree
from releve.adapters.vault.repository import Repository, Snapshot
from releve.domain.errors import BadInput, PromiseBroken, Unreachable
from releve.domain.names import did_you_mean
from releve.domain.os_errors import reason, unwritable

_TELL = 256  # files between two words of progress
_WIDE = 10_000  # names of a folder among which a misspelt one is looked for: 0.04 s


@dataclass(slots=True)
class Restored:
    """What came back. `lost` are (path, why): files that the vault can no longer give; `missed`: metadata."""

    files: int = 0
    folders: int = 0
    size: int = 0
    kept: int = 0  # files that an earlier, interrupted restore had brought back already
    lost: list[tuple[str, str]] = field(default_factory=list)
    missed: list[tuple[str, str]] = field(default_factory=list)


Progress = Callable[[Restored], None]


def restore(
    repository: Repository,
    snapshot: Snapshot,
    target: str,
    *,
    only: Sequence[str] = (),
    again: bool = False,
    processes: int = 1,
    progress: Progress = lambda _restored: None,
) -> Restored:
    """Bring a snapshot back below `target`, each file under its full path of then.

    `only`: paths of the snapshot, everything below them; `again`: go on with an interrupted restore.
    `processes`: 2 shares the work with a second process, which the calling process must have room to fork.
    Files are not synced one by one, as restic's are not: a restore that a power cut interrupts is begun again.
    Raises `BadInput` when the target holds something and `again` is not said, or when a path is not in the snapshot:
    then nothing was made.
    A damaged file does not stop the others: it is listed in `lost` and no half file is left.
    """
    root = os.fsencode(os.path.abspath(target))
    wanted = [b"/" + b"/".join(_parts(os.fsencode(path))) for path in only]
    for path in wanted:
        _must_be_there(repository, snapshot, path)
    _prepare(root, again=again)
    work = _Restorer(repository, root, again, wanted, progress)
    shared = processes > 1 and not only  # a few paths are soon brought back
    helper = Helper(lambda _line: _Worker(_Restorer(repository, root, again, ()))) if shared else None
    try:
        return _run(work, snapshot, helper)
    except OSError as error:
        raise unwritable_target(error) from error
    finally:
        work.close()
        if helper is not None:
            helper.close()


def _must_be_there(repository: Repository, snapshot: Snapshot, path: bytes) -> None:
    """Raises `BadInput` for a path that the snapshot has not; the hint is the nearest that it has."""
    subtree, nearest = snapshot.tree, b""
    for name in _parts(path):
        found = _called(repository, subtree, name) if subtree else None
        if found is None:
            break
        nearest += b"/" + found.name
        subtree = found.subtree if found.is_dir else b""
    if nearest == path.rstrip(b"/"):
        return
    raise BadInput(
        "unknown-path",
        f"« {_shown(path)} » n'est pas dans l'instantané {snapshot.id[:8]} : rien n'a été écrit",
        hint=f"le plus proche qui y soit : « {_shown(nearest or b'/')} » ; releve vault ls liste tout",
    )


def _called(repository: Repository, subtree: bytes, name: bytes) -> Node | None:
    """The entry of a folder that has this name; else the one whose name is near, among the first of a wide folder."""
    for node in repository.nodes(subtree):
        if node.name == name:
            return node
    some = {_shown(node.name): node for node in islice(repository.nodes(subtree), _WIDE)}
    return some.get(did_you_mean(_shown(name), some))


def _parts(path: bytes) -> list[bytes]:
    return [one for one in path.split(b"/") if one]


def _shown(path: bytes) -> str:
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _run(work: _Restorer, snapshot: Snapshot, helper: Helper | None) -> Restored:
    tickets: list[Ticket] = []
    waiting = deque([(b"", snapshot.tree)])
    if helper is not None:
        helper.back = work.add
    while waiting:
        waiting += work.folder(*waiting.pop())
        if helper is not None:
            helper.look()
            while helper.free and len(waiting) > 1:  # the last is for us
                path, tree = waiting.popleft()
                tickets.append(helper.give(path, b"", tree))
    if helper is not None:
        for ticket in tickets:
            helper.wait(ticket)
    return work.finish()


def _prepare(root: bytes, *, again: bool) -> None:
    try:
        os.makedirs(root, exist_ok=True)
        if os.listdir(root) and not again:
            raise BadInput(
                "target-not-empty",
                f"« {os.fsdecode(root)} » n'est pas vide : rien n'y a été écrit",
                hint="choisissez un dossier neuf ; --continue reprend une restauration interrompue",
            )
    except OSError as error:
        raise BadInput(
            "target-unwritable", f"« {os.fsdecode(root)} » ne peut pas être écrit : {reason(error)}"
        ) from error


class _Restorer:
    """One restore on its way."""

    def __init__(
        self,
        repository: Repository,
        root: bytes,
        again: bool,  # noqa: FBT001
        only: Sequence[bytes],
        progress: Progress = lambda _restored: None,
    ) -> None:
        self._repository = repository
        self._root = root
        self._again = again
        self._only = only
        self._progress = progress
        self._filler = Filler(repository)
        self._folders: list[tuple[bytes, Node]] = []  # each after the one that holds it
        self._linked: list[tuple[bytes, Node]] = []  # names of files that have several
        self.done = Restored()

    def close(self) -> None:
        """Give the threads back."""
        self._filler.close()

    def folder(self, path: bytes, subtree: bytes) -> list[tuple[bytes, bytes]]:
        """Bring back what is right in a folder; the folders in it: (path, tree)."""
        below = []
        for node in self._repository.nodes(subtree):
            inside = path + b"/" + node.name
            if not _wanted(inside, self._only):
                continue
            place = self._root + inside
            sane(node)
            if node.is_dir:
                _folder(place)
                self._folders.append((place, node))
                below.append((inside, node.subtree))
            elif node.links > 1 and node.inode:
                self._linked.append((place, node))
            else:
                self._file(place, node)
            if self.done.files % _TELL == 0:
                self._progress(self.done)
        return below

    def finish(self) -> Restored:
        """Bring back what has several names, then give the folders their dates."""
        first: dict[object, bytes] = {}
        for place, node in self._linked:
            source = first.setdefault(_group(node), place)
            if source == place:
                self._file(place, node)
            else:
                self._link(source, place)
        for place, node in reversed(self._folders):
            self._finish(place, node)
        self.done.folders += len(self._folders)
        return self.done

    def take(self) -> Counted:
        """What was done since the last call, for another process to add to its own."""
        if not self._linked:
            self.finish()
            self._folders = []
        done, self.done = self.done, Restored()
        held = (
            [(place, encode(node)) for place, node in self._folders],
            [(place, encode(node)) for place, node in self._linked],
        )
        self._folders, self._linked = [], []
        return done.files, done.folders, done.size, done.kept, done.lost, done.missed, *held

    def add(self, counted: Counted) -> None:
        """Add what another process did, and left to do: names of one file may lie in the hands of both."""
        files, folders, size, kept, lost, missed, later, linked = counted
        done = self.done
        done.files, done.folders, done.size = done.files + files, done.folders + folders, done.size + size
        done.kept += kept
        done.lost += lost
        done.missed += missed
        self._folders += [(place, _decoded(encoded)) for place, encoded in later]
        self._linked += [(place, _decoded(encoded)) for place, encoded in linked]
        self._progress(done)

    def _link(self, first: bytes, place: bytes) -> None:
        try:
            with suppress(FileNotFoundError):
                os.unlink(place)
            os.link(first, place, follow_symlinks=False)
            self.done.files += 1
        except OSError as error:
            self.done.lost.append((os.fsdecode(place), reason(error)))

    def _file(self, place: bytes, node: Node) -> None:
        if self._again and _already(place, node):
            self.done.kept += 1
            return
        try:
            missed = self._filler.bring(place, node)
        except PromiseBroken as error:
            with suppress(FileNotFoundError):
                os.unlink(place)
            self.done.lost.append((os.fsdecode(place), error.sentence))
            return
        except PermissionError as error:
            self.done.lost.append((os.fsdecode(place), reason(error)))
            return
        self._missed(place, missed)
        self.done.files += 1
        self.done.size += node.size

    def _finish(self, place: bytes, node: Node) -> None:
        self._missed(place, put_back(node, place))

    def _missed(self, place: bytes, missed: Sequence[str]) -> None:
        if missed:
            self.done.missed.append((os.fsdecode(place), ", ".join(missed)))


class _Worker:
    """What the second process does."""

    def __init__(self, work: _Restorer) -> None:
        self._work = work

    def folder(self, path: bytes, _name: bytes, past: bytes) -> tuple[bytes, Counted]:
        """See `helping.Worker`."""
        waiting = [(path, past)]
        while waiting:
            waiting += self._work.folder(*waiting.pop())
        return past, self._work.take()

    def finish(self) -> Counts:
        """See `helping.Worker`."""
        return 0, 0, 0

    def close(self) -> None:
        """See `helping.Worker`."""
        self._work.close()


def _decoded(encoded: bytes) -> Node:
    return next(decode(tree([encoded])))


def _group(node: Node) -> object:
    """What the names of one file share. Its number alone may have been given to another file since."""
    return node.inode, node.device_id, node.mtime, node.content


def _folder(place: bytes) -> None:
    with suppress(FileExistsError):
        os.mkdir(place, 0o700)
    if not stat.S_ISDIR(os.lstat(place).st_mode):
        raise BadInput("target-in-the-way", f"« {os.fsdecode(place)} » n'est pas un dossier")


def unwritable_target(error: OSError) -> Exception:
    """The error for a target that stopped taking what it was given."""
    from pathlib import Path

    named = Path(os.fsdecode(error.filename)) if error.filename else Path()
    if error.filename:
        return unwritable(named, error, "target-unwritable")
    return Unreachable("target-unwritable", f"la destination ne peut plus être écrite : {reason(error)}")


def _wanted(path: bytes, only: Sequence[bytes]) -> bool:
    return not only or any(
        path == one or path.startswith(one.rstrip(b"/") + b"/") or one.startswith(path + b"/") for one in only
    )


def _already(place: bytes, node: Node) -> bool:
    try:
        facts = os.lstat(place)
    except OSError:
        return False
    return (
        stat.S_IFMT(facts.st_mode) == format_of(node.kind)
        and facts.st_mtime_ns == node.mtime
        and (node.kind != "file" or facts.st_size == node.size)
    )
