"""What every ledger does: the fake, SQLite, PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from releve.adapters.ledger import open_ledger
from releve.domain.audit import Acceptance, Audit, Errand, Gap, Look, Topic
from releve.domain.audit import Answer as Said
from releve.domain.errors import BadInput, Refused, Unheld
from releve.domain.evidence import GENESIS, verify
from releve.domain.incident import Incident
from releve.domain.objectives import DataAnswer, Statement
from releve.domain.ports import Ledger
from releve.domain.protection import Contact, Suspension, Tenure
from releve.domain.runbook import (
    Answer,
    Decision,
    Direction,
    Outcome,
    Question,
    Runbook,
    RunState,
    Task,
    TaskKind,
    TaskRecord,
    TaskState,
)
from releve.domain.seen import KINDS, Files, Port, Scan, Service, System, Tally, Ups
from releve.domain.units import Clock, Span
from tests.fakes.ledger import FakeLedger
from tests.integration.pg import Server, free_port, no_templates_left, own  # noqa: F401

T0 = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
LATER = T0 + timedelta(seconds=1.5)
QUESTION = Question(
    "Arrêté ?",
    (Answer("yes", "Oui", goes_on=True), Answer("no", "Non", goes_on=False)),
    60.0,
    ("directrice",),
)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """A PostgreSQL server of this module; one ledger in it a test would be slow, so tests share it."""
    root = Path(tempfile.mkdtemp(prefix="rlv-ledger-"))
    root.chmod(0o755)
    server = Server("wheel16", own(root / "pg"), free_port())
    try:
        server.create()
        yield f"127.0.0.1:{server.port}"
    finally:
        server.kill()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A fresh ledger."""
    if request.param == "fake":
        yield FakeLedger()
        return
    url = ""
    if request.param == "postgresql":
        url = _fresh_database(request.getfixturevalue("server_url"), tmp_path.name)
    opened = open_ledger(tmp_path / "etat", url)
    yield opened
    opened.close()  # type: ignore[attr-defined]


def _fresh_database(server: str, name: str) -> str:
    from urllib.parse import quote

    import psycopg
    from psycopg.sql import SQL, Identifier

    from tests.integration.pg import SECRETS

    base = f"postgresql://postgres:{quote(SECRETS['admin'], safe='')}@{server}"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as link:
        link.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return f"{base}/{quote(name)}"


def book(run: str = "bascule-1", *tasks: str) -> Runbook:
    """A runbook whose first task asks a question."""
    made = [
        Task(
            name,
            TaskKind.CONFIRM_FENCE,
            "dossiers",
            "principal",
            "Confirmer",
            1.5,
            "default",
            question=QUESTION,
        )
        for name in (tasks or ("fence", "promote"))
    ]
    return Runbook(run, Direction.SWITCH, "inc-1", "principal", "secours", {"dossiers": 2}, tuple(made))


def test_nothing_is_known_at_first(ledger: Ledger) -> None:
    """An empty ledger answers with nothing rather than an error."""
    assert ledger.tenures.current("dossiers") is None
    assert ledger.tenures.claimed("dossiers") == ""
    assert ledger.incidents.all() == []
    assert ledger.runs.all() == []
    assert ledger.facts.last_contact("dossiers") is None
    assert ledger.facts.suspensions("dossiers") == []
    assert ledger.facts.fetch("size", "dossiers") is None
    assert ledger.evidence.entries() == []
    assert ledger.evidence.head() == (0, GENESIS)


def test_unknown_ids_are_bad_input(ledger: Ledger) -> None:
    """Asking for an incident or a run that nobody recorded names the fault."""
    with pytest.raises(BadInput):
        ledger.incidents.get("inc-9")
    with pytest.raises(BadInput):
        ledger.runs.get("bascule-9")
    with pytest.raises(BadInput):
        ledger.runs.task("bascule-9", TaskRecord("fence", TaskState.RUNNING))
    with pytest.raises(BadInput):
        ledger.runs.end("bascule-9", RunState.DONE, T0)


def test_an_incident_comes_back_as_it_was(ledger: Ledger) -> None:
    """Every field returns equal, instants to the microsecond, and a second save updates."""
    first = Incident("inc-1", "principal", "l'eau monte", "directrice", T0, LATER, None, {"dui": LATER})
    second = replace(first, id="inc-2", declared_at=LATER + timedelta(hours=1), restored=None)
    ledger.incidents.save(first)
    ledger.incidents.save(second)
    assert ledger.incidents.all() == [second, first]
    closed = replace(first, closed_at=LATER, restored={"dui": LATER, "paie": T0})
    ledger.incidents.save(closed)
    assert ledger.incidents.get("inc-1") == closed


