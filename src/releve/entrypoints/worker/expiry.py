"""Removing snapshots of WAL that a fuller one covers, old bases, and the WAL that none of the others needs.

The relief's work, and nobody else's: every ten minutes beside an archiver at work, which adds one every two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.catalogue import Base, Catalogue, Chapter, bases, chapters
from releve.adapters.engines.postgresql.archive.covering import covered
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.vault.locks import hold
from releve.adapters.vault.merging import Merged, merge, store_clock
from releve.adapters.vault.repository import Snapshot
from releve.adapters.vault.sightings import Sighting, Sightings
from releve.adapters.vault.store import Kind
from releve.cycle.protect.archive import HeldBase, HeldWal, expire, settled
from releve.cycle.protect.register import Roll, doubt
from releve.cycle.protect.retention import Held, Policy, Ruling
from releve.domain.errors import Refused
from releve.entrypoints.worker.register import uptime
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

    An age is counted from the store's date or from our first look, whichever is later: `state` remembers our looks, so
    that the first one removes no WAL. Raises `Refused` when our clock and the store's do not agree.

    Beside a running archiver: what it counts on leaves the store only once it has looked again (see `merging`).
    """
    with ExitStack() as stack:
        stack.enter_context(only_one(state / "thin.lock", f"le ménage de « {database} »"))
        if yes:
            stack.enter_context(hold(vault, exclusive=False, now=_now))
        found = Catalogue(vault, database).look()
        vault.load_index()
        now = _instant(store_clock(vault) if yes else vault.store.clock())
        sightings = Sightings(state / "sightings.json")
        looks = sightings.look(Kind.SNAPSHOTS, (one.snapshot.id for one in found), now)
        rulings = _rule(vault, found, looks, policy, now)
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
            now=_now,
            sightings=sightings,
            progress=progress,
        )


def _rule(
    vault: Repository,
    found: Sequence[Base | Chapter],
    looks: Mapping[str, Sighting],
    policy: Policy,
    now: datetime,
) -> list[Ruling]:
    held = {one.snapshot.id: _held(one.snapshot, looks[one.snapshot.id].before) for one in found}
    wal: list[HeldWal] = []
    for name, same in chapters(found).items():
        within = covered(vault, [one for one in same if settled(held[one.snapshot.id], now)])
        end = _end(name)
        wal += [HeldWal(held[one.snapshot.id], name, end, one.snapshot.id in within) for one in same]
    all_bases = [HeldBase(held[one.snapshot.id], one.mark.start) for one in bases(found)]
    return expire(all_bases, wal, policy, now.astimezone())


def _held(one: Snapshot, first_look: datetime) -> Held:
    seen = max(first_look, one.seen) if one.seen else first_look
    return Held(one.id, one.at, seen, arrived=one.seen or one.at)


def _instant(store: datetime | None) -> datetime:
    """By which ages are judged: the earlier of ours and the store's. Raises `Refused` when they disagree."""
    mine = _now()
    if why := doubt(mine, uptime(), Roll(), store):
        raise Refused(
            "clock-doubtful",
            f"l'heure d'ici ne peut pas être crue : {why}",
            hint="mettez à l'heure la machine qui ne l'est pas",
            retryable=True,
        )
    return min(mine, store) if store is not None else mine


def _now() -> datetime:
    return datetime.now(UTC)


def _end(chapter: str) -> int:
    return (int(chapter[8:], 16) + 1) * _LOG
