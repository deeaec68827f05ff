"""The incidents."""

from __future__ import annotations

from releve.adapters.ledger import models
from releve.adapters.ledger.codec import dump, load, utc
from releve.adapters.ledger.database import Database, put
from releve.domain.errors import BadInput
from releve.domain.incident import Incident


class DjangoIncidents:
    """Implements `domain.ports.Incidents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, incident: Incident) -> None:
        """Insert or update."""
        with self._database.writing() as alias:
            row = models.Incident(
                id=incident.id,
                declared_at=utc(incident.declared_at),
                closed_at=utc(incident.closed_at) if incident.closed_at else None,
                value=dump(incident),
            )
            put(alias, row, by=("id",))

    def get(self, incident_id: str) -> Incident:
        """Raises `BadInput` when unknown."""
        with self._database.reading() as alias:
            row = models.Incident.objects.using(alias).filter(id=incident_id).first()
        if row is None:
            raise BadInput(
                "incident-unknown",
                f"aucun incident « {incident_id} » au registre",
                hint="releve incident show les liste",
            )
        return load(Incident, row.value)

    def all(self) -> list[Incident]:
        """Newest first."""
        with self._database.reading() as alias:
            rows = list(models.Incident.objects.using(alias).order_by("-declared_at", "-id"))
        return [load(Incident, row.value) for row in rows]
