"""Runbooks, runs and incidents as a person reads them and as a program parses them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from releve.cycle.protect.decide import JobKind
from releve.cycle.recover.derive import Durations, Request, derive
from releve.domain.incident import Incident
from releve.domain.plan import Approval
from releve.domain.protection import Tenure
from releve.domain.runbook import (
    Decision,
    Direction,
    Outcome,
    RunRecord,
    RunState,
    TaskKind,
    TaskRecord,
    TaskState,
)
from releve.entrypoints.cli.present import (
    JOB_FR,
    MARK,
    STATE_FR,
    incident_json,
    incident_text,
    local,
    open_questions,
    run_json,
    run_text,
    runbook_json,
    runbook_text,
    step_line,
)
from tests.fakes.plans import plan, with_approval

AT = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)  # a Monday, during office hours
PLAN = with_approval(plan(), "accept-loss", Approval(2, ("directrice", "technicien"), 1800.0))
RUNBOOK = derive(
    PLAN,
    Request(
        "bascule-1",
        Direction.SWITCH,
        "inc-1",
        "principal",
        "secours",
        {item.id: Tenure(item.id, 3, "principal") for item in PLAN.data_sets},
        Durations({}),
    ),
)
INCIDENT = Incident("inc-1", "principal", "Incendie fictif", "directrice", AT, AT + timedelta(minutes=3))


def task(kind: TaskKind):
    """The first task of that kind."""
    return next(item for item in RUNBOOK.tasks if item.kind is kind)


def run(state: RunState = RunState.RUNNING, *records: TaskRecord) -> RunRecord:
    """The run, with what the ledger knows of its tasks."""
    return RunRecord(RUNBOOK, state, AT, None, records, ())


def waiting() -> RunRecord:
    """The run, stopped at the question of the loss."""
    return run(RunState.WAITING, TaskRecord(task(TaskKind.ACCEPT_LOSS).id, TaskState.WAITING, AT))


def test_every_state_has_its_word():
    """No state of a task, of a run or of a job would be shown as a blank or fail to show."""
    assert set(MARK) == set(TaskState)
    assert set(STATE_FR) == set(RunState)
    assert set(JOB_FR) == set(JobKind)


def test_local_shows_a_dash_for_what_has_not_happened():
    """An instant is shown to the second; none is a dash."""
    assert local(None) == "—"
    assert local(AT) == AT.astimezone().strftime("%d/%m/%Y %H:%M:%S")


def test_step_line_says_how_it_ended_and_how_long_it_took():
    """A finished step shows its mark, what was seen and the seconds; one to come shows neither."""
    fence = task(TaskKind.FENCE)
    done = TaskRecord(
        fence.id, TaskState.DONE, AT, AT + timedelta(seconds=1.5), Outcome(TaskState.DONE, "vu arrêté", {})
    )
    assert step_line(run(RunState.RUNNING, done), fence) == f"  ✓ {fence.title} : vu arrêté (1,5 s)"
    assert step_line(run(), fence) == f"  · {fence.title}"


def test_runbook_text_numbers_each_step_once_and_in_order():
    """A person can follow the steps by their numbers, and every "après" names the right ones."""
    text = runbook_text(RUNBOOK)
    shown = re.findall(r"^ *(\d+)\. (.+)\n[^,\n]*(?:, après ([\d, ]+))?", text, re.MULTILINE)
    order = [item.id for item in RUNBOOK.tasks]
    assert [(int(number), title) for number, title, _ in shown] == [
        (number, item.title) for number, item in enumerate(RUNBOOK.tasks, 1)
    ]
    assert [[order[int(number) - 1] for number in after.split(", ") if number] for *_, after in shown] == [
        list(item.after) for item in RUNBOOK.tasks
    ]
    assert "2 parmi directrice, technicien" in text


def test_runbook_json_keeps_order_and_predecessors():
    """A program gets every task with what it waits for, and both expected times."""
    found = json.loads(json.dumps(runbook_json(RUNBOOK)))
    assert [item["id"] for item in found["tasks"]] == [item.id for item in RUNBOOK.tasks]
    assert [item["after"] for item in found["tasks"]] == [list(item.after) for item in RUNBOOK.tasks]
    assert found["expected_seconds_with_people"] > found["expected_seconds"]


def test_run_text_shows_the_question_and_the_command_that_answers_it():
    """Whoever reads a waiting run sees what is asked, the answers, and what to type."""
    asked = task(TaskKind.ACCEPT_LOSS)
    text = run_text(waiting())
    assert "attend une personne" in text
    assert f"Question ({asked.id}) : {asked.question.text}" in text
    assert f"releve run approve bascule-1 {asked.id} --by" in text
    assert f"releve run refuse  bascule-1 {asked.id} --by" in text
    assert all(f"  {item.key} : {item.label}" in text for item in asked.question.answers)


def test_a_question_is_open_only_while_its_task_waits():
    """What is answered, or not asked yet, is no open question."""
    asked = task(TaskKind.ACCEPT_LOSS)
    assert [item["task"] for item in open_questions(waiting())] == [asked.id]
    assert open_questions(waiting())[0]["people"] == 2
    assert open_questions(run()) == []
    assert open_questions(run(RunState.RUNNING, TaskRecord(asked.id, TaskState.DONE, AT, AT))) == []


def test_run_text_names_who_decided_and_why_it_stopped():
    """A stopped run says its reason, and each decision with its author's words."""
    decision = Decision("bascule-1", "accept-loss:dossiers", "refuse", "directrice", "on attend", AT)
    text = run_text(replace(run(RunState.STOPPED), decisions=(decision,), reason="refusé par la directrice"))
    assert "arrêté avant la fin" in text
    assert "refusé par la directrice" in text
    assert "décision de directrice (accept-loss:dossiers) : refuse — on attend" in text


