"""Facts of an incident -> its report, as a document. Pure: the same facts give the same document."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from releve.cycle.report import words
from releve.cycle.report.case import Case
from releve.cycle.report.essentials import clocks, essentials
from releve.cycle.report.gaps import gaps
from releve.cycle.report.losses import data
from releve.cycle.report.story import chronology, decisions, steps
from releve.domain.document import Block, Callout, Column, Document, Paragraph, Section, Table, Tone
from releve.domain.incident import Incident
from releve.domain.measure import Measure
from releve.domain.plan import Plan
from releve.domain.protection import Suspension
from releve.domain.runbook import RunRecord


def run_report(
    plan: Plan,
    incident: Incident,
    runs: Iterable[RunRecord],
    suspensions: Iterable[Suspension],
    measures: Iterable[Measure],
    evidence_head: tuple[int, str] | None,
    now: datetime,
) -> Document:
    """The report of one incident, in French.

    `runs` and `suspensions`: those of this incident, in any order. `measures`: at most one an
    application, what a witness saw. `evidence_head`: (count, SHA-256 in hex) of the chain.
    `now`: aware; the report is dated from it and computed at it.
    """
    case = Case(
        plan,
        incident,
        tuple(sorted(runs, key=lambda run: (run.started_at, run.runbook.run))),
        tuple(sorted(suspensions, key=lambda item: (item.started_at, item.data_set))),
        {item.application: item for item in measures},
        evidence_head,
        now,
    )
    return Document(
        "Compte rendu d'incident et de reprise",
        incident.summary[:1].upper() + incident.summary[1:] or "Incident sans description",
        plan.association.name,
        now,
        _metadata(case),
        (
            essentials(case),
            clocks(case),
            chronology(case),
            steps(case),
            decisions(case),
            data(case),
            gaps(case),
            _evidence(case),
        ),
    )


def _metadata(case: Case) -> tuple[tuple[str, str], ...]:
    plan, incident = case.plan, case.incident
    finess = (("FINESS", plan.association.finess),) if plan.association.finess else ()
    return (
        *finess,
        ("Incident", incident.id),
        ("Site touché", words.place(plan, incident.site)),
        ("Déclaré par", words.person(plan, incident.declared_by)),
        (
            "État",
            f"clos le {words.moment(incident.closed_at, case.zone)}" if incident.closed_at else "en cours",
        ),
        ("Rédigé le", words.moment(case.now, case.zone)),
        ("Heures", case.timezone),
    )


def _evidence(case: Case) -> Section:
    fingerprint = case.plan.fingerprint or "inconnue"
    rows: list[tuple[str, str]] = [("Empreinte du plan (SHA-256)", fingerprint)]
    blocks: list[Block] = [
        Paragraph(
            "Chaque fait de ce compte rendu vient du registre de Relève. Ses entrées sont enchaînées : chacune porte "
            "l'empreinte de la précédente. La commande « releve evidence verify » trouve toute entrée changée, "
            "retirée ou déplacée. Gardez cette page : elle sert de témoin hors du système."
        )
    ]
    if case.head is None:
        blocks.append(
            Callout(
                Tone.UNKNOWN, "Chaîne de preuves absente", "Aucune tête n'a été donnée à ce compte rendu."
            )
        )
    else:
        count, digest = case.head
        rows += [("Entrées de la chaîne", words.number(count)), ("Empreinte de la dernière entrée", digest)]
    rows.append(("Déroulés", ", ".join(run.runbook.run for run in case.runs) or "aucun"))
    blocks.append(Table("À conserver", (Column("Élément", 1), Column("Valeur", 2.6)), tuple(rows)))
    return Section("La preuve", tuple(blocks))
