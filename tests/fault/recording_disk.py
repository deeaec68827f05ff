"""A disk that remembers every write, fsync, rename and unlink, and can be cut after any of them.

What a power cut may leave: bytes never synced are lost or torn; names of a folder that was not
synced since are each there or not. A sync is noted when it is asked of the system, never because it should be:
tests/unit/adapters/vault/test_store.py sees that it is `os.fsync`, with the bytes written and before the name.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.vault.store import RealDisk

Op = tuple[str, Path, object]


class _Own(threading.local):
    """Of each thread."""

    def __init__(self) -> None:
        self.heard: list[Op] = []


class RecordingDisk(RealDisk):
    """The real disk, with a list of what was asked of it, call by call."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._own = _Own()

    def create(self, path: Path, parts: Iterable[bytes]) -> None:
        with self._one() as ops:
            super().create(path, parts)
            ops += [("create", path, None), ("write", path, b"".join(parts)), *self._heard()]

    def rename(self, old: Path, new: Path) -> None:
        with self._one() as ops:
            super().rename(old, new)
            ops.append(("rename", old, new))

    def sync(self, folder: Path) -> None:
        with self._one() as ops:
            super().sync(folder)
            ops.extend(self._heard())

    def fsync(self, handle: int) -> None:
        super().fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        self._own.heard.append(("sync" if path.is_dir() else "fsync", path, None))

    def _heard(self) -> list[Op]:
        """What this thread has synced since it was last asked."""
        heard, self._own.heard = self._own.heard, []
        return heard

    def unlink(self, path: Path) -> None:
        with self._one() as ops:
            super().unlink(path)
            ops.append(("unlink", path, None))

    def mkdir(self, path: Path) -> None:
        with self._one() as ops:
            super().mkdir(path)
            ops.append(("mkdir", path, None))

    @contextmanager
    def _one(self) -> Iterator[list[Op]]:
        """Where one call is noted."""
        yield self.ops


class SharedRecordingDisk(RecordingDisk):
    """The same for several processes: their calls follow each other, and are noted in one file in that order."""

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self._notes = notes

    @contextmanager
    def _one(self) -> Iterator[list[Op]]:
        with self._notes.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            ops: list[Op] = []
            yield ops
            pickle.dump(ops, file)

    def noted(self) -> list[Op]:
        """What all of them did so far."""
        ops: list[Op] = []
        with self._notes.open("rb") as file, suppress(EOFError):
            while True:
                ops += pickle.load(file)  # noqa: S301 (our own notes)
        return ops


@contextmanager
def state_too(disk: RecordingDisk, folder: Path) -> Iterator[None]:
    """Note beside the vault's calls, in their order, what a process asks for its small files in `folder`.

    A commit of SQLite is one call, durable on return: tests/fault/test_thinning_crash.py sees that it is, and that
    one torn in the middle is none.
    """
    fsync, replace, connect = os.fsync, os.replace, sqlite3.connect

    def fsynced(handle: int) -> None:
        fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path == folder:
            disk.ops.append(("sync", path, None))
        elif path.parent == folder:
            disk.ops += [("create", path, None), ("write", path, path.read_bytes()), ("fsync", path, None)]

    def replaced(old: Path, new: Path) -> None:
        replace(old, new)
        if Path(new).parent == folder:
            disk.ops.append(("rename", Path(old), Path(new)))

    class Committing(sqlite3.Connection):
        place: Path

        def __exit__(self, *how: object) -> Any:
            found = super().__exit__(*how)  # type: ignore[arg-type]
            disk.ops.append(("commit", self.place, self.serialize()))
            return found

    def connected(database: Path | str, *given: Any, **how: Any) -> sqlite3.Connection:
        if Path(database).parent != folder:
            return connect(database, *given, **how)
        if not Path(database).stat().st_size:
            disk.ops.append(("commit", Path(database), b""))
        made = connect(database, *given, factory=Committing, **how)
        made.place = Path(database)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsynced)
        patch.setattr(os, "replace", replaced)
        patch.setattr(sqlite3, "connect", connected)
        yield


def replay(ops: Sequence[Op], root: Path, target: Path, seed: int) -> None:
    """Make `target` what a cut after `ops` may have left of `root`.

    Seed 0: nothing unsynced survives; 1: everything does; any other: each unsynced thing by chance.
    """
    chance = random.Random(seed)

    def survives() -> bool:
        return seed == 1 or (seed > 1 and chance.random() < 0.5)

    content: dict[int, bytes] = {}  # inode -> bytes
    synced: set[int] = set()
    names: dict[Path, int] = {}  # what programs saw
    durable: dict[Path, int] = {}  # what is on the disk for sure
    waiting: list[tuple[str, Path, object]] = []  # changes of names since the last sync of their folder
    fresh = iter(range(1, 10**9))
    for what, path, other in ops:
        match what:
            case "create":
                names[path] = next(fresh)
                content[names[path]] = b""
                waiting.append(("add", path, names[path]))
            case "write":
                assert isinstance(other, bytes)
                content[names[path]] = other
            case "fsync":
                synced.add(names[path])
            case "commit":
                assert isinstance(other, bytes)
                names[path] = durable[path] = next(fresh)
                content[names[path]] = other
                synced.add(names[path])
            case "rename":
                assert isinstance(other, Path)
                names[other] = names.pop(path)
                waiting.append(("rename", path, (other, names[other])))
            case "unlink":
                if names.pop(path, None) is not None:
                    waiting.append(("gone", path, None))
            case "sync":
                for change in [one for one in waiting if one[1].parent == path]:
                    waiting.remove(change)
                    _apply(change, durable)
    for change in waiting:
        if survives():
            _apply(change, durable)
    for what, path, _ in ops:
        if what == "mkdir" and path.parent.name != "data":
            (target / path.relative_to(root)).mkdir(parents=True, exist_ok=True)
    for path, inode in durable.items():
        raw = content[inode]
        if inode not in synced and not survives():
            raw = raw[: chance.randrange(len(raw) + 1)]
        place = target / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)


def _apply(change: tuple[str, Path, object], durable: dict[Path, int]) -> None:
    what, path, value = change
    if what == "add":
        assert isinstance(value, int)
        durable[path] = value
    elif what == "rename":
        assert isinstance(value, tuple)
        durable.pop(path, None)
        durable[value[0]] = value[1]
    else:
        durable.pop(path, None)
