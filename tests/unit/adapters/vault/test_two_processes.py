"""A saving or a restore that two processes share, and a saving that works while its lock becomes sure."""

from __future__ import annotations

import os
import random
import signal
import stat
from pathlib import Path

import pytest

from releve.adapters.engines.files.capture import down
from releve.adapters.vault import locks, rows
from releve.adapters.vault.archive import Archiver
from releve.adapters.vault.metadata import entry_of, node_of
from releve.adapters.vault.node import encode
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.restore import restore
from releve.adapters.vault.store import FolderStore, Kind
from releve.adapters.vault.verify import verify
from releve.domain.errors import Refused, Unreachable
from tests.vaults import fresh, keep, now, picture, reopened

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def _share(folder: Path) -> Path:
    chance = random.Random(5)
    for number in range(12):
        below = folder / f"d{number}" / "deep"
        below.mkdir(parents=True)
        for name in ("a", 'b"\\', "é\n"):
            (below / name).write_bytes(chance.randbytes(2000))
        (below / "copy").write_bytes(b"the same in every folder" * 100)
        (below / "link").symlink_to("a")
    (folder / "d0" / "deep" / "large").write_bytes(chance.randbytes(900_000) + bytes(400_000))
    os.link(folder / "d0" / "deep" / "a", folder / "d11" / "hard")
    (folder / "d3" / "deep" / "a").chmod(0o4711)
    return folder


def _packs(vault: Repository) -> list[str]:
    return [one.name for one in vault.store.entries(Kind.DATA)]


def test_two_processes_save_and_bring_back_what_one_does(tmp_path: Path) -> None:
    """Every fact of every file, names of one file that fell to both; what is the same is stored once."""
    share = _share(tmp_path / "share")
    alone = keep(fresh(tmp_path / "alone"), share)
    vault = fresh(tmp_path / "vault")
    saved = keep(vault, share, processes=2)
    assert (saved.tally.files, saved.tally.folders) == (alone.tally.files, alone.tally.folders)
    assert (saved.tally.size, saved.blobs) == (alone.tally.size, alone.blobs)
    again = reopened(tmp_path / "vault")
    assert verify(again).sound
    done = restore(again, again.snapshot("latest"), str(tmp_path / "out"), processes=2)
    assert (done.files, done.lost, done.missed) == (saved.tally.files, [], [])
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)
    (share / "d5" / "deep" / "a").write_text("changed")
    second = keep(vault, share, processes=2).tally
    assert (second.files_new, second.files_changed) == (0, 1)
    assert second.files_same == saved.tally.files - 1


def test_a_second_process_that_dies_is_told_and_leaves_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a folder: an error with a hint, and the next saving is whole."""
    share, vault = _share(tmp_path / "share"), fresh(tmp_path / "vault")
    with monkeypatch.context() as patched:
        patched.setattr(Archiver, "folder", lambda *_given: os.kill(os.getpid(), signal.SIGKILL))
        with pytest.raises(Unreachable, match="second processus") as caught:
            keep(vault, share, processes=2)
    assert caught.value.hint
    assert vault.snapshots() == []
    assert list(vault.store.entries(Kind.LOCKS)) == []
    keep(vault, share, processes=2)
    assert verify(reopened(tmp_path / "vault")).sound


def test_an_error_of_the_second_process_is_the_error_of_the_saving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that refuses only there: the same code and hint as if it had been asked here."""
    share, vault, here = _share(tmp_path / "share"), fresh(tmp_path / "vault"), os.getpid()
    write = FolderStore.write

    def refuse(self: FolderStore, kind: Kind, name: str, parts: list[bytes]) -> None:
        if os.getpid() != here:
            raise Refused("vault-denied", "non", hint="donnez les droits")
        write(self, kind, name, parts)

    monkeypatch.setattr(FolderStore, "write", refuse)
    with pytest.raises(Refused) as caught:
        keep(vault, share, processes=2)
    assert (caught.value.code, caught.value.hint) == ("vault-denied", "donnez les droits")
    assert vault.snapshots() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_is_written_before_the_lock_is_sure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """Somebody's exclusive lock appears before the second look: refused, and not one pack is there."""
    share, vault = _share(tmp_path / "share"), fresh(tmp_path / "vault")
    other = reopened(tmp_path / "vault")

    def meanwhile(_seconds: float) -> None:
        locks._write(other, exclusive=True, now=now)

    monkeypatch.setattr(locks.time, "sleep", meanwhile)
    with pytest.raises(Refused) as caught:
        keep(vault, share, processes=processes)
    assert caught.value.code == "vault-locked"
    assert (_packs(vault), vault.snapshots()) == ([], [])


def test_what_was_read_before_the_lock_was_sure_is_read_again_when_it_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tidying that ended in between took packs away: the snapshot holds everything all the same."""
    share, vault = _share(tmp_path / "share"), fresh(tmp_path / "vault")
    keep(vault, share)
    other, told = reopened(tmp_path / "vault"), []

    def meanwhile(_seconds: float) -> None:
        told.append(1)
        if len(told) == 1:
            for kind in (Kind.SNAPSHOTS, Kind.INDEX, Kind.DATA):
                for one in list(other.store.entries(kind)):
                    other.store.remove(kind, one.name)

    monkeypatch.setattr(locks.time, "sleep", meanwhile)
    saved = keep(vault, share)
    assert len(told) == 2
    assert saved.parent == ""
    verdict = verify(reopened(tmp_path / "vault"))
    assert verdict.sound
    assert verdict.snapshots == 1


def test_a_wide_folder_is_written_as_a_narrow_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that waited in a file make the same tree as entries that waited in memory."""
    share = _share(tmp_path / "share")
    narrow, wide = fresh(tmp_path / "narrow"), fresh(tmp_path / "wide")
    first = keep(narrow, share)
    monkeypatch.setattr(rows, "_WIDE", 3)
    second = keep(wide, share)
    # The folders above the share belong to every test that runs: what lies below it is compared.
    tops = [down(vault, vault.snapshot(one.id)) for vault, one in ((narrow, first), (wide, second))]
    assert all(top is not None for top in tops)
    assert tops[0].subtree == tops[1].subtree
    assert verify(reopened(tmp_path / "wide")).sound


def test_the_quick_entry_of_a_file_is_the_usual_one(tmp_path: Path) -> None:
    """Odd names, modes and dates, no content or some: byte for byte."""
    names = ["plain.txt", 'quo"te\\', "<html>&", "é\n\t", os.fsdecode(b"not\xffutf8"), "\u2028"]
    for number, name in enumerate(names):
        place = os.fsencode(tmp_path / name)
        Path(os.fsdecode(place)).write_bytes(b"x" * number)
        Path(os.fsdecode(place)).chmod([0o644, 0o4755, 0o1000, 0, 0o2070, 0o600][number])
        os.utime(place, ns=(5, [0, 1, 10**9, -5, 1_700_000_000_123_456_789, 2**62][number]))
        facts = os.lstat(place)
        content = tuple(bytes([number]) * 32 for _ in range(number))
        wanted = encode(node_of(os.fsencode(name), place, facts, number, content))
        assert entry_of(os.fsencode(name), place, facts, number, content) == wanted
        assert stat.S_ISREG(facts.st_mode)
