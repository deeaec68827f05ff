"""To which instants one can go back, and what is said where one cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from releve.adapters.engines.postgresql.archive.catalogue import Base
from releve.adapters.engines.postgresql.archive.marks import BaseMark, Place
from releve.adapters.engines.postgresql.archive.restore import _proved
from releve.adapters.engines.postgresql.archive.segments import Segment, Wal
from releve.adapters.engines.postgresql.archive.trial import Seen
from releve.adapters.engines.postgresql.archive.windows import LATEST, choose, windows
from releve.adapters.engines.postgresql.parse import say_lsn
from releve.adapters.engines.postgresql.timelines import History
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import Snapshot
from releve.domain.errors import PromiseBroken, Refused

SIZE = 16 << 20
T0 = datetime(2026, 3, 9, 12, tzinfo=UTC)


def _at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def _base(number: int, minute: float, timeline: int = 1) -> Base:
    """A base that ended in the middle of that segment, at that minute."""
    middle = number * SIZE + SIZE // 2
    mark = BaseMark("d", "7", f"b{number}", timeline, middle - 1000, middle, _at(minute), 160000, SIZE)
    return Base(mark, Snapshot("s", T0, b"", ()))


def _wal(
    *numbers: int, timeline: int = 1, wal: Wal | None = None, proved: dict[int, float] | None = None
) -> Wal:
    """Whole segments; `proved`: end of that segment -> minute."""
    made = wal or Wal(SIZE)
    for number in numbers:
        at = Place(timeline, number)
        node = Node(at.name(SIZE).encode(), "file", 0o600, 0, size=SIZE)
        made.segments[at] = Segment(at.name(SIZE), at, node, partial=False, end=(number + 1) * SIZE)
    made.proofs |= {(timeline, (number + 1) * SIZE, _at(minute)) for number, minute in (proved or {}).items()}
    return made


def test_a_window_goes_from_the_base_to_the_last_proof() -> None:
    """Both ends can be reached; the end is what the archive said, and no file's date."""
    (window,) = windows([_base(1, 0)], _wal(1, 2, 3, proved={2: 20, 3: 30}), 1)
    assert (window.since, window.until, window.gap) == (_at(0), _at(30), "")
    assert window.end == 4 * SIZE


def test_a_missing_segment_ends_the_window_and_is_named() -> None:
    """Proofs that lie beyond it count no more; a base after it has a window of its own."""
    wal = _wal(1, 2, 4, 5, proved={1: 10, 2: 20, 4: 40, 5: 50})
    first, second = windows([_base(1, 0), _base(4, 35)], wal, 1)
    assert (first.until, first.gap) == (_at(20), "000000010000000000000003")
    assert (second.until, second.gap) == (_at(50), "")
    assert choose([first, second], _at(45)) is second
    assert choose([first, second], LATEST) is second
    with pytest.raises(Refused, match="000000010000000000000003"):
        choose([first, second], _at(30))


def test_the_newest_base_before_the_goal_is_taken() -> None:
    """An instant before a base ended cannot be reached from it."""
    known = windows([_base(1, 0), _base(3, 30)], _wal(1, 2, 3, 4, proved={4: 60}), 1)
    assert choose(known, _at(29)).base.mark.label == "b1"
    assert choose(known, _at(30)).base.mark.label == "b3"
    with pytest.raises(Refused, match="avant la première base"):
        choose(known, _at(-1))
    with pytest.raises(Refused, match="ne peut pas être rejoint"):
        choose(known, _at(61))
    assert choose(known, 4 * SIZE).base.mark.label == "b3"
    with pytest.raises(Refused, match="ne peut pas être rejointe"):
        choose(known, 9 * SIZE)


def test_a_fork_is_crossed_by_the_file_of_the_new_timeline() -> None:
    """Where a timeline was left within a segment, the new timeline's file of that segment is what is needed."""
    wal = _wal(1, 2, proved={2: 20})
    fork = 3 * SIZE + 5000
    wal.histories[2] = History(2, ((1, fork),))
    (without,) = windows([_base(1, 0)], wal, 2)
    assert without.end == 3 * SIZE
    _wal(3, 4, timeline=2, wal=wal, proved={4: 50})
    (window,) = windows([_base(1, 0)], wal, 2)
    assert (window.until, window.end) == (_at(50), 5 * SIZE)


def test_what_the_old_side_wrote_after_the_fork_proves_nothing() -> None:
    """WAL, proofs and bases of a timeline beyond the point where it was left are not on the way."""
    wal = _wal(1, 2, 3, 4, 5, proved={2: 20, 5: 90})
    wal.histories[2] = History(2, ((1, 3 * SIZE + 5000),))
    _wal(3, 4, timeline=2, wal=wal, proved={3: 40})
    found = windows([_base(1, 0), _base(4, 80)], wal, 2)
    assert [one.base.mark.label for one in found] == ["b1"]
    assert found[0].until == _at(40)
    assert windows([_base(4, 80)], wal, 1)[0].until == _at(90)


def test_latest_is_refused_where_something_after_it_is_known_to_be_missing() -> None:
    """The nearest instant is given instead: nobody is brought to an older state without knowing it."""
    known = windows([_base(1, 0)], _wal(1, 3, proved={1: 10, 3: 30}), 1)
    with pytest.raises(Refused, match="il manque le journal") as refused:
        choose(known, LATEST)
    assert _at(10).isoformat() in refused.value.hint


def test_an_instant_that_happened_twice_is_not_said_to_be_reached() -> None:
    """A clock that was set back: the archive had claimed that instant beyond the place where the recovery stopped."""
    base = _base(1, 0)
    goal, later = _at(30), _at(60)
    seen = Seen(1, 3 * SIZE, _at(20), later, in_recovery=False, databases=(), checksums=False)
    steady = _wal(1, 2, 3, 4, proved={1: 10, 2: 40, 3: 70})
    (window,) = windows([base], steady, 1)
    assert _proved(steady, window, seen, goal) == goal
    again = _wal(1, 2, 3, 4, proved={1: 10, 2: 40, 3: 25})
    (window,) = windows([base], again, 1)
    with pytest.raises(PromiseBroken) as broken:
        _proved(again, window, seen, goal)
    assert broken.value.code == "goal-twice"
    assert say_lsn(3 * SIZE) in broken.value.hint
