"""Making a server fit to be followed: settings, role, tables, slot, gate. Safe to repeat."""

from __future__ import annotations

import ipaddress

from psycopg import sql

from releve.adapters.engines.postgresql import bookkeeping, commands, gate, settings, standby
from releve.adapters.engines.postgresql.connection import Connection
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import BadInput, Refused
from releve.domain.plan import ServerEnd, Transport
from releve.domain.protection import Tenure

OLDEST = 130000  # max_slot_wal_keep_size came with 13: before it, an absent relief fills the disk

_SETTINGS = "SELECT name, setting, unit, context FROM pg_settings WHERE name = ANY(%(names)s)"
_CURRENT = "SELECT current_setting(%(name)s)"
_ROLE = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = %(name)s"
_SENDERS = 10


def prepare(pair: Pair, site: str) -> None:
    """Make the server of `site` a source that the other one may follow.

    Restarts it when a setting asks for that (the first time, usually). Raises `Refused` when it is
    not open, `BadInput` when its access rules keep the standby out.
    """
    standby.must_be_open(pair, site)
    version = int(pair.ask(site, "SELECT current_setting('server_version_num')::int")[0][0])
    if version < OLDEST:
        raise Refused(
            "pg-too-old",
            f"PostgreSQL {version // 10000} ne sait pas borner ce qu'il garde pour un relais absent",
            hint="PostgreSQL 13 ou plus récent est nécessaire",
        )
    restart = _set(pair, site)
    _role(pair, site)
    if restart:
        gate.halt(pair, site)
        gate.restart_open(pair, site)
    bookkeeping.create(pair, site)
    if bookkeeping.held(pair, site) is None:
        bookkeeping.take(pair, site, Tenure(pair.data_set.id, 0, site, at=pair.now()), None)
    standby.ensure_slot(pair, site)  # one that was given up stays so: the clone replaces it
    pair.disk(site).place_gate()
    _let_in(pair, site)


def _set(pair: Pair, site: str) -> bool:
    """Write the settings that differ; whether one of them needs a restart."""
    wanted = {**settings.wanted(pair.data_set.protection), **_for_a_source(pair, site)}
    contexts = {str(row[0]): str(row[3]) for row in pair.ask(site, _SETTINGS, {"names": list(wanted)})}
    differ = {
        name: value
        for name, value in wanted.items()
        if name in contexts and not _same(standby.current(pair, site, name), value)
    }
    if differ:
        pair.set_system(site, differ)
    return any(contexts[name] == "postmaster" for name in differ)


def _for_a_source(pair: Pair, site: str) -> dict[str, str]:
    """Settings that must not be lowered where a person set more."""
    needed: dict[str, str] = {}
    if standby.current(pair, site, "wal_level") == "minimal":
        needed["wal_level"] = "replica"
    for name in ("max_wal_senders", "max_replication_slots"):
        if int(standby.current(pair, site, name)) < _SENDERS // 2:
            needed[name] = str(_SENDERS)
    # pg_rewind must be able to tell every changed block, hint bits included
    if standby.current(pair, site, "data_checksums") != "on":
        needed["wal_log_hints"] = "on"
    return needed


def _same(shown: str, wanted: str) -> bool:
    return _plain(shown) == _plain(wanted)


def _plain(value: str) -> str:
    """Sizes as PostgreSQL shows them: "2GB" for 2048MB, "6s"."""
    for unit, factor in (("TB", 1024 * 1024), ("GB", 1024), ("MB", 1)):
        if value.endswith(unit) and value[: -len(unit)].isdigit():
            return f"{int(value[: -len(unit)]) * factor}MB"
    return value


def _role(pair: Pair, site: str) -> None:
    end = pair.end(site)
    rows = pair.ask(site, _ROLE, {"name": end.replication_user})
    if rows and rows[0][0]:
        return
    if rows:
        raise BadInput(
            "replication-role",
            f"le rôle « {end.replication_user} » existe mais n'a pas le droit de réplication",
            hint=f"en administrateur : ALTER ROLE {commands.identifier(end.replication_user)} REPLICATION",
        )
    password = pair.password(end.replication_password)
    if not password:
        raise BadInput(
            "replication-role",
            f"le rôle de réplication « {end.replication_user} » n'existe pas sur le site « {site} »",
            hint="donnez-lui un mot de passe dans le plan (replication.password) : il sera créé",
        )

    def make(link: Connection) -> None:
        # hashed here: a clear password in a statement would end in the server's log
        hashed = link.pgconn.encrypt_password(
            password.encode(), end.replication_user.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD {}")
        link.execute("SET LOCAL synchronous_commit = local")
        link.execute(statement.format(sql.Identifier(end.replication_user), sql.Literal(hashed)))

    pair.transact(site, make)


def _let_in(pair: Pair, site: str) -> None:
    """Try the replication connection from the other machine: its rules are only known by trying."""
    other = pair.other(site)
    write_passfile(pair, other, site)
    upstream = {**pair.upstream(other, site), "replication": "true"}
    disk = pair.disk(other)
    done = disk.run(commands.identify_system(pair.end(other), settings.conninfo(upstream)), timeout=15)
    if done.code != 0:
        raise refused_entry(pair, site, done.stderr.decode(errors="replace"))


def write_passfile(pair: Pair, site: str, source: str, *, admin: bool = False) -> None:
    """The passwords with which `site` follows `source`, in a file for its server's eyes only.

    `admin`: also the administrator's, for the length of a pg_rewind.
    """
    end = pair.end(source)
    entries: dict[str, str] = {}
    if end.replication_password is not None:
        entries[end.replication_user] = pair.password(end.replication_password)
    if admin and end.admin_password is not None:
        entries[end.admin_user] = pair.password(end.admin_password)
    if entries or admin:
        pair.disk(site).write(pair.passfile(site), settings.passfile(entries))


def refused_entry(pair: Pair, source: str, said: str) -> BadInput:
    """The error for a source that does not let its standby in, with the very line to add."""
    line = hba_line(pair.end(source), pair.end(pair.other(source)), pair.data_set.protection.transport)
    return BadInput(
        "replication-refused",
        f"le serveur du site « {source} » ne laisse pas entrer son relais",
        hint=f"ajoutez à son pg_hba.conf la ligne « {line} », puis rechargez-le",
        context={"postgresql": said.strip()[-500:]},
    )


def hba_line(source: ServerEnd, follower: ServerEnd, transport: Transport) -> str:
    """The line of `pg_hba.conf` that lets `follower` replicate from `source`."""
    kind = "hostssl" if transport is Transport.TLS else "host"
    try:
        number = ipaddress.ip_address(follower.address)
        address = f"{number}/{number.max_prefixlen}"
    except ValueError:
        address = follower.address
    if source.upstream_address:
        address = "127.0.0.1/32"  # the tunnel ends on the source's own machine
    return f"{kind} replication {source.replication_user} {address} scram-sha-256"
