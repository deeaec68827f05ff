"""Locks of the format: many may add, one alone may delete.

Source: restic's `internal/repository/lock.go`. A lock older than 30 minutes, or of a process of this
machine that is gone, is stale; its holder renews it every 5 minutes.

No clock of a machine is believed. A lock's age is the store's time of its file against the store's time of one
that we write now; a process that lives here is asked, and its lock is never stale. A store that dates no file but
tells what time it is (REST) is asked for that, and ours are dated by it; of restic's there is only what they claim.

Whoever removes a lock does so before he looks what is there. So a holder whose lock is still there once his snapshot
is durable knows that the snapshot was seen, or will be: only then does he say that it is kept.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from releve.adapters.vault.clock import rfc3339, to_datetime
from releve.adapters.vault.processes import born, called, here, since, stopping
from releve.adapters.vault.store import Absent, Entry, Kind, Store
from releve.domain.errors import PromiseBroken, Refused, ReleveError
from releve.domain.units import say_count

STALE = timedelta(minutes=30)
RENEW = 300.0  # seconds
RETRY = 10.0  # seconds between attempts to renew while the store does not answer
_NAMED = 3  # holders that an error names
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
    """Somebody's lock. `at`: when, as its holder says; `seen`: as the store says; None: it does not.

    `home`, `born`: of our own locks, where the pid means something, and when the process began (see `processes`).
    `view`: the store's time at which its holder last read the list of blobs; None: not told.
    `view_age`: how long before the lock was written that was, in seconds, as its holder says; None: it does not.
    """

    name: str
    at: datetime
    exclusive: bool
    hostname: str
    pid: int
    home: str = ""
    born: str = ""
    seen: datetime | None = None
    view: datetime | None = None
    view_age: float | None = None

    @property
    def ours(self) -> bool:
        """Whether this very process holds it."""
        return self.hostname == socket.gethostname() and self.pid == os.getpid() and self.home in {"", here()}

    @property
    def resident(self) -> bool:
        """Whether its holder never ends by itself: only such a one tells how old its view is."""
        return self.view_age is not None

    @property
    def lives(self) -> bool | None:
        """Whether its holder lives; None: that cannot be seen from here."""
        if self.hostname != socket.gethostname():
            return None
        if not self.home:  # restic's: a name of a machine and a pid are all that it tells
            return _alive(self.pid)
        if (
            self.home != here()
        ):  # a container, another machine of that name, or this one before it started anew
            return None
        return _alive(self.pid) and (not self.born or born(self.pid) in {"", self.born})

    def stale(self, clock: datetime | None) -> bool:
        """Whether its holder is gone. `clock`: what time it is for the store; None: unknown."""
        lives = self.lives
        if lives is not None:
            return not lives
        return clock is not None and clock - (self.seen or self.at) > STALE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def locks(vault: Sealer) -> Iterator[Lock]:
    """The locks; an empty file is one whose writer died. One that cannot be read forbids all until it is old enough."""
    for entry in vault.store.entries(Kind.LOCKS):
        if not entry.size:
            continue
        try:
            yield _read(entry, vault.get(Kind.LOCKS, entry.name, seen=entry.seen))
        except Absent:
            continue  # given back since it was listed
        except (PromiseBroken, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            yield Lock(
                entry.name,
                datetime.max.replace(tzinfo=UTC),
                exclusive=True,
                hostname="",
                pid=0,
                seen=_seen(entry),
            )


def _read(entry: Entry, raw: bytes) -> Lock:
    value = json.loads(raw)
    age = value.get("view_age")
    return Lock(
        entry.name,
        to_datetime(value["time"]),
        bool(value["exclusive"]),
        str(value["hostname"]),
        int(value["pid"]),
        str(value.get("home", "")),
        str(value.get("born", "")),
        _seen(entry),
        _view(entry, age),
        float(age) if isinstance(age, int | float) else None,
    )


def _seen(entry: Entry) -> datetime | None:
    return datetime.fromtimestamp(entry.seen / 1e9, UTC) if entry.seen else None


@contextmanager
def hold(
    vault: Sealer,
    *,
    exclusive: bool,
    now: Callable[[], datetime],
    view_age: Callable[[], float] | None = None,
) -> Iterator[Callable[[], None]]:
    """Hold a lock while the body runs; what it yields, called, raises when the lock is no longer ours.

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
        return _write(vault, exclusive=exclusive, now=now, view_age=view_age() if view_age else None)

    def look(own: str, since: float) -> bool:
        return _room(vault, exclusive=exclusive, own=own, since=since)

    look("", 0.0)
    held = Held(vault.store, write, look)
    try:
        yield held
    finally:
        held.end()


