"""Snapshot -> folders. Content first, then names' metadata, folders last so that their dates hold."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from releve.adapters.vault.filling import Filler, sane
from releve.adapters.vault.metadata import put_back
from releve.adapters.vault.node import Node, format_of
from releve.adapters.vault.repository import Repository, Snapshot, walk
from releve.domain.errors import BadInput, PromiseBroken, Unreachable
from releve.domain.os_errors import reason, unwritable

_TELL = 256  # files between two words of progress


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
    progress: Progress = lambda _restored: None,
) -> Restored:
    """Bring a snapshot back below `target`, each file under its full path of then.

    `only`: paths of the snapshot, everything below them; `again`: go on with an interrupted restore.
    Raises `BadInput` when the target holds something and `again` is not said, or when nothing is called so.
    A damaged file does not stop the others: it is listed in `lost` and no half file is left.
    """
    root = os.fsencode(os.path.abspath(target))
    _prepare(root, again=again)
    return _Restorer(repository, root, again, progress).run(snapshot, [os.fsencode(path) for path in only])


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

    def __init__(self, repository: Repository, root: bytes, again: bool, progress: Progress) -> None:  # noqa: FBT001
        self._repository = repository
        self._root = root
        self._again = again
        self._progress = progress
        self._filler = Filler(repository)
        self._links: dict[object, bytes] = {}
        self._later: list[tuple[bytes, Node]] = []  # second names of hard links
        self.done = Restored()

    def run(self, snapshot: Snapshot, only: Sequence[bytes]) -> Restored:
        folders: list[tuple[bytes, Node]] = []
        found = not only
        try:
            for path, node in walk(self._repository, snapshot.tree):
                if not _wanted(path, only):
                    continue
                found = found or any(path == one or path.startswith(one + b"/") for one in only)
                place = self._root + path
                sane(node)
                if node.is_dir:
                    _folder(place)
                    folders.append((place, node))
                elif not self._linked(place, node):
                    self._file(place, node)
                if self.done.files % _TELL == 0:
                    self._progress(self.done)
        except OSError as error:
            raise unwritable_target(error) from error
        finally:
            self._filler.close()
        if not found:
            raise BadInput(
                "unknown-path", "rien ne s'appelle ainsi dans cet instantané", hint="releve vault ls"
            )
        for place, node in self._later:
            self._link(place, node)
        for place, node in reversed(folders):
            self._finish(place, node)
        self.done.folders = len(folders)
        return self.done

    def _linked(self, place: bytes, node: Node) -> bool:
        if node.links < 2 or not node.inode:
            return False
        first = self._links.setdefault(_group(node), place)
        if first != place:
            self._later.append((place, node))
        return first != place

    def _link(self, place: bytes, node: Node) -> None:
        first = self._links[_group(node)]
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
            self._filler.make(place, node)
        except PromiseBroken as error:
            with suppress(FileNotFoundError):
                os.unlink(place)
            self.done.lost.append((os.fsdecode(place), error.sentence))
            return
        except PermissionError as error:
            self.done.lost.append((os.fsdecode(place), reason(error)))
            return
        self._finish(place, node)
        self.done.files += 1
        self.done.size += node.size

    def _finish(self, place: bytes, node: Node) -> None:
        missed = put_back(node, place)
        if missed:
            self.done.missed.append((os.fsdecode(place), ", ".join(missed)))


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
