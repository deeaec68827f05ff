"""Room is taken back while a capture goes on writing, and no snapshot ever misses anything."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from releve.adapters.vault import locks, merging
from releve.adapters.vault.locks import hold
from releve.adapters.vault.merging import Merged, Retired, merge, reached
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken
from tests.features import CURRENT_RESTIC
from tests.shares import Chaos, Rig
from tests.vaults import now, reopened, restic


class Relief:
    """The only one that removes: its note, in memory."""

    def __init__(self, vault: Path) -> None:
        self.vault = vault
        self.note: Mapping[str, Retired] = {}

    def keep(self, note: Mapping[str, Retired]) -> None:
        self.note = dict(note)

    def merge(self) -> Merged:
        return merge(reopened(self.vault), self.note, keep=self.keep, now=now)

    def thin(self, left: int) -> None:
        vault = reopened(self.vault)
        for one in vault.snapshots()[:-left]:
            vault.store.remove(Kind.SNAPSHOTS, one.id)

    def age(self, by: timedelta) -> None:
        """Everything in the store becomes older, and so does the note."""
        for path in self.vault.rglob("*"):
            if path.is_file() and path.parent.name != "locks":
                facts = path.stat()
                past = facts.st_mtime_ns - int(by.total_seconds() * 1e9)
                os.utime(path, ns=(past, past))
        self.note = {name: Retired(name, one.at - by) for name, one in self.note.items()}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A share with some history."""
    made = Rig(tmp_path)
    yield made
    made.close()


def _sound(rig: Rig) -> None:
    verdict = verify(reopened(rig.base / "vault"))
    assert verdict.sound, verdict.troubles


@pytest.mark.needs("restic-current")
def test_many_small_packs_become_few_and_restic_agrees(rig: Rig) -> None:
    """After thinning and merging, the store is smaller, whole, and stock restic's check is content."""
    relief = Relief(rig.base / "vault")
    chaos = Chaos(rig.root, 1)
    for _ in range(60):
        chaos.work(4)
        rig.take()
    before = len(list((rig.base / "vault" / "index").iterdir()))
    relief.age(timedelta(minutes=11))
    relief.thin(5)
    done = relief.merge()
    assert done.rewritten
    assert done.dead
    assert done.lists == before
    assert len(list((rig.base / "vault" / "index").iterdir())) <= 2
    _sound(rig)
    packs = len(list((rig.base / "vault" / "data").rglob("?" * 64)))
    relief.age(timedelta(minutes=11))
    done = relief.merge()
    assert done.removed == packs - len(list((rig.base / "vault" / "data").rglob("?" * 64)))
    assert done.removed > 20
    assert relief.note == {}
    _sound(rig)
    said = restic(CURRENT_RESTIC, rig.base / "vault", "check", "--read-data")
    assert "no errors were found" in said


def test_a_writer_that_counts_on_a_retired_pack_gets_it_back(rig: Rig) -> None:
    """A content that had gone comes back just after its pack was retired: the pack is recalled, nothing is lost."""
    relief = Relief(rig.base / "vault")
    (rig.root / "a").write_bytes(b"un contenu qui reviendra")
    (rig.root / "b").write_bytes(b"autre")
    rig.take()
    content = (rig.root / "a").read_bytes()
    (rig.root / "a").unlink()
    for number in range(10):
        (rig.root / "b").write_text(str(number))
        rig.take()
    relief.age(timedelta(minutes=11))
    relief.thin(1)
    done = relief.merge()
    assert done.dead
    (rig.root / "a").write_bytes(content)  # the capture still counts on the list of before
    rig.take()
    relief.age(timedelta(hours=1))
    done = relief.merge()
    assert done.recalled >= 1
    _sound(rig)
    rig.follow()
    assert rig.behind() == []


def test_nothing_leaves_the_store_while_a_writer_may_count_on_it(rig: Rig) -> None:
    """A lock of another process that does not tell when it looked holds every retired pack in place."""
    relief = Relief(rig.base / "vault")
    for number in range(12):
        (rig.root / "a").write_text(str(number))
        rig.take()
    relief.age(timedelta(minutes=11))
    relief.thin(1)
    relief.merge()
    assert relief.note
    relief.age(timedelta(minutes=11))
    writer = reopened(rig.base / "vault")
    held = len(relief.note)
    with hold(writer, exclusive=False, now=now):
        _as_another_machine(writer)
        done = relief.merge()
        assert done.removed == 0
        assert done.waiting == held
    for entry in writer.store.entries(Kind.LOCKS):
        writer.store.remove(Kind.LOCKS, entry.name)
    done = relief.merge()
    assert done.removed == held


def test_a_writer_that_looked_since_holds_nothing(rig: Rig) -> None:
    """A resident capture tells in its lock how long ago it read the list: what was retired before may go."""
    relief = Relief(rig.base / "vault")
    for number in range(12):
        (rig.root / "a").write_text(str(number))
        rig.take()
    relief.age(timedelta(minutes=11))
    relief.thin(1)
    relief.merge()
    held = len(relief.note)
    relief.age(timedelta(minutes=11))
    writer = reopened(rig.base / "vault")
    began = time.monotonic()
    with hold(writer, exclusive=False, now=now, view_age=lambda: time.monotonic() - began):
        _as_another_machine(writer, view_age=0.5)
        assert relief.merge().removed == held