def test_instants_are_kept_in_utc(ledger: Ledger) -> None:
    """An instant told in another zone is the same instant."""
    paris = timezone(timedelta(hours=2))
    ledger.facts.put("size", "dossiers", T0.astimezone(paris), {"bytes": 1})
    found = ledger.facts.fetch("size", "dossiers")
    assert found is not None
    assert found[0] == T0


def test_a_claim_keeps_another_live_run_out(ledger: Ledger) -> None:
    """Two runs cannot both reach for a data set, and the first may repeat itself."""
    ledger.runs.create(book("bascule-1"), T0)
    ledger.tenures.claim("dossiers", "bascule-1", 2)
    ledger.tenures.claim("dossiers", "bascule-1", 2)
    with pytest.raises(Refused) as caught:
        ledger.tenures.claim("dossiers", "bascule-2", 2)
    assert caught.value.code == "data-set-claimed"
    with pytest.raises(Refused):
        ledger.tenures.take(Tenure("dossiers", 3, "secours", "bascule-2", T0))
    assert ledger.tenures.claimed("dossiers") == "bascule-1"
    assert ledger.tenures.current("dossiers") is None


def test_a_claim_of_an_unknown_run_counts_as_live(ledger: Ledger) -> None:
    """In doubt, nobody takes over."""
    ledger.tenures.claim("dossiers", "jamais-vu", 2)
    with pytest.raises(Refused):
        ledger.tenures.claim("dossiers", "bascule-2", 2)


def test_a_claim_outlives_a_stopped_run_until_released(ledger: Ledger) -> None:
    """Nobody opens the old side because a run stopped; the next run may reach over it."""
    ledger.runs.create(book("bascule-1"), T0)
    ledger.tenures.claim("dossiers", "bascule-1", 2)
    ledger.runs.end("bascule-1", RunState.STOPPED, LATER)
    assert ledger.tenures.claimed("dossiers") == "bascule-1"
    ledger.tenures.claim("dossiers", "bascule-2", 2)
    ledger.tenures.release("bascule-1")
    assert ledger.tenures.claimed("dossiers") == "bascule-2"
    ledger.tenures.release("bascule-2")
    assert ledger.tenures.claimed("dossiers") == ""


def test_taking_ends_the_claim_and_may_be_repeated(ledger: Ledger) -> None:
    """The tenure in force is the one taken; taking it twice, or at another instant, changes nothing."""
    ledger.tenures.claim("dossiers", "bascule-1", 2)
    tenure = Tenure("dossiers", 2, "secours", "bascule-1", T0)
    ledger.tenures.take(tenure)
    ledger.tenures.take(replace(tenure, at=LATER))
    assert ledger.tenures.current("dossiers") == tenure
    assert ledger.tenures.claimed("dossiers") == ""


@pytest.mark.parametrize(
    "late",
    [
        Tenure("dossiers", 1, "principal", "bascule-2", LATER),
        Tenure("dossiers", 2, "principal", "bascule-2", LATER),
        Tenure("dossiers", 2, "principal", "bascule-1", LATER),
    ],
)
def test_an_epoch_never_goes_down_nor_changes_hands(ledger: Ledger, late: Tenure) -> None:
    """A lower epoch, or the same one for another run or site, is refused."""
    tenure = Tenure("dossiers", 2, "secours", "bascule-1", T0)
    ledger.tenures.take(tenure)
    with pytest.raises(Refused):
        ledger.tenures.take(late)
    with pytest.raises(Refused):
        ledger.tenures.claim("dossiers", "bascule-2", 2)
    assert ledger.tenures.current("dossiers") == tenure


def test_a_first_tenure_needs_no_run(ledger: Ledger) -> None:
    """The epoch of the beginning has no run and may have no instant."""
    ledger.tenures.take(Tenure("dossiers", 0, "principal"))
    assert ledger.tenures.current("dossiers") == Tenure("dossiers", 0, "principal")


