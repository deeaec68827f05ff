"""The database behind the ledger: Django without a project, one connection a thread, errors in our words.

Durability: SQLite in WAL mode with `synchronous=FULL`, so a commit that returned is on the disk.
Transactions are IMMEDIATE: a writer waits for its turn at the start instead of failing in the middle
(a deferred transaction that turns into a writer may be refused at once, whatever the timeout).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.os_errors import reason

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import Model

BUSY_SECONDS = 10.0  # waiting for another writer: every write here lasts milliseconds
FILE = "ledger.sqlite3"
_SETUP = threading.Lock()
_MIGRATIONS, _WRITERS = 0x72656C65, 0x72656C66  # PostgreSQL advisory locks: any two numbers of our own


@dataclass(frozen=True)
class Database:
    """One opened ledger database. `alias` is its name among Django's connections."""

    alias: str
    sqlite_path: Path | None
    _opened: weakref.WeakSet[BaseDatabaseWrapper] = field(default_factory=weakref.WeakSet)
    _mine: threading.local = field(default_factory=threading.local)

    @contextlib.contextmanager
    def reading(self) -> Iterator[str]:
        """The alias to query, with errors of the database told in our words."""
        with _in_our_words():
            self._connect()
            yield self.alias

    @contextlib.contextmanager
    def writing(self) -> Iterator[str]:
        """The same, in one transaction that is on the disk when the block ends.

        Writers come one after the other: SQLite's IMMEDIATE does it, and on PostgreSQL a lock of our
        own does (without it, two runs that read "no claim" at the same instant would both write one).
        """
        from django.db import connections, transaction

        with _in_our_words():
            self._connect()
            with transaction.atomic(using=self.alias):
                connection = connections[self.alias]
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITERS])
                yield self.alias

    def close(self) -> None:
        """Close the connections of every thread."""
        for connection in list(self._opened):
            # Django ties a connection to its thread; here the other threads are done with theirs.
            connection.inc_thread_sharing()
            connection.close()
            connection.dec_thread_sharing()

    def _connect(self) -> None:
        from django.db import connections

        if getattr(self._mine, "closer", None) is None:
            connection = connections[self.alias]
            self._opened.add(connection)
            self._mine.closer = _Closer(connection)


class _Closer:
    """Lives in a thread-local: when its thread ends, so does its connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def __del__(self) -> None:
        # At interpreter exit the modules may be gone already; the system then closes the file itself.
        with contextlib.suppress(Exception):
            self._connection.inc_thread_sharing()
            self._connection.close()


def put(alias: str, row: Model, *, by: tuple[str, ...]) -> None:
    """Insert the row, or replace the one that has the same `by` columns. One statement."""
    # bulk_create alone knows INSERT ... ON CONFLICT; update_or_create reads, locks and writes.
    # The two underscored names are Django's documented API all the same.
    fields = [item.name for item in row._meta.concrete_fields if not item.primary_key]  # noqa: SLF001
    type(row)._default_manager.using(alias).bulk_create(  # noqa: SLF001
        [row],
        update_conflicts=True,
        unique_fields=list(by),
        update_fields=[name for name in fields if name not in by],
    )


def open_database(state_dir: Path, database_url: str = "") -> Database:
    """Register the database with Django, create or upgrade its tables, and return it.

    On a read-only medium it is only read: who writes is told (`ledger-frozen`).
    """
    with _in_our_words():
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    frozen = not database_url and _frozen(state_dir / FILE)
    settings = (
        parse_url(database_url)
        if database_url
        else _unchanging(state_dir / FILE)
        if frozen
        else _sqlite(state_dir)
    )
    identity = f"{database_url}|{state_dir.resolve()}" + ("|frozen" if frozen else "")
    alias = "ledger-" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    with _SETUP:
        _configure_django()
        from django.db import connections

        if alias not in connections.settings:
            connections.settings.update(connections.configure_settings({"default": {}, alias: settings}))
    database = Database(alias, None if database_url else state_dir / FILE)
    with _SETUP, file_lock(state_dir / "ledger.lock"), database.reading():
        _migrate(alias)
    return database


def parse_url(url: str) -> dict[str, Any]:
    """Django's settings for "postgresql://user:password@host:port/name?option=value".

    `host` may be given as an option (`?host=/run/postgresql`) for a socket folder. Raises `BadInput`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url() from error
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgresql", "postgres") or not name:
        raise _bad_url()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or options.pop("user", "")),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(port or options.pop("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 10,
            "options": f"-c lock_timeout={BUSY_SECONDS:.0f}s",
            **options,
        },
    }


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Exclusive between processes and threads. Raises `Unreachable` after `BUSY_SECONDS`.

    On a read-only medium, where nobody can write, there is nothing to exclude.
    """
    if _frozen(path.parent):
        yield
        return
    with _in_our_words():
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _busy() from None
                time.sleep(0.002)
        yield
    finally:
        os.close(handle)


def _sqlite(state_dir: Path) -> dict[str, Any]:
    path = state_dir / FILE
    # SQLite would create it readable by everyone (umask); what stands here concerns people.
    with _in_our_words():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": BUSY_SECONDS,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }


def _frozen(path: Path) -> bool:
    """Whether it is there, on a medium that nobody can write to (a copy on a disc, a snapshot)."""
    with _in_our_words():
        return path.exists() and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _unchanging(path: Path) -> dict[str, Any]:
    """Settings that read and lock nothing. Raises `Refused` where the last entries wait in a journal beside.

    `immutable` is safe: the medium itself takes no writing. It also leaves the journal aside, hence the refusal.
    """
    journal = path.with_name(f"{path.name}-wal")
    with _in_our_words():
        waiting = journal.exists() and journal.stat().st_size > 0
    if waiting:
        raise Refused(
            "ledger-frozen",
            "le registre est sur un support en lecture seule, et ses dernières lignes attendent d'y être rangées",
            hint=f"copiez le dossier {path.parent} sur un disque où l'on peut écrire, et désignez la copie",
        )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1",
        "CONN_MAX_AGE": None,
    }


def _configure_django() -> None:
    from django.apps import apps
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            INSTALLED_APPS=["releve.adapters.ledger"],
            DATABASES={},
            USE_TZ=True,
            TIME_ZONE="UTC",
            LOGGING_CONFIG=None,
        )
    if not apps.ready:  # all that django.setup() does for us; it also loads the web's half of Django
        apps.populate(settings.INSTALLED_APPS)


def _migrate(alias: str) -> None:
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    connection = connections[alias]
    with _pg_lock(connection):
        executor = MigrationExecutor(connection)
        known = {key for key in executor.loader.disk_migrations if key[0] == "ledger"}
        applied = {key for key in executor.loader.applied_migrations if key[0] == "ledger"}
        if applied - known:
            raise Refused(
                "ledger-newer",
                "le registre a été écrit par une version plus récente de Relève",
                hint="mettez Relève à jour sur cette machine",
                context={"inconnu": ", ".join(sorted(name for _, name in applied - known))},
            )
        if known - applied:
            executor.migrate([("ledger", max(name for _, name in known))])


@contextlib.contextmanager
def _pg_lock(connection: BaseDatabaseWrapper) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATIONS])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATIONS])


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ours(error) from error
    except Exception as error:
        from django.db import Error as DatabaseError

        if not isinstance(error, DatabaseError) or (known := _of_database(error)) is None:
            raise
        raise known from error


def ours(error: OSError) -> Unreachable:
    """An error of the disk under the ledger, in our words."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full()
    if error.errno == errno.EROFS:
        return _read_only()
    return Unreachable(
        "ledger-unreachable",
        "les fichiers du registre ne peuvent pas être lus ou écrits",
        hint="vérifiez le dossier d'état, son propriétaire et ses droits",
        context={"cause": f"{error.filename or ''} : {reason(error)}".removeprefix(" : ")},
    )


