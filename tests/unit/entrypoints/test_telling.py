"""An answer that comes one by one is the one document that it would be at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from releve.entrypoints.cli.telling import Answer, outcome


def test_what_comes_one_by_one_is_written_as_what_comes_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The same bytes: no item or some, lists within, and signs that some take for the end of a line."""
    for items in ([], [{"path": "a\u2028b\x85", "size": 1, "all": [1, {"x": []}]}, {"path": "c"}]):
        data: dict[str, object] = {"id": "x", "more": {"a": [1]}, "entries": items, "last": None}
        came: Iterator[object] = iter(items)
        assert outcome(True, lambda came=came, data=data: Answer({**data, "entries": came})) == 0  # type: ignore[misc]
        written = capsys.readouterr().out
        assert written == json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    assert outcome(False, lambda: Answer({}, iter(["one", "two"]))) == 0
    assert capsys.readouterr().out == "one\ntwo\n"
