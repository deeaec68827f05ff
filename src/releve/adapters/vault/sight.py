"""The snapshots of a vault as somebody who looks at them often sees them: each file is read once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.store import Absent, Entry, Kind
from releve.domain.errors import PromiseBroken

_T = TypeVar("_T")
_AGAIN = 60.0  # seconds after which an unreadable file is read again: not every store tells the date of a mended one


class Sight(Generic[_T]):
    """What `chosen` makes of each snapshot that can be read; None: it is not ours.

    One file that nobody can read, or that the store lists and does not give, stops nobody: it is left out, and named.
    Whoever removes asks for `unreadable` first: what such a snapshot needs would be removed with it.
    """

    def __init__(self, vault: Repository, chosen: Callable[[Snapshot], _T | None]) -> None:
        self._vault = vault
        self._chosen = chosen
        self._known: dict[str, _T | None] = {}
        self._unreadable: dict[str, tuple[int, int, float]] = {}  # size, the store's time, when it was read

    @property
    def unreadable(self) -> Sequence[str]:
        """The snapshot files that the last look could not read, in order."""
        return sorted(self._unreadable)

    def look(self) -> list[_T]:
        """Those that are there now, in no order."""
        names = {entry.name: entry for entry in self._vault.store.entries(Kind.SNAPSHOTS)}
        for gone in self._known.keys() - names.keys():
            del self._known[gone]
        for gone in self._unreadable.keys() - names.keys():
            del self._unreadable[gone]
        fresh = names.keys() - self._known.keys()
        absent = {name for name in fresh if not self._given(names[name])}
        for name in self._vault.still_listed(Kind.SNAPSHOTS, absent):
            self._name(names[name])  # the others were thinned away since they were listed
        return [one for one in self._known.values() if one is not None]

    def _given(self, entry: Entry) -> bool:
        """Read it, unless that was in vain a moment ago; False: the store does not give it."""
        size, seen, at = self._unreadable.get(entry.name, (-1, 0, 0.0))
        if (size, seen) == (entry.size, entry.seen) and time.monotonic() - at < _AGAIN:
            return True
        try:
            snapshot = self._vault.read_snapshot(entry)
        except Absent:
            self._unreadable.pop(entry.name, None)
            return False
        except PromiseBroken:
            self._name(entry)
        else:
            self._unreadable.pop(entry.name, None)
            self._known[entry.name] = self._chosen(snapshot)
        return True

    def _name(self, entry: Entry) -> None:
        self._unreadable[entry.name] = (entry.size, entry.seen, time.monotonic())
