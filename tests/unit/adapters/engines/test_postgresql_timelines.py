"""Where two histories part, and who may simply go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.engines.postgresql.timelines import Fork, History, follows, fork, history

FIRST = History(1)
SECOND = history(2, "1\t0/3000148\tno recovery target specified\n")


def test_a_history_file_is_read_with_its_ancestors() -> None:
    """Each line is a timeline and the position at which it was left; comments are skipped."""
    read = history(3, "# a comment\n1\t0/3000148\tno recovery target specified\n2\t1/5\tbefore 2000\n")
    assert read == History(3, ((1, 0x3000148), (2, 2**32 + 5)))
    assert read.began == 2**32 + 5


def test_old_and_new_source_part_where_the_promotion_happened() -> None:
    """In either order."""
    assert fork(FIRST, SECOND) == Fork(1, 0x3000148)
    assert fork(SECOND, FIRST) == Fork(1, 0x3000148)
    assert fork(SECOND, SECOND) is None


def test_two_promotions_of_the_same_number_are_not_the_same_timeline() -> None:
    """Both sides promoted: they part at the lower of the two positions, and neither may just go on."""
    other = History(2, ((1, 0x4000000),))
    assert fork(SECOND, other) == Fork(1, 0x3000148)
    assert not follows(other, 0x4000100, SECOND, 0x9000000)


def test_no_common_beginning_is_an_error() -> None:
    """Two clusters that never had a timeline in common are not compared."""
    with pytest.raises(ValueError, match="no timeline"):
        fork(History(7), SECOND)
    assert not follows(History(7), 0, SECOND, 100)


@given(st.integers(min_value=0, max_value=2**40), st.integers(min_value=1, max_value=2**40))
def test_one_byte_beyond_the_fork_is_a_divergence(at: int, beyond: int) -> None:
    """Up to the fork a side may go on; beyond it, by however little, it may not."""
    source = History(2, ((1, at),))
    assert follows(FIRST, at, source, at + beyond)
    assert not follows(FIRST, at + beyond, source, at + 2 * beyond)


def test_on_one_timeline_a_side_that_is_ahead_may_not_follow() -> None:
    """Same timeline, more WAL than the source: that WAL is its own."""
    assert follows(FIRST, 10, FIRST, 10)
    assert not follows(FIRST, 11, FIRST, 10)
