"""A run survives the death of its process at any instant: every effect once, in order.

The process that dies is real: it holds the DBOS driver and the ledger on SQLite, and kills itself
with SIGKILL at a named instant of a named task. Its effects are lines appended to a file with fsync;
as every task of ours must, it looks whether its effect is there before it acts.

`RELEVE_SEED` chooses the sample (printed on failure); `pytest -m torture` runs the whole matrix.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import product
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from releve.adapters.ledger import open_ledger
from releve.domain.evidence import verify
from releve.domain.runbook import Decision, Outcome, Runbook, RunState, TaskRecord, TaskState
from tests.fakes.performing import book, task

if TYPE_CHECKING:
    from releve.adapters.ledger.store import DjangoLedger

INSTANTS = ("before-intent", "after-intent", "after-effect", "after-outcome")
DIAMOND = (task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"))
ASKING = (task("a"), task("ask", "a", deadline=600.0), task("b", "ask"))
SEED = int(os.environ["RELEVE_SEED"])  # set once a run by tests/conftest.py

# A server that has imported the slow libraries and forks each process: 0.1 s instead of 2 s a start.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["dbos", "django.db.models", "releve.adapters.durable", "tests.fakes.performing"]
)


class Mortal:
    """A `perform` that dies once, at one instant of one task."""

    def __init__(self, folder: Path, ledger: DjangoLedger, instant: str, victim: str) -> None:
        self._folder, self._ledger = folder, ledger
        self._instant, self._victim = instant, victim

    def perform(self, run: str, name: str) -> Outcome:
        """Observe, act, verify; intent before and outcome after, in the ledger."""
        record = self._ledger.runs.get(run)
        written = record.record(name)
        with (self._folder / "calls").open("a") as calls:
            calls.write(f"{name}\n")
        if written.outcome is not None and written.state is not TaskState.WAITING:
            return written.outcome
        self._pass("before-intent", name)
        began = written.started_at or _now()
        if not written.started_at:
            self._ledger.runs.task(run, TaskRecord(name, TaskState.RUNNING, began))
            self._ledger.evidence.append("task-begun", {"task": name}, _now(), key=f"{name}:begun")
        self._pass("after-intent", name)
        outcome = self._act(run, name)
        self._pass("after-effect", name)
        ended = None if outcome.state is TaskState.WAITING else _now()
        self._ledger.runs.task(run, TaskRecord(name, outcome.state, began, ended, outcome))
        self._pass("after-outcome", name)
        return outcome

    def _act(self, run: str, name: str) -> Outcome:
        record = self._ledger.runs.get(run)
        if record.runbook.task(name).question is not None and not record.decisions:
            return Outcome(TaskState.WAITING, "attend", {})
        if name not in effects(self._folder):
            handle = os.open(self._folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, f"{name}\n".encode())
            os.fsync(handle)
            os.close(handle)
        return Outcome(TaskState.DONE, "fait", {})

    def _pass(self, instant: str, name: str) -> None:
        mark = self._folder / "died"
        if (instant, name) == (self._instant, self._victim) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, tasks: Sequence[str], instant: str = "", victim: str = "") -> None:
    """The whole life of the process that conducts: launch, take up or start, wait, close."""
    from releve.adapters.durable import DbosDriver

    ledger = open_ledger(folder)
    driver = DbosDriver(
        folder, Mortal(folder, ledger, instant, victim).perform, ledger, executor_id=f"fault-{os.getpid()}"
    )
    driver.launch()
    (folder / f"launched-{os.getpid()}").write_text(str(time.time()))
    if tasks:
        driver.start("r")
    ended = driver.wait("r", 30.0)
    driver.close()
    ledger.close()
    os._exit(0 if ended else 1)


def _now() -> datetime:
    return datetime.now(UTC)


def effects(folder: Path) -> list[str]:
    """What was really done, in order."""
    path = folder / "effects"
    return path.read_text().split() if path.exists() else []


def begin(folder: Path, instant: str = "", victim: str = "", *, start: bool = True) -> BaseProcess:
    """Start the conducting process."""
    process = _CONTEXT.Process(target=live, args=(folder, ("r",) if start else (), instant, victim))
    process.start()
    return process


def end(process: BaseProcess) -> int | None:
    """Wait for it; its exit code."""
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join()
        pytest.fail("the process did not end")
    return process.exitcode


def record(folder: Path, runbook: Runbook) -> DjangoLedger:
    """The ledger of the run, as another program sees it."""
    ledger = open_ledger(folder)
    ledger.runs.create(runbook, _now())
    return ledger


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it; fails the test when it does not come."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "never came"
        time.sleep(0.01)


def assert_whole(folder: Path, ledger: DjangoLedger, names: Sequence[str]) -> None:
    """The run is done; each effect is there once and in an order that the graph allows; the chain is sound."""
    done = effects(folder)
    found = ledger.runs.get("r")
    assert sorted(done) == sorted(names)
    for item in found.runbook.tasks:
        assert all(done.index(before) < done.index(item.id) for before in item.after), done
    assert found.state is RunState.DONE
    assert {name: found.record(name).state for name in names} == dict.fromkeys(names, TaskState.DONE)
    entries, head = ledger.evidence.snapshot()
    assert verify(entries, head=head) == []
    assert len({(entry.kind, entry.body.get("task")) for entry in entries}) == len(entries)


def die_and_come_back(folder: Path, instant: str, victim: str) -> None:
    """One death, one return, everything whole."""
    folder.mkdir()
    ledger = record(folder, book("r", DIAMOND))
    assert end(begin(folder, instant, victim)) == -signal.SIGKILL
    assert end(begin(folder, start=False)) == 0, (instant, victim)
    assert_whole(folder, ledger, "abcd")
    calls = (folder / "calls").read_text().split()
    # at least once, and again only for what was in flight: the victim, and its neighbour in the diamond
    repeated = {name for name in calls if calls.count(name) > 1}
    assert victim in repeated
    assert repeated <= {victim} | ({"b", "c"} if victim in "bc" else set()), calls
    ledger.close()


MATRIX = [(instant, item.id) for instant, item in product(INSTANTS, DIAMOND)]


@pytest.mark.parametrize(("instant", "victim"), random.Random(SEED).sample(MATRIX, 4))
def test_a_killed_run_goes_on_and_does_nothing_twice(tmp_path: Path, instant: str, victim: str) -> None:
    """A seeded sample of instants and tasks."""
    die_and_come_back(tmp_path / "etat", instant, victim)


@pytest.mark.torture
@pytest.mark.parametrize(("instant", "victim"), MATRIX)
def test_a_run_killed_at_every_instant(tmp_path: Path, instant: str, victim: str) -> None:
    """The whole matrix."""
    die_and_come_back(tmp_path / "etat", instant, victim)


def test_killed_again_and_again_at_random_it_ends_whole(tmp_path: Path) -> None:
    """Seeded deaths at any moment, wherever they fall: between starts of tasks, in DBOS, in the ledger."""
    chance = random.Random(SEED)
    names = [f"t{number}" for number in range(8)]
    tasks = [task(name, *names[max(0, index - 2) : index]) for index, name in enumerate(names)]
    ledger = record(tmp_path, book("r", tasks))
    for death in range(4):
        process = begin(tmp_path)
        launched = tmp_path / f"launched-{process.pid}"
        until(lambda launched=launched, process=process: launched.exists() or not process.is_alive())  # type: ignore[misc]
        process.join(chance.uniform(0.0, 0.25))
        process.kill()  # it may have ended just before: then there is nothing left to kill
        code = end(process)
        assert code in (0, -signal.SIGKILL), f"death {death}, seed {SEED}"
        if code == 0:
            break
    assert end(begin(tmp_path)) == 0, f"seed {SEED}"
    assert_whole(tmp_path, ledger, names)
    ledger.close()


@pytest.mark.parametrize("heard", ["while nobody ran", "by the new process"])
def test_a_question_survives_the_death_of_the_one_who_asked(tmp_path: Path, heard: str) -> None:
    """The answer counts whether it was kept while nobody ran or comes once the run is taken up."""
    ledger = record(tmp_path, book("r", ASKING))
    decision = Decision("r", "ask", "yes", "directrice", "vu de mes yeux", _now())
    first = begin(tmp_path)
    until(lambda: ledger.runs.get("r").state is RunState.WAITING)
    first.kill()
    assert end(first) == -signal.SIGKILL
    if heard == "while nobody ran":
        ledger.runs.decide(decision)
    second = begin(tmp_path, start=False)
    if heard == "by the new process":
        # kept in the ledger after the launch has looked: what wakes the task now is a launch to come
        until(lambda: (tmp_path / f"launched-{second.pid}").exists())
        assert ledger.runs.get("r").state is RunState.WAITING
        ledger.runs.decide(decision)
        second.kill()
        end(second)
        second = begin(tmp_path, start=False)
    assert end(second) == 0
    assert_whole(tmp_path, ledger, ["a", "ask", "b"])
    ledger.close()


def test_a_restart_is_quick(tmp_path: Path) -> None:
    """From the launch of the new process to the end of what was left: under two seconds."""
    ledger = record(tmp_path, book("r", DIAMOND))
    assert end(begin(tmp_path, "after-effect", "a")) == -signal.SIGKILL
    second = begin(tmp_path, start=False)
    assert end(second) == 0
    launched = float((tmp_path / f"launched-{second.pid}").read_text())
    ended = ledger.runs.get("r").ended_at
    assert ended is not None
    assert ended.timestamp() - launched < 2.0
    ledger.close()
