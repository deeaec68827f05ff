"""A cut after every effect of the thinning of a database: on the vault, on the signed list, on what is noted beside.

The vault's own writes are replayed as in test_vault_crash. Of the state folder, each durable step (SQLite's commit, a
rename after its fsync) is either there or not: a copy is taken after each of them.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.engines.postgresql.archive.marks import BaseMark
from releve.adapters.ledger import register as ledger
from releve.adapters.ledger import witness
from releve.adapters.vault import locks, merging
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from releve.cycle.protect.retention import Policy
from releve.entrypoints.worker import register, thinning
from releve.entrypoints.worker.expiry import expire_database
from releve.entrypoints.worker.register import Watch, database_scope, head_of, of_scope
from tests.fault.recording_disk import RecordingDisk, replay
from tests.unit.adapters.engines.test_archive_wal import SEGMENT, T0, Writing
from tests.vaults import fresh, now, reopened, restic

SCOPE = database_scope("dossiers")
POLICY = Policy(last=1, minimum_age=timedelta(0))
_A_CHAPTER = (1 << 32) // SEGMENT  # segments


class States:
    """Copies of the state folder, each with how much of the vault's work was done by then."""

    def __init__(self, disk: RecordingDisk, state: Path, room: Path) -> None:
        self._disk, self._state, self._room = disk, state, room
        self.taken: list[tuple[int, Path]] = []
        self.take()

    def take(self) -> None:
        """One more."""
        copy = self._room / str(len(self.taken))
        shutil.copytree(self._state, copy, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
        self.taken.append((len(self._disk.ops), copy))

    def after(self, patch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        """Take one after each call of that function."""
        real: Callable[..., Any] = getattr(owner, name)

        def done(*args: Any, **kwargs: Any) -> Any:
            found = real(*args, **kwargs)
            self.take()
            return found

        patch.setattr(owner, name, done)

    def cuts(self, begun: int, end: int) -> Iterator[tuple[int, Path]]:
        """Every instant: after each operation of the vault the last copy, and each copy as soon as it is there."""
        points = [(at, number, copy) for number, (at, copy) in enumerate(self.taken) if at >= begun]
        for count in range(begun, end + 1):
            latest = max(number for number, (at, _copy) in enumerate(self.taken) if at <= count)
            points.append((count, latest, self.taken[latest][1]))
        for count, _number, copy in sorted(set(points)):
            yield count, copy


def _base(vault: Repository, label: str, position: int, newest: str) -> None:
    """A snapshot that says to be a base which begins at that position."""
    mark = BaseMark("dossiers", "7", label, 1, position, position + 9, T0, 160014, SEGMENT)
    value = json.loads(vault.get(Kind.SNAPSHOTS, newest))
    vault.save_snapshot({**value, "tags": list(mark.tags())})


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs are merged at once, and the list is carried over at nearly every look."""
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(0))
    monkeypatch.setattr(merging, "_FEW", 2)
    monkeypatch.setattr(register, "_ENTRIES", 4)
    monkeypatch.setattr(locks, "_SECOND_LOOK", 0.0)


def _age(vault: Path) -> None:
    """All came an hour ago, by the store's date, one a second in the order in which they did."""
    every = sorted((vault / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for number, path in enumerate(every):
        at = time.time() - 3600 + number
        os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("every", "seeds"), [(3, (0,)), pytest.param(1, (0, 1, 2, 3), marks=pytest.mark.torture)]
)
@pytest.mark.needs("restic")
@pytest.mark.usefixtures("hasty")
def test_a_cut_while_a_database_is_thinned_loses_nothing_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, seeds: tuple[int, ...]
) -> None:
    """Done again after the cut: what was kept is whole, no false alarm, no head that nobody will remove."""
    disk = RecordingDisk()
    place = tmp_path / "vault"
    writing = Writing(tmp_path, fresh(place, disk))
    for number, size in ((1, 5000), (1, SEGMENT), (2, 7000), (_A_CHAPTER, 1000), (_A_CHAPTER, 9000)):
        writing.write(number, size)
        newest = writing.keep()
    _base(writing.vault, "première", SEGMENT, newest)
    _base(writing.vault, "seconde", _A_CHAPTER * SEGMENT, newest)
    _age(place)
    state = tmp_path / "state"
    state.mkdir()
    earlier = Watch(
        writing.vault, state, SCOPE, now=lambda: now() - timedelta(hours=2), up=lambda: ("avant", 0.0)
    )
    earlier.look(of_scope(writing.vault, SCOPE))
    earlier.close()
    begun = len(disk.ops)
    states = States(disk, state, tmp_path / "copies")
    with monkeypatch.context() as patch:
        states.after(patch, ledger._Rows, "add")
        states.after(patch, witness.WitnessFile, "write")
        states.after(patch, ledger.Register, "give_out")
        states.after(patch, thinning, "put")
        rulings, merged = expire_database(writing.vault, "dossiers", state, POLICY, yes=True)
    kept = {one.snapshot.id for one in rulings if one.keep}
    gone = {one.snapshot.id for one in rulings if not one.keep}
    assert len(kept) >= 2
    assert len(gone) >= 4
    assert merged.rewritten or merged.dead
    looked = 0
    for number, (count, copy) in enumerate(states.cuts(begun, len(disk.ops))):
        if number % every:
            continue
        for seed in seeds:
            cut, left = tmp_path / "cut", tmp_path / "left"
            replay(disk.ops[:count], place, cut, seed * 1000 + count if seed > 1 else seed)
            for lock in (cut / "locks").iterdir():
                lock.unlink()  # they name this very process, which lives
            shutil.copytree(copy, left)
            if number % 12 == 0:
                assert "no errors" in restic("restic", cut, "check", "--read-data"), (count, seed)
            _age(cut)
            _well_after(cut, left, kept, gone)
            shutil.rmtree(cut)
            shutil.rmtree(left)
            looked += 1
    assert looked > 15


def _well_after(cut: Path, state: Path, kept: set[str], gone: set[str]) -> None:
    vault = reopened(cut)
    verdict = verify(vault)
    assert verdict.sound, (verdict.troubles, verdict.lost[:3])
    assert kept <= {one.id for one in vault.snapshots()}
    for _again in range(2):
        expire_database(vault, "dossiers", state, POLICY, yes=True)
        _age(cut)
    there = vault.snapshots()
    assert {one.id for one in there if not head_of(one)} == kept, "what was to go is gone, and nothing else"
    assert verify(vault).sound
    watch = Watch(vault, state, SCOPE, now=now)
    try:
        assert not watch.look(of_scope(vault, SCOPE))
        assert not watch.roll.troubles
        assert not watch.set_back(there)
        assert not watch.roll.leaving
        assert set(watch.roll.live) == kept
        assert {one.id for one in there if head_of(one)} == set(watch.roll.heads)
        entries, head = watch.register.snapshot()
        assert not ledger.flaws(entries, head, watch.register.public)
    finally:
        watch.close()
    assert not gone & set(watch.roll.live)


@pytest.mark.usefixtures("hasty")
def test_heads_of_a_list_never_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven stay, whatever was cut; one that shows that the list was set back is never taken away."""
    writing = Writing(tmp_path, fresh(tmp_path / "vault"))
    writing.write(1, 5000)
    newest = writing.vault.snapshot(writing.keep())
    monkeypatch.setattr(register, "_HEAD_EVERY", timedelta(0))
    state = tmp_path / "state"
    watch = Watch(writing.vault, state, SCOPE, now=now)
    watch.look(of_scope(writing.vault, SCOPE))
    before = shutil.copytree(state, tmp_path / "before")
    with monkeypatch.context() as patch:
        patch.setattr(ledger._Rows, "add", _cut)
        with pytest.raises(KeyboardInterrupt):
            watch.leave_head(newest)
    assert len(_heads(writing.vault)) == 1
    for _ in range(12):
        watch.leave_head(newest)
    assert sorted(_heads(writing.vault)) == sorted(watch.roll.heads)
    assert len(watch.roll.heads) == 7
    watch.close()
    shutil.rmtree(state)
    shutil.copytree(before, state)
    again = Watch(writing.vault, state, SCOPE, now=now)
    try:
        for _ in range(12):
            again.leave_head(newest)
        assert len(again.set_back(writing.vault.snapshots())) == 7
        assert len(_heads(writing.vault)) == 14
    finally:
        again.close()


def _cut(*_: object) -> None:
    raise KeyboardInterrupt


def _heads(vault: Repository) -> list[str]:
    return [one.id for one in vault.snapshots() if head_of(one)]
