"""A cut after every write, fsync, rename and unlink: the vault stays sound, nothing acknowledged is lost.

Each sentence of docs/concepts/vault.md names the test below that holds it.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints
from releve.adapters.vault import merging, pruning
from releve.adapters.vault.merging import Retired
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from tests.fault.recording_disk import Op, RecordingDisk, SharedRecordingDisk, replay
from tests.vaults import forget, fresh, keep, now, reopened, restic

Acknowledged = list[tuple[int, str]]  # (operations done when it was acknowledged, snapshot)


def _share(folder: Path) -> Path:
    chance = random.Random(3)
    for number in range(12):
        (folder / f"d{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"d{number % 3}" / f"f{number}").write_bytes(chance.randbytes(3000))
    (folder / "big").write_bytes(chance.randbytes(1_200_000))
    return folder


def _record(
    tmp_path: Path, story: Callable[[Repository, Path, Callable[[str], None]], None]
) -> tuple[list[Op], int, Acknowledged]:
    disk = RecordingDisk()
    vault = fresh(tmp_path / "vault", disk)
    begun = len(disk.ops)
    acknowledged: Acknowledged = []
    story(vault, _share(tmp_path / "share"), lambda name: acknowledged.append((len(disk.ops), name)))
    return disk.ops, begun, acknowledged


def _states(
    tmp_path: Path, ops: list[Op], begun: int, seeds: tuple[int, ...], every: int = 1
) -> Iterator[tuple[int, int, Path]]:
    for count in range(begun, len(ops) + 1, every):
        for seed in seeds:
            state = tmp_path / "cut"
            replay(ops[:count], tmp_path / "vault", state, seed * 1000 + count if seed > 1 else seed)
            yield count, seed, state
            shutil.rmtree(state)


def _drop_locks(state: Path) -> None:
    """The locks name this very process, which lives: after a real cut it would be gone, and they stale."""
    for lock in (state / "locks").iterdir():
        lock.unlink()


def _two_saves(vault: Repository, share: Path, said: Callable[[str], None]) -> None:
    said(keep(vault, share).id)
    (share / "d0" / "f0").write_text("changed")
    (share / "new").write_text("new")
    said(keep(vault, share).id)


def test_a_cut_while_saving_loses_no_acknowledged_snapshot(tmp_path: Path) -> None:
    """Packs, then index, then snapshot: any prefix holds every acknowledged snapshot, whole."""
    ops, begun, acknowledged = _record(tmp_path, _two_saves)
    looked = 0
    for count, seed, state in _states(tmp_path, ops, begun, (0, 1, 2, 3)):
        verdict = verify(vault := reopened(state))
        assert verdict.sound, (count, seed, verdict.troubles, verdict.lost)
        there = {one.id for one in vault.snapshots()}
        assert {name for at, name in acknowledged if at <= count} <= there, (count, seed)
        looked += 1
    assert looked == 4 * (len(ops) - begun + 1) > 100


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_cut_while_two_processes_save_loses_no_acknowledged_snapshot(tmp_path: Path) -> None:
    """Each fills packs of its own; one alone writes index and snapshot, after both: any prefix is sound."""
    disk = SharedRecordingDisk(tmp_path / "notes")
    vault = fresh(tmp_path / "vault", disk)
    share = _share(tmp_path / "share")
    begun, acknowledged = len(disk.noted()), []
    for name in ("f0", "f1"):
        (share / f"d{name[1]}" / name).write_text("changed")
        acknowledged.append((keep(vault, share, processes=2).id, len(disk.noted())))
    ops = disk.noted()
    writers = {path.parent for what, path, _ in ops[begun:] if what == "create" and "data" in path.parts}
    assert len(writers) > 2
    for count, seed, state in _states(tmp_path, ops, begun, (0, 1, 2)):
        verdict = verify(cut := reopened(state))
        assert verdict.sound, (count, seed, verdict.troubles, verdict.lost)
        assert {name for name, at in acknowledged if at <= count} <= {one.id for one in cut.snapshots()}


def test_a_save_after_a_cut_goes_on(tmp_path: Path) -> None:
    """The next saving needs no repair; what the cut left beside is found by prune, and goes."""
    ops, begun, _ = _record(tmp_path, _two_saves)
    for count, seed, state in _states(tmp_path, ops[: begun + 25], begun, (0, 1), every=4):
        _drop_locks(state)
        vault = reopened(state)
        saved = keep(vault, tmp_path / "share")
        pruning.prune(vault, now=now)
        verdict = verify(reopened(state))
        assert verdict.sound, (count, seed)
        assert verdict.unused_packs == []
        assert saved.id in {one.id for one in vault.snapshots()}


def _forget_and_prune(vault: Repository, share: Path, said: Callable[[str], None]) -> None:
    first = keep(vault, share).id
    (share / "big").write_bytes(random.Random(9).randbytes(1_500_000))
    (share / "d1" / "f1").unlink()
    said(keep(vault, share).id)
    forget(vault, first)
    assert not pruning.prune(vault, now=now).nothing


def test_a_cut_while_forgetting_and_pruning_loses_nothing_kept(tmp_path: Path) -> None:
    """New packs, new index, old index, old packs: the snapshot that was kept is whole at every cut."""
    ops, begun, acknowledged = _record(tmp_path, _forget_and_prune)
    kept_at, kept = acknowledged[0]
    for count, seed, state in _states(tmp_path, ops, max(begun, kept_at), (0, 1, 2)):
        vault = reopened(state)
        verdict = verify(vault)
        bad = [name for name, _ in verdict.lost if name == kept]
        assert not bad, (count, seed)
        assert verdict.sound, (count, seed, verdict.troubles, verdict.lost[:3])
        assert kept in {one.id for one in vault.snapshots()}


def _captures(vault: Repository, share: Path, said: Callable[[str], None]) -> None:
    vault.load_index()
    cache = Cache(share.parent / "cache.db", "essai")
    one = Share("d", os.fsencode(share), "essai")
    capture = Capture(vault, one, cache, cover=lambda _folder: None, now=now)
    try:
        for number in range(5):
            (share / "d0" / "f0").write_text(f"version {number}")
            (share / f"new{number}").write_text("x" * number)
            taken = capture.take(Hints(everything=True))
            assert taken is not None
            said(taken.id)
        idle = capture.take(Hints(), force=True)
        assert idle is not None
        said(idle.id)
    finally:
        capture.close()
        cache.close()


def test_a_cut_while_capturing_loses_no_acknowledged_snapshot(tmp_path: Path) -> None:
    """Snapshots of a share, one after the other with one writer: every acknowledged one is whole at every cut."""
    ops, begun, acknowledged = _record(tmp_path, _captures)
    assert len(acknowledged) == 6
    for count, seed, state in _states(tmp_path, ops, begun, (0, 2), every=2):
        verdict = verify(vault := reopened(state))
        assert verdict.sound, (count, seed, verdict.troubles, verdict.lost)
        there = {one.id for one in vault.snapshots()}
        assert {name for at, name in acknowledged if at <= count} <= there, (count, seed)


def _captures_then_merges(vault: Repository, share: Path, said: Callable[[str], None]) -> None:
    _captures(vault, share, lambda _name: None)
    known = vault.snapshots()
    for old in known[:-2]:
        vault.store.remove(Kind.SNAPSHOTS, old.id)
    for kept in known[-2:]:
        said(kept.id)
    note: Mapping[str, Retired] = {}

    def keep_note(found: Mapping[str, Retired]) -> None:
        nonlocal note
        note = dict(found)

    first = merging.merge(vault, note, keep=keep_note, now=now)
    second = merging.merge(vault, note, keep=keep_note, now=now)
    assert first.rewritten or first.dead
    assert second.removed


def test_a_cut_while_merging_loses_nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New packs, new list, old lists, retired packs: what was kept is whole at every cut."""
    for name in ("YOUNG", "GRACE", "MARGIN"):
        monkeypatch.setattr(merging, name, timedelta(0))
    monkeypatch.setattr(merging, "_FEW", 2)
    ops, begun, acknowledged = _record(tmp_path, _captures_then_merges)
    kept = {name for _, name in acknowledged}
    looked = 0
    for count, seed, state in _states(tmp_path, ops, max(begun, acknowledged[0][0]), (0, 1, 2)):
        verdict = verify(vault := reopened(state))
        assert verdict.sound, (count, seed, verdict.troubles, verdict.lost[:3])
        assert kept <= {one.id for one in vault.snapshots()}
        looked += 1
    assert looked > 60


@pytest.mark.needs("restic")
def test_restic_finds_no_error_after_a_cut(tmp_path: Path) -> None:
    """Stock restic's own check on a sample of the cut states of both stories."""
    looked = 0
    for number, story in enumerate((_two_saves, _forget_and_prune)):
        ops, begun, _ = _record(tmp_path / str(number), story)
        for count, seed, state in _states(tmp_path / str(number), ops, begun, (0, 2), every=19):
            _drop_locks(state)
            assert "no errors" in restic("restic", state, "check", "--read-data"), (count, seed)
            looked += 1
    assert looked >= 4


@pytest.mark.needs("restic")
@pytest.mark.torture
def test_restic_finds_no_error_after_any_cut(tmp_path: Path) -> None:
    """The whole matrix."""
    for number, story in enumerate((_two_saves, _forget_and_prune, _captures)):
        ops, begun, _ = _record(tmp_path / str(number), story)
        for count, seed, state in _states(tmp_path / str(number), ops, begun, (0, 1, 2, 3, 4)):
            _drop_locks(state)
            assert "no errors" in restic("restic", state, "check", "--read-data"), (count, seed)
