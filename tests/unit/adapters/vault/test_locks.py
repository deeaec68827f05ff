"""Who may write and who may remove, when clocks are wrong and locks are taken away."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from releve.adapters.vault import locks
from releve.adapters.vault.locks import hold
from releve.adapters.vault.processes import born, here
from releve.adapters.vault.pruning import prune
from releve.adapters.vault.repository import Repository, open_vault
from releve.adapters.vault.saving import save
from releve.adapters.vault.store import FolderStore, Kind
from releve.adapters.vault.verify import verify
from releve.domain.errors import Refused
from tests.vaults import PASSWORD, fresh, keep, now, reopened
from tests.waiting import until


def _share(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number}").write_bytes(random.Random(number).randbytes(18_000_000))
    return folder


def _put(vault: Repository, **facts: object) -> Path:
    """A lock in a folder, as somebody else wrote it."""
    value = {
        "time": "2026-01-01T00:00:00Z",
        "exclusive": False,
        "hostname": "ailleurs",
        "username": "x",
        "pid": 1,
    }
    name = vault.put(Kind.LOCKS, value | facts)
    return Path(vault.store.where) / "locks" / name


def _age(lock: Path, minutes: float) -> None:
    past = time.time() - minutes * 60
    os.utime(lock, (past, past))


def _claim(minutes: float) -> str:
    return (now() - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _free(vault: Repository) -> bool:
    """Whether somebody may have the vault for himself; if not, it is said how long that lasts."""
    with suppress(Refused), hold(vault, exclusive=True, now=now):
        return True
    with pytest.raises(Refused, match="est utilisé") as caught, hold(vault, exclusive=True, now=now):
        pass
    assert "attendez" in caught.value.hint
    return False


def test_a_clock_that_is_ahead_takes_no_vault_from_a_saving(tmp_path: Path) -> None:
    """A pruning whose clock is 31 minutes ahead, in the middle of a saving: refused, and nothing is lost."""
    share, vault = _share(tmp_path / "share"), fresh(tmp_path / "vault")
    other, told = reopened(tmp_path / "vault"), []

    def meanwhile(_tally: object) -> None:
        if not told:
            until(
                lambda: next(iter(vault.store.entries(Kind.DATA)), None) is not None
            )  # on its way in a thread
            with pytest.raises(Refused) as caught:
                prune(other, now=lambda: now() + timedelta(minutes=31))
            told.append(caught.value.code)

    save(vault, [str(share)], now=now, progress=meanwhile)
    assert told == ["vault-locked"]
    assert verify(reopened(tmp_path / "vault")).sound


@pytest.mark.parametrize("claimed", [-120, 0, 120])
def test_the_age_of_a_lock_is_what_the_store_says(tmp_path: Path, claimed: float) -> None:
    """Of another machine: 29 minutes by the store's own time hold, 31 do not, whatever its holder claims."""
    vault = fresh(tmp_path / "vault")
    lock = _put(vault, time=_claim(claimed))
    _age(lock, 29)
    assert not _free(vault)
    _age(lock, 31)
    assert _free(vault)
    assert not lock.exists()


def test_a_lock_whose_process_lives_here_is_never_stale(tmp_path: Path) -> None:
    """However old it looks: ours by the process's birth, restic's by its pid; one of a pid used again goes at once."""
    vault = fresh(tmp_path / "vault")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        mine = {"hostname": locks.socket.gethostname(), "pid": living.pid}
        lock = _put(vault, **mine, home=here(), born=born(living.pid), time=_claim(600))
        _age(lock, 600)
        assert not _free(vault)
        lock.unlink()
        restics = _put(vault, **mine, time=_claim(600))
        _age(restics, 600)
        assert not _free(vault)
        restics.unlink()
        again = _put(vault, **mine, home=here(), born="1", time=_claim(0))
        assert _free(vault)
        assert not again.exists()
        left = _put(vault, **mine, home=here(), born=born(living.pid), time=_claim(0))
        living.communicate()
    assert _free(vault)
    assert not left.exists()


def test_a_pid_of_another_place_says_nothing(tmp_path: Path) -> None:
    """A container of the same name, or this machine before it started anew: only the lock's age counts."""
    vault = fresh(tmp_path / "vault")
    lock = _put(
        vault, hostname=locks.socket.gethostname(), pid=2**22 + 1, home="un autre", born="1", time=_claim(0)
    )
    assert not _free(vault)
    _age(lock, 31)
    assert _free(vault)


