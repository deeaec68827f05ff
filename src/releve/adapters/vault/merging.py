"""Taking room back while others write: what the relief does to a vault that a capture never stops adding to.

A pruning needs the vault for itself. A merging does not: what it retires leaves the list of blobs first, and
leaves the store only once every writer has read that list anew, and no snapshot has come to need it.

1. Packs that are small, or of which little is used, are written again in larger ones.
2. A new list of blobs is written without the retired packs; their names are noted beside, on the relief.
3. The old lists are removed. From here on, nobody who looks counts on the retired packs.
4. At once and at each run: whatever a live snapshot needs and no list has is put back from a retired pack.
5. Retired packs that are old enough, and known to no writer at work, are removed.

All instants are the store's own. A store that dates no file but tells what time it is (REST) is judged by when we
first saw each file, and by when we last did not (`sightings`).

The crash windows are in docs/concepts/shares.md.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from releve.adapters.vault.listing import Ids, Listing, Lists, listed
from releve.adapters.vault.locks import hold, locks
from releve.adapters.vault.node import entries
from releve.adapters.vault.pack import MOST, TARGET, Placed, header_of
from releve.adapters.vault.repository import Repository, damaged, open_blob
from releve.adapters.vault.scratch import Scratch
from releve.adapters.vault.seal import Forged
from releve.adapters.vault.sightings import Sightings
from releve.adapters.vault.store import Absent, Kind
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken
from releve.domain.units import say_count

YOUNG = timedelta(
    minutes=10
)  # packs and leftovers that are younger are not looked at: somebody may be writing
LEFT_OVER = timedelta(
    hours=24
)  # packs in no list: whoever wrote them has listed them, or was interrupted, within a day
GRACE = timedelta(minutes=10)  # between leaving the list and leaving the store, whatever the writers say
MARGIN = timedelta(minutes=1)  # between a writer's look at the list and the retirement that it must have seen
_UNSURE = timedelta(
    hours=1
)  # more that packs wait whose lists may not have been removed yet when we were cut
_SMALL = TARGET // 4
_FEW = 8  # small packs that are not worth a merging
_WASTE = 0.5  # share of a pack that may be unused before it is written again


@dataclass(frozen=True, slots=True)
class Retired:
    """A pack that left the list; `at`: by the store's clock (aware)."""

    pack: str
    at: datetime


