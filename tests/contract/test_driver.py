"""What every driver does: the fake, and DBOS on SQLite; the main way on PostgreSQL too."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from releve.adapters.durable import DbosDriver
from releve.domain.errors import BadInput
from releve.domain.ports import Driver, Perform
from releve.domain.runbook import Decision, Outcome, RunState, Task, TaskState
from tests.fakes.driver import FakeDriver
from tests.fakes.ledger import FakeLedger
from tests.fakes.performing import Script, book, chain, task
from tests.integration.pg import SECRETS, Server, free_port, no_templates_left, own  # noqa: F401

Launch = Callable[[Perform], Driver]
_NUMBERS = itertools.count()
LONG = 60.0  # seconds: a deadline that no test reaches


@pytest.fixture
def ledger() -> FakeLedger:
    """A fresh ledger."""
    return FakeLedger()


@pytest.fixture(params=["fake", "dbos"])
def launch(request: pytest.FixtureRequest, ledger: FakeLedger, tmp_path: Path) -> Iterator[Launch]:
    """Makes the driver of the test once its `perform` is known."""
    opened: list[DbosDriver] = []

    def make(perform: Perform) -> Driver:
        if request.param == "fake":
            return FakeDriver(perform, ledger)
        opened.append(DbosDriver(tmp_path, perform, ledger, executor_id=f"test-{next(_NUMBERS)}"))
        opened[-1].launch()
        return opened[-1]

    yield make
    for driver in opened:
        driver.close()


def start(driver: Driver, ledger: FakeLedger, *tasks: Task, run: str = "bascule-1") -> None:
    """Record and start a run of those tasks."""
    ledger.runs.create(book(run, tasks), datetime.now(UTC))
    driver.start(run)


def say(driver: Driver, ledger: FakeLedger, task_id: str, answer: str, by: str = "directrice") -> None:
    """Keep a person's answer, then hand it over."""
    decision = Decision("bascule-1", task_id, answer, by, "vu de mes yeux", datetime.now(UTC))
    ledger.runs.decide(decision)
    driver.answer(decision)


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it; fails the test when it does not come."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "never came"
        time.sleep(0.005)


def states(ledger: FakeLedger, run: str = "bascule-1") -> dict[str, TaskState]:
    """The tasks of the run as the ledger knows them."""
    return {item.task: item.state for item in ledger.runs.get(run).tasks}


def waiting(ledger: FakeLedger, *tasks: str) -> Callable[[], bool]:
    """Whether those tasks wait for a person, and the run with them."""

    def true() -> bool:
        found = states(ledger)
        return all(found.get(name) is TaskState.WAITING for name in tasks) and (
            ledger.runs.get("bascule-1").state is RunState.WAITING
        )

    return true


