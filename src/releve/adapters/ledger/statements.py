"""What people said of outages: one row a statement, never changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import dump, load, utc
from releve.adapters.ledger.database import Database
from releve.domain.objectives import Statement


class DjangoStatements:
    """Implements `domain.ports.Statements`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, statement: Statement, at: datetime) -> bool:
        """Insert; False when the very same words are there already, wherever they were read."""
        value = dump(statement)
        digest = hashlib.sha256(dump(replace(statement, source="")).encode()).hexdigest()
        with self._database.writing() as alias:
            _row, made = models.Statement.objects.using(alias).get_or_create(
                digest=digest,
                defaults={
                    "application": statement.application,
                    "establishment": statement.establishment,
                    "by": statement.by,
                    "recorded_at": utc(at),
                    "value": value,
                },
            )
        return made

    def all(self) -> list[Statement]:
        """In the order in which they were recorded."""
        with self._database.reading() as alias:
            rows = list(models.Statement.objects.using(alias).order_by("recorded_at", "id"))
        return [load(Statement, row.value) for row in rows]
