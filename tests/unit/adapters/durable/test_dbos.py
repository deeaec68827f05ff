"""What the DBOS driver does beyond the contract: closing, taking up, refusing code in rows, going parallel."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releve.adapters.durable import DbosDriver, settings
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.ports import Ledger, Perform
from releve.domain.runbook import Decision, Outcome, RunState, TaskState
from tests.fakes.ledger import FakeLedger
from tests.fakes.performing import Script, book, chain, task

_NUMBERS = itertools.count()
Open = Callable[[Perform, Ledger], DbosDriver]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Open]:
    """Launches drivers on one store, each as a new start of the program; closes what is left open."""
    opened: list[DbosDriver] = []

    def make(perform: Perform, ledger: Ledger) -> DbosDriver:
        driver = DbosDriver(tmp_path, perform, ledger, executor_id=f"unit-{next(_NUMBERS)}")
        driver.launch()
        opened.append(driver)
        return driver

    yield make
    for driver in opened:
        driver.close()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it; fails the test when it does not come."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "never came"
        time.sleep(0.005)


def asked(ledger: FakeLedger) -> Callable[[], bool]:
    """Whether the run waits for somebody."""
    return lambda: ledger.runs.get("r").state is RunState.WAITING


def test_tasks_that_do_not_follow_each_other_run_together(launch: Open) -> None:
    """Two tasks meet at a barrier: one after the other they would never pass it."""
    ledger, meet = FakeLedger(), threading.Barrier(2)

    def effect() -> Outcome:
        meet.wait(10)
        return Outcome(TaskState.DONE, "fait", {})

    driver = launch(Script(ledger, {"b": effect, "c": effect}).perform, ledger)
    ledger.runs.create(
        book("r", [task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")]), datetime.now(UTC)
    )
    driver.start("r")
    assert driver.wait("r", 20)
    assert ledger.runs.get("r").state is RunState.DONE


def test_one_driver_a_process(launch: Open, tmp_path: Path) -> None:
    """A second one is refused and leaves the first in charge; after closing, another may come."""
    ledger = FakeLedger()
    script = Script(ledger)
    first = launch(script.perform, ledger)
    with pytest.raises(ReleveError) as caught:
        DbosDriver(tmp_path, script.perform, ledger, executor_id="unit-second").launch()
    assert caught.value.code == "driver-twice"
    ledger.runs.create(chain("r", 2), datetime.now(UTC))
    first.start("r")
    assert first.wait("r", 10)
    first.close()
    first.close()
    second = launch(script.perform, ledger)
    assert second.wait("r", 10)
    assert script.calls == ["t0", "t1"]


def test_closing_lets_go_of_a_question_and_the_next_launch_takes_it_up(launch: Open) -> None:
    """Closing does not wait for the deadline; the question stays open and a later answer ends the run."""
    ledger = FakeLedger()
    script = Script(ledger)
    driver = launch(script.perform, ledger)
    ledger.runs.create(
        book("r", [task("a"), task("ask", "a", deadline=600), task("b", "ask")]), datetime.now(UTC)
    )
    driver.start("r")
    until(asked(ledger))
    began = time.monotonic()
    driver.close()
    assert time.monotonic() - began < 3
    assert threading.active_count() < 5
    again = DbosDriver(driver._state_dir, script.perform, ledger, executor_id="unit-again")
    assert again.launch() == ["r"]
    try:
        assert not again.wait("r", 0.5)
        decision = Decision("r", "ask", "yes", "directrice", "vu", datetime.now(UTC))
        ledger.runs.decide(decision)
        again.answer(decision)
        assert again.wait("r", 10)
    finally:
        again.close()
    assert [name for name in script.calls if name != "ask"] == ["a", "b"]
    assert ledger.runs.get("r").state is RunState.DONE


@pytest.mark.parametrize(
    ("answer", "state"), [("yes", RunState.DONE), ("no", RunState.STOPPED), ("", RunState.STOPPED)]
)
def test_what_was_said_while_nobody_ran_is_heard(launch: Open, answer: str, state: RunState) -> None:
    """An answer (or an abort) that only reached the ledger is found at the next launch."""
    ledger = FakeLedger()
    script = Script(ledger)
    driver = launch(script.perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=600), task("b", "ask")]), datetime.now(UTC))
    driver.start("r")
    until(asked(ledger))
    driver.close()
    if answer:
        ledger.runs.decide(Decision("r", "ask", answer, "directrice", "vu", datetime.now(UTC)))
    else:
        ledger.runs.end("r", RunState.STOPPED, datetime.now(UTC), "arrêté")
    assert launch(script.perform, ledger).wait("r", 10)
    assert ledger.runs.get("r").state is state


def test_the_deadline_is_not_pushed_back_by_a_restart_or_a_wake_up(launch: Open) -> None:
    """Silence is judged from the moment the question was first asked."""
    ledger = FakeLedger()
    script = Script(ledger)
    driver = launch(script.perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=1.5)]), datetime.now(UTC))
    driver.start("r")
    until(asked(ledger))
    began = time.monotonic()
    driver.answer(Decision("r", "ask", "", "directrice", "", datetime.now(UTC)))
    until(lambda: len(script.calls) >= 2)
    driver.close()
    assert launch(script.perform, ledger).wait("r", 10)
    assert 1.0 < time.monotonic() - began < 3.0
    assert ledger.runs.get("r").record("ask").state is TaskState.REFUSED


def test_closing_ends_a_wait(launch: Open) -> None:
    """Whoever waits for a run is told that it goes on."""
    ledger = FakeLedger()
    driver = launch(Script(ledger).perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=600)]), datetime.now(UTC))
    driver.start("r")
    until(asked(ledger))
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(driver.wait, "r", 60)
        driver.close()
        assert waiter.result(10) is False


def test_a_busy_ledger_is_waited_for(launch: Open) -> None:
    """An error that may pass is not the end of the task; one that will not pass is."""
    ledger = FakeLedger()
    troubles = iter(
        [
            Unreachable("ledger-busy", "occupé", retryable=True),
            Unreachable("ledger-full", "plein", retryable=True),
        ]
    )

    def trouble() -> Outcome:
        for error in troubles:
            raise error
        return Outcome(TaskState.DONE, "fait", {})

    def broken() -> Outcome:
        raise Unreachable("ledger-broken", "abîmé")

    script = Script(ledger, {"a": trouble, "b": broken})
    driver = launch(script.perform, ledger)
    ledger.runs.create(book("r", [task("a"), task("b", "a")]), datetime.now(UTC))
    driver.start("r")
    assert driver.wait("r", 10)
    assert script.calls == ["a", "a", "a", "b"]
    found = ledger.runs.get("r")
    assert found.record("a").state is TaskState.DONE
    assert found.record("b").state is TaskState.FAILED
    assert "abîmé" in found.reason


def test_what_the_driver_alone_knows_is_evidence(launch: Open) -> None:
    """Silence, abandonment and the end of the run stand in the chain, once each."""
    ledger = FakeLedger()
    driver = launch(Script(ledger).perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=0.1), task("b", "ask")]), datetime.now(UTC))
    driver.start("r")
    assert driver.wait("r", 10)
    kept = [(entry.kind, entry.body.get("task"), entry.body["state"]) for entry in ledger.evidence.entries()]
    assert kept == [
        ("task-ended", "ask", "refused"),
        ("task-ended", "b", "abandoned"),
        ("run-ended", None, "stopped"),
    ]


class Bomb:
    """Unpickling it makes a file: any code could stand in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


