"""Protecting a data set: what is found to do, what is done, and that doing it again disturbs nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from releve.cycle.protect.act import plan_protection, protect
from releve.cycle.protect.decide import JobKind, jobs
from releve.domain.errors import Refused, Unreachable
from releve.domain.plan import DataSet, ProtectionMode
from releve.domain.protection import ServerFacts, ServerState, SlotState, StandbyFacts, SyncState, Tenure
from tests.fakes.engine import FakeEngine
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import data_set

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
PREPARE, FOLLOW, ARM = JobKind.PREPARE, JobKind.FOLLOW, JobKind.ARM
KEPT = StandbyFacts(SyncState.SYNC, 0, 0.0, 0.1, SlotState.RESERVED)
GIVEN_UP = StandbyFacts(slot=SlotState.LOST)
SOURCE = ServerFacts("principal", NOW, ServerState.OPEN, sync_armed=True, standby=KEPT)
STANDBY = ServerFacts("secours", NOW, ServerState.CLOSED, following="principal")
LOOSE = data_set(rpo="15 min")
DAILY = replace(data_set(), protection=replace(data_set().protection, mode=ProtectionMode.DAILY))


def now() -> datetime:
    """A clock that stands still."""
    return NOW


@pytest.mark.parametrize(
    ("item", "source", "standby", "expected"),
    [
        pytest.param(data_set(), SOURCE, STANDBY, [PREPARE], id="all in place"),
        pytest.param(
            data_set(), replace(SOURCE, sync_armed=False), STANDBY, [PREPARE, ARM], id="follows, not armed"
        ),
        pytest.param(
            data_set(),
            ServerFacts("principal", NOW, ServerState.OPEN),
            ServerFacts("secours", NOW, ServerState.STOPPED),
            [PREPARE, FOLLOW, ARM],
            id="nothing yet",
        ),
        pytest.param(
            data_set(), SOURCE, replace(STANDBY, following=""), [PREPARE, FOLLOW], id="standby stands idle"
        ),
        pytest.param(
            data_set(),
            SOURCE,
            replace(STANDBY, following="ailleurs"),
            [PREPARE, FOLLOW],
            id="follows another site",
        ),
        pytest.param(
            data_set(),
            SOURCE,
            ServerFacts("secours", NOW, ServerState.UNKNOWN),
            [PREPARE, FOLLOW],
            id="standby out of sight",
        ),
        pytest.param(
            data_set(), replace(SOURCE, standby=GIVEN_UP), STANDBY, [PREPARE, FOLLOW], id="slot invalidated"
        ),
        pytest.param(
            LOOSE, replace(SOURCE, sync_armed=False), STANDBY, [PREPARE], id="a loss is allowed: never armed"
        ),
        pytest.param(DAILY, SOURCE, STANDBY, [], id="daily copies are another stage's"),
        pytest.param(data_set(), replace(SOURCE, state=ServerState.CLOSED), STANDBY, [], id="source closed"),
        pytest.param(
            data_set(), replace(SOURCE, state=ServerState.UNKNOWN), STANDBY, [], id="source out of sight"
        ),
    ],
)
def test_what_is_to_do(
    item: DataSet, source: ServerFacts, standby: ServerFacts, expected: list[JobKind]
) -> None:
    """Each state of the two servers gives its jobs, in the order in which they are done."""
    assert [job.kind for job in jobs(item, "principal", source, standby)] == expected


def test_each_job_is_done_where_it_belongs() -> None:
    """The holder is prepared and armed, the other side follows; after a switch it is the other way round."""
    bare = ServerFacts("", NOW, ServerState.OPEN)
    for holder, other in (("principal", "secours"), ("secours", "principal")):
        found = jobs(data_set(), holder, bare, ServerFacts(other, NOW, ServerState.STOPPED))
        assert [(job.kind, job.site) for job in found] == [
            (PREPARE, holder),
            (FOLLOW, other),
            (ARM, holder),
        ]


def test_from_a_lone_server_to_a_protected_one() -> None:
    """The whole protection is put in place, told step by step, and the first tenure is recorded."""
    engine, ledger, told = FakeEngine(), FakeLedger(), list[str]()
    done = protect(data_set(), engine, ledger, now, told.append)
    assert [job.kind for job in done] == [PREPARE, FOLLOW, ARM]
    facts = engine.facts("principal")
    assert (facts.sync_armed, facts.standby.sync) == (True, SyncState.SYNC)
    assert ledger.tenures.current("dossiers") == Tenure("dossiers", 0, "principal", at=NOW)
    assert len(told) == 3 and all(line.startswith("Dossiers : ") for line in told)
    logged = [(entry.kind, entry.body["job"]) for entry in ledger.evidence.entries()]
    assert logged == [("protected", kind) for kind in ("prepare", "follow", "arm")]


def test_again_changes_nothing() -> None:
    """A second call finds everything there: no effect, the same tenure, the data untouched."""
    engine, ledger = FakeEngine(), FakeLedger()
    protect(data_set(), engine, ledger, now, str)
    engine.write("principal", "a")
    before, held = dict(engine.effects), ledger.tenures.current("dossiers")
    done = protect(data_set(), engine, ledger, now, str)
    assert {job.kind for job in done} <= {PREPARE}, "its settings are looked at again, nothing more"
    assert dict(engine.effects) == before
    assert ledger.tenures.current("dossiers") == held
    assert engine.values("secours") == {"a"}


def test_refused_while_a_run_claims_it() -> None:
    """Nothing is protected under the feet of a switch, and nothing was touched."""
    engine, ledger = FakeEngine(), FakeLedger()
    ledger.tenures.claim("dossiers", "bascule-1", 1)
    with pytest.raises(Refused) as caught:
        protect(data_set(), engine, ledger, now, str)
    assert caught.value.code == "data-set-claimed"
    assert not engine.effects
    assert ledger.tenures.current("dossiers") is None
    ledger.tenures.release("bascule-1")
    assert protect(data_set(), engine, ledger, now, str)


def test_a_source_that_is_not_open_is_said() -> None:
    """A holder that is stopped, or out of sight, is an error that names it; nothing is guessed."""
    for spoil in ("kill", "vanish"):
        engine, ledger = FakeEngine(), FakeLedger()
        getattr(engine, spoil)("principal")
        with pytest.raises(Unreachable) as caught:
            protect(data_set(), engine, ledger, now, str)
        assert caught.value.code == "source-not-open"
        assert "principal" in caught.value.sentence
        assert not engine.effects


def test_showing_touches_nothing() -> None:
    """What remains to be done is the same list, without any effect."""
    engine, ledger = FakeEngine(), FakeLedger()
    shown = plan_protection(data_set(), engine, ledger)
    assert not engine.effects
    assert ledger.evidence.entries() == []
    assert protect(data_set(), engine, ledger, now, str) == shown


def test_after_a_switch_the_relief_is_the_source() -> None:
    """The recorded tenure, not the plan, says whose data is copied to whom."""
    engine, ledger = FakeEngine(), FakeLedger()
    protect(data_set(), engine, ledger, now, str)
    engine.fence("principal")
    tenure = Tenure("dossiers", 1, "secours", "bascule-1", NOW)
    engine.promote("secours", tenure)
    ledger.tenures.take(tenure)
    engine.write("secours", "b")
    done = protect(data_set(), engine, ledger, now, str)
    assert [(job.kind, job.site) for job in done] == [
        (PREPARE, "secours"),
        (FOLLOW, "principal"),
        (ARM, "secours"),
    ]
    assert engine.values("principal") == {"b"}
    assert ledger.tenures.current("dossiers") == tenure


def test_slot_given_up_means_a_full_copy() -> None:
    """A relief that was away for too long is copied again whole, and the reason says so."""
    engine, ledger, told = FakeEngine(), FakeLedger(), list[str]()
    protect(data_set(), engine, ledger, now, str)
    engine.outrun_slot("principal")
    protect(data_set(), engine, ledger, now, told.append)
    assert any("recopier en entier" in line for line in told)
    assert engine.effects["clone:secours"] == 2
    assert engine.facts("secours").following == "principal"
