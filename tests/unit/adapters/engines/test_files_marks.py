"""Which snapshots are late comers of a past epoch, and what an old side shares with the other one."""

from __future__ import annotations

from datetime import UTC, datetime

from releve.adapters.engines.files.marks import Mark, late, shared_base
from releve.adapters.vault.repository import Snapshot

AT = datetime(2026, 11, 25, tzinfo=UTC)


def made(epoch: int, number: int, after: int = 0) -> tuple[Mark, Snapshot]:
    """A snapshot of the share d."""
    return Mark("d", epoch, number, after), Snapshot(f"{epoch}.{number}", AT, b"", ("/d",))


PAST = [made(0, 1), made(0, 2), made(0, 3), made(1, 3, after=2), made(1, 4, after=2), made(2, 5, after=4)]


def test_only_what_came_after_the_next_epoch_began_is_late() -> None:
    """Number 3 of epoch 0 came although epoch 1 went on from 2; what both sides had is no late comer."""
    assert late(PAST, 2) == ["0.3"]
    assert late(PAST, 0) == []


def test_where_the_next_epoch_does_not_tell_every_old_one_is_late() -> None:
    """An epoch begun by hand, without a run: nothing says what the other side had."""
    assert late([made(0, 1), made(0, 2), made(1, 3)], 1) == ["0.1", "0.2"]


def test_the_base_is_the_newest_that_both_had() -> None:
    """Of the old side's own epoch, up to the number from which the next one went on."""
    found = shared_base(PAST, own=0, epoch=1)
    assert found is not None
    assert found.id == "0.2"
    assert shared_base(PAST[2:], own=0, epoch=1) is None
    assert shared_base(PAST, own=0, epoch=7) is None