def test_a_run_comes_back_as_it_was(ledger: Ledger) -> None:
    """Runbook, records in the runbook's order, decisions in the order given."""
    ledger.runs.create(book(), T0)
    outcome = Outcome(
        TaskState.DONE, "vu arrêté", {"position": 12, "list": [1, {"a": None}], "é": "\x00\udcff"}
    )
    promoted = TaskRecord("promote", TaskState.RUNNING, LATER)
    fenced = TaskRecord("fence", TaskState.DONE, T0, LATER, outcome)
    ledger.runs.task("bascule-1", promoted)
    ledger.runs.task("bascule-1", TaskRecord("fence", TaskState.RUNNING, T0))
    ledger.runs.task("bascule-1", fenced)
    yes = Decision("bascule-1", "fence", "yes", "directrice", "je l'ai vu éteint", T0, LATER)
    too = Decision("bascule-1", "fence", "yes", "technicien", "moi aussi", LATER)
    ledger.runs.decide(yes)
    ledger.runs.decide(too)
    found = ledger.runs.get("bascule-1")
    assert found.runbook == book()
    assert found.tasks == (fenced, promoted)
    assert found.decisions == (yes, too)
    assert (found.state, found.started_at, found.ended_at, found.reason) == (RunState.RUNNING, T0, None, "")
    assert ledger.runs.all() == [found]


def test_creating_a_run_twice_changes_nothing(ledger: Ledger) -> None:
    """A repeated creation keeps the first instant; another runbook under the same name is refused."""
    ledger.runs.create(book(), T0)
    ledger.runs.task("bascule-1", TaskRecord("fence", TaskState.RUNNING, T0))
    ledger.runs.create(book(), LATER)
    found = ledger.runs.get("bascule-1")
    assert found.started_at == T0
    assert len(found.tasks) == 1
    with pytest.raises(BadInput):
        ledger.runs.create(book("bascule-1", "autre"), LATER)


def test_runs_come_newest_first(ledger: Ledger) -> None:
    """The run that started last stands first."""
    ledger.runs.create(book("z"), T0)
    ledger.runs.create(book("a"), LATER)
    assert [found.runbook.run for found in ledger.runs.all()] == ["a", "z"]


def test_live_runs_are_those_that_have_not_ended(ledger: Ledger) -> None:
    """One that waits for a person is live; one that is done or stopped is not; newest first."""
    for number, state in enumerate(RunState):
        ledger.runs.create(book(f"bascule-{number}"), T0 + timedelta(minutes=number))
        ledger.runs.end(f"bascule-{number}", state, LATER)
    live = [found.state for found in ledger.runs.live()]
    assert live == [state for state in reversed(RunState) if state not in (RunState.DONE, RunState.STOPPED)]
    assert RunState.WAITING in live


def test_waiting_is_not_an_end(ledger: Ledger) -> None:
    """A run may wait and go on; only its end has an instant and a reason."""
    ledger.runs.create(book(), T0)
    ledger.runs.end("bascule-1", RunState.WAITING, LATER)
    assert ledger.runs.get("bascule-1").ended_at is None
    ledger.runs.end("bascule-1", RunState.RUNNING, LATER)
    assert ledger.runs.get("bascule-1").state is RunState.RUNNING
    ledger.runs.end("bascule-1", RunState.STOPPED, LATER, "arrêté")
    found = ledger.runs.get("bascule-1")
    assert (found.state, found.ended_at, found.reason) == (RunState.STOPPED, LATER, "arrêté")


def test_the_first_end_stands(ledger: Ledger) -> None:
    """A step done twice after a crash, or a late success after an abort, does not rewrite the end."""
    ledger.runs.create(book(), T0)
    ledger.runs.end("bascule-1", RunState.STOPPED, T0, "arrêté par la directrice")
    ledger.runs.end("bascule-1", RunState.DONE, LATER)
    ledger.runs.end("bascule-1", RunState.RUNNING, LATER)
    found = ledger.runs.get("bascule-1")
    assert (found.state, found.ended_at, found.reason) == (RunState.STOPPED, T0, "arrêté par la directrice")


def test_a_person_answers_once(ledger: Ledger) -> None:
    """The second answer of the same person to the same task is refused, and the first one stays."""
    ledger.runs.create(book(), T0)
    first = Decision("bascule-1", "fence", "yes", "directrice", "vu", T0)
    ledger.runs.decide(first)
    with pytest.raises(BadInput):
        ledger.runs.decide(replace(first, answer="no", at=LATER))
    ledger.runs.decide(replace(first, task="promote"))
    assert ledger.runs.get("bascule-1").decisions == (first, replace(first, task="promote"))
    with pytest.raises(BadInput):
        ledger.runs.decide(replace(first, task="inconnue"))
    with pytest.raises(BadInput):
        ledger.runs.task("bascule-1", TaskRecord("inconnue", TaskState.RUNNING))


