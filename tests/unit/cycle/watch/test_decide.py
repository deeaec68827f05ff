"""The guard: at most one site writes, production is not stopped for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.watch.decide import Act, Promise, Statement, View, guard, standing
from releve.domain.protection import (
    Contact,
    ServerFacts,
    ServerState,
    SlotState,
    StandbyFacts,
    Suspension,
    SyncState,
    Tenure,
)
from tests.fakes.plans import data_set, share

NOW = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
OURS = Tenure("dossiers", 4, "principal")
THEIRS = Tenure("dossiers", 5, "secours")
IN_SYNC = StandbyFacts(SyncState.SYNC, 0, 0.0, 0.1, SlotState.RESERVED)
OPEN = ServerFacts(
    "principal", NOW, ServerState.OPEN, identity="start-1", sync_armed=True, standby=IN_SYNC, epoch=4
)
CLOSED = ServerFacts("principal", NOW, ServerState.CLOSED, identity="start-2", epoch=4)
VIEW = View("principal", data_set(), OPEN, OURS, "start-1", Statement(OURS), None, NOW)


def act(now: datetime = NOW, **changes: object) -> Act:
    """What the guard does with the normal view, changed as asked."""
    return guard(replace(VIEW, **changes), now).act  # type: ignore[arg-type]


def test_calm_when_all_is_well() -> None:
    """Open by us, epoch ours, standby synchronous: nothing to do."""
    assert act() is Act.NOTHING


def test_comes_back_alone_and_stays_closed() -> None:
    """A server that came back in recovery is not opened while the relief does not answer."""
    assert act(facts=CLOSED, statement=None) is Act.STAY_CLOSED
    assert act(facts=replace(CLOSED, state=ServerState.STOPPED), statement=None) is Act.STAY_CLOSED


def test_opened_once_the_epoch_is_confirmed() -> None:
    """The same server opens when the relief confirms the epoch."""
    assert act(facts=CLOSED) is Act.OPEN


def test_older_epoch_is_never_opened() -> None:
    """When the epoch went elsewhere, an open server is closed and a closed one left closed."""
    assert act(statement=Statement(THEIRS)) is Act.CLOSE
    assert act(facts=CLOSED, statement=Statement(THEIRS)) is Act.NOTHING


def test_older_epoch_learnt_before_stays_closed() -> None:
    """A guard that once learnt of a newer epoch keeps closed even when nobody answers."""
    assert act(facts=CLOSED, tenure=THEIRS, statement=None) is Act.NOTHING


def test_started_by_hand_is_closed_or_adopted() -> None:
    """A start that the guard did not open is closed, unless the epoch is confirmed."""
    by_hand = replace(OPEN, identity="start-9")
    assert act(facts=by_hand, statement=None) is Act.CLOSE
    assert act(facts=by_hand) is Act.ADOPT


def test_production_never_taken_in_charge_is_left_alone() -> None:
    """Being installed before the relief answers does not stop a production that nobody protects yet."""
    assert act(tenure=None, opened_identity="", statement=None) is Act.NOTHING


def test_a_run_elsewhere_closes_this_side() -> None:
    """A run that claims the data for the other site closes this one, even before the epoch moved."""
    assert act(statement=Statement(OURS, "bascule-1", "secours")) is Act.CLOSE


def test_a_run_towards_here_is_left_to_itself() -> None:
    """The guard of the site that a run opens does not close it in the middle of its promotion."""
    assert act(statement=Statement(THEIRS, "retour-1", "principal")) is Act.NOTHING


def test_relief_lost_then_production_goes_on() -> None:
    """After the plan's delay without a word from the standby, and not before, the primary goes on alone."""
    alone = replace(OPEN, standby=StandbyFacts())
    quiet = NOW - timedelta(seconds=29.9)
    assert act(facts=alone, statement=None, last_reply=quiet) is Act.NOTHING
    assert act(facts=alone, statement=None, last_reply=NOW - timedelta(seconds=30)) is Act.RELAX


def test_waiting_policy_never_relaxes() -> None:
    """Under `wait`, no silence is long enough."""
    alone = replace(OPEN, standby=StandbyFacts())
    waiting = data_set(wait=True)
    assert act(data_set=waiting, facts=alone, last_reply=NOW - timedelta(days=2)) is Act.NOTHING


def test_promise_restored_when_the_standby_is_back() -> None:
    """Relaxed, and the standby streams again: wait for it again; not when its slot was lost."""
    suspended = Suspension("dossiers", 4, NOW, "absent")
    back = replace(OPEN, sync_armed=False, standby=replace(IN_SYNC, sync=SyncState.ASYNC))
    assert act(facts=back, suspension=suspended) is Act.RESTORE
    lost = replace(back, standby=replace(back.standby, slot=SlotState.LOST))
    assert act(facts=lost, suspension=suspended) is Act.NOTHING
    gone = replace(back, standby=StandbyFacts())
    assert act(facts=gone, suspension=suspended) is Act.NOTHING


@given(
    st.sampled_from(list(ServerState)),
    st.booleans(),
    st.sampled_from([None, OURS, THEIRS]),
    st.sampled_from([None, Statement(OURS), Statement(THEIRS), Statement(OURS, "r", "secours")]),
    st.booleans(),
)
def test_never_opens_without_a_confirmed_epoch(
    state: ServerState, known_start: bool, tenure: Tenure | None, statement: Statement | None, wait: bool
) -> None:
    """Whatever is seen, OPEN and ADOPT need an answer that says: yours, and no run claims it."""
    facts = replace(OPEN, state=state, identity="start-1" if known_start else "start-9")
    done = act(facts=facts, tenure=tenure, statement=statement, data_set=data_set(wait=wait))
    if done in (Act.OPEN, Act.ADOPT):
        assert statement == Statement(OURS)
    if state is ServerState.OPEN and statement in (Statement(THEIRS), Statement(OURS, "r", "secours")):
        assert done is Act.CLOSE


def test_standing_is_never_held_on_an_old_look() -> None:
    """A promise is shown as held only on a fresh synchronous look; suspended past the plan's delay."""
    contact = Contact("dossiers", NOW, 0.1, synchronous=True)
    assert standing(data_set(), contact, None, NOW).promise is Promise.HELD
    assert standing(data_set(), contact, None, NOW + timedelta(seconds=6)).promise is Promise.UNKNOWN
    assert standing(data_set(), contact, None, NOW + timedelta(seconds=31)).promise is Promise.SUSPENDED
    assert standing(data_set(), None, None, NOW).promise is Promise.UNKNOWN
    running = Suspension("dossiers", 4, NOW, "absent")
    assert standing(data_set(), contact, running, NOW).promise is Promise.SUSPENDED
    assert standing(data_set(rpo="15 min"), contact, None, NOW).promise is Promise.NOT_PROMISED


def fresh(age: float, asked: float = 0.2, position: int = 3) -> Promise:
    """What may be said of a share whose RPO is 5 s, `age` s after the last instant known safe."""
    contact = Contact(
        "documents", NOW - timedelta(seconds=asked), age - asked, synchronous=False, position=position
    )
    return standing(share(), contact, None, NOW).promise


def test_a_share_is_as_safe_as_its_last_snapshot() -> None:
    """Held within its RPO, suspended beyond it, unknown when the site fell silent or nothing was ever saved."""
    assert fresh(4.9) is Promise.HELD
    assert fresh(5.1) is Promise.SUSPENDED
    assert fresh(20.0, asked=19.0) is Promise.UNKNOWN
    assert fresh(1.0, position=0) is Promise.UNKNOWN
    assert standing(share(), None, None, NOW).promise is Promise.UNKNOWN
