"""The signed chain of a state folder: what shows, what is kept, and its key."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from releve.adapters.ledger.register import CARRIED, Register, exported, flaws, imported, read_only
from releve.domain.errors import BadInput, Unreachable

T0 = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def made(folder: Path, count: int = 4) -> Register:
    """A register with that many entries."""
    register = Register(folder)
    for number in range(count):
        register.append("seen", {"snapshots": [number]}, T0)
    return register


def codes(folder: Path) -> set[str]:
    """What its check says is wrong."""
    register = Register(folder)
    try:
        entries, head = register.snapshot()
        return {one.code for one in flaws(entries, head, register.public)}
    finally:
        register.close()


def edit(folder: Path, statement: str) -> None:
    """What somebody who owns the disk does to it."""
    database = sqlite3.connect(folder / "register.sqlite3")
    with database:
        database.execute(statement)
    database.close()


def test_a_list_as_it_was_written_has_no_flaw_and_its_key_is_private(tmp_path: Path) -> None:
    """Opened again, everything is there; nobody else may read the key."""
    made(tmp_path / "r").close()
    assert codes(tmp_path / "r") == set()
    assert stat.S_IMODE((tmp_path / "r" / "register.key").stat().st_mode) == 0o600
    again = made(tmp_path / "r", 1)
    assert [one.entry.seq for one in again.entries()] == [1, 2, 3, 4, 5]
    again.close()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE entry SET body = '{\"snapshots\":[9]}' WHERE seq = 2", "altered"),
        ("DELETE FROM entry WHERE seq = 2", "removed"),
        ("DELETE FROM entry WHERE seq = 1", "removed"),
        ("DELETE FROM entry WHERE seq > 2", "truncated"),
        ("DELETE FROM entry", "truncated"),
        ("UPDATE entry SET signature = zeroblob(64) WHERE seq = 3", "unsigned"),
    ],
)
def test_whoever_writes_the_database_is_seen(tmp_path: Path, statement: str, code: str) -> None:
    """Altered, removed at any place, cut, forged: each shows by its name."""
    made(tmp_path / "r").close()
    edit(tmp_path / "r", statement)
    assert code in codes(tmp_path / "r")


def test_a_cut_list_that_goes_on_keeps_the_break(tmp_path: Path) -> None:
    """What is written after a cut does not cover it."""
    made(tmp_path / "r").close()
    edit(tmp_path / "r", "DELETE FROM entry WHERE seq = 4")
    made(tmp_path / "r", 2).close()
    assert "broken" in codes(tmp_path / "r")


def test_what_is_let_go_stays_provable(tmp_path: Path) -> None:
    """After a carrying over, the chain goes on from the hash of what went, and a head given out is found."""
    register = made(tmp_path / "r")
    head = register.give_out()
    later = register.append("seen", {"snapshots": []}, T0).hash
    register.append(CARRIED, {"live": []}, T0)
    register.append("seen", {"snapshots": [7]}, T0)
    assert [one.entry.kind for one in register.entries()] == [CARRIED, "seen"]
    assert register.passed_through(head)
    assert register.passed_through((5, later))
    assert not register.passed_through((4, "0" * 64))
    register.close()
    assert codes(tmp_path / "r") == set()
    edit(tmp_path / "r", "DELETE FROM entry WHERE kind = 'carried'")
    assert "removed" in codes(tmp_path / "r")


def test_a_whole_list_made_anew_is_signed_by_another(tmp_path: Path) -> None:
    """Somebody who rewrites everything without the key, witness included, is seen by whoever has the public one."""
    register = made(tmp_path / "r")
    public = register.public
    register.close()
    other = made(tmp_path / "other")
    entries, head = other.snapshot()
    other.close()
    assert {one.code for one in flaws(entries, head, public)} == {"unsigned"}


def test_an_exported_list_is_checked_with_the_public_key_alone(tmp_path: Path) -> None:
    """Line by line, on another machine; a changed line shows."""
    register = made(tmp_path / "r")
    public, lines = register.public, [exported(one) for one in register.entries()]
    register.close()
    assert flaws([imported(line) for line in lines], None, public) == []
    lines[1] = lines[1].replace("[1]", "[8]")
    assert {one.code for one in flaws([imported(line) for line in lines], None, public)} == {"altered"}


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    """Interleaved appends of two that opened it apart."""
    one, other = made(tmp_path / "r", 0), made(tmp_path / "r", 0)
    for number in range(10):
        (one, other)[number % 2].append("seen", {"snapshots": [number]}, T0)
    one.close()
    other.close()
    assert codes(tmp_path / "r") == set()


def test_a_key_that_is_no_key_is_said(tmp_path: Path) -> None:
    """A damaged key file is never replaced by a new one in silence."""
    made(tmp_path / "r").close()
    (tmp_path / "r" / "register.key").write_text("rien")
    with pytest.raises(BadInput, match="ne se lit pas"):
        Register(tmp_path / "r")


def test_a_list_is_shown_without_a_byte_written(tmp_path: Path) -> None:
    """Alone, beside a writer and after a cut: the same entries, and the folder as it was, its lock not even made."""
    folder = tmp_path / "liste d'ici ?#"
    assert read_only(folder) is None
    made(folder).close()
    for name in ("register.lock", "register.head", "register.key"):
        (folder / name).unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert [one.entry.seq for one in read_only(folder) or ()] == [1, 2, 3, 4]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    writer = made(folder, 1)
    seqs = [one.entry.seq for one in read_only(folder) or ()]
    assert seqs[-1] == writer.end()[0] > 4
    cut = tmp_path / "coupé"
    shutil.copytree(folder, cut)
    writer.close()
    assert [one.entry.seq for one in read_only(cut) or ()] == seqs
    (folder / "register.sqlite3").write_bytes(b"")
    assert read_only(folder) == []
    (folder / "register.sqlite3").write_bytes(b"rien de bon" * 1000)
    with pytest.raises(Unreachable, match="ne peut pas être lu"):
        read_only(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET at = '2026-11-24T12:00:00' WHERE seq = 2",
        "UPDATE entry SET at = 'hier' WHERE seq = 2",
        "UPDATE entry SET hash = 5, previous = x'00' WHERE seq = 2",
        "UPDATE entry SET signature = 'x' WHERE seq = 2",
    ],
)
def test_a_row_that_is_no_entry_is_a_flaw_and_no_crash(tmp_path: Path, statement: str) -> None:
    """An hour without its zone, a hash that is no text, a signature that is no bytes."""
    made(tmp_path / "r").close()
    edit(tmp_path / "r", statement)
    assert codes(tmp_path / "r") & {"altered", "unsigned"}
