"""A snapshot file that nobody can read, seen by those who look at the vault all the time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from releve.adapters.engines.files.marks import Mark, Snapshots
from releve.adapters.engines.postgresql.archive.catalogue import Catalogue
from releve.adapters.engines.postgresql.archive.marks import BaseMark
from releve.adapters.vault import sight
from releve.adapters.vault.pruning import plan
from releve.adapters.vault.repository import Repository, snapshot_value
from releve.adapters.vault.store import Absent, FolderStore, Kind
from releve.domain.errors import PromiseBroken
from tests.vaults import fresh, now


class _Looking(Protocol):
    @property
    def unreadable(self) -> Sequence[str]: ...

    def look(self) -> Sequence[object]: ...


def _looking(kind: str, vault: Repository) -> _Looking:
    return Snapshots(vault, "documents") if kind == "share" else Catalogue(vault, "dossiers")


def _taken(vault: Repository, kind: str, number: int) -> str:
    tags = (
        Mark("documents", 0, number).tags()
        if kind == "share"
        else BaseMark("dossiers", "7", "base", 1, number, number, now(), 160014, 1 << 24).tags()
    )
    value = snapshot_value(
        at=now(), tree=bytes(32), paths=["/d"], hostname="essai", username="essai", uid=0, gid=0, tags=tags
    )
    return vault.save_snapshot(value)


def _garbage(vault: Repository, raw: bytes) -> str:
    """As an account that may only add writes it: its name is right, its seal is not."""
    name = hashlib.sha256(raw).hexdigest()
    vault.store.write(Kind.SNAPSHOTS, name, [raw])
    return name


class _Counting(FolderStore):
    """Notes which snapshots are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        if kind is Kind.SNAPSHOTS:
            self.asked.append(name)
        return super().read(kind, name, offset, length)


@pytest.mark.parametrize("kind", ["share", "database"])
def test_an_unreadable_snapshot_stops_nobody_who_looks_and_is_named(tmp_path: Path, kind: str) -> None:
    """Garbage of any size and a sealed list: left out and named; whoever removes data goes on refusing."""
    vault = fresh(tmp_path / "vault")
    _taken(vault, kind, 1)
    looking = _looking(kind, vault)
    assert len(looking.look()) == 1
    assert looking.unreadable == []
    bad = [_garbage(vault, b"x" * 300), _garbage(vault, b""), vault.put_plain(Kind.SNAPSHOTS, b"[]")]
    _taken(vault, kind, 2)
    assert len(looking.look()) == 2
    assert looking.unreadable == sorted(bad)
    assert len(_looking(kind, vault).look()) == 2, "a process that begins"
    with pytest.raises(PromiseBroken):
        vault.snapshots()
    with pytest.raises(PromiseBroken):
        plan(vault)
    for name in bad:
        vault.store.remove(Kind.SNAPSHOTS, name)
    assert len(looking.look()) == 2
    assert looking.unreadable == []


class _Withholding(FolderStore):
    """Lists what it does not give."""

    withheld = ""

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        if name == self.withheld:
            raise Absent(name)
        return super().read(kind, name, offset, length)


@pytest.mark.parametrize("kind", ["share", "database"])
def test_a_snapshot_that_is_listed_and_not_given_is_named_until_it_is(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not one that was thinned away: whoever removes must not take what it needs for unused."""
    vault = fresh(tmp_path / "vault")
    store = _Withholding(tmp_path / "vault")
    vault.store = store
    store.withheld = _taken(vault, kind, 1)
    _taken(vault, kind, 2)
    looking = _looking(kind, vault)
    assert len(looking.look()) == 1
    assert looking.unreadable == [store.withheld]
    store.withheld = ""
    monkeypatch.setattr(sight, "_AGAIN", 0.0)
    assert len(looking.look()) == 2
    assert looking.unreadable == []


@pytest.mark.parametrize("kind", ["share", "database"])
def test_an_unreadable_snapshot_is_read_again_when_it_changes(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at each look; once it is mended it is there, and no longer named. Without a date, after a minute."""
    vault = fresh(tmp_path / "vault")
    counting = _Counting(tmp_path / "vault")
    name = _taken(vault, kind, 1)
    path = tmp_path / "vault" / "snapshots" / name
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:-1])
    looking = _looking(kind, Repository(counting, vault.key, vault.id))
    assert list(looking.look()) == []
    asked = len(counting.asked)
    for _ in range(5):
        assert list(looking.look()) == []
    assert len(counting.asked) == asked
    assert looking.unreadable == [name]
    monkeypatch.setattr(sight, "_AGAIN", 0.0)
    looking.look()
    assert len(counting.asked) > asked
    monkeypatch.undo()
    path.write_bytes(whole)
    assert len(looking.look()) == 1
    assert looking.unreadable == []
