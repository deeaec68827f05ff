"""Removing snapshots of WAL that a fuller one covers, old bases, and the WAL that none of the others needs.

The relief's work, and nobody else's: every ten minutes beside an archiver at work, which adds one every two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.catalogue import Base, Catalogue, Chapter, bases, chapters
from releve.adapters.engines.postgresql.archive.covering import covered
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.vault.locks import hold
from releve.adapters.vault.merging import Merged, merge, store_clock
from releve.adapters.vault.sightings import Sightings
from releve.cycle.protect.archive import HeldBase, HeldWal, expire, settled
from releve.cycle.protect.retention import Held, Policy, Ruling
from releve.domain.errors import BadInput, Refused
from releve.entrypoints.worker.copies import judged
from releve.entrypoints.worker.register import Watch, database_scope, told, trees_beside
from releve.entrypoints.worker.resident import say
from releve.entrypoints.worker.thinning import read_note, refuse_beside, remove_snapshots, write_note

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository, Snapshot

_LOG = 1 << 32  # bytes of WAL in a chapter


def expire_database(
    vault: Repository,
    database: str,
    state: Path,
    policy: Policy,
    *,
    yes: bool,
    copies_too: bool = False,
    dropped: int = 0,
    beside: Sequence[Path] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[list[Ruling], Merged]:
    """Rule on each snapshot of the database; with `yes`, remove and merge. Safe to cut anywhere and to repeat.

    An age is counted from the store's date or from our first look, whichever is later: the list in `state` remembers
    our looks, so that the first one removes no WAL, and tells what the store lost (see `register`). Raises `Refused`
    when our clock cannot be believed. What the store no longer shows is needed, with all that it may need, until a
    person has taken note of it.

    `copies_too`: as in `copies`. `dropped`: a timeline of which, on a person's word, everything goes. `beside`: the
    state folders of other data of the same vault: what their lists have stays too. Beside a running archiver: what it counts on leaves the store only once it has looked again (see `merging`).
    """
    with ExitStack() as stack:
        stack.enter_context(only_one(state / "thin.lock", f"le ménage de « {database} »"))
        if yes:
            stack.enter_context(hold(vault, exclusive=False, now=_now))
        watch = Watch(vault, state, database_scope(database), now=_now)
        stack.callback(watch.close)
        catalogue = Catalogue(vault, database)
        found = catalogue.look()
        refuse_beside(catalogue.unreadable)
        known = [(None, one.snapshot) for one in found]
        for trouble in watch.look(known):
            say(f"ALERTE sur le coffre : {told(trouble)}")
        watch.settle(known)
        vault.load_index()
        now = watch.now(store_clock(vault) if yes else vault.store.clock())
        dated, copies = judged(watch.held(known, lambda _one: ()), watch.roll, too=copies_too)
        missing = watch.missing(known)
        unseen = frozenset(one.id for one in missing)
        held = {one.id: one for one in dated}
        going = [one for one in found if one.mark.timeline == dropped] if dropped else []
        if dropped:
            _require_droppable(dropped, {one.mark.timeline for one in found})
        staying = [one for one in found if one not in going]
        rulings = [
            *_rule(vault, staying, held, policy, now, copies, unseen),
            *(
                Ruling(
                    held[one.snapshot.id], keep=False, reasons=(f"la ligne de temps {dropped} est retirée",)
                )
                for one in going
            ),
        ]
        if not yes:
            return rulings, Merged()
        watch.remove(rulings, lambda names: remove_snapshots(vault, names))
        if newest := _newest(found, rulings):
            watch.leave_head(newest)
        note = state / "retired.json"
        return rulings, merge(
            vault,
            read_note(note),
            keep=lambda retired: write_note(note, retired),
            now=_now,
            sightings=Sightings(state / "sightings.json"),
            listed=[*watch.trees(), *trees_beside(beside, vault.id)],
            progress=progress,
        )


def _rule(
    vault: Repository,
    found: Sequence[Base | Chapter],
    held: Mapping[str, Held],
    policy: Policy,
    now: datetime,
    copies: frozenset[str],
    missing: frozenset[str],
) -> list[Ruling]:
    wal: list[HeldWal] = []
    for name, same in chapters(found).items():
        within = covered(vault, [one for one in same if settled(held[one.snapshot.id], now)])
        end = _end(name)
        wal += [HeldWal(held[one.snapshot.id], name, end, one.snapshot.id in within) for one in same]
    all_bases = [HeldBase(held[one.snapshot.id], one.mark.start) for one in bases(found)]
    return expire(all_bases, wal, policy, now.astimezone(), copies, missing)


def _newest(found: Sequence[Base | Chapter], rulings: Sequence[Ruling]) -> Snapshot | None:
    """Of the WAL that stays, the snapshot taken last: its tree costs no room as long as a base needs it."""
    staying = {one.snapshot.id for one in rulings if one.keep}
    wal = (one.snapshot for one in found if isinstance(one, Chapter) and one.snapshot.id in staying)
    return max(wal, key=lambda one: one.at, default=None)


def _require_droppable(dropped: int, there: Collection[int]) -> None:
    known = ", ".join(map(str, sorted(there)))
    if dropped not in there:
        raise BadInput(
            "unknown-timeline",
            f"le coffre n'a rien de cette base sur la ligne de temps {dropped}",
            hint=f"il a : {known}" if there else "il n'a rien de cette base",
        )
    if dropped < max(there):
        raise Refused(
            "timeline-needed",
            f"la ligne de temps {dropped} n'est pas la dernière : celles qui suivent peuvent en venir",
            hint=f"le coffre a les lignes de temps {known} ; seule la dernière peut être retirée entière",
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _end(chapter: str) -> int:
    return (int(chapter[8:], 16) + 1) * _LOG