def test_code_in_a_row_is_not_run(launch: Open, tmp_path: Path) -> None:
    """A pickled message planted in the runs' database is refused; the task's question stays unanswered."""
    import base64

    ledger = FakeLedger()
    driver = launch(Script(ledger).perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=600)]), datetime.now(UTC))
    driver.start("r")
    until(asked(ledger))
    mark = tmp_path / "executed"
    text = base64.b64encode(pickle.dumps(Bomb(mark))).decode()
    until(lambda: bool(driver._tasks.listening()))
    with closing(sqlite3.connect(tmp_path / settings.FILE, timeout=10)) as link, link:
        link.execute(
            "INSERT INTO notifications (destination_uuid, topic, message, message_uuid, serialization)"
            " VALUES ('r:ask', 'answer', ?, 'planted', 'py_pickle')",
            (text,),
        )
    until(lambda: not driver._tasks.listening())
    assert not mark.exists()
    assert ledger.runs.get("r").record("ask").state is not TaskState.DONE


def test_only_the_owner_reads_the_runs(launch: Open, tmp_path: Path) -> None:
    """The store is private, and in WAL mode."""
    ledger = FakeLedger()
    launch(Script(ledger).perform, ledger)
    for path in tmp_path.glob("runs.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    with closing(sqlite3.connect(tmp_path / settings.FILE)) as link:
        assert link.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_dbos_is_silent(launch: Open, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that goes well prints nothing: stdout is data, stderr is ours."""
    ledger = FakeLedger()
    driver = launch(Script(ledger).perform, ledger)
    ledger.runs.create(chain("r", 3), datetime.now(UTC))
    driver.start("r")
    assert driver.wait("r", 10)
    driver.close()
    found = capfd.readouterr()
    assert (found.out, found.err) == ("", "")


def test_a_run_of_another_version_is_left_alone_and_told(
    launch: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Steps of another shape are not replayed by guess: the run is named in the log."""
    ledger = FakeLedger()
    script = Script(ledger)
    driver = launch(script.perform, ledger)
    ledger.runs.create(book("r", [task("ask", deadline=600)]), datetime.now(UTC))
    driver.start("r")
    until(asked(ledger))
    driver.close()
    with closing(sqlite3.connect(tmp_path / settings.FILE)) as link, link:
        link.execute("UPDATE workflow_status SET application_version = 'releve-0'")
    calls = list(script.calls)
    with caplog.at_level(logging.ERROR, logger="releve.adapters.durable.driver"):
        again = launch(script.perform, ledger)
    assert "another version" in caplog.text
    assert not again.wait("r", 0.4)
    assert script.calls == calls