class Held:
    """A lock that is written. `sure` is what makes it ours."""

    def __init__(self, store: Store, write: Callable[[], str], look: Callable[[str, float], bool]) -> None:
        self._store = store
        self._write = write
        self._look = look
        self._gate = threading.Lock()
        self._done = threading.Event()
        self._keeper: threading.Thread | None = None
        self._gone = False  # somebody took it away
        self._mine = ""
        self._take()

    def sure(self) -> None:
        """Take the second look when it is due, the first time; then see that the lock is still there.

        Raises `Refused` when it is not, or could not be renewed: what was read under it may have moved. One that
        was taken away is taken again, for a holder that begins anew: for this one it is lost.
        """
        with self._gate:
            if self._keeper is None:
                self._settle()
                self._keeper = threading.Thread(target=self._keep, name="vault-lock", daemon=True)
                self._keeper.start()
            if self._gone or not self._there():
                self._gone = True
                self._take()
                self._settle()
                self._gone = False
                raise _taken_away()
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

    def _take(self) -> None:
        old, self._mine = self._mine, self._write()
        self._renewed = self._written = time.monotonic()
        if old:
            self._store.remove(Kind.LOCKS, old)

    def _settle(self) -> None:
        time.sleep(max(0.0, self._written + _SECOND_LOOK - time.monotonic()))
        try:
            if not self._look(self._mine, self._written):
                raise _taken_away()
        except ReleveError:
            self._store.remove(Kind.LOCKS, self._mine)  # not ours, and in the way of whoever has it
            raise

    def _there(self) -> bool:
        """Whether our lock is still in the store. Raises when it is the store that is away."""
        try:
            self._store.read(Kind.LOCKS, self._mine, 0, 1)
        except Absent:
            next(iter(self._store.entries(Kind.LOCKS)), None)
            return False
        return True

    def _keep(self) -> None:
        wait = RENEW
        while not self._done.wait(wait):
            try:
                with self._gate:
                    self._renew()
            except ReleveError:
                wait = RETRY
                continue  # `sure` tells the holder in time
            wait = RENEW

    def _renew(self) -> None:
        if self._gone or not self._there():
            self._gone = True
            return
        if self._lost():
            # We were away so long that somebody may have taken the vault.
            self._look(self._mine, self._written)
        fresh, written = self._write(), time.monotonic()
        if not self._there():
            # Whoever removed the old one may have looked before the new one was there: it is worth nothing.
            self._gone = True
            self._store.remove(Kind.LOCKS, fresh)
            return
        old, self._mine = self._mine, fresh
        self._renewed = self._written = written
        self._store.remove(Kind.LOCKS, old)

    def _lost(self) -> bool:
        return time.monotonic() - self._renewed > STALE.total_seconds() - 1.5 * RENEW


def _taken_away() -> Refused:
    return Refused(
        "vault-lock-lost",
        "quelqu'un a retiré notre verrou du coffre : ce qui était en cours n'est pas gardé",
        hint="relancez la commande ; vérifiez l'heure des machines qui rangent ce coffre",
        retryable=True,
    )


def _view(entry: Entry, age: object) -> datetime | None:
    if not entry.seen or not isinstance(age, int | float):
        return None
    return datetime.fromtimestamp(entry.seen / 1e9 - age, UTC)


def _write(
    vault: Sealer, *, exclusive: bool, now: Callable[[], datetime], view_age: float | None = None
) -> str:
    value: dict[str, object] = {
        "time": rfc3339(vault.store.clock() or now()),
        "exclusive": exclusive,
        "hostname": socket.gethostname(),
        "username": str(os.geteuid()),
        "pid": os.getpid(),
        "home": here(),
        "born": born(os.getpid()),
    }
    if view_age is not None:
        value["view_age"] = round(view_age, 3)
    return vault.put(Kind.LOCKS, value)


def _room(vault: Sealer, *, exclusive: bool, own: str, since: float) -> bool:
    """Remove what is stale; whether our lock is there. Raises `Refused` when another's forbids it.

    `own`: our lock, written at `since` (monotonic seconds); "": none yet, and then whoever cannot be judged is left
    to the second look.
    """
    held = list(locks(vault))
    mine = next((lock for lock in held if lock.name == own), None)
    if mine is not None and mine.seen is not None:
        clock: datetime | None = mine.seen + timedelta(seconds=time.monotonic() - since)
    else:
        clock = vault.store.clock()
    others = []
    for lock in held:
        if lock.name == own:
            continue
        if lock.stale(clock):
            vault.store.remove(Kind.LOCKS, lock.name)
        elif (exclusive or lock.exclusive) and (own or clock or lock.lives):
            others.append(lock)
    if others:
        raise _used(others)
    return mine is not None


def _used(others: Sequence[Lock]) -> Refused:
    """The error when the vault is in the hands of others: who, since when, and what to type for it to be free."""
    who = [_holder(lock) for lock in others]
    more = f" et {say_count(len(who) - _NAMED, 'autre')}" if len(who) > _NAMED else ""
    return Refused(
        "vault-locked",
        f"le coffre est utilisé par {', par '.join(who[:_NAMED])}{more}",
        hint=" ; ".join(dict.fromkeys(map(_until, others))),
        retryable=True,
    )


def _holder(lock: Lock) -> str:
    """Ours is alive since it was started; of another's we know when its file was written."""
    if not lock.hostname:
        return f"un verrou qui ne se lit pas (locks/{lock.name[:8]}…)"
    what, began = (called(lock.pid), since(lock.pid)) if lock.lives else ("", None)
    at = (began or lock.seen or lock.at).astimezone()
    program = f"« {what} », " if what else ""
    return f"{lock.hostname} ({program}processus {lock.pid}, depuis le {at:%d/%m à %H:%M})"


def _until(lock: Lock) -> str:
    if not lock.hostname and lock.seen is None:
        return f"si plus personne n'écrit dans ce coffre, retirez-en le fichier locks/{lock.name}"
    if not lock.lives:
        if lock.resident:
            return f"sur {lock.hostname}, arrêtez ce qui tourne sans fin (kill {lock.pid}, ou systemctl stop du service)"
        return "attendez qu'il ait fini ; un verrou abandonné tombe de lui-même après 30 minutes"
    if lock.resident:
        return f"il ne finit pas de lui-même : {stopping(lock.pid)}"
    if lock.home:
        return "attendez qu'il ait fini : ce processus vit, sur cette machine"
    return "attendez qu'il ait fini ; si ce processus n'est pas une sauvegarde : restic unlock"