_SQLITE_FULL = (sqlite3.SQLITE_FULL,)
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SQLITE_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SQLITE_ACCESS = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)


def _of_database(error: BaseException) -> Unreachable | None:
    """Our error for one of Django's; None for a fault of ours (a constraint, a wrong query)."""
    cause = error.__cause__
    said = str(error)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    state = getattr(cause, "sqlstate", None) or ""
    if code in _SQLITE_FULL or state == "53100":  # disk_full
        return _full()
    if code == sqlite3.SQLITE_READONLY:
        return _read_only()
    if code in _SQLITE_BUSY or state in ("55P03", "40P01", "40001"):
        return _busy()
    if code in _SQLITE_BROKEN:
        return Unreachable(
            "ledger-broken",
            "le fichier du registre est abîmé",
            hint="gardez-en une copie, puis remettez la dernière sauvegarde du dossier d'état",
            context={"cause": said},
        )
    if (
        code == sqlite3.SQLITE_IOERR
    ):  # a full disk too, where SQLite grows its shared memory (SQLITE_IOERR_SHMSIZE)
        return Unreachable(
            "ledger-disk",
            "le disque du registre est plein, ou répond par une erreur",
            hint="regardez la place libre du dossier d'état (df -h), puis relancez ; sinon, l'état de son disque",
            context={"cause": said.strip()},
            retryable=True,
        )
    from django.db import InterfaceError, OperationalError

    if code in _SQLITE_ACCESS or isinstance(error, (OperationalError, InterfaceError)):
        return Unreachable(
            "ledger-unreachable",
            "la base du registre ne répond pas",
            hint="vérifiez le dossier d'état, ou l'adresse DATABASE_URL et son serveur",
            context={"cause": said.strip()},
            retryable=True,
        )
    return None


def _read_only() -> Unreachable:
    return Unreachable(
        "ledger-frozen",
        "le registre est en lecture seule : rien ne peut y être écrit",
        hint="copiez le dossier d'état sur un disque où l'on peut écrire, et désignez la copie",
    )


def _full() -> Unreachable:
    return Unreachable(
        "ledger-full",
        "le disque du registre est plein : rien n'a été écrit",
        hint="libérez de la place sur le disque du dossier d'état, puis relancez",
        retryable=True,
    )


def _busy() -> Unreachable:
    return Unreachable(
        "ledger-busy",
        f"le registre est resté occupé plus de {BUSY_SECONDS:.0f} s",
        hint="un autre programme le tient : fermez-le, puis relancez",
        retryable=True,
    )


def _bad_url() -> BadInput:
    return BadInput(
        "database-url",
        "l'adresse de la base du registre n'est pas comprise",
        hint="écrivez-la ainsi : postgresql://utilisateur:motdepasse@machine:5432/base",
    )
