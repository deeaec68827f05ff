"""Incidents and runs as people order them: refusals, words, stops, and what a stopped run gives back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from releve.cycle.recover.act import Performer
from releve.cycle.recover.conduct import Conductor, Word
from releve.domain.errors import BadInput, Refused, ReleveError
from releve.domain.plan import Approval, Plan
from releve.domain.protection import ServerState, Tenure
from releve.domain.runbook import Direction, Runbook, RunRecord, RunState, TaskKind, TaskState
from tests.fakes.driver import FakeDriver
from tests.fakes.ledger import FakeLedger, FakeRuns
from tests.fakes.plans import plan, with_approval
from tests.fakes.world import FakeWorld

SEEN = Word("directrice", "vu sur place")
STOPPED = {TaskKind.CONFIRM_FENCE: SEEN}
FENCE, PROMOTE = "confirm-fence:dossiers", "promote:dossiers"


class Cut(BaseException):
    """The orchestrator dies here: nothing may catch it."""


class Staff:
    """A conductor over the world in memory. `at[instant, task]` is called at that instant of that task."""

    def __init__(self, source: Plan | None = None) -> None:
        self.fake = FakeWorld(source)
        self.at: dict[tuple[str, str], Callable[[], object]] = {}
        self.ledger, self.engine = self.fake.ledger, self.fake.engine
        self.awake()

    def awake(self) -> None:
        """A new process: nothing but the ledger and the world is left of the one before."""
        self.performer = Performer(self.fake.world, self._hear)
        driver = FakeDriver(self.performer.perform, self.ledger, self.fake.clock)
        self.conductor = Conductor(self.fake.world, self.fake.engines, driver)

    def _hear(self, instant: str, _run: str, task: str) -> None:
        self.at.pop((instant, task), lambda: None)()

    def switch(self, words: Mapping[TaskKind, Word] | None = None) -> Runbook:
        """Order a switch to the relief."""
        return self.conductor.launch(Direction.SWITCH, "secours", "", words or {})

    def go_back(self) -> Runbook:
        """Order a return to the primary."""
        return self.conductor.launch(Direction.RETURN, "principal", "", {})

    def record(self, runbook: Runbook) -> RunRecord:
        """The run as the ledger has it."""
        return self.ledger.runs.get(runbook.run)

    def stop_at(self, instant: str, task: str, *, settle: bool = True) -> None:
        """Somebody stops the run at that instant of that task; what it claims is looked at at once."""

        def stop() -> None:
            run = self.ledger.runs.all()[0].runbook.run
            self.conductor.abort(run, "technicien", "erreur de ma part")
            if settle:
                self.conductor.settle()

        self.at[instant, task] = stop

    def kinds(self) -> list[str]:
        """The kinds of the evidence, in order."""
        return [entry.kind for entry in self.ledger.evidence.entries()]


def code_of(call: Callable[[], object], kind: type[ReleveError]) -> str:
    """The code of the error of that class that `call` raises."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value.code


def silent_primary(source: Plan | None = None) -> Staff:
    """The primary is lost just after a proof: the switch asks for a person's word and nothing else."""
    staff = Staff(source)
    staff.engine.write("principal", "a")
    staff.fake.look()
    staff.fake.lose_primary()
    return staff


def on_relief() -> Staff:
    """Both sites stand, and the relief holds the data after a switch."""
    staff = Staff()
    staff.engine.write("principal", "a")
    switched = staff.switch()
    assert staff.record(switched).state is RunState.DONE
    return staff


# --- incidents ------------------------------------------------------------------------------------


def test_declaration_is_kept_with_its_evidence() -> None:
    """A declared incident is in the ledger with its own beginning, and the log says who declared it."""
    staff = Staff()
    began = staff.fake.clock() - timedelta(minutes=7)
    incident = staff.conductor.declare("principal", "incendie fictif", "directrice", began)
    assert staff.ledger.incidents.get(incident.id) == incident
    assert (incident.began_at, incident.declared_at > began) == (began, True)
    entry = staff.ledger.evidence.entries()[-1]
    assert (entry.kind, entry.body["by"]) == ("incident-declared", "directrice")


