"""The transmissions in PostgreSQL: written once each, and said to be written only when that is sure.

"Sure" means that the server ended the commit without a word. A synchronous server whose wait was cut
short answers *success* with a mere warning, though the relief never received the row: any warning at
that moment is therefore taken as "not known".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import psycopg

_CONNECT_LIMIT = 2  # seconds
_PATIENCE = 0.3  # seconds a request waits for a free connection; users try again after 0.5 s

TABLE = """\
CREATE TABLE IF NOT EXISTS transmissions (
    id uuid PRIMARY KEY,
    author text NOT NULL,
    resident text NOT NULL,
    text text NOT NULL,
    seq bigint NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rank bigint GENERATED ALWAYS AS IDENTITY
)"""

# The same id again must be answered with the row already there. It is written again, unchanged, and
# not merely read: a row can be visible here and absent on the relief (a wait cut short, a restart),
# and only a commit that writes waits for the relief, which by then has all that came before it.
_SAVE = """\
INSERT INTO transmissions (id, author, resident, text, seq)
VALUES (%(id)s, %(author)s, %(resident)s, %(text)s, %(seq)s)
ON CONFLICT (id) DO UPDATE SET id = transmissions.id
RETURNING id::text, author, resident, text, seq, noted_at, rank, xmax = 0"""
_LIST = """\
SELECT id::text, author, resident, text, seq, noted_at, rank FROM transmissions
WHERE rank > %s ORDER BY rank LIMIT %s"""
_LAST = """\
SELECT id::text, author, resident, text, seq, noted_at, rank FROM transmissions
ORDER BY rank DESC LIMIT %s"""
_FIELDS = ("id", "author", "resident", "text", "seq", "noted_at", "rank")

_Result = TypeVar("_Result")


class NotWritten(Exception):
    """Nothing may be said to be written: the reason in one French sentence."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A row as it stands. `created`: it was not there before."""

    row: dict[str, Any]
    created: bool


class Connections:
    """At most `size` connections, opened when needed, thrown away on any error."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn = dsn
        self._free: list[psycopg.Connection[Any]] = []
        self._room = threading.BoundedSemaphore(size)
        self._size = size

    def run(self, work: Callable[[psycopg.Connection[Any]], _Result]) -> _Result:
        """`work` on a connection; once more on a new one when one kept from before turns out dead.

        Raises `NotWritten` when no connection is free in time or none can be made.
        """
        import psycopg

        if not self._room.acquire(timeout=_PATIENCE):
            raise NotWritten("trop de demandes attendent la base")
        try:
            kept = self._free.pop() if self._free else None
            if kept is not None:
                try:
                    return self._on(kept, work)
                except psycopg.OperationalError:
                    self._forget()
            return self._on(self._new(), work)
        except psycopg.Error as error:
            raise NotWritten(f"la base ne répond pas ({type(error).__name__})") from error
        finally:
            self._room.release()

    @contextmanager
    def emptied(self, within: float) -> Iterator[None]:
        """Wait at most `within` seconds for each request in progress to end, and let no other in."""
        held = sum(self._room.acquire(timeout=within / self._size) for _ in range(self._size))
        self._forget()
        try:
            yield
        finally:
            for _ in range(held):
                self._room.release()

    def _on(
        self, connection: psycopg.Connection[Any], work: Callable[[psycopg.Connection[Any]], _Result]
    ) -> _Result:
        try:
            result = work(connection)
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)
        return result

    def _new(self) -> psycopg.Connection[Any]:
        import psycopg

        return psycopg.connect(
            self._dsn, connect_timeout=_CONNECT_LIMIT, application_name="dossier", autocommit=True
        )

    def _forget(self) -> None:
        while self._free:
            self._free.pop().close()


class Store:
    """The transmissions. Safe to call from several threads; connects to nothing when made."""

    def __init__(self, dsn: str, size: int = 8) -> None:
        self._users = Connections(dsn, size)
        # Writes can fill every connection while they wait for the relief: health keeps its own.
        self._health = Connections(dsn, 1)
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def save(self, values: dict[str, Any]) -> Saved:
        """Write a transmission, or find it again by its `id`. Raises `NotWritten`."""
        with self._alone(str(values["id"])):
            return self._users.run(lambda connection: _save(connection, values))

    def after(self, rank: int, limit: int = 200) -> list[dict[str, Any]]:
        """Those beyond `rank`, oldest first. Raises `NotWritten` when the base cannot be read."""
        return self._users.run(lambda connection: _rows(connection, _LIST, (rank, limit)))

    def last(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest, newest first. Raises `NotWritten` when the base cannot be read."""
        return self._users.run(lambda connection: _rows(connection, _LAST, (limit,)))

    def state(self) -> str:
        """Either "open" (can be written), "closed" (reads only) or "unreachable"."""
        try:
            writable = self._health.run(_writable)
        except NotWritten:
            return "unreachable"
        return "open" if writable else "closed"

    def drain(self, within: float) -> None:
        """Wait at most `within` seconds for what is in progress, then close the connections."""
        with self._users.emptied(within), self._health.emptied(within):
            pass

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Two requests with one id would wait for each other inside the server and fill it."""
        with self._lock:
            if key in self._busy:
                raise NotWritten("cette transmission est déjà en cours d'écriture")
            self._busy.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(key)


def _save(connection: psycopg.Connection[Any], values: dict[str, Any]) -> Saved:
    import psycopg

    warnings: list[str] = []

    def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
        # Not the message: it is translated. Nothing else that we run raises a warning.
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic.message_primary or "?")

    connection.add_notice_handler(notice)
    try:
        with connection.transaction():
            row = connection.execute(_SAVE, values).fetchone()
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise NotWritten("la base de ce site est en lecture seule") from error
    finally:
        connection.remove_notice_handler(notice)
    if warnings or row is None:
        raise NotWritten(f"l'écriture n'est pas sûre : {'; '.join(warnings)}")
    return Saved(dict(zip(_FIELDS, row[:-1], strict=True)), bool(row[-1]))


def _rows(connection: psycopg.Connection[Any], query: str, values: tuple[int, ...]) -> list[dict[str, Any]]:
    found = connection.execute(query.encode(), values).fetchall()
    return [dict(zip(_FIELDS, row, strict=True)) for row in found]


def _writable(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    return row is not None and not row[0]
