"""What happened, minute after minute: chronology, steps, decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from releve.cycle.report import words
from releve.cycle.report.case import Case, tasks_of
from releve.domain.document import (
    Bar,
    Block,
    Callout,
    Column,
    Mark,
    Paragraph,
    Section,
    Table,
    Timeline,
    Tone,
)
from releve.domain.runbook import Decision, RunRecord, RunState, Task, TaskRecord, TaskState
from releve.domain.units import say_seconds

TICKS = 4  # the axis of a timeline is cut in quarters


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    what: str
    who: str
    tone: Tone = Tone.NOTE


def chronology(case: Case) -> Section:
    """Every dated fact, in order."""
    # stable: what is told first below stands first among facts of the same instant
    events = sorted(_events(case), key=lambda event: event.at)
    dated = len({event.at.astimezone(case.zone).date() for event in events}) > 1
    rows = tuple(
        (
            words.clock(event.at, case.zone, dated=dated),
            Mark(event.tone, event.what) if event.tone is not Tone.NOTE else event.what,
            event.who,
        )
        for event in events
    )
    first = words.day(case.incident.began_at, case.zone)
    columns = (Column("Heure", 1.0), Column("Ce qui s'est passé", 3.4), Column("Qui, où", 1.4))
    return Section(
        "Minute par minute", (Table(f"Depuis le {first}, heure de {case.timezone}", columns, rows),)
    )


def steps(case: Case) -> Section:
    """Each run: a picture of its steps, then planned and measured durations."""
    blocks: list[Block] = []
    for run in case.runs:
        name = f"{words.DIRECTIONS[run.runbook.direction].capitalize()} {run.runbook.run}"
        timeline = _timeline(case, run, name)
        if timeline is not None:
            blocks.append(timeline)
        blocks.append(_steps_table(case, run, name))
    if not blocks:
        blocks.append(Callout(Tone.UNKNOWN, "Aucun déroulé", "Rien n'a été lancé pendant cet incident."))
    return Section("Les étapes et leurs durées", tuple(blocks))


def decisions(case: Case) -> Section:
    """Who was asked what, and what they said."""
    rows = [
        (
            words.moment(decision.at, case.zone),
            words.person(case.plan, decision.by),
            run.runbook.task(decision.task).title,
            _answer(run, decision),
            _words(case, decision),
        )
        for run in case.runs
        for decision in run.decisions
    ]
    declared = Paragraph(
        f"L'incident a été déclaré par {words.person(case.plan, case.incident.declared_by)} "
        f"le {words.moment(case.incident.declared_at, case.zone)}."
    )
    if not rows:
        none = Paragraph(
            "Pendant les déroulés, aucune réponse n'a été demandée à une personne, ou aucune n'a été donnée."
        )
        return Section("Qui a décidé quoi", (declared, none))
    columns = (
        Column("Quand", 1.2),
        Column("Qui", 1),
        Column("Question", 1.5),
        Column("Réponse", 1.3),
        Column("Paroles", 1.7),
    )
    return Section("Qui a décidé quoi", (declared, Table("Réponses données", columns, tuple(rows))))


def _answer(run: RunRecord, decision: Decision) -> Mark:
    question = run.runbook.task(decision.task).question
    for answer in question.answers if question else ():
        if answer.key == decision.answer:
            return Mark(Tone.OK if answer.goes_on else Tone.BROKEN, answer.label)
    return Mark(Tone.UNKNOWN, decision.answer)


def _words(case: Case, decision: Decision) -> str:
    said = f"« {decision.words} »" if decision.words else words.NOTHING
    return (
        f"{said} (écritures impossibles depuis le {words.moment(decision.since, case.zone)})"
        if decision.since
        else said
    )


def _events(case: Case) -> Iterator[_Event]:
    incident, plan = case.incident, case.plan
    site = words.place(plan, incident.site)
    yield _Event(
        incident.began_at, f"Début de la panne : {incident.summary or 'sans précision'}", site, Tone.BROKEN
    )
    yield _Event(incident.declared_at, "Incident déclaré", words.person(plan, incident.declared_by))
    for clock in case.clocks():
        if clock.major_at:
            name = words.subject(plan, clock.application)
            yield _Event(
                clock.major_at, f"Incident majeur : l'échéance de « {name} » est dépassée", site, Tone.BROKEN
            )
    for suspension in case.suspensions:
        name = words.subject(plan, suspension.data_set)
        yield _Event(
            suspension.started_at,
            f"« Zéro perte » suspendu pour « {name} » : {suspension.reason}",
            "Relève",
            Tone.UNKNOWN,
        )
        if suspension.ended_at:
            yield _Event(
                suspension.ended_at,
                f"« Zéro perte » de nouveau en vigueur pour « {name} »",
                "Relève",
                Tone.OK,
            )
    for run in case.runs:
        yield from _run_events(case, run)
    for name, at in (incident.restored or {}).items():
        yield _Event(at, f"« {words.subject(plan, name)} » rendue aux utilisateurs", "Relève", Tone.OK)
    if incident.closed_at:
        yield _Event(incident.closed_at, "Incident clos", "")


def _run_events(case: Case, run: RunRecord) -> Iterator[_Event]:
    plan, runbook = case.plan, run.runbook
    name = words.OF_DIRECTIONS[runbook.direction]
    way = f"« {words.place(plan, runbook.source)} » vers « {words.place(plan, runbook.target)} »"
    yield _Event(run.started_at, f"Début {name}, de {way}", "Relève")
    for decision in run.decisions:
        text = f"Réponse : {_answer(run, decision).text}"
        yield _Event(decision.at, text, words.person(plan, decision.by))
    for _run, task, record in tasks_of([run]):
        at = record.ended_at or (record.started_at if record.state is TaskState.WAITING else None)
        if at is not None:
            yield _Event(
                at, _told(task, record), words.place(plan, task.site), words.STATES[record.state].tone
            )
    if run.ended_at:
        tone = Tone.OK if run.state is RunState.DONE else Tone.BROKEN
        reason = f" : {run.reason}" if run.reason and run.state is not RunState.DONE else ""
        end = f"Fin {name}" if run.state is RunState.DONE else f"Arrêt {name} avant la fin"
        yield _Event(run.ended_at, f"{end}{reason}", "Relève", tone)


def _told(task: Task, record: TaskRecord) -> str:
    sentence = record.outcome.sentence if record.outcome else ""
    state = "" if record.state is TaskState.DONE else f" ({words.STATES[record.state].text})"
    return f"{task.title}{state}{f' : {sentence}' if sentence else ''}"


def _steps_table(case: Case, run: RunRecord, name: str) -> Table:
    rows = []
    for index, (_run, task, record) in enumerate(tasks_of([run]), start=1):
        basis = "déjà mesuré" if task.basis == "measured" else "par défaut"
        rows.append(
            (
                str(index),
                task.title,
                f"{say_seconds(task.duration)} ({basis})",
                _took(case, record),
                words.STATES[record.state],
            )
        )
    columns = (
        Column("N°", 0.35, right=True),
        Column("Étape", 3),
        Column("Prévu", 1.3, right=True),
        Column("Mesuré", 0.9, right=True),
        Column("État", 1.2),
    )
    return Table(f"{name} : étapes prévues et mesurées", columns, tuple(rows))


def _took(case: Case, record: TaskRecord) -> str:
    if record.started_at is None or record.state is TaskState.SKIPPED:
        return words.NOTHING
    if record.ended_at is None:
        return f"{say_seconds(_since(record.started_at, case.now))} déjà"
    return say_seconds(_since(record.started_at, record.ended_at))


def _since(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _bar_words(record: TaskRecord, seconds: float) -> str:
    state = words.STATES[record.state].text
    return state if record.state is TaskState.SKIPPED else f"{say_seconds(seconds)}, {state}"


def _timeline(case: Case, run: RunRecord, name: str) -> Timeline | None:
    bars = []
    for index, (_run, task, record) in enumerate(tasks_of([run]), start=1):
        if record.started_at is None:
            continue
        end = record.ended_at or case.now
        bars.append(
            Bar(
                f"{index}. {task.title}",
                _since(run.started_at, record.started_at),
                _since(run.started_at, max(end, record.started_at)),
                words.STATES[record.state].tone,
                _bar_words(record, _since(record.started_at, end)),
            )
        )
    if not bars:
        return None
    seconds = max(0.001, *(bar.end for bar in bars))
    alt = f"Frise de {len(bars)} étapes sur {say_seconds(seconds)}. " + " ".join(
        f"Étape {bar.label} : commence à {say_seconds(bar.start)} ; {bar.said}." for bar in bars
    )
    ticks = tuple((seconds * n / TICKS, say_seconds(seconds * n / TICKS)) for n in range(TICKS + 1))
    return Timeline(f"{name} : le temps pris par chaque étape", alt, seconds, ticks, tuple(bars))