@pytest.mark.parametrize(
    ("site", "by", "minutes", "code"),
    [
        ("ailleurs", "directrice", 0, "unknown-site"),
        ("principal", "passant", 0, "unknown-person"),
        ("principal", "directrice", 5, "began-in-future"),
    ],
)
def test_wrong_declaration_leaves_nothing(site: str, by: str, minutes: int, code: str) -> None:
    """Unknown site, unknown person, future beginning: refused as bad input, nothing recorded."""
    staff = Staff()
    began = staff.fake.clock() + timedelta(minutes=minutes)
    assert code_of(lambda: staff.conductor.declare(site, "…", by, began), BadInput) == code
    assert staff.ledger.incidents.all() == []
    assert staff.kinds() == []


def test_close_waits_for_the_run() -> None:
    """An incident is not closed while its run goes on; afterwards it is, once, at one instant."""
    staff = silent_primary()
    incident = staff.conductor.declare("principal", "…", "directrice", None)
    runbook = staff.conductor.launch(Direction.SWITCH, "secours", incident.id, {})
    close = lambda: staff.conductor.close(incident.id, "directrice")
    assert code_of(close, Refused) == "run-goes-on"
    assert staff.ledger.incidents.get(incident.id).closed_at is None
    staff.conductor.decide(runbook.run, FENCE, SEEN)
    closed = close()
    assert closed.closed_at is not None
    assert close() == closed, "closing again changes nothing"
    assert staff.kinds().count("incident-closed") == 1


def test_only_known_people_close_known_incidents() -> None:
    """An unknown person or incident is bad input."""
    staff = Staff()
    incident = staff.conductor.declare("principal", "…", "directrice", None)
    assert code_of(lambda: staff.conductor.close(incident.id, "passant"), BadInput) == "unknown-person"
    assert code_of(lambda: staff.conductor.close("inc-0", "directrice"), BadInput) == "incident-unknown"


# --- starting a run -------------------------------------------------------------------------------


def test_one_run_at_a_time() -> None:
    """While a run waits for a person, another is refused; once it ended, one may start."""
    staff = silent_primary()
    first = staff.switch()
    assert staff.record(first).state is RunState.WAITING
    assert code_of(staff.switch, Refused) == "run-goes-on"
    staff.conductor.abort(first.run, "directrice", "fausse alerte")
    staff.conductor.settle()
    assert staff.switch().run != first.run


class Hesitating(FakeRuns):
    """Runs whose list is read by both before either goes on: the worst interleaving."""

    def __init__(self) -> None:
        super().__init__()
        self._both = threading.Barrier(2)

    def all(self) -> list[RunRecord]:
        """The list as it was before the other could write."""
        found = super().all()
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(0.1)
        return found


