"""Positions and instants that no server has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import inf, nan

import pytest

from releve.adapters.survey.databases import mariadb, postgresql
from releve.adapters.survey.databases.rate import Place, rate


@pytest.mark.parametrize(
    ("first", "second"),
    [(0.0, inf), (-inf, 0.0), (nan, 1.0), (0.0, nan), (0.0, 5e-324), (1.0, 1.0), (2.0, 1.0)],
)
def test_a_rate_is_a_number_or_unknown(first: float, second: float) -> None:
    """Instants that are no numbers, or no time apart, give no rate."""
    assert rate(Place(first, 0), Place(second, 10**9)) is None
    assert rate(Place(1.0, 0), Place(3.0, 10)) == 5.0


def answers(at: str, position: str) -> Iterator[str]:
    """What a PostgreSQL server answers one question after the other."""
    place = {"at": 1.0, "position": 0}
    yield json.dumps(place)
    rest = {"version": "15", "replicas": 0, "mode": "off", "ways": None, "archived": None, "failed": 0}
    told = json.dumps({**rest, "bases": [["b", 1, True]], "place": place})
    yield told.replace('"at": 1.0, "position": 0', f'"at": {at}, "position": {position}')
    yield '{"tables": 1, "rows": 1}'


@pytest.mark.parametrize(
    ("at", "position"), [("2.0", "9" * 400), ("9" * 400, "1"), ("2.0", "Infinity"), ("2.0", "NaN")]
)
def test_a_server_that_is_nowhere_is_a_gap(at: str, position: str) -> None:
    """A position beyond any number is an answer that nobody understands, of either engine."""
    left = answers(at, position)
    found = postgresql.bases(lambda *_: next(left), "base", "serveur", pause=0)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["answer-unclear"])
    rows = iter(
        ([["at", "1.0"], ["Innodb_lsn_current", "0"]], [["at", at], ["Innodb_lsn_current", position]])
    )
    found = mariadb.bases(lambda _: next(rows), "base", "serveur", pause=0)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["answer-unclear"])


def test_a_server_whose_answers_are_too_deep_is_a_gap() -> None:
    """Whether it is all of them, or one of a database."""
    found = postgresql.bases(lambda *_: "[" * 200_000, "base", "serveur", pause=0)
    assert [gap.code for gap in found.gaps] == ["answer-unclear"]
    left = iter((*[*answers("2.0", "1")][:2], "[" * 200_000))
    found = postgresql.bases(lambda *_: next(left), "base", "serveur", pause=0)
    assert [(gap.code, gap.what) for gap in found.gaps] == [("answer-unclear", "b")]
