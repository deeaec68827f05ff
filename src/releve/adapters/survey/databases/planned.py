"""The databases of a data set of the plan, asked as the rest of Relève asks them: over the server's own protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from releve.adapters.survey.databases import postgresql
from releve.adapters.survey.databases.rate import PAUSE
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.plan import DataSet, ServerEnd, Transport
from releve.domain.secret import SecretRef

if TYPE_CHECKING:
    from releve.adapters.engines.postgresql.connection import Connection

_BOUNDS = ("default_transaction_read_only = on", "statement_timeout = {timeout}", "lock_timeout = 2000")


def data_set_bases(
    data_set: DataSet,
    site: str,
    *,
    secret: Callable[[SecretRef], str],
    pause: float = PAUSE,
    timeout: float = 20.0,
) -> Found:
    """`Base` facts of the server of `site`. Never raises for what it answers: that is a gap.

    `data_set`: as the process that looks reaches it (`DataSet.seen_from`). `timeout`: seconds an answer.
    """
    end = data_set.ends[site]
    if not isinstance(end, ServerEnd):
        return Found(gaps=(Gap("not-a-server", f"« {data_set.id} » n'a pas de serveur de base de données"),))
    from releve.adapters.engines.postgresql.connection import Connections

    links = Connections(lambda database: _parameters(data_set, end, secret, database))

    def ask(question: str, database: str) -> str:
        def look(link: Connection) -> str:
            for bound in _BOUNDS:
                link.execute(f"SET {bound.format(timeout=round(timeout * 1000))}".encode())
            row = link.execute(f"SELECT ({question})::text".encode()).fetchone()
            return str(row[0]) if row else ""

        try:
            return links.run(database, look, patience=timeout)
        finally:
            if database != end.database:
                links.forget(database)

    try:
        return postgresql.bases(ask, data_set.id, end.host, pause=pause, door=end.database)
    except ReleveError as error:
        return Found(gaps=(Gap(error.code, error.sentence),))
    finally:
        links.close()


def _parameters(
    data_set: DataSet, end: ServerEnd, secret: Callable[[SecretRef], str], database: str
) -> dict[str, str | int]:
    tls = {"sslmode": "disable"}
    if data_set.protection.transport is Transport.TLS:
        tls = (
            {"sslmode": "verify-full", "sslrootcert": end.tls_root}
            if end.tls_root
            else {"sslmode": "require"}
        )
    found: dict[str, str | int] = {
        "host": end.address,
        "port": end.port,
        "dbname": database,
        "user": end.admin_user,
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        **tls,
    }
    return {**found, "password": secret(end.admin_password)} if end.admin_password is not None else found
