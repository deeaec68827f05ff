"""Where a command takes an instant from a person, it reads it with the care of `domain/instants.py`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from releve.domain.errors import BadInput
from releve.entrypoints.cli.database_back import goal_of
from releve.entrypoints.worker.verbs import _instant


def test_a_restore_takes_an_instant_a_position_or_the_latest() -> None:
    """The three goals of `database restore`; an instant may be written in French."""
    at = datetime(2026, 3, 9, 14, 30).astimezone()
    assert goal_of("2026-03-09T14:30:00", "") == goal_of("09/03/2026 14:30", "") == at
    assert goal_of("latest", "") == "latest"
    assert goal_of("", "0/3000148") == 0x3000148


@pytest.mark.parametrize(
    ("at", "position", "words"),
    [
        ("hier", "", "n'est pas une date et une heure"),
        ("2026-03-09", "", "n'a pas d'heure"),
        ("2026-02-30T10:00", "", "n'existe pas"),
        ("", "zéro", "« zéro » n'est ni un instant ni une position"),
    ],
)
def test_a_restore_never_guesses_its_goal(at: str, position: str, words: str) -> None:
    """What is no instant is refused with what can be written."""
    with pytest.raises(BadInput, match=words) as caught:
        goal_of(at, position)
    assert caught.value.code == "usage"
    assert "--lsn" in caught.value.hint


def test_an_incident_begins_at_an_instant_that_exists_and_is_past() -> None:
    """Nothing said is no instant; a wrong or future one is refused with its code."""
    assert _instant({"began_at": ""}, "began_at") is None
    assert _instant({"began_at": "30/11/2020 10:00"}, "began_at") == datetime(2020, 11, 30, 10).astimezone()
    for said, code in (
        ("2020-02-30T10:00", "bad-instant"),
        ("2020-11-30", "bad-instant"),
        ((datetime.now().astimezone() + timedelta(days=2)).isoformat(), "instant-in-future"),
    ):
        with pytest.raises(BadInput) as caught:
            _instant({"began_at": said}, "began_at")
        assert caught.value.code == code