class _Tampered(FolderStore):
    """A store from which every lock goes away when the first file of a kind is written, before it or after it."""

    def __init__(self, root: Path, kind: Kind, *, after: bool) -> None:
        super().__init__(root)
        self._when = kind
        self._after = after

    def write(self, kind: Kind, name: str, parts: Sequence[bytes]) -> None:
        if kind is self._when and not self._after:
            self._take_away()
        super().write(kind, name, parts)
        if kind is self._when and self._after:
            self._take_away()

    def _take_away(self) -> None:
        for lock in self.entries(Kind.LOCKS):  # those that are whole; two packs are written at once
            (self.root / "locks" / lock.name).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("kind", "after"),
    [(Kind.DATA, False), (Kind.INDEX, True), (Kind.SNAPSHOTS, False), (Kind.SNAPSHOTS, True)],
)
def test_who_lost_his_lock_acknowledges_nothing(tmp_path: Path, kind: Kind, after: bool) -> None:
    """Taken away in the middle, before the snapshot or while it is written: an error, no snapshot; the next holds."""
    share = _share(tmp_path / "share", 1)
    fresh(tmp_path / "vault")
    tampered = open_vault(_Tampered(tmp_path / "vault", kind, after=after), PASSWORD)
    with pytest.raises(Refused) as caught:
        keep(tampered, share)
    assert caught.value.code == "vault-lock-lost"
    assert caught.value.hint
    again = reopened(tmp_path / "vault")
    assert again.snapshots() == []
    assert list(again.store.entries(Kind.LOCKS)) == []
    saved = keep(again, share)
    assert [one.id for one in reopened(tmp_path / "vault").snapshots()] == [saved.id]
    assert verify(reopened(tmp_path / "vault")).sound


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are renewed all the time."""
    monkeypatch.setattr(locks, "RENEW", 0.02)
    monkeypatch.setattr(locks, "RETRY", 0.02)


def _emptied(vault: Repository) -> bool:
    for lock in vault.store.entries(Kind.LOCKS):
        vault.store.remove(Kind.LOCKS, lock.name)
    return not any(vault.store.entries(Kind.LOCKS))


@pytest.mark.usefixtures("quick")
def test_a_lock_that_was_taken_away_is_not_renewed_but_said_once_and_taken_again(tmp_path: Path) -> None:
    """A resident hears of it at its next look, whatever its renewals did, and goes on under a new lock."""
    vault = fresh(tmp_path / "vault")
    with hold(vault, exclusive=False, now=now) as still_ours:
        for _ in range(5):
            until(lambda: _emptied(vault))
            time.sleep(0.06)
            assert list(vault.store.entries(Kind.LOCKS)) == []
            with pytest.raises(Refused) as caught:
                still_ours()
            assert caught.value.code == "vault-lock-lost"
            still_ours()
            until(lambda: any(vault.store.entries(Kind.LOCKS)))  # one listing may miss both at a renewal
    assert list(vault.store.entries(Kind.LOCKS)) == []


def test_who_lost_his_lock_to_one_who_has_the_vault_for_himself_waits(tmp_path: Path) -> None:
    """Refused while the other is there, without a lock in his way; free afterwards."""
    vault = fresh(tmp_path / "vault")
    with hold(vault, exclusive=False, now=now) as still_ours:
        for lock in (tmp_path / "vault" / "locks").iterdir():
            lock.unlink()
        other = _put(vault, exclusive=True)
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                still_ours()
            assert caught.value.code == "vault-locked"
            assert [one.name for one in vault.store.entries(Kind.LOCKS)] == [other.name]
        other.unlink()
        with pytest.raises(Refused) as caught:
            still_ours()
        assert caught.value.code == "vault-lock-lost"
        still_ours()


def test_a_lock_says_where_its_pid_means_something(tmp_path: Path) -> None:
    """Start of the machine, pid namespace and birth of the process are in the file, beside what restic reads."""
    vault = fresh(tmp_path / "vault")
    with hold(vault, exclusive=False, now=now):
        (entry,) = vault.store.entries(Kind.LOCKS)
        value = json.loads(vault.get(Kind.LOCKS, entry.name))
        assert {"time", "exclusive", "hostname", "username", "pid"} <= value.keys()
        assert (value["home"], value["born"]) == (here(), born(os.getpid()))
        assert here()
        (lock,) = locks.locks(vault)
        assert lock.ours
        assert lock.lives


@pytest.mark.parametrize("what", ["torn", "no lock"])
def test_a_lock_that_cannot_be_read_is_named_and_goes_like_another(tmp_path: Path, what: str) -> None:
    """Whoever may add to the vault may leave one: it forbids as long as one whose holder is gone, and no longer."""
    vault = fresh(tmp_path / "vault")
    folder = tmp_path / "vault" / "locks"
    if what == "torn":
        (folder / ("ab" * 32)).write_bytes(b"rien de bon")
    else:
        vault.put(Kind.LOCKS, {"exclusive": "x"})
    (path,) = folder.iterdir()
    with pytest.raises(Refused) as refused, hold(vault, exclusive=False, now=now):
        pass
    assert refused.value.code == "vault-locked"
    assert f"locks/{path.name[:8]}" in refused.value.sentence
    assert "30 minutes" in refused.value.hint
    os.utime(path, (time.time() - 31 * 60,) * 2)
    with hold(vault, exclusive=False, now=now):
        pass
    assert list(folder.iterdir()) == []
