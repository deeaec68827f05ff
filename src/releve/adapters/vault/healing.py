"""Mends what can be mended: from a second copy of the vault, file for file; without one, what is left.

An index file that is lost is not named by anything: it shows by snapshots that need what no index has. The packs
themselves tell what they hold, so those in no index are listed again; what is missing then too is looked for in the
second copy, by its own index, and brought with its packs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.vault.index import from_json
from releve.adapters.vault.listing import Ids, Listing, Lists
from releve.adapters.vault.locks import hold
from releve.adapters.vault.node import outline
from releve.adapters.vault.pack import Placed, header_of
from releve.adapters.vault.repository import Repository, open_blob
from releve.adapters.vault.seal import Forged
from releve.adapters.vault.store import Absent, Kind, Store
from releve.adapters.vault.verify import Verdict, verify
from releve.domain.errors import BadInput, PromiseBroken, Unreachable


@dataclass(slots=True)
class Healed:
    """What was mended, what was not, and the vault as it is afterwards."""

    replaced: list[str] = field(default_factory=list)  # files put back from the second copy
    indexed: list[str] = field(default_factory=list)  # packs listed again from their own tables
    left: list[str] = field(default_factory=list)  # files that stay damaged
    unlisted: int = (
        0  # blobs that nothing can give, and that no list has any more: the next saving sends them again
    )
    unreadable: list[str] = field(default_factory=list)  # snapshot files among them that nobody can read
    dropped: list[str] = field(default_factory=list)  # those that were removed, as was asked
    after: Verdict = field(default_factory=Verdict)


def heal(
    repository: Repository,
    second: Store | None,
    *,
    drop_unreadable: bool = False,
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Healed:
    """Replace damaged files by sound ones of `second`; list again the packs that hold what no index has any more.

    Nothing is deleted but index files that cannot be read, once their packs are listed anew, and those that name what
    nothing can give any more, once they are written without it: a saving trusts them, and would not send it again; and, with
    `drop_unreadable`, the snapshot files that still cannot be read when all else was tried. Raises `BadInput` when
    `second` is no copy of this vault.
    """
    if second is not None:
        _must_be_a_copy(repository, second)
    done = Healed()
    with hold(repository, exclusive=True, now=now):
        before = verify(repository, progress=progress)
        broken_index = []
        for trouble in before.troubles:
            name = f"{trouble.kind}/{trouble.name}"
            if second is not None and _put_back(repository, second, trouble.kind, trouble.name):
                done.replaced.append(name)
            elif trouble.kind is Kind.INDEX:
                broken_index.append(trouble.name)
            else:
                done.left.append(name)
        if before.lost or broken_index:
            _list_again(repository, before.unused_packs, done)
            for name in broken_index:
                repository.store.remove(Kind.INDEX, name)
        if before.lost and second is not None:
            roots = _roots(repository, {name for name, _path in before.lost})
            _bring_missing(repository, second, roots, done)
        _unlist(repository, before, done)
        done.unreadable = _unreadable(repository)
        if drop_unreadable:
            _drop(repository, done)
    done.after = verify(repository, progress=progress)
    return done


def _unreadable(repository: Repository) -> list[str]:
    """Snapshot files that the store gives and that are no snapshot. One that it does not give may be whole."""
    found = []
    for entry in repository.store.entries(Kind.SNAPSHOTS):
        try:
            repository.read_snapshot(entry)
        except Absent:
            continue
        except PromiseBroken:
            found.append(entry.name)
    return sorted(found)


def _drop(repository: Repository, done: Healed) -> None:
    """What only they kept is in no snapshot any more; its packs stay until a pruning."""
    for name in done.unreadable:
        repository.store.remove(Kind.SNAPSHOTS, name)
        done.dropped.append(name)
    gone = {f"{Kind.SNAPSHOTS}/{name}" for name in done.dropped}
    done.left = [name for name in done.left if name not in gone]
    done.unreadable = []


def _must_be_a_copy(repository: Repository, second: Store) -> None:
    """Same config, or a key file in common: the config of a copy may be what is damaged there."""
    try:
        value = json.loads(repository.key.unseal(second.read(Kind.CONFIG, "config")))
        same = str(value["id"]) == repository.id
    except (Absent, Forged):
        here = {entry.name for entry in repository.store.entries(Kind.KEYS)}
        same = any(entry.name in here for entry in second.entries(Kind.KEYS))
    if not same:
        raise BadInput(
            "heal-no-copy",
            f"« {second.where} » n'est pas une copie de ce coffre",
            hint="--from attend une seconde copie du même coffre, fichier pour fichier ; vérifiez le chemin et le montage",
        )


def _put_back(repository: Repository, second: Store, kind: Kind, name: str) -> bool:
    try:
        raw = second.read(kind, name)
    except Absent:
        return False
    if hashlib.sha256(raw).hexdigest() != name:
        return False  # the second copy is damaged too: it is not believed either
    repository.store.replace(kind, name, [raw])
    return True


def _list_again(repository: Repository, unlisted: Iterable[str], done: Healed) -> None:
    lists = Lists(repository)
    for pack in unlisted:
        try:
            raw = repository.store.read(Kind.DATA, pack)
            blobs = header_of(raw, repository.key)
        except (Forged, Absent):
            _leave(done, pack)
            continue
        if hashlib.sha256(raw).hexdigest() != pack:
            blobs = list(_whole(repository, raw, blobs))
        if blobs:
            lists.add(pack, blobs)
            done.indexed.append(pack)
    lists.end()


def _unlist(repository: Repository, before: Verdict, done: Healed) -> None:
    lost = {
        one.name for one in before.troubles if one.kind is Kind.DATA and f"{one.kind}/{one.name}" in done.left
    }
    lists, old = Lists(repository), []
    for entry in repository.store.entries(Kind.INDEX) if lost else ():
        try:
            packs = dict(from_json(repository.get(Kind.INDEX, entry.name)))
        except (PromiseBroken, ValueError, Absent):
            continue  # it stays among what is damaged
        kept = {
            name: _opening(repository, name, blobs) if name in lost else blobs
            for name, blobs in packs.items()
        }
        gone = sum(map(len, packs.values())) - sum(map(len, kept.values()))
        if not gone:
            continue
        old.append(entry.name)
        done.unlisted += gone
        for name, blobs in kept.items():
            if blobs:
                lists.add(name, blobs)
    lists.end()
    for name in old:
        repository.store.remove(Kind.INDEX, name)


def _opening(repository: Repository, pack: str, blobs: list[Placed]) -> list[Placed]:
    """Those that the pack gives, seen now. Of one that cannot be reached nothing is known: all of them."""
    try:
        raw = repository.store.read(Kind.DATA, pack)
    except Absent:
        return []
    except Unreachable:
        return blobs
    return list(_whole(repository, raw, blobs))


def _leave(done: Healed, pack: str) -> None:
    name = f"{Kind.DATA}/{pack}"
    if name not in done.left:
        done.left.append(name)


def _whole(repository: Repository, raw: bytes, blobs: Iterable[Placed]) -> Iterator[Placed]:
    """Those that open: a saving must not take a damaged one for one that the vault has."""
    for blob in blobs:
        try:
            part = memoryview(raw)[blob.offset : blob.offset + blob.length]
            open_blob(repository.key, part, blob.id, blob.plain, "")
        except PromiseBroken:
            continue
        yield blob


def _roots(repository: Repository, snapshots: Iterable[str]) -> list[bytes]:
    """The trees of snapshots that could be read."""
    return [
        bytes.fromhex(json.loads(repository.get(Kind.SNAPSHOTS, name))["tree"]) for name in sorted(snapshots)
    ]


def _bring_missing(repository: Repository, second: Store, roots: list[bytes], done: Healed) -> None:
    """Packs of the second copy, with what they hold, as long as they have something that these trees lack.

    No more than that: a copy from before a pruning also has what was given up on purpose.
    """
    there, tried = _index_of(repository, second), set[str]()
    while True:
        repository.load_index()
        wanted = _lacking(repository, roots)
        found = [
            pack
            for pack in sorted(there.names() - tried)
            if len(wanted) and any(blob.id in wanted for blob in there[pack])
        ]
        if not found:
            return
        lists = Lists(repository)
        for pack in found:
            tried.add(pack)
            if _put_back(repository, second, Kind.DATA, pack):
                lists.add(pack, there[pack])
                done.replaced.append(f"{Kind.DATA}/{pack}")
        lists.end()


def _index_of(repository: Repository, second: Store) -> Listing:
    copy, found = Repository(second, repository.key, repository.id), Listing()
    for entry in second.entries(Kind.INDEX):
        try:
            for pack, blobs in from_json(copy.get(Kind.INDEX, entry.name)):
                found.add(pack, blobs)
        except (PromiseBroken, ValueError, Absent):
            continue  # damaged there too
    return found


def _lacking(repository: Repository, roots: Iterable[bytes]) -> Ids:
    """What these trees need and no index has. What is below a tree that does not open is not seen."""
    seen, lacking, waiting = Ids(), Ids(), list(roots)
    while waiting:
        tree = waiting.pop()
        if tree in seen:
            continue
        seen.add(tree)
        if tree not in repository.index:
            lacking.add(tree)
            continue
        try:
            for _name, kind, _size, content, subtree in outline(repository.listing(tree)):
                if kind == "dir":
                    waiting.append(subtree)
                else:
                    lacking.update(blob for blob in content if blob not in repository.index)
        except (PromiseBroken, ValueError):
            continue  # damaged, here and in the second copy
    return lacking
