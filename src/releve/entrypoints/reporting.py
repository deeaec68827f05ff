"""From the ledger to a report: gathers the facts of an incident and has them drawn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from releve.app import House, utc_now
from releve.cycle.report.decide import run_report
from releve.domain.document import Document
from releve.domain.measure import Measure


def document_of(home: House, incident_id: str, measures: Iterable[Measure] = ()) -> Document:
    """The report of an incident. Raises `BadInput` when the incident is unknown."""
    ledger, now = home.ledger, utc_now()
    incident = ledger.incidents.get(incident_id)
    runs = [item for item in ledger.runs.all() if item.runbook.incident == incident_id]
    moved = {name for run in runs for name in run.runbook.epochs}
    suspensions = [
        item
        for name in sorted(moved)
        for item in ledger.facts.suspensions(name)
        if item.ended_at is None or item.ended_at >= incident.began_at
    ]
    return run_report(home.plan, incident, runs, suspensions, measures, ledger.evidence.head(), now)


def write_report(home: House, incident_id: str, path: Path, measures: Iterable[Measure] = ()) -> Path:
    """Write the report of an incident as PDF, and its print in the evidence log. Returns the path."""
    from releve.adapters.render import to_pdf

    to_pdf(document_of(home, incident_id, measures), path)
    home.ledger.evidence.append("report-written", {"incident": incident_id, "file": path.name}, utc_now())
    return path
