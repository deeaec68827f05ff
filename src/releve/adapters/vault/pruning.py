"""Deleting, in the one safe order: new packs, new index, old index, old packs. A plan first, then the act.

Source of the order: restic's design document, "Read and Write Ordering"; the crash windows are in
docs/concepts/vault.md.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from releve.adapters.vault.listing import Ids, Lists, listed
from releve.adapters.vault.locks import hold
from releve.adapters.vault.node import outline
from releve.adapters.vault.pack import MOST, TARGET
from releve.adapters.vault.repository import Repository, damaged, open_blob
from releve.adapters.vault.store import Kind
from releve.adapters.vault.writer import Writer
from releve.domain.units import say_count

_WASTE = 0.05  # share of unused bytes that a vault may keep, as restic's --max-unused default
_SMALL = TARGET // 4  # a pack below this joins others when there are at least two


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a pruning would do. Sizes in bytes."""

    delete: tuple[str, ...]  # packs of which nothing is used
    repack: tuple[str, ...]  # packs of which a part is used, or too small
    keep: tuple[str, ...]
    freed: int  # leftovers included
    moved: int
    unindexed: tuple[str, ...]  # packs that an interrupted saving left; deleted too

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.delete or self.repack or self.unindexed)


def plan(repository: Repository) -> Pruning:
    """What is no longer used. Raises `PromiseBroken` when something that a snapshot needs cannot be found.

    Then nothing may be deleted: packs that no index names, or the other place of a blob, may be all that is left of it.
    """
    snapshots = repository.snapshots()
    repository.load_index()
    used = used_blobs(repository, [one.tree for one in snapshots])
    packs = listed(repository, [entry.name for entry in repository.store.entries(Kind.INDEX)])
    sizes = {entry.name: entry.size for entry in repository.store.entries(Kind.DATA)}
    _must_be_whole(repository, used, sizes.keys())
    dead, partial, small, keep = [], [], [], []
    freed = 0
    needed: dict[str, int] = {}  # bytes of a pack that are used
    for pack in sorted(packs.names()):
        places = [blob for blob in packs[pack] if repository.index.pack_of(blob.id) == pack]
        alive = needed[pack] = sum(blob.length for blob in places if blob.id in used)
        size = sizes.get(pack, 0)
        if not alive:
            dead.append(pack)
            freed += size
        elif sum(blob.length for blob in places) > alive:
            partial.append((size - alive, pack))
        elif size < _SMALL and len(places) < MOST // 4:
            small.append(pack)
        else:
            keep.append(pack)
    if len(small) < 8:  # a few small packs cost nothing; moving them at each run would
        keep += small
        small = []
    budget = int(_WASTE * sum(sizes.values()))
    repack = list(small)
    for waste, pack in sorted(partial):
        if waste <= budget:
            budget -= waste
            keep.append(pack)
        else:
            repack.append(pack)
            freed += waste
    moved = sum(needed[pack] for pack in repack)
    left = tuple(sorted(sizes.keys() - packs.names()))
    freed += sum(sizes[pack] for pack in left)
    return Pruning(
        tuple(dead),
        tuple(sorted(repack)),
        tuple(sorted(keep)),
        freed,
        moved,
        left,
    )


def _must_be_whole(repository: Repository, used: Ids, packs: Container[str]) -> None:
    lacking = sum(1 for identity in used if repository.index.pack_of(identity) not in packs)
    if lacking:
        raise damaged(say_count(lacking, "bloc"), "nommés par des instantanés, et dans aucun paquet connu")


def used_blobs(repository: Repository, roots: Sequence[bytes]) -> Ids:
    """The ids of every blob that these trees reach, theirs included."""
    used, trees = Ids(len(repository.index)), Ids()
    waiting = list(roots)
    while waiting:
        tree = waiting.pop()
        if not trees.add(tree):  # not `used`: a file may hold the very bytes of a tree
            continue
        used.add(tree)
        for _, kind, _, content, subtree in outline(repository.listing(tree)):
            if kind == "dir":
                waiting.append(subtree)
            else:
                used.update(content)
    return used


def prune(
    repository: Repository,
    *,
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Pruning:
    """Decide again under the exclusive lock, then do it. Interrupted anywhere, no snapshot loses anything."""
    with hold(repository, exclusive=True, now=now) as still_ours:
        decided = plan(repository)
        if decided.nothing:
            return decided
        used = used_blobs(repository, [one.tree for one in repository.snapshots()])
        old = [entry.name for entry in repository.store.entries(Kind.INDEX)]
        packs = listed(repository, old)
        moved = Ids()
        writer = Writer(repository, still_ours)
        try:
            done = 0
            for pack in decided.repack:
                raw = memoryview(repository.pack(pack))
                for blob in packs[pack]:
                    if blob.id in used and blob.id not in moved:
                        sealed = raw[blob.offset : blob.offset + blob.length]
                        open_blob(repository.key, sealed, blob.id, blob.plain, f"data/{pack}")
                        writer.keep_sealed(blob.kind, blob.id, bytes(sealed), blob.plain)
                        moved.add(blob.id)  # once is enough
                        done += blob.length
                progress(done, decided.moved)
            writer.flush()
        finally:
            writer.close()
        lists = Lists(repository)
        for pack in decided.keep:
            lists.add(pack, packs[pack])
        lists.end()
        still_ours()
        for name in old:
            repository.store.remove(Kind.INDEX, name)
        for pack in (*decided.delete, *decided.repack, *decided.unindexed):
            still_ours()
            repository.store.remove(Kind.DATA, pack)
        repository.load_index()
    return decided
