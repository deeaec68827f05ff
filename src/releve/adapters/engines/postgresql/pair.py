"""The two ends of a data set and how to reach them: what every file of this driver works on."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from releve.adapters.engines.postgresql import settings
from releve.adapters.engines.postgresql.commands import beside
from releve.adapters.engines.postgresql.connection import PATIENCE, Connection, Connections
from releve.adapters.engines.postgresql.disk import Disk
from releve.domain.errors import BadInput
from releve.domain.plan import DataSet, ServerEnd, Transport
from releve.domain.ports import Host, Now, Service, Services
from releve.domain.secret import SecretRef

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One data set. Making it connects to nothing; secrets are read when they are needed."""

    data_set: DataSet
    host: Callable[[str], Host]
    services: Services
    secret: Callable[[SecretRef], str]
    now: Now
    links: Connections = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", Connections(self._parameters))

    def end(self, site: str) -> ServerEnd:
        """The server of `site`. Raises `BadInput` on a data set that is written as a share."""
        end = self.data_set.ends[site]
        if not isinstance(end, ServerEnd):
            raise BadInput("not-a-server", f"« {self.data_set.id} » n'a pas de serveur de base de données")
        return end

    def other(self, site: str) -> str:
        """The site at the other end."""
        return self.data_set.other(site)

    def disk(self, site: str) -> Disk:
        """Its data folder."""
        end = self.end(site)
        return Disk(self.host(end.host), end)

    def service(self, site: str) -> Service:
        """Its process, as its host's manager owns it."""
        end = self.end(site)
        return self.services.service(end.host, end.service)

    def ask(
        self, site: str, query: str | sql.Composed, parameters: Mapping[str, object] | None = None
    ) -> list[Row]:
        """Rows of a question to the server of `site`."""
        text = query.encode() if isinstance(query, str) else query
        return self.links.run(site, lambda link: link.execute(text, parameters).fetchall())

    def tell(self, site: str, statement: str | sql.Composed) -> None:
        """A statement without rows, outside a transaction (ALTER SYSTEM wants that)."""
        text = statement.encode() if isinstance(statement, str) else statement
        self.links.run(site, lambda link: link.execute(text))

    def transact(self, site: str, body: Callable[[Connection], None]) -> None:
        """Several statements in one transaction, which may be begun again: `body` must bear it."""

        def whole(link: Connection) -> None:
            with link.transaction():
                body(link)

        self.links.run(site, whole, patience=2 * PATIENCE)

    def set_system(self, site: str, values: Mapping[str, str]) -> None:
        """ALTER SYSTEM, then reload. Returns before every process has read the new values."""
        for name, value in values.items():
            statement = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            self.tell(site, statement)
        self.ask(site, "SELECT pg_reload_conf()")

    def password(self, ref: SecretRef | None) -> str:
        """The secret, or empty when the plan gives none (trust, peer, certificate)."""
        return self.secret(ref) if ref is not None else ""

    def passfile(self, site: str) -> str:
        """Where the server of `site` keeps the passwords with which it follows the other one."""
        return beside(self.end(site), ".pgpass")

    def upstream(self, site: str, source: str, *, admin: bool = False) -> dict[str, str]:
        """How the server of `site` reaches `source`, as libpq parameters without any password.

        `admin`: as the administrator and to the database, for pg_rewind; else as the replication role.
        """
        end = self.end(source)
        host, port = end.address, end.port
        found: dict[str, str] = {"host": host, "port": str(port)}
        if end.upstream_address:
            found = {"host": end.upstream_address, "port": str(end.upstream_port or port)}
            if self.data_set.protection.transport is Transport.TLS and _numeric(end.upstream_address):
                # the certificate is that of the far end, not of the near end of the tunnel
                found = {"host": host, "hostaddr": end.upstream_address, "port": found["port"]}
        found["user"] = end.admin_user if admin else end.replication_user
        if admin:
            found["dbname"] = end.database
        if end.replication_password or (admin and end.admin_password):
            found["passfile"] = self.passfile(site)
        return {**found, **self._tls(end), **_PROBES, "application_name": "releve" if admin else site}

    def follow_settings(self, site: str, source: str) -> dict[str, str]:
        """What the server of `site` must be set to in order to follow `source`, and only that."""
        return {
            **settings.wanted(self.data_set.protection),
            "primary_conninfo": settings.conninfo(self.upstream(site, source)),
            "primary_slot_name": settings.slot_name(site),
            # it travels with every copy: a clone that is promoted one day must not wait for itself
            "synchronous_standby_names": "",
        }

    def _tls(self, end: ServerEnd) -> dict[str, str]:
        if self.data_set.protection.transport is not Transport.TLS:
            return {"sslmode": "disable"}
        if end.tls_root:
            return {"sslmode": "verify-full", "sslrootcert": end.tls_root}
        return {"sslmode": "require"}

    def _parameters(self, site: str) -> dict[str, str | int]:
        end = self.end(site)
        password = self.password(end.admin_password)
        found: dict[str, str | int] = {
            "host": end.address,
            "port": end.port,
            "dbname": end.database,
            "user": end.admin_user,
            "client_encoding": "UTF8",
            "gssencmode": "disable",
            **self._tls(end),
        }
        return {**found, "password": password} if password else found


# A standby must notice a dead link by itself: without these a vanished machine takes 2 hours.
_PROBES = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "6000",
    "gssencmode": "disable",
}


def _numeric(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
