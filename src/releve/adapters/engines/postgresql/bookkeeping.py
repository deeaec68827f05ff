"""The tables we keep inside the protected database: who holds it, and when its promise was suspended.

They are replicated with the data: whichever side is read says which tenure it belongs to. Every
write here is `synchronous_commit = local`, for it must succeed while the standby is absent; that is
precisely when it matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from releve.adapters.engines.postgresql.connection import Connection
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.protection import Suspension, Tenure

SCHEMA = "releve"

_CREATE = (
    "SET LOCAL synchronous_commit = local",
    "CREATE SCHEMA IF NOT EXISTS releve",
    """CREATE TABLE IF NOT EXISTS releve.tenure (epoch bigint PRIMARY KEY, site text NOT NULL,
       run text NOT NULL DEFAULT '', at timestamptz NOT NULL, promotion_ms double precision)""",
    """CREATE TABLE IF NOT EXISTS releve.suspension (started_at timestamptz PRIMARY KEY,
       epoch bigint NOT NULL, reason text NOT NULL DEFAULT '', ended_at timestamptz)""",
)
_EXISTS = "SELECT to_regclass('releve.tenure') IS NOT NULL AND to_regclass('releve.suspension') IS NOT NULL"
_HELD = "SELECT epoch, site, run, at, promotion_ms FROM releve.tenure ORDER BY epoch DESC LIMIT 1"
_TAKE = (
    "INSERT INTO releve.tenure (epoch, site, run, at, promotion_ms) "
    "VALUES (%(epoch)s, %(site)s, %(run)s, %(at)s, %(ms)s) ON CONFLICT (epoch) DO NOTHING"
)
_SUSPEND = (
    "INSERT INTO releve.suspension (started_at, epoch, reason, ended_at) "
    "VALUES (%(started_at)s, %(epoch)s, %(reason)s, NULL) ON CONFLICT (started_at) DO NOTHING"
)
_END = "UPDATE releve.suspension SET ended_at = %(at)s WHERE ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Held:
    """The tenure written in a database. `promotion_ms`: what that promotion took, None for the first."""

    epoch: int
    site: str
    run: str
    at: datetime
    promotion_ms: float | None


def create(pair: Pair, site: str) -> None:
    """Make the tables; nothing happens when they are there."""
    if exists(pair, site):
        return

    def make(link: Connection) -> None:
        for statement in _CREATE:
            link.execute(statement.encode())

    pair.transact(site, make)


def exists(pair: Pair, site: str) -> bool:
    """Whether the tables are there."""
    return bool(pair.ask(site, _EXISTS)[0][0])


def held(pair: Pair, site: str) -> Held | None:
    """The highest tenure written in the database of `site`; None when none ever was."""
    if not exists(pair, site):
        return None
    rows = pair.ask(site, _HELD)
    return Held(*rows[0]) if rows else None


def take(pair: Pair, site: str, tenure: Tenure, promotion_ms: float | None) -> None:
    """Write the tenure. The epoch is the key: of two runs with one number, one finds it taken."""
    values = {
        "epoch": tenure.epoch,
        "site": tenure.site,
        "run": tenure.run,
        "at": tenure.at or pair.now(),
        "ms": promotion_ms,
    }

    def write(link: Connection) -> None:
        link.execute("SET LOCAL synchronous_commit = local")
        link.execute(_TAKE, values)

    pair.transact(site, write)


def suspend(pair: Pair, site: str, suspension: Suspension) -> None:
    """Write that the promise is suspended, before it is."""
    create(pair, site)
    values = {
        "started_at": suspension.started_at,
        "epoch": suspension.epoch,
        "reason": suspension.reason,
    }

    def write(link: Connection) -> None:
        link.execute("SET LOCAL synchronous_commit = local")
        link.execute(_SUSPEND, values)

    pair.transact(site, write)


def resume(pair: Pair, site: str, at: datetime) -> None:
    """Write that every open suspension ended at `at`."""
    if not exists(pair, site):
        return

    def write(link: Connection) -> None:
        link.execute("SET LOCAL synchronous_commit = local")
        link.execute(_END, {"at": at})

    pair.transact(site, write)
