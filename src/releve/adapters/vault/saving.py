"""One whole saving: lock, read, flush, snapshot. What is in the vault when it returns is durable."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from releve import __version__
from releve.adapters.vault.archive import Archiver, Progress, Tally
from releve.adapters.vault.clock import rfc3339
from releve.adapters.vault.helping import Claims, Counted, Counts, Helper, Line
from releve.adapters.vault.locks import Held, hold_early
from releve.adapters.vault.repository import Repository, Snapshot, snapshot_value
from releve.adapters.vault.writer import Writer


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot that is durable, and what it cost. Sizes in bytes."""

    id: str
    tally: Tally
    added: int
    stored: int
    blobs: int
    parent: str


def save(
    repository: Repository,
    paths: Sequence[str],
    *,
    now: Callable[[], datetime],
    tags: Sequence[str] = (),
    excludes: Sequence[str] = (),
    hostname: str = "",
    processes: int = 1,
    progress: Progress = lambda _tally: None,
) -> Saved:
    """Save these folders as one snapshot. Only what changed since their last one is read.

    One that was interrupted leaves no snapshot: the next reads everything again, and sends what no list has.

    `processes`: 2 shares the work with a second process, which the calling process must have room to fork.
    """
    work = _Saving(repository, paths, now, tags, excludes, hostname or socket.gethostname(), progress)
    try:
        return work.run(processes, at_once=True)
    except _Moved:  # somebody tidied the vault in the moment before our lock held: begin again, behind it
        return work.run(processes, at_once=False)


class _Moved(Exception):
    """What was read before the lock was sure is no longer so."""


@dataclass(slots=True)
class _Saving:
    """One saving on its way."""

    repository: Repository
    paths: Sequence[str]
    now: Callable[[], datetime]
    tags: Sequence[str]
    excludes: Sequence[str]
    host: str
    progress: Progress

    def run(self, processes: int, *, at_once: bool) -> Saved:
        absolute = sorted({os.path.abspath(path) for path in self.paths})
        with hold_early(self.repository, exclusive=False, now=self.now) as held, ExitStack() as stack:
            if not at_once:
                held.sure()
            begun = self.now()
            parent = _last(self.repository.snapshots(), self.host, absolute)
            self.repository.load_index()
            sure = _Sure(held, self.repository)
            claims = Claims() if processes > 1 else None
            writer = Writer(self.repository, sure, claims=claims)
            helper = self._helper(claims, sure, writer)
            if helper is not None:
                sure.then(helper.go)
                stack.callback(helper.close)
            stack.callback(writer.close)
            archiver = Archiver(
                self.repository, writer, excludes=self.excludes, progress=self.progress, helper=helper
            )
            stack.callback(archiver.close)
            if helper is not None:
                helper.back = archiver.tally.add
            root = archiver.save(absolute, parent)
            if helper is not None:
                helper.end()
            writer.settle()
            if helper is not None:
                helper.finish()
            writer.flush()
            cost = _cost(writer, helper)
            name = self.repository.save_snapshot(
                snapshot_value(
                    at=begun,
                    tree=root,
                    paths=absolute,
                    hostname=self.host,
                    username=_account(),
                    uid=os.getuid(),
                    gid=os.getgid(),
                    tags=self.tags,
                    parent=parent.id if parent else "",
                    program=f"releve {__version__}",
                    summary=_summary(archiver.tally, cost, begun, self.now()),
                ),
                sure,
            )
        return Saved(name, archiver.tally, cost[1], cost[2], cost[0], parent.id if parent else "")

    def _helper(self, claims: Claims | None, sure: Callable[[], None], writer: Writer) -> Helper | None:
        if claims is None:
            return None

        def work(line: Line) -> _Worker:
            return _Worker(self.repository, claims, self.excludes, line)

        return Helper(work, sure=sure, adopt=writer.adopt)


class _Sure:
    """Makes sure of the lock, and, the first time, that what was read without it still stands. Raises `_Moved`."""

    def __init__(self, held: Held, repository: Repository) -> None:
        self._held = held
        self._repository = repository
        self._gate = threading.Lock()
        self._stood = False
        self._then: Callable[[], None] = lambda: None

    def then(self, act: Callable[[], None]) -> None:
        """What is done once, when it is sure."""
        self._then = act

    def __call__(self) -> None:
        self._held.sure()
        with self._gate:
            if not self._stood:
                if not self._repository.stands():
                    raise _Moved
                self._stood = True
                self._then()


class _Worker:
    """What the second process does."""

    def __init__(self, repository: Repository, claims: Claims, excludes: Sequence[str], line: Line) -> None:
        self._writer = Writer(repository, line.sure, claims=claims, tell=line.packs)
        self._archiver = Archiver(repository, self._writer, excludes=excludes)

    def folder(self, path: bytes, name: bytes, past: bytes) -> tuple[bytes, Counted]:
        """See `helping.Worker`."""
        return self._archiver.folder(path, name, past), self._archiver.tally.take()

    def finish(self) -> Counts:
        """See `helping.Worker`."""
        self._writer.flush()
        return _cost(self._writer, None)

    def close(self) -> None:
        """See `helping.Worker`."""
        self._archiver.close()
        self._writer.close()


def _cost(writer: Writer, helper: Helper | None) -> Counts:
    more = helper.counts if helper is not None else (0, 0, 0)
    return writer.added_blobs + more[0], writer.added_bytes + more[1], writer.stored_bytes + more[2]


def _summary(tally: Tally, cost: Counts, begun: datetime, ended: datetime) -> dict[str, object]:
    return {
        "backup_start": rfc3339(begun),
        "backup_end": rfc3339(ended),
        "files_new": tally.files_new,
        "files_changed": tally.files_changed,
        "files_unmodified": tally.files_same,
        "data_added": cost[1],
        "data_added_packed": cost[2],
        "total_files_processed": tally.files,
        "total_bytes_processed": tally.size,
    }


def _last(known: Sequence[Snapshot], host: str, paths: Sequence[str]) -> Snapshot | None:
    same = [one for one in known if one.hostname == host and sorted(one.paths) == list(paths)]
    return same[-1] if same else None


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
