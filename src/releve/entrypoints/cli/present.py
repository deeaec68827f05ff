"""Runs, incidents and runbooks as text for a person and as JSON for a program. Pure."""

from __future__ import annotations

from datetime import datetime

from releve.cycle.protect.decide import JobKind
from releve.cycle.recover.derive import expected_seconds
from releve.domain.incident import Incident, clock_of
from releve.domain.plan import Plan
from releve.domain.runbook import Runbook, RunRecord, RunState, Task, TaskState
from releve.domain.units import say_seconds

MARK = {
    TaskState.PENDING: "·",
    TaskState.RUNNING: "…",
    TaskState.WAITING: "?",
    TaskState.DONE: "✓",
    TaskState.SKIPPED: "–",
    TaskState.REFUSED: "✗",
    TaskState.FAILED: "✗",
    TaskState.ABANDONED: "×",
}
STATE_FR = {
    RunState.RUNNING: "en cours",
    RunState.WAITING: "attend une personne",
    RunState.DONE: "terminé",
    RunState.STOPPED: "arrêté avant la fin",
}

JOB_FR = {
    JobKind.PREPARE: "préparer les données à être copiées",
    JobKind.SAVE: "faire la première copie du jour",
    JobKind.FOLLOW: "copier les données et les suivre",
    JobKind.ARM: "n'accepter d'écriture que copiée",
}


def local(instant: datetime | None) -> str:
    """An instant on this machine's clock, to the second; a dash when there is none."""
    return instant.astimezone().strftime("%d/%m/%Y %H:%M:%S") if instant else "—"


def step_line(record: RunRecord, task: Task) -> str:
    """One step of a run, as progress shows it."""
    written = record.record(task.id)
    seconds = ""
    if written.started_at and written.ended_at:
        seconds = f" ({say_seconds(round((written.ended_at - written.started_at).total_seconds(), 3))})"
    said = f" : {written.outcome.sentence}" if written.outcome else ""
    return f"  {MARK[written.state]} {task.title}{said}{seconds}"


def runbook_text(runbook: Runbook) -> str:
    """The runbook before it is run: order, expected times, who, what it waits for."""
    number = {task.id: index for index, task in enumerate(runbook.tasks, 1)}
    lines = [f"Déroulé prévu : {runbook.source} → {runbook.target}", ""]
    for task in runbook.tasks:
        after = ", ".join(str(number[name]) for name in task.after)
        basis = "mesuré" if task.basis == "measured" else "par défaut"
        lines.append(
            f"{number[task.id]:>3}. {task.title}\n"
            f"       {say_seconds(task.duration)} ({basis})"
            + (f", après {after}" if after else "")
            + (f" — réponse attendue, si besoin : {_people(task)}" if task.question else "")
        )
    lines += [
        "",
        f"Durée prévue sans attendre personne : {say_seconds(round(expected_seconds(runbook), 1))}",
        f"Avec les réponses humaines : {say_seconds(round(expected_seconds(runbook, people=True), 1))}",
    ]
    return "\n".join(lines)


def _people(task: Task) -> str:
    question = task.question
    if question is None:
        return ""
    who = ", ".join(question.who) or "une personne du plan"
    return f"{question.people} parmi {who}" if question.people > 1 else who


def runbook_json(runbook: Runbook) -> dict[str, object]:
    """The runbook, JSON-ready."""
    return {
        "run": runbook.run,
        "direction": runbook.direction,
        "incident": runbook.incident,
        "source": runbook.source,
        "target": runbook.target,
        "epochs": dict(runbook.epochs),
        "expected_seconds": expected_seconds(runbook),
        "expected_seconds_with_people": expected_seconds(runbook, people=True),
        "tasks": [
            {
                "id": t.id,
                "kind": t.kind,
                "subject": t.subject,
                "site": t.site,
                "title": t.title,
                "seconds": t.duration,
                "basis": t.basis,
                "after": list(t.after),
                "who": t.who,
            }
            for t in runbook.tasks
        ],
    }


