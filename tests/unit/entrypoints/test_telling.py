"""An answer that comes one by one is the one document that it would be at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from releve.domain.errors import Refused
from releve.entrypoints.cli.telling import Answer, outcome
from tests.commands import here


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


def test_an_error_is_said_in_french(capsys: pytest.CaptureFixture[str]) -> None:
    """Its words and the names of its facts; in JSON the keys stay English."""

    def fails() -> Answer:
        raise Refused("x-y", "rien ne va", hint="attendez", context={"cause": "plein", "who": "releve audit"})

    assert outcome(False, fails) == 4
    said = capsys.readouterr().err
    assert said == "erreur : rien ne va [x-y]\n  cause : plein\n  qui : releve audit\n  conseil : attendez\n"
    assert outcome(True, fails) == 4
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["context"] == {"cause": "plein", "who": "releve audit"}


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_lacks_a_sign_ends_no_command(encoding: str) -> None:
    """What it cannot show is a "?", on both its streams; JSON stays whole, errors too."""
    listed = here(["audit", "rules"], {}, encoding=encoding)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "?" in listed.stdout
    wrong = here(["audit", "rules", "ZZZ-1…"], {}, encoding=encoding)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("erreur : r")
    assert "ZZZ-1? " in wrong.stderr
    for words in (["audit", "rules", "--json"], ["audit", "rules", "ZZZ-1…", "--json"]):
        assert json.loads(here(words, {}, encoding=encoding).stdout) == json.loads(here(words, {}).stdout)
