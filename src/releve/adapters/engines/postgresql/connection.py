"""Connections to the two servers: kept open, bounded in time, reopened once when found dead."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import psycopg

from releve.domain.errors import ReleveError, Unreachable

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")

# A look must end within about 3 s even when the server's machine has vanished or its processes are
# frozen: libpq waits at least 2 s for a connection, then one answer is awaited for PATIENCE.
CONNECT_TIMEOUT = 2
PATIENCE = 2.5

BOUNDS: Mapping[str, str | int] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 4000,  # ms
}
# Nothing of ours may wait for an absent standby, nor stand in a queue of locks behind an application.
_SESSION = "-c synchronous_commit=local -c statement_timeout={timeout} -c lock_timeout=2000 -c search_path=pg_catalog"


class _Held:
    """A connection that closes with the thread that opened it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class Connections:
    """One connection a (thread, site). `parameters(site)` gives libpq's, passwords resolved late."""

    def __init__(
        self,
        parameters: Callable[[str], Mapping[str, Any]],
        failed: Callable[[str, Exception], ReleveError] | None = None,
    ) -> None:
        """`failed`: the error for a site that gave an error instead of an answer; by default, in the words of a plan."""
        self._parameters = parameters
        self._failed = failed or _failed
        self._local = threading.local()
        self._all: weakref.WeakSet[_Held] = weakref.WeakSet()

    def run(self, site: str, body: Callable[[Connection], T], *, patience: float = PATIENCE) -> T:
        """Run `body` on the connection to `site`; once more on a new one if the old one was dead.

        `body` must bear being run twice. Raises what `failed` makes of a server that does not answer, or refuses us.
        """
        kept = self._kept().get(site)
        if kept is not None:
            try:
                return _bounded(kept.connection, body, patience)
            except psycopg.errors.QueryCanceled as error:
                raise self._failed(site, error) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.forget(site)
                if isinstance(error, _TookTooLong):  # a new connection would be awaited just as long
                    raise self._failed(site, error) from error
        try:
            return _bounded(self._open(site), body, patience)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.forget(site)
            raise self._failed(site, error) from error

    def slow(self, site: str, statement: str, *, timeout: float) -> None:
        """Run one long statement on a connection of its own, outside any transaction."""
        try:
            with self._connect(site, timeout) as connection:
                _bounded(connection, lambda link: link.execute(statement.encode()), timeout)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._failed(site, error) from error

    def forget(self, site: str) -> None:
        """Drop this thread's connection to `site`."""
        held = self._kept().pop(site, None)
        if held is not None:
            held.connection.close()

    def close(self) -> None:
        """Close every connection of every thread."""
        for held in list(self._all):
            held.connection.close()

    def _kept(self) -> dict[str, _Held]:
        kept: dict[str, _Held] | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = {}
        return kept

    def _open(self, site: str) -> Connection:
        held = _Held(self._connect(site, PATIENCE))
        self._all.add(held)
        self._kept()[site] = held
        return held.connection

    def _connect(self, site: str, timeout: float) -> Connection:
        options = _SESSION.format(timeout=round(timeout * 1000))
        parameters: dict[str, Any] = {
            **self._parameters(site),
            **BOUNDS,
            "options": options,
            "application_name": "releve",
        }
        try:
            return psycopg.connect("", autocommit=True, prepare_threshold=None, **parameters)
        except psycopg.Error as error:
            _let_go(error)
            raise


def _let_go(error: BaseException | None) -> None:
    """Close the socket of an attempt that failed, now.

    After a time limit psycopg leaves it to the collector: the error's own frames hold it, in a circle.
    The link then comes back, the server starts a process for a client that will never speak, and its
    own stop waits for that process (seen: a guard that could not close its server for 60 s).
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


DENIED = "pg-denied"  # code of the error of a server that answers, and does not let our account in
# A refusal before the session begins has no code that libpq would give: only words, in the server's language. They are
# those of SQLSTATE 28000 and 28P01, and libpq's own when it has no password to give.
_DENIED = re.compile(
    r"authentication failed|authentification\b.*échou|échec de l'authentification|pg_hba\.conf|no password supplied|"
    r"role \".*\" does not exist|le rôle « .* » n'existe pas|not permitted to log in|n'est pas autorisé à se connecter",
    re.IGNORECASE,
)


def denied(said: str) -> bool:
    """Whether what libpq or a program of PostgreSQL said is that the server does not let the account in."""
    return _DENIED.search(said) is not None


def _failed(site: str, error: Exception) -> Unreachable:
    if denied(str(error)):
        return Unreachable(
            DENIED,
            f"le serveur PostgreSQL du site « {site} » refuse le compte que le plan lui donne",
            hint="vérifiez le mot de passe, là où le plan dit qu'il est (admin: password: de ce serveur), et son pg_hba.conf",
            context={"postgresql": str(error).strip()},
            retryable=True,
        )
    return Unreachable(
        "pg-silent",
        f"le serveur PostgreSQL du site « {site} » ne répond pas",
        hint="vérifiez qu'il tourne, son adresse, son port et le compte d'administration du plan",
        context={"postgresql": str(error).strip()},
        retryable=True,
    )


class _TookTooLong(psycopg.OperationalError):
    """We cut the connection ourselves: no answer in time."""


def _bounded(connection: Connection, body: Callable[[Connection], T], patience: float) -> T:
    with _at_most(connection, patience) as cut:
        try:
            return body(connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if cut.is_set():
                raise _TookTooLong(f"no answer in {patience:g} s") from error
            raise


@contextlib.contextmanager
def _at_most(connection: Connection, seconds: float) -> Iterator[threading.Event]:
    """Cut the socket after `seconds`; the event tells whether that happened.

    A server-side time limit is of no help when the server is frozen (SIGSTOP, a hung disk): its
    kernel goes on acknowledging, so TCP sees nothing either, and a read would last for ever.
    """
    ours = socket.socket(fileno=os.dup(connection.pgconn.socket))
    cut = threading.Event()
    timer = threading.Timer(seconds, _cut, (ours, cut))
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
        timer.join()
        ours.close()


def _cut(ours: socket.socket, cut: threading.Event) -> None:
    cut.set()
    with contextlib.suppress(OSError):  # already cut by the other end: nothing left to do
        ours.shutdown(socket.SHUT_RDWR)


_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def postmaster_answers(address: str, port: int, *, timeout: float = 1.0) -> bool:
    """Whether a PostgreSQL answers there, starting or stopping included, whatever its access rules.

    An SSLRequest is answered by one byte before any authentication. A tunnel whose far end is dead
    accepts the connection and then closes it: that is no answer.
    """
    try:
        with socket.create_connection((address, port), timeout=timeout) as link:
            link.settimeout(timeout)
            link.sendall(_SSL_REQUEST)
            return link.recv(1) in (b"S", b"N", b"E")
    except OSError:
        return False
