"""`releve evidence`, as a person types it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from releve.adapters.ledger import open_ledger
from releve.domain.errors import Exit
from releve.entrypoints.cli import evidence

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
Type = Callable[..., tuple[int, str]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose ledger has four entries."""
    ledger = open_ledger(tmp_path)
    for number in range(4):
        ledger.evidence.append("task-ended", {"n": number}, NOW)
    ledger.close()
    return tmp_path


@pytest.fixture
def type_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    """Runs the command with those words; gives its exit code and its standard output."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("RELEVE_STATE", raising=False)
    app = typer.Typer(rich_markup_mode=None)
    evidence.register(app)

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = app(["evidence", *words], standalone_mode=False)
        return (code if isinstance(code, int) else 0), capsys.readouterr().out

    return run


def cut(state: Path, text: str = "DELETE FROM ledger_evidence WHERE seq = 4") -> None:
    """Somebody writes the database."""
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as link, link:
        link.execute(text)


def verdict(out: str) -> dict[str, Any]:
    """The JSON document."""
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_sound_log_is_said_with_its_head(state: Path, type_in: Type) -> None:
    """Exit 0, the count, and a head that can be printed and given back."""
    code, out = type_in("verify", "--state", str(state), "--json")
    found = verdict(out)
    assert (code, found["sound"], found["count"]) == (Exit.DONE, True, 4)
    code, out = type_in("verify", "--state", str(state), "--head", found["head"])
    assert code == Exit.DONE
    assert found["head"] in out


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ("DELETE FROM ledger_evidence WHERE seq = 4", "truncated"),
        ("DELETE FROM ledger_evidence WHERE seq = 2", "removed"),
        ("UPDATE ledger_evidence SET body = '{}' WHERE seq = 2", "altered"),
    ],
)
def test_a_touched_log_is_exit_3(state: Path, type_in: Type, change: str, flaw: str) -> None:
    """Cut, removed, altered: promise not kept, and the flaw is named."""
    cut(state, change)
    code, out = type_in("verify", "--state", str(state), "--json")
    assert code == Exit.PROMISE_NOT_KEPT
    assert flaw in {item["code"] for item in verdict(out)["flaws"]}
    code, out = type_in("verify", "--state", str(state))
    assert code == Exit.PROMISE_NOT_KEPT
    assert flaw in out


def test_a_log_rewritten_whole_shows_against_a_printed_head(state: Path, type_in: Type) -> None:
    """Who rewrites the database and its witness is caught by a head that left the machine."""
    head = verdict(type_in("verify", "--state", str(state), "--json")[1])["head"]
    (state / "ledger.sqlite3").unlink()
    for leftover in state.glob("ledger.sqlite3-*"):
        leftover.unlink()
    (state / "evidence.head").unlink()
    from django.db import connections

    connections.close_all()
    forged = open_ledger(state)
    for _ in range(4):
        forged.evidence.append("task-ended", {"n": "autre"}, NOW)
    forged.close()
    assert type_in("verify", "--state", str(state))[0] == Exit.DONE
    code, out = type_in("verify", "--state", str(state), "--head", head, "--json")
    assert code == Exit.PROMISE_NOT_KEPT
    assert [item["code"] for item in verdict(out)["flaws"]] == ["rewritten"]


def test_a_missing_witness_is_not_called_sound(state: Path, type_in: Type) -> None:
    """Without the witness a cut tail could not be seen: said, with exit 3."""
    (state / "evidence.head").unlink()
    code, out = type_in("verify", "--state", str(state), "--json")
    assert code == Exit.PROMISE_NOT_KEPT
    assert [item["code"] for item in verdict(out)["flaws"]] == ["no-witness"]


def test_a_missing_database_is_not_called_sound(state: Path, type_in: Type) -> None:
    """The witness alone remembers that there were four entries."""
    (state / "ledger.sqlite3").unlink()
    for leftover in state.glob("ledger.sqlite3-*"):
        leftover.unlink()
    code, out = type_in("verify", "--state", str(state), "--json")
    assert code == Exit.PROMISE_NOT_KEPT
    assert [item["code"] for item in verdict(out)["flaws"]] == ["truncated"]


@pytest.mark.parametrize("head", ["4", "4:abc", "x:" + "0" * 64, "-1:" + "0" * 64, "4:" + "g" * 64])
def test_a_head_that_is_not_one_is_bad_input(state: Path, type_in: Type, head: str) -> None:
    """A slip in copying is told apart from a rewritten chain."""
    code, out = type_in("verify", "--state", str(state), f"--head={head}", "--json")
    assert code == Exit.BAD_INPUT
    assert verdict(out)["error"]["code"] == "head-format"


def test_a_folder_without_ledger_is_bad_input_and_stays_empty(tmp_path: Path, type_in: Type) -> None:
    """Verifying makes no ledger."""
    code, out = type_in("verify", "--state", str(tmp_path), "--json")
    assert code == Exit.BAD_INPUT
    assert verdict(out)["error"]["code"] == "no-ledger"
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_the_list_shows_the_last_entries(state: Path, type_in: Type) -> None:
    """Oldest first, as many as asked, the true count beside."""
    code, out = type_in("list", "--state", str(state), "--last", "2", "--json")
    found = verdict(out)
    assert code == Exit.DONE
    assert [item["seq"] for item in found["entries"]] == [3, 4]
    assert found["count"] == 4
    assert "task-ended" in type_in("list", "--state", str(state))[1]