def _as_another_machine(vault: object, view_age: float | None = None) -> None:
    """Make the one lock in the vault that of another machine."""
    import json

    from releve.adapters.vault.repository import Repository

    assert isinstance(vault, Repository)
    (entry,) = vault.store.entries(Kind.LOCKS)
    value = json.loads(vault.get(Kind.LOCKS, entry.name))
    value["hostname"] = "ailleurs"
    if view_age is not None:
        value["view_age"] = view_age
    vault.put(Kind.LOCKS, value)
    vault.store.remove(Kind.LOCKS, entry.name)


@pytest.mark.parametrize("stride", [2, pytest.param(1, marks=pytest.mark.torture)])
def test_a_cut_at_any_write_of_a_merging_loses_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """Killed before each of its changes to the store or to its note, a merging leaves a whole vault, and goes on."""
    import shutil

    monkeypatch.setattr(locks, "_SECOND_LOOK", 0.0)  # nobody else is at these vaults
    for number in range(12):
        (rig.root / "a").write_text(str(number))
        (rig.root / f"f{number}").write_text("x" * number)
        rig.take()
    relief = Relief(rig.base / "vault")
    relief.age(timedelta(minutes=11))
    relief.thin(2)
    steps = 0
    while True:
        copy = tmp_path / f"cut{steps}"
        shutil.copytree(rig.base / "vault", copy)
        one = _Cut(copy, steps)
        ended = one.run() and one.run_later()
        one.left = 10**6
        one.run()
        one.run_later()
        verdict = verify(reopened(copy))
        assert verdict.sound, f"cut {steps}: {verdict.troubles}"
        assert len(reopened(copy).snapshots()) == 2
        shutil.rmtree(copy)
        if ended:
            break
        steps += stride
    assert steps > 15


class _Killed(BaseException):
    pass


class _Cut:
    """A relief that dies before its n-th change."""

    def __init__(self, vault: Path, left: int) -> None:
        self.relief = Relief(vault)
        self.left = left

    def _count(self) -> None:
        if self.left <= 0:
            raise _Killed
        self.left -= 1

    def run(self) -> bool:
        vault = reopened(self.relief.vault)
        store = vault.store
        write, remove = store.write, store.remove

        def counted_write(kind: Kind, name: str, parts: object) -> None:
            self._count()
            write(kind, name, parts)  # type: ignore[arg-type]

        def counted_remove(kind: Kind, name: str) -> None:
            self._count()
            remove(kind, name)

        def keep(note: Mapping[str, Retired]) -> None:
            self._count()
            self.relief.keep(note)

        store.write, store.remove = counted_write, counted_remove  # type: ignore[method-assign]
        try:
            merge(vault, self.relief.note, keep=keep, now=now)
        except _Killed:
            return False
        return True

    def run_later(self) -> bool:
        self.relief.age(timedelta(minutes=11))
        return self.run()


def test_a_lock_is_renewed_and_tells_what_its_holder_counts_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each renewal is a new file with the age of the holder's look; a store that was away ends nothing."""
    monkeypatch.setattr(locks, "RENEW", 0.05)
    monkeypatch.setattr(locks, "RETRY", 0.05)
    vault = reopened(rig.base / "vault")
    with hold(vault, exclusive=False, now=now, view_age=lambda: 7.0) as still_ours:
        (first,) = vault.store.entries(Kind.LOCKS)
        (rig.base / "vault").rename(rig.base / "parti")
        time.sleep(0.3)
        (rig.base / "parti").rename(rig.base / "vault")
        deadline = time.monotonic() + 10
        while [one.name for one in vault.store.entries(Kind.LOCKS)] == [first.name]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        still_ours()
        held = list(locks.locks(vault))
        assert held
        assert all(one.view is not None for one in held)
    assert list(vault.store.entries(Kind.LOCKS)) == []


def test_young_packs_are_left_alone(rig: Rig) -> None:
    """What somebody may be writing at this moment is not looked at."""
    for number in range(20):
        (rig.root / "a").write_text(str(number))
        rig.take()
    relief = Relief(rig.base / "vault")
    relief.thin(1)
    done = relief.merge()
    assert (done.rewritten, done.dead, dict(relief.note)) == (0, 0, {})
    assert timedelta(minutes=5) <= merging.YOUNG


def _merge(relief: Relief, listed: Sequence[bytes]) -> Merged:
    return merge(reopened(relief.vault), relief.note, keep=relief.keep, now=now, listed=listed)


def test_what_the_list_has_stays_whole_while_the_store_does_not_show_it(rig: Rig) -> None:
    """However often it is merged meanwhile; one that has lost its trees too stops no merging."""
    relief = Relief(rig.base / "vault")
    for number in range(12):
        (rig.root / "a").write_text(str(number))
        (rig.root / f"{number}").write_bytes(os.urandom(1000))
        rig.take()
        (rig.root / f"{number}").unlink()
    vault = reopened(relief.vault)
    every = vault.snapshots()
    listed = [one.tree for one in every]
    shown = relief.vault / "snapshots" / every[3].id
    aside = shown.rename(rig.base / "aside")
    for _ in range(3):
        relief.age(timedelta(hours=1))
        _merge(relief, listed)
    aside.rename(shown)
    _sound(rig)
    shown.unlink()
    opened = reopened(relief.vault)
    writer = Writer(opened)
    lone = writer.save(BlobKind.TREE, tree([encode(Node(b"d", "dir", 0o755, 0, subtree=b"\1" * 32))]))
    writer.flush()
    writer.close()
    (pack,) = relief.vault.glob(f"data/*/{reopened(relief.vault).where(lone).pack}")
    pack.unlink()  # a tree that is named, and lost with its pack
    relief.age(timedelta(hours=1))
    with pytest.raises(PromiseBroken):
        reached(reopened(relief.vault), [lone])
    _merge(relief, [*listed, lone])
