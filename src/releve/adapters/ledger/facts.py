"""What was observed lately. The last written wins: clocks step back, and each subject has one writer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import dump, load, load_object, utc
from releve.adapters.ledger.database import Database, put
from releve.domain.protection import Contact, Suspension


class DjangoFacts:
    """Implements `domain.ports.Facts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contact(self, contact: Contact) -> None:
        """Keep the last proof of a promise."""
        with self._database.writing() as alias:
            put(alias, models.Contact(data_set=contact.data_set, value=dump(contact)), by=("data_set",))

    def last_contact(self, data_set: str) -> Contact | None:
        """The last one."""
        with self._database.reading() as alias:
            row = models.Contact.objects.using(alias).filter(data_set=data_set).first()
        return load(Contact, row.value) if row else None

    def suspend(self, suspension: Suspension) -> None:
        """Insert or update, keyed by (data set, started_at)."""
        with self._database.writing() as alias:
            row = models.Suspension(
                data_set=suspension.data_set, started_at=utc(suspension.started_at), value=dump(suspension)
            )
            put(alias, row, by=("data_set", "started_at"))

    def suspensions(self, data_set: str) -> list[Suspension]:
        """Oldest first."""
        with self._database.reading() as alias:
            rows = list(
                models.Suspension.objects.using(alias).filter(data_set=data_set).order_by("started_at")
            )
        return [load(Suspension, row.value) for row in rows]

    def put(self, kind: str, subject: str, at: datetime, value: Mapping[str, object]) -> None:
        """Keep the newest value of (kind, subject)."""
        with self._database.writing() as alias:
            row = models.Observation(kind=kind, subject=subject, at=utc(at), value=dump(value))
            put(alias, row, by=("kind", "subject"))

    def fetch(self, kind: str, subject: str) -> tuple[datetime, Mapping[str, object]] | None:
        """The newest value, and when it was seen."""
        with self._database.reading() as alias:
            row = models.Observation.objects.using(alias).filter(kind=kind, subject=subject).first()
        return (row.at, load_object(row.value)) if row else None
