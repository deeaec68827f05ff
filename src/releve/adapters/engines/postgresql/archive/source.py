"""The server whose WAL is kept: where it is, what it says of itself, its slot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo

from releve.adapters.engines.postgresql.connection import DENIED, Connections, denied
from releve.adapters.engines.postgresql.parse import lsn
from releve.domain.errors import Refused, ReleveError, Unreachable

_USUAL = ("HOME", "PGPASSWORD", "PGPASSFILE")  # where libpq finds a password that it is not given
_OLDEST = 130000  # the manifest of a base, which pg_verifybackup reads, came with 13


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached; its account must have the REPLICATION right. `bin_dir`: the client programs.

    `password`: empty: libpq finds it where it always does, PGPASSWORD or a password file.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    bin_dir: str = ""
    database: str = "postgres"

    def program(self, name: str) -> str:
        """The path of a program; its name alone when no folder is given."""
        return str(Path(self.bin_dir) / name) if self.bin_dir else name

    def address(self) -> str:
        """A connection string without secret."""
        said = {
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "application_name": "releve-archive",
        }
        return make_conninfo("", **said)

    def environment(self) -> Mapping[str, str]:
        """What the programs are given: the secret, and words that can be read. Nobody else can read it."""
        usual = {name: os.environ[name] for name in _USUAL if name in os.environ}
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C",
            "TZ": "UTC",
            "PGCONNECT_TIMEOUT": "5",
            **({"PGPASSWORD": self.password} if self.password else usual),
        }

    def denial(self, said: str) -> Refused:
        """The error when the server does not let the account in. `said`: by PostgreSQL."""
        return Refused(
            DENIED,
            f"le serveur PostgreSQL {self.host}:{self.port} refuse le compte « {self.user} »",
            hint=(
                "le mot de passe est celui que dit --password-at (pour une base du plan : replication: password:) ; sans "
                "cela, PGPASSWORD ou ~/.pgpass ; s'il est juste, pg_hba.conf doit laisser entrer ce compte, d'ici, dans la "
                "base postgres et pour replication"
            ),
            context={"postgresql": said.strip()},
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Everything that was acknowledged before `at` (the server's clock) lies below `lsn` (bytes).

    `timeline`: 0 where the server is a standby and cannot say. `received`: how far our receiver says it is. `quiet`: a
    standby, linked to its own server, had replayed all that had come to it (its clock); None: not so, or no standby.
    """

    at: datetime | None
    lsn: int
    timeline: int
    received: int
    quiet: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while a server lives."""

    system: str
    version: int
    segment: int  # bytes


_FACTS = """
SELECT s.system_identifier::text, current_setting('server_version_num')::int,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size')
FROM pg_control_system() s
"""
# The instant is taken before the position. On a standby it is that of the last commit that it replayed: it stands still
# while nobody writes. So it is also asked whether anything waits to be replayed, and whether anything can come: the
# receiver of a standby ends by itself after wal_receiver_timeout (60 s) without a word of its server.
_POSITION = """
SELECT CASE WHEN r.standby THEN pg_last_xact_replay_timestamp() ELSE clock_timestamp() END,
       CASE WHEN r.standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text,
       CASE WHEN r.standby THEN NULL ELSE pg_walfile_name(pg_current_wal_flush_lsn()) END,
       (SELECT w.write_lsn::text FROM pg_replication_slots o
        JOIN pg_stat_replication w ON w.pid = o.active_pid WHERE o.slot_name = %(slot)s),
       CASE WHEN r.standby THEN r.quiet END
FROM (SELECT pg_is_in_recovery() AS standby,
             CASE WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()
                   AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
                  THEN clock_timestamp() END AS quiet
      OFFSET 0) r
"""
_TABLESPACES = "SELECT spcname FROM pg_tablespace WHERE pg_tablespace_location(oid) <> '' ORDER BY 1"
_CREATE = "SELECT pg_create_physical_replication_slot(%(slot)s, true)"
_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %(slot)s"
_SLOT = "SELECT slot_type, coalesce(wal_status, '') FROM pg_replication_slots WHERE slot_name = %(slot)s"


class Source:
    """Questions to one server, bounded in time. Raises `Unreachable`, `Refused` (the account, or a right of it)."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._where = f"{server.host}:{server.port}"
        self._links = Connections(self._parameters, self._failed)

    def facts(self) -> Facts:
        """Who it is. Raises `Refused` for a version that is too old."""
        rows = self._ask(_FACTS)
        system, version, segment = rows[0]
        if version < _OLDEST:
            raise Refused("pg-too-old", f"ce serveur est trop ancien ({version}) : il faut PostgreSQL 13")
        return Facts(system, version, segment)

    def position(self, slot: str) -> Position:
        """Where it is now."""
        at, position, name, received, quiet = self._ask(_POSITION, slot)[0]
        timeline = int(name[:8], 16) if name else 0
        return Position(at, lsn(position or "0/0"), timeline, lsn(received or "0/0"), quiet)

    def ensure_slot(self, slot: str) -> bool:
        """See that the slot is there and holds WAL. True when one that was lost was made anew: WAL is missing."""
        rows = self._ask(_SLOT, slot)
        if rows and rows[0][0] != "physical":
            raise Refused("slot-taken", f"l'emplacement de réplication « {slot} » sert à autre chose")
        lost = bool(rows) and rows[0][1] == "lost"
        if lost:
            self._ask(_DROP, slot)
        if not rows or lost:
            self._ask(_CREATE, slot)
        return lost

    def drop_slot(self, slot: str) -> bool:
        """Give the slot back; False when there is none."""
        return bool(self._ask(_DROP, slot))

    def slots(self) -> list[str]:
        """The names of all replication slots."""
        return [str(row[0]) for row in self._ask("SELECT slot_name FROM pg_replication_slots ORDER BY 1")]

    def keeps_without_limit(self) -> bool:
        """Whether an archive that stays away would fill the server's disk."""
        return str(self._ask("SELECT current_setting('max_slot_wal_keep_size')")[0][0]) == "-1"

    def tablespaces(self) -> list[str]:
        """The names of tablespaces outside the data folder."""
        return [str(row[0]) for row in self._ask(_TABLESPACES)]

    def close(self) -> None:
        """Close the connection."""
        self._links.close()

    def _ask(self, query: LiteralString, slot: str = "") -> list[tuple[Any, ...]]:
        try:
            return self._links.run(self._where, lambda link: link.execute(query, {"slot": slot}).fetchall())
        except psycopg.Error as error:
            raise Refused(
                "pg-refused",
                f"le serveur PostgreSQL {self._where} refuse : {str(error).splitlines()[0]}",
                hint="le compte doit avoir le droit REPLICATION et pouvoir se connecter à la base postgres",
            ) from error

    def _failed(self, where: str, error: Exception) -> ReleveError:
        if denied(str(error)):
            return self.server.denial(str(error))
        return Unreachable(
            "pg-silent",
            f"le serveur PostgreSQL {where} ne répond pas",
            hint="vérifiez qu'il tourne, son adresse et son port (--host, --port)",
            context={"postgresql": str(error).strip()},
            retryable=True,
        )

    def _parameters(self, _where: str) -> Mapping[str, Any]:
        server = self.server
        return {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password or None,
            "dbname": server.database,
        }
