"""The databases of a holding, asked by the client program of its own machine: it alone reaches their socket.

The question goes on standard input, the password in the environment (PGPASSWORD, MYSQL_PWD): neither stands in an
argument, which every account of a machine can read. Configuration files of the account are left aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from releve.adapters.survey.databases import mariadb, postgresql
from releve.adapters.survey.databases.rate import PAUSE
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.inventory import Holding, HoldingKind
from releve.domain.ports import Completed, Host
from releve.domain.secret import SecretRef

_PSQL = ("psql", "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1")
_MARIADB = ("--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=5")
_PG_BOUNDS = (
    "SET default_transaction_read_only = on;\nSET statement_timeout = {ms};\nSET lock_timeout = 2000;\n"
)
_DB_BOUNDS = "SET SESSION max_statement_time = {s};\nSET SESSION lock_wait_timeout = 2;\nSET SESSION TRANSACTION READ ONLY;\n"
_SLACK = 10.0  # seconds beyond a statement: start of the client, connection
_SCRIPT = 3  # exit code of psql when a statement failed, the connection being good (psql(1))


def holding_bases(
    host: Host,
    holding: Holding,
    *,
    secret: Callable[[SecretRef], str],
    pause: float = PAUSE,
    timeout: float = 20.0,
) -> Found:
    """`Base` facts of a holding that is a database. Never raises for what it answers: that is a gap.

    Reached by its port on 127.0.0.1 when the plan gives one, else by its socket; there, without a password, the
    client runs as the account that the server knows by its number (peer, unix_socket): `user`, or the usual
    administrator (postgres, root). `timeout`: seconds a statement.
    """
    try:
        password = secret(holding.password) if holding.password is not None else ""
        if holding.engine is HoldingKind.POSTGRESQL:
            return postgresql.bases(
                _psql(host, holding, password, timeout), holding.id, holding.host, pause=pause
            )
        if holding.engine is HoldingKind.MARIADB:
            return mariadb.bases(
                _mariadb(host, holding, password, timeout), holding.id, holding.host, pause=pause
            )
    except ReleveError as error:
        return Found(gaps=(Gap(error.code, error.sentence),))
    return Found(gaps=(Gap("not-a-database", f"« {holding.id} » n'est pas une base de données"),))


def _psql(host: Host, holding: Holding, password: str, timeout: float) -> postgresql.Ask:
    user = holding.user or "postgres"
    place: tuple[str, ...] = ("-h", "127.0.0.1", "-p", str(holding.port)) if holding.port else ()
    if holding.socket:
        folder, port = _postgresql_socket(holding.socket, holding.port)
        place = ("-h", folder, "-p", str(port))
    env = {
        "PGCONNECT_TIMEOUT": "5",
        "PGAPPNAME": "releve",
        "PGCLIENTENCODING": "UTF8",
        "PGGSSENCMODE": "disable",
        **({"PGPASSWORD": password} if password else {}),
    }

    def ask(question: str, database: str) -> str:
        argv = (*_PSQL, *place, "-U", user, "-d", _conninfo(database))
        asked = _PG_BOUNDS.format(ms=round(timeout * 1000)) + question + ";\n"
        done = _run(host, argv, asked, holding, _peer(holding, password, user), env, timeout)
        return done.stdout.decode("utf-8", "replace")

    return ask


def _mariadb(host: Host, holding: Holding, password: str, timeout: float) -> mariadb.Ask:
    user = holding.user or "root"
    if holding.socket:
        place: tuple[str, ...] = ("--protocol=socket", f"--socket={holding.socket}")
    elif holding.port:
        place = ("--protocol=tcp", "--host=127.0.0.1", f"--port={holding.port}")
    else:
        place = ("--protocol=socket",)
    env = {"MYSQL_PWD": password} if password else {}

    def ask(question: str) -> Sequence[mariadb.Row]:
        asked = _DB_BOUNDS.format(s=timeout) + question
        account = _peer(holding, password, user)
        options = (*_MARIADB, *place, f"--user={user}")
        try:
            done = _run(host, ("mariadb", *options), asked, holding, account, env, timeout)
        except Unreachable as error:
            if error.code != "program-missing":
                raise
            done = _run(host, ("mysql", *options), asked, holding, account, env, timeout)  # before 10.4
        return [line.split("\t") for line in done.stdout.decode("utf-8", "replace").splitlines() if line]

    return ask


def _peer(holding: Holding, password: str, user: str) -> str:
    """The account to become: only where the server recognises whoever comes by a socket."""
    by_socket = bool(holding.socket) or not holding.port
    return user if by_socket and not password else ""


def _postgresql_socket(path: str, port: int) -> tuple[str, int]:
    """(folder, port) of a socket, given as its folder or as the file itself."""
    place = PurePosixPath(path)
    head, _, number = place.name.rpartition(".")
    if head == ".s.PGSQL" and number.isdigit():
        return str(place.parent), int(number)
    return path, port or 5432


def _conninfo(database: str) -> str:
    """A database by its name, whatever signs it holds: psql would take some for a whole connection string."""
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{quoted}'"


def _run(
    host: Host,
    argv: tuple[str, ...],
    asked: str,
    holding: Holding,
    account: str,
    env: Mapping[str, str],
    timeout: float,
) -> Completed:
    """Run a client. Raises `Unreachable` when it does not get all its answers."""
    done = host.run(argv, stdin=asked.encode(), user=account, timeout=timeout + _SLACK, env=env)
    if done.code == 0:
        return done
    said = done.stderr.decode("utf-8", "replace")
    from releve.adapters.engines.postgresql.connection import denied

    if denied(said) or "Access denied" in said:
        raise Unreachable("database-denied", f"la base {holding.id} refuse le compte que le plan lui donne")
    if done.code == _SCRIPT or " at line " in said:
        raise Unreachable("database-question", f"la base {holding.id} n'a pas répondu à toutes les questions")
    raise Unreachable("database-silent", f"la base {holding.id} ne répond pas sur {holding.host}")
