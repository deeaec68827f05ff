"""What a switch would lose: "nothing" only on a proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.cycle.recover.decide import MARGIN, assess_loss, blocked_is_a_fence, safe_until
from releve.domain.protection import Contact, Fence, FenceKind, Loss, LossKind, ServerFacts, ServerState
from tests.fakes.plans import data_set, share

T0 = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
CONTACT = Contact("dossiers", T0, 0.4, synchronous=True)
STANDBY = ServerFacts("secours", T0, ServerState.CLOSED, position=1000)


def fence(
    kind: FenceKind = FenceKind.PERSON, seconds: float | None = 1.0, position: int | None = None
) -> Fence:
    """A fence whose writes stopped `seconds` after the last contact."""
    since = None if seconds is None else T0 + timedelta(seconds=seconds)
    return Fence("dossiers", "principal", kind, "vu", since, "directrice", position)


def kind(**changes: object) -> LossKind:
    """The kind of loss of a synchronous data set with the defaults above, changed as asked."""
    values: dict[str, object] = {
        "data_set": data_set(),
        "fence": fence(),
        "contact": CONTACT,
        "target": STANDBY,
        "now": T0 + timedelta(seconds=2),
        **changes,
    }
    return assess_loss(**values).kind  # type: ignore[arg-type]


def test_nothing_lost_when_the_old_side_died_in_time() -> None:
    """Synchronous at the last contact, silent before it could go on alone: nothing is lost."""
    assert kind() is LossKind.NONE


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("never in contact", {"contact": None}),
        ("not synchronous", {"contact": replace(CONTACT, synchronous=False)}),
        ("suspended, says the contact", {"contact": replace(CONTACT, suspended_since=T0)}),
        ("suspended, says the replica", {"target": replace(STANDBY, suspended_since=T0)}),
        ("a role weakens it", {"contact": replace(CONTACT, overriding_roles=("import",))}),
        ("stopped too late", {"fence": fence(seconds=40.0)}),
        (
            "nobody knows since when, and it is late",
            {"fence": fence(seconds=None), "now": T0 + timedelta(minutes=20)},
        ),
        ("no fence at all", {"fence": fence(FenceKind.NONE)}),
        ("relief not seen", {"target": replace(STANDBY, state=ServerState.UNKNOWN)}),
        ("not a synchronous protection", {"data_set": data_set(rpo="15 min")}),
    ],
)
def test_unknown_rather_than_zero(why: str, changes: dict[str, object]) -> None:
    """Each missing proof makes the loss unknown."""
    assert kind(**changes) is LossKind.UNKNOWN, why


def test_seen_stopped_and_all_arrived() -> None:
    """A stopped server whose last position the relief holds loses nothing, whatever the protection."""
    stopped = fence(FenceKind.SEEN_STOPPED, 60.0, position=1000)
    assert kind(fence=stopped, contact=None, data_set=data_set(rpo="15 min")) is LossKind.NONE


def test_missing_bytes_are_counted() -> None:
    """A stopped server that wrote more than the relief holds: the loss is bounded and said in bytes."""
    stopped = fence(FenceKind.SEEN_STOPPED, 60.0, position=1500)
    loss = assess_loss(data_set(), stopped, None, STANDBY, T0)
    assert (loss.kind, loss.bytes) == (LossKind.BOUNDED, 500)


def test_waiting_primary_never_loses() -> None:
    """Under the policy `wait`, time does not run against the promise."""
    late = {"now": T0 + timedelta(days=1), "fence": fence(FenceKind.BLOCKED, None)}
    assert kind(data_set=data_set(wait=True), **late) is LossKind.NONE
    assert kind(data_set=data_set(wait=False), **late) is LossKind.UNKNOWN


def test_limit_is_careful() -> None:
    """The limit counts from what the primary itself knew, minus the margin, never from the contact alone."""
    limit = safe_until(data_set(degrade_after=30.0), CONTACT)
    assert limit == T0 + timedelta(seconds=29.6) - MARGIN
    assert kind(fence=fence(seconds=29.6 - MARGIN.total_seconds())) is LossKind.NONE
    assert kind(fence=fence(seconds=29.7 - MARGIN.total_seconds())) is LossKind.UNKNOWN


def test_blocked_counts_only_where_the_plan_waits() -> None:
    """Blocked is a fence only under `wait`, when synchronous, and when no role weakens it."""
    waiting = data_set(wait=True)
    assert blocked_is_a_fence(waiting, CONTACT)
    assert not blocked_is_a_fence(data_set(), CONTACT)
    assert not blocked_is_a_fence(waiting, None)
    assert not blocked_is_a_fence(waiting, replace(CONTACT, overriding_roles=("import",)))
    assert not blocked_is_a_fence(waiting, replace(CONTACT, synchronous=False))
    assert not blocked_is_a_fence(data_set(wait=True, rpo="15 min"), CONTACT)


SAFE = Contact("documents", T0, 0.5, synchronous=False, position=7)
COPY = ServerFacts("secours", T0, ServerState.CLOSED, position=7)


def share_loss(**changes: object) -> Loss:
    """The loss of a share whose plan lets 5 s be lost, with the defaults above, changed as asked."""
    values: dict[str, object] = {
        "data_set": share(),
        "fence": fence(),
        "contact": SAFE,
        "target": COPY,
        "now": T0 + timedelta(seconds=2),
        **changes,
    }
    return assess_loss(**values)  # type: ignore[arg-type]


def test_a_share_may_lose_what_its_users_have_accepted() -> None:
    """Silent within the plan's RPO after the last instant known safe: bounded, and allowed beforehand."""
    loss = share_loss()
    assert (loss.kind, loss.allowed, loss.since) == (LossKind.BOUNDED, True, T0 - timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("it went on for longer", {"fence": fence(seconds=4.6)}),
        (
            "nobody knows when it stopped, and it is late",
            {"fence": fence(seconds=None), "now": T0 + timedelta(minutes=1)},
        ),
        ("nobody says that it stopped", {"fence": fence(FenceKind.NONE)}),
        ("the copy lacks that snapshot", {"target": replace(COPY, position=6, safe_until=T0)}),
    ],
)
def test_a_person_decides_of_any_other_loss_of_a_share(why: str, changes: dict[str, object]) -> None:
    """Bounded, but not by what the plan lets be lost: somebody has to accept it."""
    loss = share_loss(**changes)
    assert (loss.kind, loss.allowed) == (LossKind.BOUNDED, False), why


def test_nothing_is_known_of_a_share_that_was_never_seen_safe() -> None:
    """No contact and a copy without any snapshot: unknown."""
    assert share_loss(contact=None).kind is LossKind.UNKNOWN


def test_a_share_seen_closed_with_its_last_snapshot_here_loses_nothing() -> None:
    """As for a database: the old side was seen stopped, and its last position is here."""
    stopped = fence(FenceKind.SEEN_STOPPED, 60.0, position=7)
    assert share_loss(fence=stopped).kind is LossKind.NONE
    assert not share_loss(fence=replace(stopped, final_position=8)).allowed
