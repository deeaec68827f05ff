"""The durable driver: runs on DBOS, in a file of the relief site or on PostgreSQL by one setting.

    run      workflow "<run>"         starts the tasks, waits for all, closes the run
    task     workflow "<run>:<task>"  waits for the tasks before, performs, listens for answers

Every step is done at least once: after a crash the step in flight is done again, the others are not.
The caller holds the site's lock, so that one driver at a time runs on a store.
"""

from __future__ import annotations

import contextlib
import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.durable import settings
from releve.adapters.durable.hints import Closing, Hints, pause
from releve.adapters.durable.schedules import Schedules
from releve.adapters.durable.schedules import take_charge as keep_schedules
from releve.adapters.durable.tasks import ANSWER, FINAL, Tasks, check_order, child, step_down, take_charge
from releve.domain.errors import BadInput
from releve.domain.ports import Ledger, Now, Perform
from releve.domain.runbook import Decision, TaskState

_log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DbosDriver:
    """Implements `domain.ports.Driver`. One a process: `launch`, use from any thread, `close`.

    `perform(run, task)` records its own outcomes in the ledger; the driver records only what it
    alone knows: abandoned tasks, silence, the state of the run. `executor_id` must be new at each
    start of a process. `database_url`: a PostgreSQL address instead of `state_dir/runs.sqlite3`;
    never the database that runs move. `schedules`: the copies of the day, when there are some.
    """

    def __init__(
        self,
        state_dir: Path,
        perform: Perform,
        ledger: Ledger,
        *,
        database_url: str = "",
        executor_id: str,
        now: Now = _utc_now,
        schedules: Schedules | None = None,
    ) -> None:
        self._state_dir, self._database_url, self._executor_id = state_dir, database_url, executor_id
        self._ledger = ledger
        self._schedules = schedules
        self._hints = Hints()
        self._tasks = Tasks(perform, ledger, now, self._hints)

    def launch(self) -> list[str]:
        """Open the store and take up what was interrupted. Returns the ids of those runs.

        Raises `ReleveError` (driver-twice) when a driver is launched in this process already.
        """
        take_charge(self._tasks)
        try:
            from dbos import DBOS

            settings.quiet_logs()
            settings.refuse_pickle()
            DBOS(config=settings.config(self._state_dir, self._database_url, self._executor_id))
            from releve.adapters.durable import workflows  # noqa: F401 — registers them before the launch

            DBOS.launch()
            DBOS.register_queue(settings.QUEUE, polling_interval_sec=settings.QUEUE_POLL_SECONDS)
            if self._schedules is not None:
                keep_schedules(self._schedules)
                self._schedules.apply()
        except BaseException:
            self.close()
            raise
        return self._recover()

    def start(self, run: str) -> None:
        """Start (or find again) the durable run. Raises `BadInput` when the ledger does not know it."""
        from dbos import DBOS, SetWorkflowID

        from releve.adapters.durable.workflows import run_workflow

        check_order(self._ledger.runs.get(run).runbook)
        with SetWorkflowID(run):
            DBOS.start_workflow(run_workflow, run)

    def answer(self, decision: Decision) -> None:
        """Wake the task that `decision` is for: it reads the ledger again, where the answer stands already.

        So an answer kept in the ledger while no driver ran is not lost: `launch` wakes every task
        that waits. Repeating an answer wakes nobody twice. `BadInput`: the run was never started
        here, or has no such task.
        """
        book = self._ledger.runs.get(decision.run).runbook
        if all(task.id != decision.task for task in book.tasks):
            raise BadInput(
                "task-unknown", f"le déroulé « {decision.run} » n'a pas de tâche « {decision.task} »"
            )
        key = f"{decision.run}:{decision.task}:{decision.by}:{decision.answer}"
        self._wake(child(decision.run, decision.task), key)

    def wait(self, run: str, timeout: float) -> bool:
        """Wait for the end of the run, at most `timeout` seconds; False when it goes on."""
        from dbos import DBOS

        deadline = time.monotonic() + timeout
        looks = 0
        while not self._hints.told([run]):
            status = DBOS.get_workflow_status(run)
            if status is None:
                raise BadInput("run-not-started", f"le déroulé « {run} » n'a jamais été lancé ici")
            if status.status in FINAL:
                break
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                self._hints.wait([run], min(left, pause(looks)))
            except Closing:
                return False
            looks += 1
        return True

    def close(self, timeout: float = 5.0) -> None:
        """Leave runs as they stand, to be taken up at the next launch.

        A task that waits is let go at once. A step that acts is given `timeout` seconds to end; it
        is not cut (and Python ends only after it): `perform` has its own time limits.
        """
        from dbos import DBOS

        self._hints.close()
        deadline = time.monotonic() + timeout
        for name in self._tasks.listening():
            self._wake(name, f"close:{self._executor_id}:{name}")
        while self._tasks.busy() and time.monotonic() < deadline:
            time.sleep(0.005)
        DBOS.destroy()
        keep_schedules(None)
        step_down(self._tasks)

    def _recover(self) -> list[str]:
        """Put every workflow of a dead process back on our own queue, then wake those that wait.

        `resume_workflows` is the public call for it: PENDING becomes ENQUEUED, and one dequeue owns
        it. Only rows of other executors: ours run already. Rows that an earlier launch had put on a
        queue are still there, and the queue's thread takes them by itself.
        """
        from dbos import DBOS

        pending = DBOS.list_workflows(
            status="PENDING",
            app_version=settings.APPLICATION_VERSION,
            load_input=False,
            load_output=False,
        )
        dead = [row for row in pending if row.executor_id != self._executor_id]
        if dead:
            DBOS.resume_workflows([row.workflow_id for row in dead], queue_name=settings.QUEUE)
        live = DBOS.list_workflows(
            status=["PENDING", "ENQUEUED"],
            app_version=settings.APPLICATION_VERSION,
            name="releve.run",
            load_input=False,
            load_output=False,
        )
        runs = [row.workflow_id for row in live]
        for run in runs:
            self._wake_waiting(run)
        self._tell_stranded()
        return runs

    def _wake_waiting(self, run: str) -> None:
        """Somebody may have answered, or aborted, while nobody ran: let each waiting task look again."""
        try:
            record = self._ledger.runs.get(run)
        except BadInput:
            _log.error("run %s is in the runs' database and not in the ledger", run)
            return
        for item in record.tasks:
            if item.state is TaskState.WAITING:
                name = child(run, item.task)
                with contextlib.suppress(BadInput):  # the crash came before its workflow: it will ask anew
                    self._wake(name, f"launch:{self._executor_id}:{name}")

    def _tell_stranded(self) -> None:
        from dbos import DBOS

        alive = DBOS.list_workflows(status=["PENDING", "ENQUEUED"], load_input=False, load_output=False)
        strange = [row.workflow_id for row in alive if row.app_version != settings.APPLICATION_VERSION]
        if strange:
            _log.error("begun by another version of the workflows, left alone: %s", ", ".join(strange))

    def _wake(self, workflow: str, key: str) -> None:
        from dbos import DBOS
        from dbos import error as dbos_error

        try:
            DBOS.send(workflow, {"look": "again"}, ANSWER, idempotency_key=key)
        except dbos_error.DBOSNonExistentWorkflowError as error:
            raise BadInput(
                "run-not-started",
                "cette question n'est pas encore posée ici : le déroulé n'a pas été lancé par ce moteur",
                hint="lancez le worker du site de secours, puis répondez",
            ) from error
