"""Removing old bases, and the WAL that none of the others needs: the relief's work, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, bases, chapters
from releve.adapters.engines.postgresql.archive.covering import covered
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.vault.merging import Merged, merge
from releve.adapters.vault.repository import Snapshot
from releve.adapters.vault.store import Kind
from releve.cycle.protect.archive import HeldBase, HeldWal, expire
from releve.cycle.protect.retention import Held, Policy, Ruling
from releve.entrypoints.worker.thinning import read_note, write_note

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

_LOG = 1 << 32  # bytes of WAL in a chapter


def expire_database(
    vault: Repository,
    database: str,
    state: Path,
    policy: Policy,
    *,
    yes: bool,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[list[Ruling], Merged]:
    """Rule on each snapshot of the database; with `yes`, remove and merge. Safe to cut anywhere and to repeat.

    Beside a running archiver: what it counts on leaves the store only once it has looked again (see `merging`).
    """
    with ExitStack() as stack:
        stack.enter_context(only_one(state / "thin.lock", f"le ménage de « {database} »"))
        found = Catalogue(vault, database).look()
        vault.load_index()
        wal = [
            HeldWal(_held(one.snapshot), name, _end(name), one.snapshot.id in within)
            for name, same in chapters(found).items()
            for within in [covered(vault, same)]
            for one in same
        ]
        held = [HeldBase(_held(one.snapshot), one.mark.start) for one in bases(found)]
        rulings = expire(held, wal, policy, datetime.now(UTC).astimezone())
        if not yes:
            return rulings, Merged()
        for ruling in rulings:
            if not ruling.keep:
                vault.store.remove(Kind.SNAPSHOTS, ruling.snapshot.id)
        note = state / "retired.json"
        return rulings, merge(
            vault,
            read_note(note),
            keep=lambda retired: write_note(note, retired),
            now=lambda: datetime.now(UTC),
            progress=progress,
        )


def _held(one: Snapshot) -> Held:
    return Held(one.id, one.at, one.seen)


def _end(chapter: str) -> int:
    return (int(chapter[8:], 16) + 1) * _LOG