def test_tasks_run_once_in_order(launch: Launch, ledger: FakeLedger) -> None:
    """Each task is performed once, after those it follows, and the run is done."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"))
    assert driver.wait("bascule-1", 10.0)
    assert sorted(script.calls) == ["a", "b", "c", "d"]
    assert script.calls[0] == "a"
    assert script.calls[-1] == "d"
    found = ledger.runs.get("bascule-1")
    assert found.state is RunState.DONE
    assert found.ended_at is not None


def test_starting_again_changes_nothing(launch: Launch, ledger: FakeLedger) -> None:
    """A second start, during the run or after it, performs nothing twice."""
    script = Script(ledger)
    driver = launch(script.perform)
    ledger.runs.create(chain("bascule-1", 4), datetime.now(UTC))
    driver.start("bascule-1")
    driver.start("bascule-1")
    assert driver.wait("bascule-1", 10.0)
    driver.start("bascule-1")
    assert driver.wait("bascule-1", 10.0)
    assert script.calls == ["t0", "t1", "t2", "t3"]


def test_two_runs_do_not_meet(launch: Launch, ledger: FakeLedger) -> None:
    """Runs whose tasks have the same names keep their own results."""
    script = Script(ledger, {"bad": lambda: Outcome(TaskState.FAILED, "panne", {})})
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("bad", "a"), run="r1")
    start(driver, ledger, task("a"), task("b", "a"), run="r2")
    assert driver.wait("r1", 10.0)
    assert driver.wait("r2", 10.0)
    assert ledger.runs.get("r1").state is RunState.STOPPED
    assert ledger.runs.get("r2").state is RunState.DONE


def test_what_follows_a_failure_is_abandoned(launch: Launch, ledger: FakeLedger) -> None:
    """Tasks behind a failed one are never performed; the other branch goes on; the run is stopped."""
    script = Script(ledger, {"b": lambda: Outcome(TaskState.FAILED, "panne", {})})
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("b", "a"), task("e", "a"), task("c", "b"), task("d", "c", "e"))
    assert driver.wait("bascule-1", 10.0)
    assert sorted(script.calls) == ["a", "b", "e"]
    assert states(ledger) == {
        "a": TaskState.DONE,
        "b": TaskState.FAILED,
        "e": TaskState.DONE,
        "c": TaskState.ABANDONED,
        "d": TaskState.ABANDONED,
    }
    found = ledger.runs.get("bascule-1")
    assert found.state is RunState.STOPPED
    assert found.reason


def test_a_skipped_task_lets_the_next_run(launch: Launch, ledger: FakeLedger) -> None:
    """What was not needed does not stop the run."""
    script = Script(ledger, {"a": lambda: Outcome(TaskState.SKIPPED, "inutile", {})})
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("b", "a"))
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger)["b"] is TaskState.DONE
    assert ledger.runs.get("bascule-1").state is RunState.DONE


def test_a_perform_that_raises_is_a_failed_task(launch: Launch, ledger: FakeLedger) -> None:
    """A fault of ours is recorded as the task's outcome, and the run stops instead of hanging."""

    def fault() -> Outcome:
        raise ZeroDivisionError

    script = Script(ledger, {"a": fault})
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("b", "a"))
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger) == {"a": TaskState.FAILED, "b": TaskState.ABANDONED}
    assert script.calls == ["a"]


def test_a_question_waits_for_its_answer(launch: Launch, ledger: FakeLedger) -> None:
    """The run waits, shows it, and goes on once somebody said yes."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("a"), task("ask", "a", deadline=LONG), task("b", "ask"))
    until(waiting(ledger, "ask"))
    assert not driver.wait("bascule-1", 0.05)
    assert "b" not in script.calls
    say(driver, ledger, "ask", "yes")
    assert driver.wait("bascule-1", 10.0)
    assert script.calls == ["a", "ask", "ask", "b"]
    assert ledger.runs.get("bascule-1").state is RunState.DONE


def test_two_people_must_answer(launch: Launch, ledger: FakeLedger) -> None:
    """One yes of two leaves the question open."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("ask", deadline=LONG, people=2), task("b", "ask"))
    until(waiting(ledger, "ask"))
    say(driver, ledger, "ask", "yes", "directrice")
    until(lambda: script.calls == ["ask", "ask"])
    until(waiting(ledger, "ask"))
    assert not driver.wait("bascule-1", 0.05)
    say(driver, ledger, "ask", "yes", "technicien")
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger) == {"ask": TaskState.DONE, "b": TaskState.DONE}


def test_a_refusal_stops_the_run(launch: Launch, ledger: FakeLedger) -> None:
    """One no, and nothing that follows is performed."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("ask", deadline=LONG), task("b", "ask"))
    until(waiting(ledger, "ask"))
    say(driver, ledger, "ask", "no")
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger) == {"ask": TaskState.REFUSED, "b": TaskState.ABANDONED}
    assert ledger.runs.get("bascule-1").state is RunState.STOPPED


def test_silence_is_a_refusal(launch: Launch, ledger: FakeLedger) -> None:
    """When the deadline passes without an answer, the task is refused and the run stops."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("ask", deadline=0.2), task("b", "ask"))
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger) == {"ask": TaskState.REFUSED, "b": TaskState.ABANDONED}
    outcome = ledger.runs.get("bascule-1").record("ask").outcome
    assert outcome is not None
    assert "sans réponse" in outcome.sentence


def test_an_answer_given_before_the_question_is_not_asked_again(launch: Launch, ledger: FakeLedger) -> None:
    """The ledger keeps answers: one that stands there already lets the task through."""
    script = Script(ledger)
    driver = launch(script.perform)
    ledger.runs.create(book("bascule-1", [task("ask", deadline=LONG)]), datetime.now(UTC))
    ledger.runs.decide(Decision("bascule-1", "ask", "yes", "directrice", "d'avance", datetime.now(UTC)))
    driver.start("bascule-1")
    assert driver.wait("bascule-1", 10.0)
    assert script.calls == ["ask"]


