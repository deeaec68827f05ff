"""The ledger of a site: everything it remembers, on SQLite by default, on PostgreSQL by one address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from releve.adapters.ledger.store import DjangoLedger


def open_ledger(state_dir: Path, database_url: str = "") -> DjangoLedger:
    """Open (and create or upgrade) the ledger kept in `state_dir`.

    `database_url` ("postgresql://user:password@host:port/name") puts the tables on PostgreSQL; the
    witness of the evidence chain stays a file of `state_dir` either way. Safe in several threads and
    several processes at once. Loading Django costs about half a second, paid here and not at import.

    Raises `BadInput` for an address that is not understood, `Refused` when the ledger was written by
    a newer program, `Unreachable` when the database does not answer or its disk is full.
    """
    from releve.adapters.ledger.database import open_database

    database = open_database(state_dir, database_url)
    from releve.adapters.ledger.store import DjangoLedger  # its tables need Django to be set up

    return DjangoLedger(database, state_dir)


__all__ = ["open_ledger"]
