"""What was not tried, or is not known. Derived from the plan and the facts, never from good will."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.report import words
from releve.cycle.report.case import Case, facts_of, tasks_of
from releve.domain.document import Block, Items, Paragraph, Section
from releve.domain.measure import Verdict
from releve.domain.plan import ProtectionMode
from releve.domain.protection import FenceKind, LossKind
from releve.domain.runbook import Direction, RunState, TaskKind, TaskState

_UNFINISHED = (
    TaskState.PENDING,
    TaskState.RUNNING,
    TaskState.WAITING,
    TaskState.REFUSED,
    TaskState.FAILED,
    TaskState.ABANDONED,
)


def gaps(case: Case) -> Section:
    """The honest page."""
    blocks: tuple[Block, ...] = (
        Paragraph(
            "Ce qui suit n'a pas été essayé pendant cet incident, ou n'est pas connu. Ne le tenez pas pour acquis."
        ),
        Items(tuple(_all(case))),
    )
    return Section("Ce qui n'a pas été essayé, ou qu'on ne sait pas", blocks)


def _all(case: Case) -> Iterator[str]:
    yield from _applications(case)
    yield from _data(case)
    yield from _run(case)
    yield from _suspended(case)
    yield from _evidence(case)
    yield from _never(case)


def _applications(case: Case) -> Iterator[str]:
    opened = {task.subject for _run, task, record in tasks_of(case.runs) if _opened(task.kind, record.state)}
    for item in case.plan.applications:
        name = f"« {item.name} »"
        if not item.ends:
            yield f"{name} est dans le plan, mais Relève ne la bascule pas : rien n'a été essayé pour elle."
            continue
        if item.id not in opened:
            yield f"{name} n'a été ouverte aux utilisateurs par aucun déroulé de cet incident."
        judged = case.judgement(item)
        if judged.need_rto is Verdict.NOT_MEASURED:
            yield f"Le temps passé sans {name} n'a pas été mesuré."
        if judged.need_rpo is Verdict.NOT_MEASURED:
            yield f"La perte de données de {name} n'a pas été mesurée, ou ne peut pas être comparée à l'objectif."
        if not item.health:
            yield f"{name} n'a pas de contrôle de santé dans le plan : qu'elle réponde juste n'a pas été vérifié."


def _opened(kind: TaskKind, state: TaskState) -> bool:
    return kind is TaskKind.OPEN and state is TaskState.DONE


def _data(case: Case) -> Iterator[str]:
    moved = {name for run in case.runs for name in run.runbook.epochs}
    for item in case.plan.data_sets:
        if item.protection.mode is ProtectionMode.DAILY:
            yield f"« {item.name} » est protégé une fois par jour : sa restauration n'a pas été essayée."
        elif item.id not in moved:
            yield f"« {item.name} » n'a été déplacé par aucun déroulé de cet incident."
    if not any(item.engine == "files" for item in case.plan.data_sets):
        yield "Le plan ne couvre aucun partage de fichiers."


def _run(case: Case) -> Iterator[str]:
    for _run, task, record in tasks_of(case.runs):
        if record.state in _UNFINISHED:
            yield f"Étape non menée au bout : {task.title} ({words.STATES[record.state].text})."
        loss = facts_of(record, "loss") if task.kind is TaskKind.ASSESS else None
        if loss is not None and loss.get("kind") == LossKind.UNKNOWN:
            yield f"Avant la bascule, la perte possible sur « {words.subject(case.plan, task.subject)} » était inconnue."
        fence = facts_of(record, "fence")
        name = words.subject(case.plan, task.subject)
        if task.kind is TaskKind.CONFIRM_FENCE and fence and fence.get("kind") == FenceKind.PERSON:
            shared = case.plan.data_set(task.subject).shared
            what = "dossier" if shared else "serveur"
            yield f"L'arrêt de l'ancien {what} de « {name} » n'a pas été vu : il repose sur la parole d'une personne."
        if task.kind is TaskKind.FENCE and fence and fence.get("kind") == FenceKind.BLOCKED:
            yield f"L'ancien serveur de « {name} » n'a pas été vu arrêté : il était bloqué faute de copie."
        divergence = facts_of(record, "divergence")
        if divergence is not None and divergence.get("whole") is not True:
            yield f"Ce que seul l'ancien site avait de « {name} » n'a pas pu être lu en entier."
    if not any(run.state is RunState.DONE for run in case.ways(Direction.RETURN)):
        yield "Le retour sur le site d'origine n'est pas fait."


def _suspended(case: Case) -> Iterator[str]:
    for item in case.suspensions:
        if item.ended_at is None:
            name = words.subject(case.plan, item.data_set)
            since = words.moment(item.started_at, case.zone)
            yield f"« Zéro perte » est suspendu pour « {name} » depuis le {since} : une panne maintenant peut perdre des données."


def _evidence(case: Case) -> Iterator[str]:
    if case.head is None:
        yield "Aucune tête de chaîne n'a été donnée : une preuve coupée à la fin ne se verrait pas."


def _never(case: Case) -> Iterator[str]:
    # No task of a runbook does these things yet: they hold for every incident until one does.
    yield "Aucune sauvegarde n'a été restaurée : seule la copie sur l'autre site a servi."
    yield (
        "Aucune redirection réseau (nom de domaine, répartiteur, adresse) n'a été faite : les postes doivent "
        "connaître l'adresse de chaque site."
    )
    yield "Les postes de travail, le réseau local, la téléphonie et les accès à internet n'ont pas été essayés."
    if case.incident.closed_at is None:
        yield "L'incident n'est pas clos : ce compte rendu est provisoire."