def test_the_last_contact_replaces_the_one_before(ledger: Ledger) -> None:
    """One a data set, even when the clock stepped back in between."""
    first = Contact("dossiers", LATER, 0.25, synchronous=True, overriding_roles=("app",), lag_bytes=0)
    second = Contact("dossiers", T0, 0.5, synchronous=False, suspended_since=T0)
    ledger.facts.contact(first)
    ledger.facts.contact(replace(first, data_set="paie"))
    ledger.facts.contact(second)
    assert ledger.facts.last_contact("dossiers") == second
    assert ledger.facts.last_contact("paie") == replace(first, data_set="paie")


def test_a_suspension_is_known_by_its_start(ledger: Ledger) -> None:
    """The same start is the same suspension, whoever tells it; they come oldest first."""
    later = Suspension("dossiers", 2, LATER, "secours perdu")
    first = Suspension("dossiers", 1, T0, "secours perdu")
    ledger.facts.suspend(later)
    ledger.facts.suspend(first)
    ledger.facts.suspend(replace(first, ended_at=LATER))
    assert ledger.facts.suspensions("dossiers") == [replace(first, ended_at=LATER), later]


def test_the_newest_value_of_a_subject(ledger: Ledger) -> None:
    """A value replaces the one before, subject by subject."""
    ledger.facts.put("size", "dossiers", T0, {"bytes": 1})
    ledger.facts.put("size", "paie", T0, {"bytes": 7})
    ledger.facts.put("size", "dossiers", LATER, {"bytes": 2, "rate": 1e16})
    assert ledger.facts.fetch("size", "dossiers") == (LATER, {"bytes": 2, "rate": 1e16})
    assert ledger.facts.fetch("size", "paie") == (T0, {"bytes": 7})


def test_the_chain_is_sound_and_gapless(ledger: Ledger) -> None:
    """What is read back hashes to what was sealed, whatever the values look like."""
    bodies = [
        {},
        {"é": "à\x00\udcff", "n": 1.0, "big": 1e16, "list": (1, 2)},
        {"2": 1, "10": None, "a": {"b": True}},
    ]
    written = [
        ledger.evidence.append("fait", body, T0.astimezone(timezone(timedelta(hours=2)))) for body in bodies
    ]
    entries = ledger.evidence.entries()
    assert entries == written
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[1].body["list"] == [1, 2]
    assert verify(entries, head=ledger.evidence.head()) == []
    assert ledger.evidence.head() == (3, entries[-1].hash)


def test_a_key_makes_an_append_safe_to_repeat(ledger: Ledger) -> None:
    """The same key returns the entry already there; no key appends every time."""
    first = ledger.evidence.append("fait", {"n": 1}, T0, key="k")
    assert ledger.evidence.append("fait", {"n": 2}, LATER, key="k") == first
    ledger.evidence.append("fait", {"n": 1}, T0)
    ledger.evidence.append("fait", {"n": 1}, T0)
    assert len(ledger.evidence.entries()) == 3


def test_many_threads_write_one_chain(ledger: Ledger) -> None:
    """Six threads appending at once leave no gap, no fork and no lost entry."""
    start = threading.Barrier(6)

    def write(worker: int) -> None:
        start.wait()
        for number in range(5):
            ledger.evidence.append("fait", {"worker": worker, "n": number}, T0, key=f"{worker}:{number % 4}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    entries = ledger.evidence.entries()
    assert len(entries) == 24
    assert verify(entries, head=ledger.evidence.head()) == []


def test_one_of_two_threads_gets_the_claim(ledger: Ledger) -> None:
    """When two runs reach at the same instant, exactly one is refused."""
    for run in ("a", "b"):
        ledger.runs.create(book(run), T0)
    start = threading.Barrier(2)

    def claim(run: str) -> bool:
        start.wait()
        try:
            ledger.tenures.claim("dossiers", run, 2)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(claim, ("a", "b")))
    assert sorted(won) == [False, True]


SAID = Statement(
    "dui",
    "ehpad",
    "infirmière coordinatrice",
    date(2026, 10, 5),
    "le traitement du tour suivant ne peut plus être vérifié",
    {"SECU": (1, 1, 2, 3, 4), "FIN": (1, 1, 1, 1, 2)},
    {"paie": {"SECU": (1, 2, 3, 4, 4), "FIN": (1, 1, 2, 2, 3)}},
    Span(8 * 3600.0, Clock.BUSINESS),
    DataAnswer("soins, prescriptions", 400, 6.5, paper=True, volume=1_250_000_001),
    "reponses/ehpad.yaml:3",
)
BARE = Statement("mail", "siege", "directrice", date(2026, 2, 28), "", {"SECU": (1, 2)})


