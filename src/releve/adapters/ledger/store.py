"""The ledger as the domain sees it: one small class a subject, over one database."""

from __future__ import annotations

from pathlib import Path

from releve.adapters.ledger.audits import DjangoAudits
from releve.adapters.ledger.database import Database
from releve.adapters.ledger.evidence import DjangoEvidence
from releve.adapters.ledger.facts import DjangoFacts
from releve.adapters.ledger.incidents import DjangoIncidents
from releve.adapters.ledger.runs import DjangoRuns
from releve.adapters.ledger.statements import DjangoStatements
from releve.adapters.ledger.tenures import DjangoTenures


class DjangoLedger:
    """Implements `domain.ports.Ledger`. Any thread may use it; `close` when the program is done."""

    def __init__(self, database: Database, state_dir: Path) -> None:
        self._database = database
        self.tenures = DjangoTenures(database)
        self.incidents = DjangoIncidents(database)
        self.runs = DjangoRuns(database)
        self.facts = DjangoFacts(database)
        self.statements = DjangoStatements(database)
        self.audits = DjangoAudits(database)
        self.evidence = DjangoEvidence(database, state_dir)

    def close(self) -> None:
        """Close every connection; the next call would open one again."""
        self._database.close()
