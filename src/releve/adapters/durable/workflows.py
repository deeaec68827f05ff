"""The workflows, as DBOS knows them: a run, each of its tasks, a copy of the day. Nothing else may change their shape.

They are replayed from their checkpoints after a crash, so they hold no clock, no chance and no
decision of their own: those are in `tasks.Tasks`, inside steps. A change of the order or the names
of the steps needs a new `settings.APPLICATION_VERSION`.
"""

from __future__ import annotations

from datetime import datetime

from dbos import DBOS, SetWorkflowID

from releve.adapters.durable.schedules import save_due
from releve.adapters.durable.tasks import ANSWER, Turn, child, tasks

# No dead letter: DBOS gives a workflow up after 100 recoveries; a switch is given up by a person.


@DBOS.workflow(name="releve.run", max_recovery_attempts=None)
def run_workflow(run: str) -> str:
    """Start every task in the runbook's order, wait for all of them, close the run."""
    here = tasks()
    with here.inside(run):
        for task in here.order(run):
            with SetWorkflowID(child(run, task)):
                DBOS.start_workflow(task_workflow, run, task)
        state = DBOS.run_step({"name": "end"}, here.end, run)
        here.hints.tell(run, state)
        return state


@DBOS.workflow(name="releve.task", max_recovery_attempts=None)
def task_workflow(run: str, task: str) -> str:
    """Wait for the tasks before, perform, and perform again after each answer. Returns the final state."""
    here = tasks()
    with here.inside(child(run, task)):
        turn: Turn = DBOS.run_step({"name": task}, here.first, run, task)
        while turn["waits"]:
            heard = here.listen(run, task, turn, _receive)
            turn = DBOS.run_step({"name": task}, here.again, run, task, turn, heard)
        # The step that says so is committed: those who wait need not wait for this workflow's own end.
        here.hints.tell(child(run, task), turn["state"])
        return turn["state"]


@DBOS.workflow(name="releve.daily", max_recovery_attempts=None)
def daily_workflow(_due: datetime, data_set: str) -> None:
    """One copy of the day. Cut at any instant it is looked at again: the step makes it only while it is due."""
    DBOS.run_step({"name": "save"}, save_due, data_set)


def _receive(seconds: float) -> object:
    return DBOS.recv(ANSWER, timeout_seconds=seconds)
