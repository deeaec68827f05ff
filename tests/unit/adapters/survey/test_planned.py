"""What a PostgreSQL server of the plan is told before it is asked anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from releve.adapters.engines.postgresql import connection
from releve.adapters.survey.databases.planned import data_set_bases
from tests.fakes.plans import data_set


class Links:
    """Connections that only note what they are told."""

    said: list[str]

    def __init__(self, _parameters: Callable[[str], dict[str, str | int]]) -> None:
        Links.said = []

    def run(self, _database: str, look: Callable[[Any], str], *, patience: float) -> str:
        return look(self)

    def execute(self, words: bytes) -> Links:
        Links.said.append(words.decode())
        return self

    def fetchone(self) -> None:
        return None

    def close(self) -> None:
        return None


def test_a_server_is_told_to_change_nothing_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read only, and bounded in time, before its first question."""
    monkeypatch.setattr(connection, "Connections", Links)
    data_set_bases(data_set(), "principal", secret=lambda _: "", pause=0, timeout=7)
    first = next(number for number, words in enumerate(Links.said) if words.startswith("SELECT"))
    assert set(Links.said[:first]) == {
        "SET default_transaction_read_only = on",
        "SET statement_timeout = 7000",
        "SET lock_timeout = 2000",
    }
