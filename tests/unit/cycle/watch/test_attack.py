"""What looks like an attack, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.watch.attack import judge, within
from releve.domain.share import WINDOW, Burst

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def _burst(second: int = 0, **seen: object) -> Burst:
    return Burst(AT + timedelta(seconds=second), f"before{second}", f"after{second}", **seen)  # type: ignore[arg-type]


def test_contents_that_are_no_longer_what_their_names_say() -> None:
    """Twenty scrambled files of thirty rewritten: an alert, and the snapshot before the first of them is the clean one."""
    bursts = [
        _burst(0, rewritten=3),
        _burst(1, rewritten=12, scrambled=8),
        _burst(2, rewritten=15, scrambled=12),
    ]
    found = judge(bursts)
    assert found is not None
    assert found.clean == "before1"
    assert "20 fichiers sur 30" in found.reason


def test_names_that_all_take_one_new_extension() -> None:
    """The same new extension on twenty names."""
    found = judge([_burst(0, renamed={".verrou": 12}), _burst(1, renamed={".verrou": 8})])
    assert found is not None
    assert ".verrou" in found.reason
    assert found.clean == "before0"


def test_a_share_rewritten_at_a_pace_at_which_nobody_types() -> None:
    """A thousand files and a third of the share."""
    assert judge([_burst(0, files=3000, rewritten=1000)]) is not None
    assert judge([_burst(0, files=30_000, rewritten=1000)]) is None


def test_what_comes_in_the_place_of_what_vanished() -> None:
    """Written in one step and removed in the next: the same; many more came than went: no replacing."""
    found = judge([_burst(0, strange=20, added=20), _burst(1, vanished=20, removed=20)])
    assert found is not None
    assert (found.clean, "20 fichiers sur 20" in found.reason) == ("before0", True)
    assert judge([_burst(0, strange=60, vanished=25)]) is None
    found = judge([_burst(0, novel={".lockbit": 24}, vanished=24)])
    assert found is not None
    assert ".lockbit" in found.reason
    assert judge([_burst(0, novel={".gpx": 300}, vanished=24)]) is None


def test_most_of_a_share_that_is_removed() -> None:
    """A hundred files and half of the share; what was only put elsewhere came as it went."""
    found = judge([_burst(0, files=300), _burst(1, files=100, removed=200)])
    assert found is not None
    assert (found.clean, "200 fichiers sur 300" in found.reason) == ("before1", True)
    assert judge([_burst(0, files=210, removed=200)]) is None
    assert judge([_burst(0, files=20, removed=99)]) is None
    assert judge([_burst(0, files=600, added=300), _burst(1, files=300, removed=300)]) is None


def test_a_working_day_is_no_attack() -> None:
    """Saving, tidying up, adding a folder of photographs, removing another: nothing."""
    assert judge([]) is None
    assert (
        judge([_burst(n, files=5000, rewritten=5, removed=200, renamed={".pdf": 3}) for n in range(5)])
        is None
    )


@given(st.lists(st.integers(0, 3600), max_size=30))
def test_only_the_last_minutes_count(seconds: list[int]) -> None:
    """The window holds exactly what is not older than ten minutes."""
    bursts = [_burst(one) for one in seconds]
    now = AT + timedelta(hours=1)
    assert within(bursts, now) == [one for one in bursts if now - one.at <= WINDOW]
