"""What became of the data: assessed before the switch, proven after it, put aside at the return."""

from __future__ import annotations

from collections.abc import Mapping

from releve.cycle.report import words
from releve.cycle.report.case import Case, as_instant, as_int, facts_of, tasks_of
from releve.domain.document import Block, Callout, Column, Mark, Paragraph, Section, Table, Tone
from releve.domain.protection import FenceKind, LossKind
from releve.domain.runbook import TaskKind
from releve.domain.units import say_bytes

_FENCES: Mapping[str, Mark] = {
    FenceKind.SEEN_STOPPED: Mark(Tone.OK, "vu arrêté"),
    FenceKind.PERSON: Mark(Tone.UNKNOWN, "sur la parole d'une personne"),
    FenceKind.BLOCKED: Mark(Tone.UNKNOWN, "bloqué, pas vu arrêté"),
    FenceKind.NONE: Mark(Tone.BROKEN, "pas établi"),
}


def data(case: Case) -> Section:
    """Everything known of the data."""
    blocks = [
        *_proof(case),
        *_fences(case),
        *_assessments(case),
        *_suspensions(case),
        *_put_aside(case),
    ]
    return Section("Les données", tuple(blocks))


def _proof(case: Case) -> list[Block]:
    told = [
        (
            words.subject(case.plan, item.application),
            words.number(item.acknowledged) if item.acknowledged is not None else "non compté",
            words.number(item.lost) if item.lost is not None else "non mesuré",
            item.basis or words.NOTHING,
        )
        for item in case.witnesses.values()
    ]
    if not told:
        text = "Personne n'a comparé, après coup, les écritures confirmées et celles qui ont été retrouvées."
        return [Callout(Tone.UNKNOWN, "Perte non mesurée", text)]
    columns = (
        Column("Application", 1.2),
        Column("Écritures confirmées", 1, right=True),
        Column("Manquantes ensuite", 1, right=True),
        Column("Comment on le sait", 2.2),
    )
    return [Table("Ce qui a été compté après la bascule", columns, tuple(told))]


def _fences(case: Case) -> list[Block]:
    # the confirmation repeats what the fence established, or completes it: the last word counts
    rows: dict[tuple[str, str], tuple[str | Mark, ...]] = {}
    for run, task, record in tasks_of(case.runs):
        found = facts_of(record, "fence")
        if found is None:
            continue
        since = as_instant(found.get("since"))
        rows[run.runbook.run, task.subject] = (
            words.subject(case.plan, task.subject),
            words.place(case.plan, task.site),
            _FENCES.get(str(found.get("kind")), _FENCES[FenceKind.NONE]),
            str(found.get("reason") or words.NOTHING),
            words.moment(since, case.zone) if since else words.NOTHING,
        )
    columns = (
        Column("Données", 1.1),
        Column("Site quitté", 1.1),
        Column("Arrêt", 1.2),
        Column("Pourquoi on le croit", 1.6),
        Column("Depuis le", 1.1),
    )
    caption = "L'ancien côté ne pouvait plus écrire"
    return [Table(caption, columns, tuple(rows.values()))] if rows else []


def _assessments(case: Case) -> list[Block]:
    rows = []
    for _run, task, record in tasks_of(case.runs):
        found = facts_of(record, "loss") if task.kind is TaskKind.ASSESS else None
        if found is not None:
            name = words.subject(case.plan, task.subject)
            rows.append((name, _assessed(case, found), str(found.get("reason") or words.NOTHING)))
    columns = (Column("Données", 1), Column("Évaluation", 1.4), Column("Raison", 2.2))
    return (
        [Table("Ce qu'on pouvait prévoir de perdre, avant de basculer", columns, tuple(rows))] if rows else []
    )


def _assessed(case: Case, found: Mapping[str, object]) -> Mark:
    kind = str(found.get("kind"))
    if kind == LossKind.NONE:
        return Mark(Tone.OK, "rien à perdre")
    if kind != LossKind.BOUNDED:
        return Mark(Tone.UNKNOWN, "perte inconnue")
    size, since = as_int(found.get("bytes")), as_instant(found.get("since"))
    limits = [f"{say_bytes(size)} au plus"] if size is not None else []
    if since:
        limits.append(f"ce qui a été écrit depuis le {words.moment(since, case.zone)}")
    if found.get("allowed"):
        return Mark(Tone.NOTE, "perte admise par le plan : " + " ; ".join(limits))
    return Mark(Tone.BROKEN, "perte bornée : " + (" ; ".join(limits) or "borne non précisée"))


def _suspensions(case: Case) -> list[Block]:
    rows = tuple(
        (
            words.subject(case.plan, item.data_set),
            words.moment(item.started_at, case.zone),
            words.moment(item.ended_at, case.zone) if item.ended_at else Mark(Tone.UNKNOWN, "dure encore"),
            item.reason,
        )
        for item in case.suspensions
    )
    if not rows:
        return []
    told = Paragraph(
        "Pendant une suspension, une écriture confirmée n'existe que sur un site : la promesse « zéro perte » "
        "ne vaut plus, même si tout le reste fonctionne."
    )
    columns = (Column("Données", 1), Column("Du", 1.2), Column("Au", 1.2), Column("Raison", 2.2))
    return [told, Table("« Zéro perte » suspendu", columns, rows)]


def _put_aside(case: Case) -> list[Block]:
    rows = []
    for _run, task, record in tasks_of(case.runs):
        found = facts_of(record, "divergence")
        if found is None:
            continue
        transactions = as_int(found.get("transactions")) or 0
        whole = found.get("whole") is True
        note = str(found.get("note") or "")
        seen = (
            Mark(Tone.OK, "tout a été lu")
            if whole
            else Mark(Tone.UNKNOWN, f"pas tout lu : {note or 'sans raison'}")
        )
        rows.append(
            (
                words.subject(case.plan, task.subject),
                words.place(case.plan, str(found.get("site") or task.site)),
                words.number(transactions) if whole or transactions else "inconnu",
                _tables(found.get("rows")),
                seen,
                str(found.get("folder") or words.NOTHING) if transactions or not whole else words.NOTHING,
            )
        )
    if not rows:
        return []
    columns = (
        Column("Données", 1),
        Column("Site", 1),
        Column("Transactions ou fichiers", 1.05, right=True),
        Column("Lignes ou dossiers", 1.2),
        Column("Lecture", 1),
        Column("Dossier", 1.6),
    )
    return [Table("Ce que seul l'ancien site avait, mis de côté au retour", columns, tuple(rows))]


def _tables(rows: object) -> str:
    if not isinstance(rows, (list, tuple)):
        return words.NOTHING
    counted = [item for item in rows if isinstance(item, (list, tuple)) and len(item) == 2]
    return ", ".join(f"{table} : {count}" for table, count in counted) or words.NOTHING