def test_nobody_has_said_anything_at_first(ledger: Ledger) -> None:
    """No answer is an empty list, not an error."""
    assert ledger.statements.all() == []


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        BARE,
        replace(SAID, copes_for=Span(0.0, Clock.BUSINESS, 2)),
        replace(SAID, data=DataAnswer("factures", 0, 0.1, paper=False)),
        replace(BARE, by="é" * 200, why="« guillemets », l'apostrophe, \U0001f600 et une tabulation\t"),
    ],
    ids=["everything", "bare", "business days", "no volume", "odd letters"],
)
def test_what_a_person_said_comes_back_whole(ledger: Ledger, said: Statement) -> None:
    """Every field returns equal: curves, critical periods, data, what it copes with, date and source."""
    assert ledger.statements.record(said, T0) is True
    (found,) = ledger.statements.all()
    assert found == said
    assert type(found.on) is date
    assert all(isinstance(curve, tuple) for curve in found.impact.values())


def test_the_same_words_are_kept_once(ledger: Ledger) -> None:
    """Recorded again, later or from another file, nothing is added and the first one stands."""
    assert ledger.statements.record(SAID, T0) is True
    assert ledger.statements.record(SAID, LATER) is False
    assert ledger.statements.record(replace(SAID, source="ailleurs.yaml:99"), LATER) is False
    assert ledger.statements.all() == [SAID]


@pytest.mark.parametrize(
    "other",
    [
        replace(SAID, on=date(2026, 10, 6)),
        replace(SAID, by="médecin"),
        replace(SAID, why="autre raison"),
        replace(SAID, establishment="foyer"),
        replace(SAID, impact={**SAID.impact, "FIN": (1, 1, 1, 1, 3)}),
        replace(SAID, in_period={}),
        replace(SAID, copes_for=Span(8 * 3600.0)),
        replace(SAID, data=None),
    ],
    ids=["date", "person", "reason", "place", "level", "period", "clock", "data"],
)
def test_any_other_word_is_another_statement(ledger: Ledger, other: Statement) -> None:
    """What differs in anything but its source is kept beside the first: nothing said is lost."""
    ledger.statements.record(SAID, T0)
    assert ledger.statements.record(other, LATER) is True
    assert ledger.statements.all() == [SAID, other]


def test_statements_come_in_the_order_in_which_they_were_recorded(ledger: Ledger) -> None:
    """By the instant of the record, whatever the zone it is told in or the date of the answer; ties as inserted."""
    paris = timezone(timedelta(hours=2))
    third, fourth = replace(SAID, by="médecin"), replace(SAID, by="cadre de nuit")
    ledger.statements.record(third, LATER)
    ledger.statements.record(fourth, LATER.astimezone(paris))
    ledger.statements.record(SAID, T0.astimezone(paris))
    ledger.statements.record(BARE, T0 + timedelta(seconds=1))
    assert ledger.statements.all() == [SAID, BARE, third, fourth]


