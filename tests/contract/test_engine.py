"""The contract of the engine port: what the cycle may rely on, on the fake and on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import ServerState, SlotState, Suspension, SyncState, Tenure
from tests.contract.engines_rigs import RIGS, Rig, rig_of
from tests.integration.pg import (
    KINDS,
    SITES,
    no_templates_left,  # noqa: F401 - a fixture of the session
)

HERE, THERE = SITES


def on(*always: str) -> pytest.MarkDecorator:
    """Run on the fake and on these; on every other kind of server in the whole matrix only.

    The whole way runs on all of them each time.
    """
    kinds = ("fake", *always)
    later = [pytest.param(kind, marks=pytest.mark.torture) for kind in RIGS if kind not in kinds]
    return pytest.mark.parametrize("rig", [*kinds, *later], indirect=True)


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Each engine, with one open server and nothing protected yet."""
    with rig_of(request.param) as made:
        yield made


def protect(rig: Rig) -> None:
    """A lone server becomes a protected one."""
    rig.engine.prepare(HERE)
    assert rig.engine.rebuild(THERE, HERE) == "clone"
    rig.engine.arm(HERE)


@on(*KINDS)
def test_the_whole_way_there_and_back_loses_nothing(rig: Rig) -> None:
    """Protect, lose the primary, switch, rebuild, and return as planned: every acknowledged write is kept."""
    engine = rig.engine
    protect(rig)
    assert engine.rebuild(THERE, HERE) == "already"
    for number in range(5):
        rig.write(HERE, f"avant {number}")
    source, follower = engine.facts(HERE), engine.facts(THERE)
    assert (source.state, follower.state) == (ServerState.OPEN, ServerState.CLOSED)
    assert (source.epoch, follower.epoch, follower.following) == (0, 0, HERE)
    assert source.sync_armed
    assert source.standby.sync is SyncState.SYNC
    assert source.standby.lag_bytes == 0
    assert source.standby.slot is SlotState.RESERVED
    assert source.standby.reply_age is not None
    assert source.system_id == follower.system_id

    rig.kill(HERE)
    fenced = engine.fence(HERE)
    assert fenced.state is ServerState.STOPPED
    assert fenced.position <= engine.facts(THERE).position
    first = Tenure("dossiers", 1, THERE, "bascule-1")
    took = engine.promote(THERE, first)
    assert engine.promote(THERE, first) == took
    with pytest.raises(Refused):
        engine.promote(THERE, Tenure("dossiers", 0, THERE, "ancienne"))
    with pytest.raises(Refused):
        engine.promote(THERE, Tenure("dossiers", 1, THERE, "une autre"))
    assert engine.facts(THERE).state is ServerState.OPEN
    assert engine.facts(THERE).epoch == 1
    rig.write(THERE, "pendant")
    assert rig.values(THERE) == {*(f"avant {number}" for number in range(5)), "pendant"}

    assert engine.rebuild(HERE, THERE) == "rewind"
    assert engine.arm(THERE).standby.sync is SyncState.SYNC
    rig.write(THERE, "sous protection")
    last = engine.fence(THERE)
    assert engine.drained(HERE, last.position, 5.0)
    engine.promote(HERE, Tenure("dossiers", 2, HERE, "retour-1"))
    assert engine.drained(HERE, last.position, 5.0), "asked again after the promotion"
    assert engine.rebuild(THERE, HERE) == "rewind"
    engine.arm(HERE)
    rig.write(HERE, "après")
    assert rig.values(HERE) == rig.values(THERE)
    assert len(rig.values(HERE)) == 8


@on("wheel16")
def test_production_goes_on_without_its_relief_only_once_that_is_written(rig: Rig) -> None:
    """Cut off, a write waits; relaxed, it passes and the suspension is on record; restored, it is over."""
    engine = rig.engine
    protect(rig)
    rig.kill(THERE)
    with pytest.raises(Unreachable):
        rig.write(HERE, "attend")
    started = datetime.now(UTC).replace(microsecond=0)
    suspension = Suspension("dossiers", 0, started, "relais injoignable")
    engine.relax(HERE, suspension)
    engine.relax(HERE, suspension)
    rig.write(HERE, "passe")
    facts = engine.facts(HERE)
    assert facts.suspended_since == started
    assert not facts.sync_armed
    assert facts.standby.sync is SyncState.ABSENT
    assert engine.rebuild(THERE, HERE) == "rewind"
    assert not engine.facts(HERE).sync_armed, "a follower alone does not bring the promise back"
    engine.restore(HERE, started + timedelta(seconds=30))
    facts = engine.facts(HERE)
    assert facts.suspended_since is None
    assert facts.sync_armed
    assert facts.standby.sync is SyncState.SYNC
    assert {"attend", "passe"} <= rig.values(THERE)