def test_a_wake_up_without_answer_asks_on(launch: Launch, ledger: FakeLedger) -> None:
    """Being woken is not being answered."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("ask", deadline=LONG))
    until(waiting(ledger, "ask"))
    driver.answer(Decision("bascule-1", "ask", "", "directrice", "", datetime.now(UTC)))
    until(lambda: len(script.calls) == 2)
    assert not driver.wait("bascule-1", 0.05)
    say(driver, ledger, "ask", "yes")
    assert driver.wait("bascule-1", 10.0)


def test_an_aborted_run_lets_go_of_its_questions(launch: Launch, ledger: FakeLedger) -> None:
    """Once the ledger says stopped, a woken task is abandoned, and the first reason stays."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("ask", deadline=LONG), task("b", "ask"))
    until(waiting(ledger, "ask"))
    ledger.runs.end("bascule-1", RunState.STOPPED, datetime.now(UTC), "arrêté par la directrice")
    driver.answer(Decision("bascule-1", "ask", "", "directrice", "stop", datetime.now(UTC)))
    assert driver.wait("bascule-1", 10.0)
    assert states(ledger) == {"ask": TaskState.ABANDONED, "b": TaskState.ABANDONED}
    assert ledger.runs.get("bascule-1").reason == "arrêté par la directrice"


def test_two_questions_at_once(launch: Launch, ledger: FakeLedger) -> None:
    """While one question of two is still open, the run waits."""
    script = Script(ledger)
    driver = launch(script.perform)
    start(driver, ledger, task("q1", deadline=LONG), task("q2", deadline=LONG), task("b", "q1", "q2"))
    until(waiting(ledger, "q1", "q2"))
    say(driver, ledger, "q1", "yes")
    until(lambda: states(ledger)["q1"] is TaskState.DONE)
    until(waiting(ledger, "q2"))
    say(driver, ledger, "q2", "yes")
    assert driver.wait("bascule-1", 10.0)
    assert ledger.runs.get("bascule-1").state is RunState.DONE


def test_what_does_not_exist_is_bad_input(launch: Launch, ledger: FakeLedger) -> None:
    """An unknown run, a run never started, an unknown task, a runbook out of order."""
    driver = launch(Script(ledger).perform)
    with pytest.raises(BadInput):
        driver.start("jamais-vu")
    with pytest.raises(BadInput):
        driver.wait("jamais-vu", 0.01)
    ledger.runs.create(book("bascule-1", [task("a")]), datetime.now(UTC))
    with pytest.raises(BadInput):
        driver.answer(Decision("bascule-1", "a", "yes", "directrice", "", datetime.now(UTC)))
    with pytest.raises(BadInput):
        driver.answer(Decision("bascule-1", "b", "yes", "directrice", "", datetime.now(UTC)))
    ledger.runs.create(book("r2", [task("b", "a"), task("a")]), datetime.now(UTC))
    with pytest.raises(BadInput):
        driver.start("r2")


def test_the_same_on_postgresql(ledger: FakeLedger, tmp_path: Path) -> None:
    """With an address instead of a file, a run waits, survives a restart of its driver, and ends once."""
    root = Path(tempfile.mkdtemp(prefix="rlv-runs-"))
    root.chmod(0o755)
    server = Server("wheel16", own(root / "pg"), free_port())
    script = Script(ledger)
    try:
        server.create()
        url = f"postgresql://postgres:{quote(SECRETS['admin'], safe='')}@127.0.0.1:{server.port}/dossiers"
        first = DbosDriver(tmp_path, script.perform, ledger, database_url=url, executor_id="pg-1")
        first.launch()
        try:
            start(first, ledger, task("a"), task("ask", "a", deadline=LONG), task("b", "ask"))
            until(waiting(ledger, "ask"))
        finally:
            first.close()
        second = DbosDriver(tmp_path, script.perform, ledger, database_url=url, executor_id="pg-2")
        assert second.launch() == ["bascule-1"]
        try:
            say(second, ledger, "ask", "yes")
            assert second.wait("bascule-1", 10.0)
        finally:
            second.close()
    finally:
        server.kill()
        shutil.rmtree(root, ignore_errors=True)
    assert [name for name in script.calls if name != "ask"] == ["a", "b"]
    assert ledger.runs.get("bascule-1").state is RunState.DONE
    assert not (tmp_path / "runs.sqlite3").exists()