def test_many_threads_record_one_statement_once(ledger: Ledger) -> None:
    """Two commands at once on the same files: exactly one of them adds it."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _number: ledger.statements.record(SAID, T0), range(8)))
    assert sorted(made) == [False] * 7 + [True]
    assert ledger.statements.all() == [SAID]


ERRANDS = (Errand(Topic.NETWORK, "lan", "siege"), Errand(Topic.MACHINE, "poste", "siege"))
AUDIT = Audit("20260329-a", T0, "f" * 64, "tour", ERRANDS)
SCANNED = Look(
    ERRANDS[0], T0, 1.5, (Scan("lan", "22,80", "T3", 1.25, 254, 3),), (Gap("host-down", "muet", "a"),)
)
LOOKED = Look(
    ERRANDS[1],
    LATER,
    0.25,
    (
        System("poste", "poste", "debian", "12", started=T0),
        Port("poste", "eth0", up=True, crc=3, grown={"crc": 1}),
        Files("poste", "poste", "/home/\udce9t\u00e9", 3, 1, 9, (Tally("pdf", 1, 4),), newest=T0),
    ),
)


def test_an_audit_comes_back_whole_and_its_looks_in_the_order_of_its_errands(ledger: Ledger) -> None:
    """Facts of every type, figures nobody could read, names that are not UTF-8, gaps: all return equal."""
    ledger.audits.begin(AUDIT)
    ledger.audits.begin(replace(AUDIT, where="ailleurs"))
    ledger.audits.keep(AUDIT.id, LOOKED)
    ledger.audits.keep(AUDIT.id, SCANNED)
    assert ledger.audits.all() == [AUDIT]
    assert ledger.audits.looks(AUDIT.id) == [SCANNED, LOOKED]
    ledger.audits.end(AUDIT.id, LATER)
    ledger.audits.end(AUDIT.id, LATER + timedelta(days=1))
    assert ledger.audits.all() == [replace(AUDIT, ended=LATER)]


def test_a_look_made_again_replaces_the_first(ledger: Ledger) -> None:
    """An audit that was interrupted looks again at what it was looking at: one look an errand."""
    ledger.audits.begin(AUDIT)
    ledger.audits.keep(AUDIT.id, replace(LOOKED, facts=(), gaps=(Gap("host-down", "muet"),)))
    ledger.audits.keep(AUDIT.id, LOOKED)
    assert ledger.audits.looks(AUDIT.id) == [LOOKED]


@pytest.mark.parametrize("charge", [float("nan"), float("inf")])
def test_a_look_that_cannot_be_written_down_is_refused_by_name(ledger: Ledger, charge: float) -> None:
    """Nothing of it is kept, and what was kept before stands."""
    ledger.audits.begin(AUDIT)
    ledger.audits.keep(AUDIT.id, LOOKED)
    with pytest.raises(Unheld):
        ledger.audits.keep(AUDIT.id, replace(LOOKED, facts=(Ups("onduleur", "OL", charge),)))
    assert ledger.audits.looks(AUDIT.id) == [LOOKED]


def test_an_audit_that_nobody_began_keeps_nothing(ledger: Ledger) -> None:
    """A look, an end or a question about an unknown audit is refused."""
    for act in (
        lambda: ledger.audits.keep("?", LOOKED),
        lambda: ledger.audits.end("?", T0),
        lambda: ledger.audits.looks("?"),
    ):
        with pytest.raises(BadInput, match="aucun audit"):
            act()


def test_every_kind_of_fact_has_its_name() -> None:
    """The names under which facts are kept are the names of their types, in lower case."""
    assert all(name == kind.__name__.lower() for name, kind in KINDS.items())
    assert Service.__name__.lower() not in KINDS


def test_what_people_said_of_an_audit_is_kept_in_order_and_the_last_words_once(ledger: Ledger) -> None:
    """Accepted, withdrawn, accepted again on one day: three notes; the same words twice in a row: one."""
    accepted = Acceptance("RES-01", "siege", "direction", date(2026, 3, 29), "budget", date(2026, 9, 1))
    withdrawn = replace(accepted, withdrawn=True)
    answer = Said("plan-imprime", "siege", good=None, by="technicien", on=date(2026, 3, 29), label="A-12")
    kept = [
        ledger.audits.note(note, T0 + timedelta(seconds=number))
        for number, note in enumerate((accepted, accepted, answer, withdrawn, accepted, answer))
    ]
    assert kept == [True, False, True, True, True, False]
    assert ledger.audits.notes() == [accepted, answer, withdrawn, accepted]


def test_audits_and_notes_are_in_the_order_in_which_they_came(ledger: Ledger) -> None:
    """A clock that was 400 days ahead, then two hours behind, hides no later audit and leaves no acceptance in force."""
    ahead, behind = T0 + timedelta(days=400), T0 - timedelta(hours=2)
    accepted = Acceptance("RES-01", "siege", "direction", date(2026, 3, 29), "budget", date(2026, 9, 1))
    withdrawn = replace(accepted, withdrawn=True)
    begun = [replace(AUDIT, id=name, started=at) for name, at in (("b", ahead), ("c", T0), ("a", behind))]
    for audit, note, at in zip(begun, (accepted, withdrawn, accepted), (ahead, behind, T0), strict=True):
        ledger.audits.begin(audit)
        assert ledger.audits.note(note, at)
    ledger.audits.begin(begun[0])
    assert ledger.audits.all() == begun[::-1]
    assert not ledger.audits.note(accepted, behind)
    assert ledger.audits.notes() == [accepted, withdrawn, accepted]
    assert [len(ledger.audits.notes(audit.id)) for audit in begun] == [0, 1, 2]
    with pytest.raises(BadInput, match="aucun audit"):
        ledger.audits.notes("?")