def test_two_people_launch_at_once() -> None:
    """Two orders at the same instant make one run; the other person is told."""
    staff = silent_primary()
    staff.ledger.runs = staff.ledger.tenures._runs = Hesitating()
    refused: list[str] = []

    def order() -> None:
        try:
            staff.switch()
        except Refused as error:
            refused.append(error.code)

    people = [threading.Thread(target=order) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join(10)
    assert refused == ["run-goes-on"]
    assert len(staff.ledger.runs.all()) == 1


def test_words_in_advance_are_recorded() -> None:
    """A word given with the order answers the question: nobody is asked, and the log keeps it."""
    staff = silent_primary()
    runbook = staff.switch(STOPPED)
    record = staff.record(runbook)
    assert record.state is RunState.DONE
    assert [(item.task, item.by, item.words) for item in record.decisions] == [
        (FENCE, "directrice", "vu sur place")
    ]
    assert staff.kinds().index("decision") < staff.kinds().index("task-begun")
    assert staff.ledger.tenures.current("dossiers") is not None


@pytest.mark.parametrize(
    ("word", "kind", "code"),
    [
        (Word("technicien", "vu"), Refused, "not-entitled"),
        (Word("passant", "vu"), BadInput, "unknown-person"),
        (Word("directrice", "  "), BadInput, "no-words"),
        (Word("directrice", "vu", "peut-être"), BadInput, "unknown-answer"),
    ],
)
def test_wrong_word_starts_nothing(word: Word, kind: type[ReleveError], code: str) -> None:
    """A word that cannot count is refused before a run exists."""
    staff = silent_primary(with_approval(plan(), "fence", Approval(1, ("directrice",))))
    assert code_of(lambda: staff.switch({TaskKind.CONFIRM_FENCE: word}), kind) == code
    assert staff.ledger.runs.all() == []
    assert staff.ledger.tenures.claimed("dossiers") == ""


def test_unknown_incident_starts_nothing() -> None:
    """A run is about a declared incident or about none."""
    staff = silent_primary()
    launch = lambda: staff.conductor.launch(Direction.SWITCH, "secours", "inc-0", {})
    assert code_of(launch, BadInput) == "incident-unknown"
    assert staff.ledger.runs.all() == []


# --- answering ------------------------------------------------------------------------------------


def test_answers_that_nobody_asked_for() -> None:
    """No open question, unknown task, unknown answer, unknown run: bad input, nothing kept."""
    staff = silent_primary()
    runbook = staff.switch()
    decide = staff.conductor.decide
    assert code_of(lambda: decide(runbook.run, "accept-loss:dossiers", SEEN), BadInput) == "no-question"
    assert code_of(lambda: decide(runbook.run, "nulle-part", SEEN), BadInput) == "no-question"
    wrong = Word("directrice", "vu", "oui-et-non")
    assert code_of(lambda: decide(runbook.run, FENCE, wrong), BadInput) == "unknown-answer"
    assert code_of(lambda: decide("bascule-0", FENCE, SEEN), BadInput) == "run-unknown"
    assert staff.record(runbook).decisions == ()
    assert staff.record(runbook).state is RunState.WAITING


def test_refusal_stops_and_gives_back() -> None:
    """A person who is not sure stops the run; what it claimed is free again and nothing was opened."""
    staff = silent_primary()
    runbook = staff.switch()
    staff.conductor.decide(runbook.run, FENCE, Word("directrice", "je n'en sais rien", "not-sure"))
    assert staff.record(runbook).state is RunState.STOPPED
    assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    assert len(staff.conductor.settle()) == 1
    assert staff.ledger.tenures.claimed("dossiers") == ""
    assert staff.engine.effects["promote:secours"] == 0


def test_two_people_must_be_two() -> None:
    """Where two are asked, the same person twice is refused and the second person ends the wait."""
    people = ("directrice", "technicien")
    staff = silent_primary(with_approval(plan(), "fence", Approval(2, people)))
    runbook = staff.switch(STOPPED)
    assert staff.record(runbook).state is RunState.WAITING
    again = lambda: staff.conductor.decide(runbook.run, FENCE, SEEN)
    assert code_of(again, BadInput) == "already-answered"
    assert staff.record(runbook).state is RunState.WAITING
    staff.conductor.decide(runbook.run, FENCE, Word("technicien", "prise débranchée"))
    record = staff.record(runbook)
    assert record.state is RunState.DONE
    assert [item.by for item in record.decisions] == list(people)


# --- stopping -------------------------------------------------------------------------------------


def test_abort_before_promotion() -> None:
    """Stopped while it waits: what remained is abandoned, the claim is given back, nothing was opened."""
    staff = silent_primary()
    runbook = staff.switch()
    assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    record = staff.conductor.abort(runbook.run, "technicien", "fausse alerte")
    assert record.state is RunState.STOPPED
    assert "technicien" in record.reason and "fausse alerte" in record.reason
    states = {item.task: item.state for item in staff.record(runbook).tasks}
    left = {FENCE, "assess:dossiers", "accept-loss:dossiers", PROMOTE}
    left |= {"start:dui", "verify:dui", "open:dui"}
    assert {task for task, state in states.items() if state is TaskState.ABANDONED} == left
    said = staff.conductor.settle()
    assert len(said) == 1 and "rendu à principal" in said[0]
    assert staff.ledger.tenures.claimed("dossiers") == ""
    assert staff.engine.effects["promote:secours"] == 0
    assert staff.conductor.settle() == [], "settled once"
    assert staff.kinds().count("claims-released") == 1


def test_abort_needs_a_run_and_a_person() -> None:
    """An ended run, an unknown run, an unknown person: bad input."""
    staff = silent_primary()
    runbook = staff.switch()
    abort = staff.conductor.abort
    assert code_of(lambda: abort(runbook.run, "passant", "…"), BadInput) == "unknown-person"
    abort(runbook.run, "directrice", "…")
    assert code_of(lambda: abort(runbook.run, "directrice", "…"), BadInput) == "run-ended"
    assert code_of(lambda: abort("bascule-0", "directrice", "…"), BadInput) == "run-unknown"


def test_stop_between_the_look_and_the_intent() -> None:
    """A run stopped and settled just before a promotion writes its intent does not promote any more."""
    staff = silent_primary()
    staff.stop_at("before-intent", PROMOTE)
    runbook = staff.switch(STOPPED)
    assert staff.record(runbook).record(PROMOTE).state is TaskState.ABANDONED
    assert staff.engine.effects["promote:secours"] == 0
    staff.conductor.settle()
    assert staff.ledger.tenures.claimed("dossiers") == ""


def test_stop_during_the_promotion_keeps_what_was_done() -> None:
    """Stopped once the relief was opened: its tenure stands, users are not let in, nothing goes back."""
    staff = silent_primary()
    staff.stop_at("after-effect", PROMOTE)
    runbook = staff.switch(STOPPED)
    assert staff.record(runbook).state is RunState.STOPPED
    held = staff.ledger.tenures.current("dossiers")
    assert held is not None and (held.site, held.epoch) == ("secours", 1)
    assert ("dui", "secours") not in staff.fake.access.opened
    assert staff.conductor.settle() == []


def test_half_made_return_is_put_back() -> None:
    """A planned return stopped before its promotion: server, instance and gate of the site left work again."""
    staff = on_relief()
    staff.stop_at("after-outcome", "drain:dossiers", settle=False)
    runbook = staff.go_back()
    assert staff.record(runbook).state is RunState.STOPPED
    assert staff.engine.facts("secours").state is ServerState.STOPPED
    assert ("dui", "secours") not in staff.fake.access.opened
    staff.conductor.settle()
    assert staff.engine.facts("secours").state is ServerState.OPEN
    assert ("dui", "secours") in staff.fake.access.opened & staff.fake.instances.opened
    assert staff.ledger.tenures.claimed("dossiers") == ""
    held = staff.ledger.tenures.current("dossiers")
    assert held is not None and (held.site, held.epoch) == ("secours", 1)


# --- what a stopped run still claims --------------------------------------------------------------


class DiesPromoting:
    """An engine during whose promotion the orchestrator dies: before its effect, or after it."""

    def __init__(self, staff: Staff, *, done: bool) -> None:
        self._engine, self._done = staff.engine, done

    def promote(self, site: str, tenure: Tenure) -> float:
        """Never returns."""
        if self._done:
            self._engine.promote(site, tenure)
        raise Cut

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


def killed_in_promotion(staff: Staff, launch: Callable[[], object], *, done: bool) -> Runbook:
    """The orchestrator dies in the promotion; the next one finds the run stopped by a person."""
    staff.fake.engines["dossiers"] = DiesPromoting(staff, done=done)  # type: ignore[assignment]
    with pytest.raises(Cut):
        launch()
    staff.fake.engines["dossiers"] = staff.engine
    staff.awake()
    runbook = staff.ledger.runs.all()[0].runbook
    assert staff.conductor.settle() == []
    assert staff.record(runbook).record(PROMOTE).state is TaskState.RUNNING
    staff.conductor.abort(runbook.run, "technicien", "on arrête")
    assert staff.conductor.settle() == [], "a task may still be under way: hands off"
    assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    assert staff.performer.perform(runbook.run, PROMOTE).state is TaskState.ABANDONED
    return runbook


def test_target_out_of_sight_keeps_the_claim() -> None:
    """A begun promotion whose target cannot be looked at keeps its claim; seen closed, it gives it back."""
    staff = silent_primary()
    runbook = killed_in_promotion(staff, lambda: staff.switch(STOPPED), done=False)
    staff.engine.vanish("secours")
    for _ in range(2):
        said = staff.conductor.settle()
        assert len(said) == 1 and "on ne rouvre rien" in said[0]
        assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    staff.engine.come_back("secours")
    assert "rendu à principal" in staff.conductor.settle()[0]
    assert staff.ledger.tenures.claimed("dossiers") == ""
    tenure = staff.ledger.tenures.current("dossiers")
    assert tenure is not None and (tenure.epoch, tenure.site) == (0, "principal")


def test_failed_promotion_is_looked_at() -> None:
    """A promotion that failed because the relief vanished keeps its claim until the relief is seen."""
    staff = silent_primary()
    staff.at["after-intent", PROMOTE] = lambda: staff.engine.vanish("secours")
    runbook = staff.switch(STOPPED)
    record = staff.record(runbook)
    assert (record.state, record.record(PROMOTE).state) == (RunState.STOPPED, TaskState.FAILED)
    staff.conductor.settle()
    assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    staff.engine.come_back("secours")
    staff.conductor.settle()
    assert staff.ledger.tenures.claimed("dossiers") == ""


def test_target_open_under_the_epoch_is_taken() -> None:
    """Killed after the effect and stopped before it was known: the relief is open, so the tenure is its."""
    staff = silent_primary()
    runbook = killed_in_promotion(staff, lambda: staff.switch(STOPPED), done=True)
    assert "est ouvert sur secours" in staff.conductor.settle()[0]
    held = staff.ledger.tenures.current("dossiers")
    assert held is not None and (held.site, held.epoch, held.run) == ("secours", 1, runbook.run)
    assert staff.ledger.tenures.claimed("dossiers") == ""


def test_users_do_not_go_back_to_a_side_that_was_left() -> None:
    """A return stopped once its target was open: the site left gets neither its server nor its users back."""
    staff = on_relief()
    runbook = killed_in_promotion(staff, staff.go_back, done=True)
    staff.conductor.settle()
    held = staff.ledger.tenures.current("dossiers")
    assert held is not None and (held.site, held.run) == ("principal", runbook.run)
    assert staff.engine.facts("secours").state is ServerState.STOPPED
    assert ("dui", "secours") not in staff.fake.access.opened


def test_a_run_under_way_is_not_settled() -> None:
    """Settling looks only at stopped runs: a run that waits keeps what it claims."""
    staff = silent_primary()
    runbook = staff.switch()
    assert staff.conductor.settle() == []
    assert staff.ledger.tenures.claimed("dossiers") == runbook.run
    assert staff.engine.facts("principal").state is ServerState.UNKNOWN


def test_late_answer_to_a_stopped_run() -> None:
    """An answer that comes after the stop is refused and changes nothing."""
    staff = silent_primary()
    runbook = staff.switch()
    staff.conductor.abort(runbook.run, "technicien", "on arrête")
    late = lambda: staff.conductor.decide(runbook.run, FENCE, SEEN)
    assert code_of(late, BadInput) == "no-question"
    assert staff.record(runbook).decisions == ()
    assert staff.engine.facts("secours").state is ServerState.CLOSED


def test_settling_reads_only_the_holders_of_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run that ended, settling reads no run at all, however long the history."""
    staff = on_relief()
    assert staff.ledger.runs.live() == []

    def read(*_run: str) -> RunRecord:
        raise AssertionError("the history was read")

    for name in ("get", "all", "live"):
        monkeypatch.setattr(staff.ledger.runs, name, read)
    assert staff.conductor.settle() == []


def test_a_lost_ledger_begins_again_above_what_the_databases_say() -> None:
    """After a return (epoch 2) the relief's ledger is lost, then the primary: the switch takes epoch 3."""
    staff = on_relief()
    assert staff.record(staff.go_back()).state is RunState.DONE
    lost = FakeLedger()
    staff.fake.world = replace(staff.fake.world, ledger=lost)
    staff.ledger = staff.fake.ledger = lost
    staff.awake()
    staff.fake.lose_primary()
    loss = Word("directrice", "nous l'acceptons")
    runbook = staff.switch({**STOPPED, TaskKind.ACCEPT_LOSS: loss})
    assert (runbook.source, runbook.epochs["dossiers"]) == ("principal", 3)
    assert staff.record(runbook).state is RunState.DONE
    held = lost.tenures.current("dossiers")
    assert held is not None and (held.site, held.epoch) == ("secours", 3)
