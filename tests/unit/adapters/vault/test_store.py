"""The folder of a vault, and the disk under it: what was written is durable, name and bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.adapters.vault.store import FolderStore, Kind

NAME = "ab" * 32


class Synced:
    """Each sync of a file or folder that the system is asked for: its path, and what is there at that moment."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[Path, set[str], bytes]] = []
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._watched(getattr(os, name)))

    def _watched(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def sync(handle: int) -> None:
            real(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            folder = path if path.is_dir() else path.parent
            held = b"" if path.is_dir() else path.read_bytes()
            self.seen.append((path, {one.name for one in folder.iterdir()}, held))

        return sync


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """The folder of an empty vault."""
    made = FolderStore(tmp_path / "vault")
    made.make()
    (tmp_path / "vault" / "config").write_bytes(b"")
    return made


@pytest.mark.parametrize("write", [FolderStore.write, FolderStore.replace], ids=["write", "replace"])
@pytest.mark.parametrize("kind", [Kind.DATA, Kind.INDEX, Kind.SNAPSHOTS, Kind.KEYS, Kind.LOCKS])
def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_it_is_said(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, kind: Kind, write: Callable[..., None]
) -> None:
    """All its bytes under a draft name, then its folder once the name is given: nothing else, in that order."""
    folder = store.root / kind / (NAME[:2] if kind is Kind.DATA else "")
    synced = Synced(monkeypatch)
    write(store, kind, NAME, [b"un ", b"deux"])
    assert [path.parent if held else path for path, _, held in synced.seen] == [folder, folder]
    (draft, before, held), (_, after, _) = synced.seen
    assert (held, before) == (b"un deux", {draft.name})
    assert draft.name != NAME
    assert after == {NAME}


def test_a_folder_that_was_missing_is_on_the_disk_before_what_it_holds(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault copied without its empty folders: the name of the folder is durable too."""
    (store.root / "data" / "ab").rmdir()
    synced = Synced(monkeypatch)
    store.write(Kind.DATA, NAME, [b"x"])
    paths = [path if path.is_dir() else path.parent for path, _, _ in synced.seen]
    assert paths == [store.root / "data", store.root / "data" / "ab", store.root / "data" / "ab"]
    assert "ab" in synced.seen[0][1]


def test_what_was_removed_does_not_come_back(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is synced once the name has gone."""
    store.write(Kind.INDEX, NAME, [b"x"])
    synced = Synced(monkeypatch)
    store.remove(Kind.INDEX, NAME)
    assert [(path, names) for path, names, _ in synced.seen] == [(store.root / "index", set())]
