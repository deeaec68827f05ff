"""Locks of the format: many may add, one alone may delete.

Source: restic's `internal/repository/lock.go`. A lock older than 30 minutes, or of a process of this
machine that is gone, is stale; its holder renews it every 5 minutes.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from releve.adapters.vault.clock import rfc3339, to_datetime
from releve.adapters.vault.store import Absent, Entry, Kind, Store
from releve.domain.errors import Refused, ReleveError

STALE = timedelta(minutes=30)
RENEW = 300.0  # seconds
RETRY = 10.0  # seconds between attempts to renew while the store does not answer
_SECOND_LOOK = 0.2  # seconds between writing ours and looking again


class Sealer(Protocol):
    """Writes and reads the small sealed files."""

    store: Store

    def put(self, kind: Kind, value: object) -> str:
        """Seal a value into a new file; its name."""
        ...

    def get(self, kind: Kind, name: str, *, seen: int = 0) -> bytes:
        """The JSON of a file."""
        ...


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody's lock. `view`: the store's time at which its holder last read the list of blobs; None: not told.

    `view_age`: how long before the lock was written that was, in seconds, as its holder says; None: it does not.
    """

    name: str
    at: datetime
    exclusive: bool
    hostname: str
    pid: int
    view: datetime | None = None
    view_age: float | None = None

    def stale(self, now: datetime) -> bool:
        """Whether its holder is gone, as far as we can tell."""
        if now - self.at > STALE:
            return True
        return self.hostname == socket.gethostname() and not _alive(self.pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def locks(vault: Sealer) -> Iterator[Lock]:
    """The locks that can be read; an empty file is one whose writer died."""
    for entry in vault.store.entries(Kind.LOCKS):
        if not entry.size:
            continue
        try:
            value = json.loads(vault.get(Kind.LOCKS, entry.name, seen=entry.seen))
            age = value.get("view_age")
            yield Lock(
                entry.name,
                to_datetime(value["time"]),
                bool(value["exclusive"]),
                str(value["hostname"]),
                int(value["pid"]),
                _view(entry, age),
                float(age) if isinstance(age, int | float) else None,
            )
        except Absent:
            continue  # given back since it was listed


@contextmanager
def hold(
    vault: Sealer,
    *,
    exclusive: bool,
    now: Callable[[], datetime],
    view_age: Callable[[], float] | None = None,
) -> Iterator[Callable[[], None]]:
    """Hold a lock while the body runs; what it yields, called, raises when the lock could not be renewed.

    `view_age`: seconds since the holder last read the list of blobs. A resident holder tells it in each lock,
    so that a merging knows when nobody counts on what it retired (see `merging`).

    Raises `Refused` (vault-locked) when somebody else's lock forbids ours. Stale locks are removed.
    """
    with hold_early(vault, exclusive=exclusive, now=now, view_age=view_age) as held:
        held.sure()
        yield held.sure


@contextmanager
def hold_early(
    vault: Sealer,
    *,
    exclusive: bool,
    now: Callable[[], datetime],
    view_age: Callable[[], float] | None = None,
) -> Iterator[Held]:
    """The same, given before the second look, so that its 0.2 s are not lost.

    Until `Held.sure` has returned, the body may only read and compute. What it read may have been moved by
    somebody who had the vault for himself and has gone since: it looks again at what it counts on.
    """

    def write() -> str:
        return _write(vault, exclusive=exclusive, at=now(), view_age=view_age() if view_age else None)

    def look(own: str) -> None:
        _room(vault, exclusive=exclusive, own=own, now=now())

    look("")
    held = Held(vault.store, write, look)
    try:
        yield held
    finally:
        held.end()


class Held:
    """A lock that is written. `sure` is what makes it ours."""

    def __init__(self, store: Store, write: Callable[[], str], look: Callable[[str], None]) -> None:
        self._store = store
        self._write = write
        self._look = look
        self._gate = threading.Lock()
        self._done = threading.Event()
        self._keeper: threading.Thread | None = None
        self._mine = write()
        self._renewed = self._written = time.monotonic()

    def sure(self) -> None:
        """Take the second look when it is due, the first time. Raises `Refused` when the lock is not ours (any more)."""
        with self._gate:
            if self._keeper is None:
                time.sleep(max(0.0, self._written + _SECOND_LOOK - time.monotonic()))
                self._look(self._mine)
                self._keeper = threading.Thread(target=self._keep, name="vault-lock", daemon=True)
                self._keeper.start()
        if self._lost():
            raise Refused(
                "vault-lock-lost",
                "le verrou du coffre n'a pas pu être renouvelé : on s'arrête avant de gêner quelqu'un",
                hint="relancez la commande quand le coffre répond de nouveau",
                retryable=True,
            )

    def end(self) -> None:
        """Give the lock back."""
        self._done.set()
        if self._keeper is not None:
            self._keeper.join()
        self._store.remove(Kind.LOCKS, self._mine)

    def _keep(self) -> None:
        wait = RENEW
        while not self._done.wait(wait):
            try:
                if self._lost():
                    self._look(self._mine)  # we were away so long that somebody may have taken the vault
                fresh = self._write()
                old, self._mine = self._mine, fresh
                self._store.remove(Kind.LOCKS, old)
            except ReleveError:
                wait = RETRY
                continue  # `sure` tells the holder in time
            self._renewed, wait = time.monotonic(), RENEW

    def _lost(self) -> bool:
        return time.monotonic() - self._renewed > STALE.total_seconds() - 1.5 * RENEW


def _view(entry: Entry, age: object) -> datetime | None:
    if not entry.seen or not isinstance(age, int | float):
        return None
    return datetime.fromtimestamp(entry.seen / 1e9 - age, UTC)


def _write(vault: Sealer, *, exclusive: bool, at: datetime, view_age: float | None) -> str:
    value: dict[str, object] = {
        "time": rfc3339(at),
        "exclusive": exclusive,
        "hostname": socket.gethostname(),
        "username": str(os.geteuid()),
        "pid": os.getpid(),
    }
    if view_age is not None:
        value["view_age"] = round(view_age, 3)
    return vault.put(Kind.LOCKS, value)


def _room(vault: Sealer, *, exclusive: bool, own: str, now: datetime) -> None:
    for lock in locks(vault):
        if lock.name == own:
            continue
        if lock.stale(now):
            vault.store.remove(Kind.LOCKS, lock.name)
        elif exclusive or lock.exclusive:
            raise Refused(
                "vault-locked",
                f"le coffre est utilisé par {lock.hostname} (processus {lock.pid}) depuis {lock.at:%d/%m %H:%M} UTC",
                hint="attendez qu'il ait fini ; un verrou abandonné tombe de lui-même après 30 minutes",
                retryable=True,
            )
