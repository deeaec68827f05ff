"""Small files of a process: what was said to be kept is on the disk, its name too."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releve.adapters.engines.files import alert
from releve.adapters.engines.files.alert import Alert
from releve.adapters.notes import drop, put
from releve.adapters.vault.merging import Retired
from releve.adapters.vault.sightings import Sightings
from releve.adapters.vault.store import Kind
from releve.entrypoints.worker.thinning import write_note

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str]]]:
    """Each fsync that is made: of what, and the names in the folder at that moment."""
    found: list[tuple[str, set[str]]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        folder = path if path.is_dir() else path.parent
        found.append((path.name, {one.name for one in folder.iterdir()}))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


@pytest.mark.parametrize(
    "keep",
    [
        lambda note: put(note, b"{}"),
        lambda note: alert.write(note, Alert("essai", "", "")),
        lambda note: Sightings(note).look(Kind.DATA, ["a"], T0),
        lambda note: write_note(note, {"a": Retired("a", T0)}),
    ],
    ids=["any", "alert", "sightings", "retired"],
)
def test_a_note_is_on_the_disk_with_its_name_once_it_is_kept(
    tmp_path: Path, synced: list[tuple[str, set[str]]], keep: Callable[[Path], object]
) -> None:
    """Its bytes before the name is given, the folder after: a power cut leaves the old one or the new one."""
    keep(tmp_path / "note.json")
    assert synced == [("note.new", {"note.new"}), (tmp_path.name, {"note.json"})]


def test_an_alert_that_ended_does_not_come_back_after_a_power_cut(
    tmp_path: Path, synced: list[tuple[str, set[str]]]
) -> None:
    """Come back with its decision, it would let the next attack pass."""
    alert.write(tmp_path / "alert.json", Alert("essai", "", "", decision="resume"))
    synced.clear()
    alert.write(tmp_path / "alert.json", None)
    assert synced == [(tmp_path.name, set())]


def test_what_is_not_there_is_dropped_without_a_word(tmp_path: Path) -> None:
    """A second end of the same alert is none."""
    drop(tmp_path / "alert.json")
    assert list(tmp_path.iterdir()) == []