def test_run_json_holds_every_task_even_those_not_begun():
    """A program sees pending tasks too, and the facts of those that ended."""
    fence = task(TaskKind.FENCE)
    done = TaskRecord(fence.id, TaskState.DONE, AT, AT, Outcome(TaskState.DONE, "vu arrêté", {"seen": True}))
    found = json.loads(json.dumps(run_json(run(RunState.RUNNING, done)), default=str))
    by_id = {item["id"]: item for item in found["tasks"]}
    assert set(by_id) == {item.id for item in RUNBOOK.tasks}
    assert by_id[fence.id]["facts"] == {"seen": True}
    assert by_id[task(TaskKind.PROMOTE).id]["state"] == "pending"
    assert (found["state"], found["open_questions"]) == ("running", [])


def test_an_incident_in_time_gives_its_limit():
    """Before the delay is over: since when, the limit, and nothing of a major incident."""
    found = incident_json(INCIDENT, PLAN, AT + timedelta(minutes=5))
    assert (found["major"], found["major_at"]) == (False, None)
    assert found["applications"][0]["elapsed_seconds"] == 300
    text = incident_text(INCIDENT, PLAN, AT + timedelta(minutes=5))
    assert "pas encore rendue ; sans elle depuis 5 min" in text
    assert "si rien ne change" in text
    assert "INCIDENT MAJEUR" not in text


def test_an_incident_past_its_delay_is_major_at_the_true_instant():
    """Long after, the instant shown is that of the limit and not of the reading."""
    late = AT + timedelta(days=30)
    found = incident_json(INCIDENT, PLAN, late)
    assert found["major"] is True
    assert AT < found["major_at"] < late
    assert f"INCIDENT MAJEUR depuis le {local(found['major_at'])}" in incident_text(INCIDENT, PLAN, late)


def test_a_restored_application_kept_its_delay():
    """Given back in time, it stays so, however late one reads; a closed incident says when."""
    app = PLAN.applications[0]
    back = replace(INCIDENT, restored={app.id: AT + timedelta(minutes=10)}, closed_at=AT + timedelta(hours=1))
    text = incident_text(back, PLAN, AT + timedelta(days=30))
    assert f"rendue {local(AT + timedelta(minutes=10))} ; sans elle depuis 10 min" in text
    assert "délai admis respecté" in text
    assert f"clos {local(AT + timedelta(hours=1))}" in text


def test_an_application_of_another_site_is_not_in_the_incident():
    """An incident speaks of the applications of its own site, and of no other."""
    elsewhere = replace(INCIDENT, site="ailleurs")
    assert incident_json(elsewhere, PLAN, AT)["applications"] == []
    assert PLAN.applications[0].name not in incident_text(elsewhere, PLAN, AT)