@on("wheel18")
def test_a_server_started_by_hand_is_a_reader_until_it_is_opened(rig: Rig) -> None:
    """Closed is the state on disk: only `open`, with the epoch and the site written inside, makes a writer."""
    engine = rig.engine
    protect(rig)
    rig.write(HERE, "un")
    before = engine.facts(HERE).identity
    rig.kill(HERE)
    rig.start_by_hand(HERE)
    assert engine.facts(HERE).state is ServerState.CLOSED
    with pytest.raises(Unreachable):
        rig.write(HERE, "refusé")
    with pytest.raises(Refused):
        engine.open(HERE, 7)
    with pytest.raises(Refused):
        engine.open(THERE, 0)  # the table travels: the number alone must not open a standby
    assert engine.facts(THERE).state is ServerState.CLOSED
    identity = engine.open(HERE, 0)
    assert identity != before
    assert engine.open(HERE, 0) == identity
    rig.write_unheard(HERE, "deux")
    engine.close(HERE)
    assert engine.facts(HERE).state is ServerState.STOPPED
    rig.start_by_hand(HERE)
    assert engine.facts(HERE).state is ServerState.CLOSED
    assert rig.values(HERE) == {"un", "deux"}


@on("wheel18", "debian15")
def test_what_only_the_old_side_wrote_is_found_and_then_left_behind(rig: Rig) -> None:
    """After a cut, exactly the rows written on the old side alone are counted; then it follows."""
    engine = rig.engine
    protect(rig)
    rig.write(HERE, "commun")
    rig.cut()
    rig.write_unheard(HERE, "perdu 1")
    rig.write_unheard(HERE, "perdu 2")
    rig.kill(HERE)
    fenced = engine.fence(HERE)
    assert fenced.position > engine.facts(THERE).position, "the loss must show before the switch"
    engine.promote(THERE, Tenure("dossiers", 1, THERE, "bascule"))
    rig.write(THERE, "gardé")
    found = engine.survey(HERE, THERE, rig.folder(HERE))
    assert found.whole, found.note
    assert found.transactions == 2
    assert found.rows == (("public.ecrits", 2),)
    assert engine.survey(HERE, THERE, rig.folder(HERE)) == found
    if hasattr(rig, "fake"):
        rig.fake.join()
    assert engine.rebuild(HERE, THERE) == "rewind"
    engine.arm(THERE)
    assert rig.values(HERE) == {"commun", "gardé"}


@on("wheel16")
def test_a_lost_disk_is_unknown_and_is_cloned_again(rig: Rig) -> None:
    """With the disk gone and nobody to tell, there is no fence of ours; then a clone replaces it."""
    engine = rig.engine
    protect(rig)
    rig.write(HERE, "un")
    rig.destroy(HERE)
    with pytest.raises(Unreachable):
        engine.fence(HERE)
    engine.promote(THERE, Tenure("dossiers", 1, THERE, "bascule"))
    found = engine.survey(HERE, THERE, rig.folder(HERE))
    assert (found.transactions, found.whole) == (0, False)
    assert found.note
    assert engine.rebuild(HERE, THERE) == "clone"
    engine.arm(THERE)
    rig.write(THERE, "deux")
    assert rig.values(HERE) == {"un", "deux"}


@on("debian15")
def test_a_slot_that_was_given_up_is_shown_and_means_a_clone(rig: Rig) -> None:
    """The production disk is spared: beyond the limit the relief is given up, said so, and cloned again."""
    engine = rig.engine
    protect(rig)
    rig.outrun_slot(HERE)
    assert engine.facts(HERE).standby.slot is SlotState.LOST
    assert engine.rebuild(THERE, HERE) == "clone"
    assert engine.facts(HERE).standby.slot is SlotState.RESERVED
    engine.arm(HERE)
    rig.write(HERE, "un")
    assert rig.values(THERE) == {"un"}


@on("wheel16")
def test_an_open_server_is_never_rebuilt_nor_surveyed(rig: Rig) -> None:
    """What still accepts writes is not touched: fence it first."""
    engine = rig.engine
    protect(rig)
    with pytest.raises(Refused):
        engine.rebuild(HERE, THERE)
    with pytest.raises(Refused):
        engine.survey(HERE, THERE, rig.folder(HERE))
    rig.write(HERE, "toujours là")


@on("wheel16")
def test_easing_the_stop_leaves_everything_as_it_is(rig: Rig) -> None:
    """Before a planned stop: the server stays open, its data and its standby too; a stopped one says so."""
    protect(rig)
    rig.write(HERE, "avant")
    before = rig.engine.facts(HERE)
    rig.engine.ease_stop(HERE)
    after = rig.engine.facts(HERE)
    assert (after.state, after.identity, after.epoch) == (ServerState.OPEN, before.identity, before.epoch)
    assert after.standby.sync is SyncState.SYNC
    rig.write(HERE, "après")
    assert rig.values(HERE) == {"avant", "après"}
    rig.engine.fence(HERE)
    with pytest.raises(Unreachable):
        rig.engine.ease_stop(HERE)
