"""One whole saving: lock, read, flush, snapshot. What is in the vault when it returns is durable."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from releve import __version__
from releve.adapters.vault.archive import Archiver, Progress, Tally
from releve.adapters.vault.clock import rfc3339
from releve.adapters.vault.locks import hold
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
    progress: Progress = lambda _tally: None,
) -> Saved:
    """Save these folders as one snapshot. Only what changed since their last one is read."""
    host = hostname or socket.gethostname()
    absolute = sorted({os.path.abspath(path) for path in paths})
    with hold(repository, exclusive=False, now=now) as still_ours:
        begun = now()
        parent = _last(repository.snapshots(), host, absolute)
        repository.load_index()
        writer = Writer(repository, still_ours)
        try:
            archiver = Archiver(repository, writer, excludes=excludes, progress=progress)
            root = archiver.save(absolute, parent)
            writer.flush()
        finally:
            writer.close()
        tally = archiver.tally
        ended = now()
        still_ours()
        name = repository.save_snapshot(
            snapshot_value(
                at=begun,
                tree=root,
                paths=absolute,
                hostname=host,
                username=_account(),
                uid=os.getuid(),
                gid=os.getgid(),
                tags=tags,
                parent=parent.id if parent else "",
                program=f"releve {__version__}",
                summary={
                    "backup_start": rfc3339(begun),
                    "backup_end": rfc3339(ended),
                    "files_new": tally.files_new,
                    "files_changed": tally.files_changed,
                    "files_unmodified": tally.files_same,
                    "data_added": writer.added_bytes,
                    "data_added_packed": writer.stored_bytes,
                    "total_files_processed": tally.files,
                    "total_bytes_processed": tally.size,
                },
            )
        )
    return Saved(
        name, tally, writer.added_bytes, writer.stored_bytes, writer.added_blobs, parent.id if parent else ""
    )


def _last(known: Sequence[Snapshot], host: str, paths: Sequence[str]) -> Snapshot | None:
    same = [one for one in known if one.hostname == host and sorted(one.paths) == list(paths)]
    return same[-1] if same else None


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