Keep = Callable[[Mapping[str, Retired]], None]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merging did. Sizes in bytes."""

    rewritten: int = 0  # packs
    dead: int = 0  # packs of which nothing was used
    moved: int = 0
    recalled: int = 0  # retired packs that a snapshot needs again
    removed: int = 0  # retired packs that left the store
    freed: int = 0
    waiting: int = 0  # retired packs that somebody may still count on
    lists: int = 0  # index files replaced


def merge(
    repository: Repository,
    retired: Mapping[str, Retired],
    *,
    keep: Keep,
    now: Callable[[], datetime],
    sightings: Sightings | None = None,
    listed: Sequence[bytes] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Merged:
    """One run. `retired`: what earlier runs noted; `keep` makes the note durable, before anything is removed.

    `sightings`: for a store that dates no file; without, such a store is not merged. `listed`: trees of all
    snapshots that the relief's list has: what is still there of those that the store does not show now stays. Raises `PromiseBroken` when a tree cannot be read: then nothing is retired nor removed.
    """
    with hold(repository, exclusive=False, now=now) as still_ours:
        dates = _dates(repository, sightings)  # our lock was written just now: its date is the store's clock
        repository.load_index()
        used, noted, done = _settled(repository, listed, dict(retired), keep, Merged())
        if dates is not None:
            noted, done = _sweep(repository, dates, noted, keep, done, still_ours)
            noted, done = _retire(repository, dates, noted, used, keep, done, still_ours, progress)
        del used  # of a million files 64 MB, and the next ones are as many
        if done.lists:  # a snapshot that came meanwhile may count on what was just retired
            _, noted, done = _settled(repository, listed, noted, keep, done)
        return replace(done, waiting=len(noted))


def reached(repository: Repository, roots: Sequence[bytes], beside: Sequence[bytes] = ()) -> tuple[Ids, Ids]:
    """(ids that these trees reach, those of them that no list has). What is below a missing tree is not seen.

    `beside`: trees of which as much as can be read counts; of `roots`, one that cannot be read raises `PromiseBroken`.

    Ids are taken from the bytes of a tree, ten times faster than by decoding it: within a JSON string a quote
    is escaped, so neither pattern can match in a name or an attribute.
    """
    used, missing, trees = Ids(len(repository.index)), Ids(), Ids()
    for start, lenient in ((roots, False), (beside, True)):
        waiting = list(start)
        while waiting:
            identity = waiting.pop()
            if not trees.add(identity):
                continue
            used.add(identity)
            if identity not in repository.index:
                missing.add(identity)
                continue
            try:
                waiting += _below(repository, identity, trees, used, missing)
            except PromiseBroken:
                if not lenient:
                    raise
    return used, missing


def _below(repository: Repository, tree: bytes, trees: Ids, used: Ids, missing: Ids) -> list[bytes]:
    """The trees in it that were not seen; its contents are counted."""
    found = []
    for part in _parts(repository, tree):
        found += [one for one in map(_raw, _SUBTREE.findall(part)) if one not in trees]
        for content in _CONTENT.finditer(part):
            for text in content[1].split(b","):
                one = _raw(text[1:-1])
                if used.add(one) and one not in repository.index:
                    missing.add(one)
    return found


def _parts(repository: Repository, tree: bytes) -> Iterator[bytes]:
    """The bytes of a tree: at once, or of a wide one entry by entry."""
    raw = repository.listing(tree)
    if not isinstance(raw, Scratch):
        yield raw
        return
    try:
        yield from entries(raw)
    except ValueError as error:
        raise damaged(f"arbre {tree.hex()}", f"il ne se lit pas ({error})") from error


_SUBTREE = re.compile(rb'"subtree":"([0-9a-f]{64})"')
_CONTENT = re.compile(rb'"content":\[([^\]]+)\]')


def _raw(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii"))


def _settled(
    repository: Repository, listed: Sequence[bytes], retired: dict[str, Retired], keep: Keep, done: Merged
) -> tuple[Ids, dict[str, Retired], Merged]:
    """What live snapshots use, once every retired pack that they have come to need is back in the list."""
    roots = [one.tree for one in repository.snapshots()]
    repository.refresh_index()
    used, missing = reached(repository, roots, listed)
    pending = _contents(repository, retired if missing else ())
    back: dict[str, list[Placed]] = {}
    while found := _needed(pending, pending.names() - back.keys(), missing):
        for name in found:
            back[name] = pending[name]
            repository.index.add(name, back[name])
        used, missing = reached(repository, roots, listed)
    known = repository.index.packs() & retired.keys()
    if back:
        repository.put_index(back)
    if back or known:
        retired = {name: one for name, one in retired.items() if name not in back and name not in known}
        keep(retired)
    if missing and listed:
        _, missing = reached(repository, roots)
    if missing:
        raise damaged(say_count(len(missing), "bloc"), "nommés par des instantanés, et dans aucun paquet")
    return used, retired, replace(done, recalled=done.recalled + len(back))


def _contents(repository: Repository, names: Iterable[str]) -> Listing:
    """What these packs say that they hold. One that is gone, or says nothing, holds nothing."""
    found = Listing()
    for name in names:
        with suppress(Absent, Forged):
            found.add(name, header_of(repository.store.read(Kind.DATA, name), repository.key))
    return found


def _needed(packs: Listing, names: Iterable[str], missing: Ids) -> list[str]:
    return [name for name in sorted(names) if any(blob.id in missing for blob in packs[name])]


@dataclass(frozen=True, slots=True)
class _Dates:
    """What time it is for the store, and when its packs and locks came. A pack that has none is young."""

    clock: datetime  # when `began` was, by `time.monotonic`
    began: float
    packs: Mapping[str, datetime]
    views: Sequence[datetime | None]  # of each lock but ours: when its holder read the list, at the earliest

    def now(self) -> datetime:
        """What time it is for the store now."""
        return self.clock + timedelta(seconds=time.monotonic() - self.began)


def _dates(repository: Repository, sightings: Sightings | None) -> _Dates | None:
    """None: the store tells no time at all, and nothing may be concluded from any age."""
    clock, began = store_clock(repository), time.monotonic()
    if clock is None:
        return None
    held = list(locks(repository))
    files = list(repository.store.entries(Kind.DATA))
    others = [one for one in held if not one.ours]
    if sightings is None or any(entry.seen for entry in files):
        packs = {entry.name: _at(entry.seen) for entry in files if entry.seen}
        return _Dates(clock, began, packs, [one.view for one in others])
    seen = sightings.look(Kind.DATA, (entry.name for entry in files), clock)
    came = sightings.look(Kind.LOCKS, (one.name for one in held), clock)
    views = [
        after - timedelta(seconds=one.view_age)
        if (after := came[one.name].after) is not None and one.view_age is not None
        else None
        for one in others
    ]
    return _Dates(clock, began, {name: one.before for name, one in seen.items()}, views)


def _sweep(
    repository: Repository,
    dates: _Dates,
    retired: dict[str, Retired],
    keep: Keep,
    done: Merged,
    still_ours: Callable[[], None],
) -> tuple[dict[str, Retired], Merged]:
    """Remove the retired packs that nobody can count on."""
    gone = [
        name
        for name, one in retired.items()
        if dates.clock >= one.at + GRACE
        and all(view is not None and view >= one.at + MARGIN for view in dates.views)
    ]
    sizes = {entry.name: entry.size for entry in repository.store.entries(Kind.DATA)} if gone else {}
    for name in gone:
        still_ours()
        repository.store.remove(Kind.DATA, name)
    left = {name: one for name, one in retired.items() if name not in gone}
    if gone:
        keep(left)
    freed = sum(sizes.get(name, 0) for name in gone)
    return left, replace(done, removed=len(gone), freed=freed)


def store_clock(repository: Repository) -> datetime | None:
    """What time it is for the store, while we hold a lock there: that of this lock, or what it tells; None: nothing."""
    seen = [one.seen for one in locks(repository) if one.ours and one.seen is not None]
    return max(seen) if seen else repository.store.clock()


def _retire(
    repository: Repository,
    dates: _Dates,
    retired: dict[str, Retired],
    used: Ids,
    keep: Keep,
    done: Merged,
    still_ours: Callable[[], None],
    progress: Callable[[int, int], None],
) -> tuple[dict[str, Retired], Merged]:
    """Write small and wasted packs again, then the list without them; note them first."""
    old_lists = list(repository.store.entries(Kind.INDEX))
    try:
        packs = listed(repository, [entry.name for entry in old_lists])
    except Absent:  # another share's merging is at work in the same vault: the next run is early enough
        return retired, done
    dead, again = _choose(packs, dates, used)
    stray = [
        name
        for name, at in dates.packs.items()
        if name not in packs.names() and name not in retired and dates.clock - at > LEFT_OVER
    ]
    if not dead and not again and not stray and len(old_lists) < 2 * _FEW:
        return retired, done
    # Asked of a name that is none: where nothing may be removed, nothing is to be written twice either.
    repository.store.remove(Kind.INDEX, secrets.token_hex(32))
    total = sum(blob.length for name in again for blob in packs[name] if blob.id in used)
    moved, here = 0, Ids()
    writer = Writer(repository, still_ours)
    try:
        for name in again:
            raw = memoryview(repository.pack(name))
            for blob in packs[name]:
                if blob.id in used and blob.id not in here:  # once is enough
                    sealed = raw[blob.offset : blob.offset + blob.length]
                    open_blob(repository.key, sealed, blob.id, blob.plain, f"data/{name}")
                    writer.keep_sealed(blob.kind, blob.id, bytes(sealed), blob.plain)
                    here.add(blob.id)
                    moved += blob.length
            progress(moved, total)
        writer.flush()
    finally:
        writer.close()
    out = {*dead, *again}
    leaving = (*out, *stray)
    keep(retired | {name: Retired(name, dates.now() + _UNSURE) for name in leaving})
    lists = Lists(repository)
    for name in packs.names():
        if name not in out:
            lists.add(name, packs[name])
    lists.end()
    still_ours()
    for entry in old_lists:
        repository.store.remove(Kind.INDEX, entry.name)
    noted = retired | {
        name: Retired(name, dates.now()) for name in leaving
    }  # only now nobody finds them any more
    keep(noted)
    repository.load_index()
    return noted, replace(done, rewritten=len(again), dead=len(dead), moved=moved, lists=len(old_lists))


def _choose(packs: Listing, dates: _Dates, used: Ids) -> tuple[list[str], list[str]]:
    """(packs of which nothing is used, packs to write again), none of them young."""
    dead: list[str] = []
    small: list[str] = []
    wasted: list[str] = []
    for name in packs.names():
        at = dates.packs.get(name)
        if at is None or dates.clock - at < YOUNG:
            continue
        blobs = packs[name]
        size = sum(blob.length for blob in blobs)
        alive = sum(blob.length for blob in blobs if blob.id in used)
        if not alive:
            dead.append(name)
        elif alive < (1 - _WASTE) * size:
            wasted.append(name)
        elif size < _SMALL and len(blobs) < MOST // 4:
            small.append(name)
    return sorted(dead), sorted([*wasted, *(small if len(small) >= _FEW else [])])


def _at(seen: int) -> datetime:
    return datetime.fromtimestamp(seen / 1e9, UTC)