def run_json(record: RunRecord) -> dict[str, object]:
    """A run, JSON-ready."""
    return {
        **runbook_json(record.runbook),
        "state": record.state,
        "reason": record.reason,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "tasks": [
            {
                "id": t.id,
                "title": t.title,
                "site": t.site,
                "state": w.state,
                "started_at": w.started_at,
                "ended_at": w.ended_at,
                "sentence": w.outcome.sentence if w.outcome else "",
                "facts": dict(w.outcome.facts) if w.outcome else {},
            }
            for t in record.runbook.tasks
            for w in (record.record(t.id),)
        ],
        "decisions": [
            {"task": d.task, "answer": d.answer, "by": d.by, "words": d.words, "at": d.at}
            for d in record.decisions
        ],
        "open_questions": open_questions(record),
    }


def open_questions(record: RunRecord) -> list[dict[str, object]]:
    """The questions that wait for somebody, JSON-ready."""
    return [
        {
            "task": task.id,
            "question": task.question.text,
            "who": list(task.question.who),
            "people": task.question.people,
            "answers": {item.key: item.label for item in task.question.answers},
        }
        for task in record.runbook.tasks
        if record.record(task.id).state is TaskState.WAITING and task.question is not None
    ]


def run_text(record: RunRecord) -> str:
    """A run: where it stands, its steps, the questions and how to answer them."""
    runbook = record.runbook
    lines = [
        f"Déroulé {runbook.run} : {runbook.source} → {runbook.target}, {STATE_FR[record.state]}",
        f"  commencé {local(record.started_at)}, fini {local(record.ended_at)}",
    ]
    if record.reason:
        lines.append(f"  {record.reason}")
    lines += [step_line(record, task) for task in runbook.tasks]
    lines += [f"  décision de {d.by} ({d.task}) : {d.answer} — {d.words}" for d in record.decisions]
    for asked in open_questions(record):
        lines += ["", f"Question ({asked['task']}) : {asked['question']}"]
        answers = asked["answers"]
        if isinstance(answers, dict):
            lines += [f"  {key} : {label}" for key, label in answers.items()]
        lines.append(f'  releve run approve {runbook.run} {asked["task"]} --by … --words "…"')
        lines.append(f'  releve run refuse  {runbook.run} {asked["task"]} --by … --words "…"')
    return "\n".join(lines)


def incident_json(incident: Incident, plan: Plan, now: datetime) -> dict[str, object]:
    """An incident with both clocks of every application of its site, JSON-ready."""
    clocks = [clock_of(incident, app, plan, now) for app in plan.applications if incident.site in app.ends]
    major = [clock.major_at for clock in clocks if clock.major_at]
    return {
        "id": incident.id,
        "site": incident.site,
        "summary": incident.summary,
        "declared_by": incident.declared_by,
        "began_at": incident.began_at,
        "declared_at": incident.declared_at,
        "closed_at": incident.closed_at,
        "major": bool(major),
        "major_at": min(major) if major else None,
        "applications": [
            {
                "application": c.application,
                "elapsed_seconds": c.wall.total_seconds(),
                "elapsed_in_calendar_seconds": c.in_calendar.total_seconds(),
                "due_at": c.due,
                "restored_at": c.restored_at,
                "major_at": c.major_at,
            }
            for c in clocks
        ],
    }


def incident_text(incident: Incident, plan: Plan, now: datetime) -> str:
    """An incident for a person: what, since when, and the two clocks."""
    lines = [
        f"Incident {incident.id} sur le site {incident.site} : {incident.summary}",
        f"  commencé {local(incident.began_at)}, déclaré {local(incident.declared_at)} par {incident.declared_by}"
        + (f", clos {local(incident.closed_at)}" if incident.closed_at else ""),
    ]
    for app in plan.applications:
        if incident.site not in app.ends:
            continue
        clock = clock_of(incident, app, plan, now)
        back = f"rendue {local(clock.restored_at)}" if clock.restored_at else "pas encore rendue"
        lines.append(
            f"  {app.name} : {back} ; sans elle depuis {say_seconds(round(clock.wall.total_seconds(), 1))}"
            f" ({say_seconds(round(clock.in_calendar.total_seconds(), 1))} au calendrier du plan)"
        )
        if clock.major_at:
            lines.append(
                f"    INCIDENT MAJEUR depuis le {local(clock.major_at)} : le délai admis est dépassé"
            )
        else:
            lines.append(
                f"    incident majeur le {local(clock.due)} si rien ne change"
                if not clock.restored_at
                else f"    délai admis respecté (limite {local(clock.due)})"
            )
    return "\n".join(lines)
