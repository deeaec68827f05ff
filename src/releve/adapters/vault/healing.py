"""Mends what can be mended: from a second copy of the vault, file for file; without one, what is left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.vault.index import to_json
from releve.adapters.vault.locks import hold
from releve.adapters.vault.pack import Placed, header_of
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.seal import Forged
from releve.adapters.vault.store import Absent, Kind, Store
from releve.adapters.vault.verify import Verdict, verify


@dataclass(slots=True)
class Healed:
    """What was mended, what was not, and the vault as it is afterwards."""

    replaced: list[str] = field(default_factory=list)  # files put back from the second copy
    indexed: list[str] = field(default_factory=list)  # packs listed again from their own tables
    left: list[str] = field(default_factory=list)  # files that stay damaged
    after: Verdict = field(default_factory=Verdict)


def heal(
    repository: Repository,
    second: Store | None,
    *,
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Healed:
    """Replace damaged files by sound ones of `second`; list forgotten packs again from their own tables.

    Nothing is deleted but index files that cannot be read, once their packs are listed anew.
    """
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
        for kind in (Kind.SNAPSHOTS, Kind.INDEX):
            done.replaced += _bring_missing(repository, second, kind)
        _list_again(repository, before.unused_packs, broken_index, done)
    done.after = verify(repository, progress=progress)
    return done


def _put_back(repository: Repository, second: Store, kind: Kind, name: str) -> bool:
    try:
        raw = second.read(kind, name)
    except Absent:
        return False
    if hashlib.sha256(raw).hexdigest() != name:
        return False  # the second copy is damaged too: it is not believed either
    repository.store.replace(kind, name, [raw])
    return True


def _bring_missing(repository: Repository, second: Store | None, kind: Kind) -> list[str]:
    """Nothing is brought that was not damaged here: a snapshot absent here may have been forgotten on purpose."""
    if second is None or kind is not Kind.INDEX:
        return []
    here = {entry.name for entry in repository.store.entries(kind)}
    if here:
        return []
    there = [entry.name for entry in second.entries(kind)]
    return [f"{kind}/{name}" for name in there if _put_back(repository, second, kind, name)]


def _list_again(repository: Repository, unlisted: list[str], broken: list[str], done: Healed) -> None:
    listed: dict[str, list[Placed]] = {}
    if broken or not any(True for _ in repository.store.entries(Kind.INDEX)):
        for pack in unlisted:
            try:
                listed[pack] = header_of(repository.store.read(Kind.DATA, pack), repository.key)
            except (Forged, Absent):
                done.left.append(f"{Kind.DATA}/{pack}")
    if listed:
        repository.put_plain(Kind.INDEX, to_json(listed))
        done.indexed += sorted(listed)
    for name in broken:
        repository.store.remove(Kind.INDEX, name)
