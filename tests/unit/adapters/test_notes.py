"""Small files of a process: what was said to be kept is on the disk, its name too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releve.adapters.engines.files import alert
from releve.adapters.engines.files.alert import Alert
from releve.adapters.notes import beside, drop, put, replace
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


def test_a_file_that_a_person_named_stays_what_it_was(tmp_path: Path) -> None:
    """A link stays a link, the mode stays, and a file that somebody else named nearly so is left alone."""
    (tmp_path / "vrai").mkdir()
    plan, named, other = tmp_path / "vrai" / "plan.yaml", tmp_path / "plan.yaml", tmp_path / "vrai/plan.new"
    plan.write_bytes(b"avant")
    plan.chmod(0o640)
    other.write_bytes(b"de quelqu'un")
    named.symlink_to("vrai/plan.yaml")
    replace(named, b"apres")
    assert named.is_symlink()
    assert (plan.read_bytes(), plan.stat().st_mode & 0o777) == (b"apres", 0o640)
    assert other.read_bytes() == b"de quelqu'un"
    assert sorted(one.name for one in plan.parent.iterdir()) == ["plan.new", "plan.yaml"]


@pytest.mark.needs("root")
def test_a_file_that_a_person_named_keeps_its_owner(tmp_path: Path) -> None:
    """Root writes the plan of an account: the account can still write it."""
    (tmp_path / "plan.yaml").write_bytes(b"avant")
    os.chown(tmp_path / "plan.yaml", 65534, 65534)
    replace(tmp_path / "plan.yaml", b"apres")
    found = (tmp_path / "plan.yaml").stat()
    assert (found.st_uid, found.st_gid) == (65534, 65534)


def test_what_is_no_file_is_written_in_place(tmp_path: Path) -> None:
    """A pipe stays a pipe, and whoever reads it gets the bytes; a new file has the rights of any other."""
    os.mkfifo(tmp_path / "tube")
    reader = os.open(tmp_path / "tube", os.O_RDONLY | os.O_NONBLOCK)
    replace(tmp_path / "tube", b"octets")
    assert os.read(reader, 100) == b"octets"
    os.close(reader)
    assert (tmp_path / "tube").is_fifo()
    replace(tmp_path / "neuf", b"")
    (tmp_path / "temoin").write_bytes(b"")
    assert (tmp_path / "neuf").stat().st_mode == (tmp_path / "temoin").stat().st_mode


def test_our_own_output_gets_the_bytes_where_it_is(tmp_path: Path) -> None:
    """/dev/stdout behind a redirection: what is said after goes on behind it."""
    program = (
        "import sys, pathlib; from releve.adapters.notes import replace;"
        "replace(pathlib.Path('/dev/stdout'), b'carte '); print('suite')"
    )
    with (tmp_path / "sortie").open("wb") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert (tmp_path / "sortie").read_bytes() == b"carte suite\n"


def test_what_is_kept_beside_is_never_overwritten(tmp_path: Path) -> None:
    """Each has its own name, and the rights of what it keeps."""
    (tmp_path / "plan.yaml").write_bytes(b"x")
    (tmp_path / "plan.yaml").chmod(0o600)
    kept = [beside(tmp_path / "plan.yaml", ".avant", raw) for raw in (b"un", b"deux", b"trois")]
    assert [one.name for one in kept] == ["plan.yaml.avant", "plan.yaml.avant-2", "plan.yaml.avant-3"]
    assert [one.read_bytes() for one in kept] == [b"un", b"deux", b"trois"]
    assert {one.stat().st_mode & 0o777 for one in kept} == {0o600}
