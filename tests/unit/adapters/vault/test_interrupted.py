"""A saving that stops in the middle: what the next one sends again, and what a pruning gives back."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from releve.adapters.vault import writer
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.pruning import plan, prune
from releve.adapters.vault.repository import open_vault
from releve.adapters.vault.store import FolderStore, Kind, RealDisk
from releve.adapters.vault.verify import verify
from releve.domain.errors import Unreachable
from tests.vaults import PASSWORD, fresh, keep, now, reopened

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


class _Full(RealDisk):
    """A disk on which so many packs find room."""

    def __init__(self, packs: int) -> None:
        self._left = packs

    def create(self, path: Path, parts: Sequence[bytes]) -> None:
        if "data" in path.parts:
            self._left -= 1
            if self._left < 0:
                raise OSError(errno.ENOSPC, "no room")
        super().create(path, parts)


def _share(folder: Path) -> Path:
    for number in range(8):
        below = folder / f"d{number}"
        below.mkdir(parents=True)
        (below / "f").write_bytes(random.Random(number).randbytes(20_000_000))
    return folder


def _cut(vault: Path, share: Path, processes: int = 1) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        keep(open_vault(FolderStore(vault, _Full(4)), PASSWORD), share, processes=processes)
    return caught.value


@pytest.mark.parametrize("processes", [1, 2])
def test_what_was_sent_before_the_cut_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """The disk fills after some packs: each was listed in its time, and the next saving sends the rest only."""
    monkeypatch.setattr(writer, "_EVERY", 0.0)
    share = _share(tmp_path / "share")
    fresh(tmp_path / "vault")
    error = _cut(tmp_path / "vault", share, processes)
    assert error.code == "vault-full"
    assert "n'est pas renvoyé" in error.hint
    sent = sum(one.size for one in reopened(tmp_path / "vault").store.entries(Kind.DATA))
    assert sent > 60_000_000
    saved = keep(reopened(tmp_path / "vault"), share)
    # What the second process had told when the first one stopped: of the two folders that it may have in hand, and of
    # the two packs that were begun before them, 72 MB.
    unheard = 4 * (processes - 1)
    assert saved.stored < 161_000_000 - sent + unheard * 18_000_000
    verdict = verify(reopened(tmp_path / "vault"))
    assert verdict.sound
    assert len(verdict.unused_packs) <= unheard


def test_a_resident_that_rests_writes_one_list_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts from the first blob after a list: not a list for each pack of a short piece of work."""
    monkeypatch.setattr(writer, "_EVERY", 0.4)
    vault = fresh(tmp_path / "vault")
    resident = writer.Writer(vault)
    try:
        for turn in range(2):
            time.sleep(0.5)
            for kind in BlobKind:
                resident.save(kind, b"%d %d" % (turn, kind))
            resident.flush()
            assert len(list(vault.store.entries(Kind.INDEX))) == turn + 1
    finally:
        resident.close()


def test_a_pruning_says_what_the_leftovers_give_back(tmp_path: Path) -> None:
    """Packs in no list count: before it is done, and as much is really given back."""
    share = _share(tmp_path / "share")
    fresh(tmp_path / "vault")
    _cut(tmp_path / "vault", share)
    vault = reopened(tmp_path / "vault")
    before = sum(one.size for one in vault.store.entries(Kind.DATA))
    told = plan(vault)
    assert len(told.unindexed) == 4
    assert told.freed == before > 60_000_000
    assert prune(vault, now=now).freed == before
    assert list(vault.store.entries(Kind.DATA)) == []
