"""Which snapshots stay, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.protect.retention import COPIED, Held, Policy, copied, rule

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _held(name: str, age: timedelta, *, claimed: datetime = NOW, series: tuple[str, ...] = ()) -> Held:
    return Held(name, claimed, NOW - age, series)


def _kept(held: list[Held], policy: Policy) -> set[str]:
    return {one.snapshot.id for one in rule(held, policy, NOW) if one.keep}


def test_an_empty_policy_keeps_everything() -> None:
    """Saying nothing removes nothing."""
    held = [_held(str(n), n * 30 * DAY) for n in range(5)]
    assert _kept(held, Policy()) == {"0", "1", "2", "3", "4"}


def test_one_a_day_keeps_the_last_of_each_day() -> None:
    """Three a day for ten days, one a day for four: the newest of each of the four newest days."""
    held = [
        _held(f"{day}-{part}", day * DAY + timedelta(hours=part)) for day in range(2, 12) for part in range(3)
    ]
    assert _kept(held, Policy(daily=4)) == {"2-0", "3-0", "4-0", "5-0"}


def test_newer_dated_garbage_pushes_nothing_out() -> None:
    """A thief's snapshots claim any time they like: the time that the store saw is what counts."""
    good = [_held(f"good{n}", n * DAY, claimed=NOW - n * DAY) for n in range(2, 6)]
    bad = [_held(f"bad{n}", timedelta(minutes=n), claimed=NOW + n * 400 * DAY) for n in range(1, 9)]
    kept = _kept([*good, *bad], Policy(daily=5))
    assert {"good2", "good3", "good4", "good5"} <= kept


def test_a_young_snapshot_is_never_removed() -> None:
    """Below the minimum age the policy has no say."""
    held = [_held(str(n), timedelta(hours=n)) for n in range(40)]
    kept = _kept(held, Policy(last=1, minimum_age=timedelta(hours=24)))
    assert kept == {str(n) for n in range(24)}


def test_what_nobody_dated_stays() -> None:
    """Without a time of the store's own, or with one in the future, a snapshot is kept and says why."""
    held = [
        Held("undated", NOW - 900 * DAY, None),
        _held("future", -DAY),
        _held("new", 2 * DAY),
        _held("old", 3 * DAY),
    ]
    rulings = {one.snapshot.id: one for one in rule(held, Policy(last=2), NOW)}
    assert rulings["undated"].reasons == ("nul ne sait quand il est arrivé",)
    assert "horloge" in rulings["future"].reasons[0]
    assert not rulings["old"].keep
    assert rulings["old"].reasons == ("hors de la durée de conservation",)


def test_series_do_not_compete() -> None:
    """Two folders saved each day keep one a day each."""
    held = [_held(f"{name}{n}", n * DAY, series=(name,)) for name in "ab" for n in range(2, 9)]
    assert _kept(held, Policy(daily=2)) == {"a2", "a3", "b2", "b3"}


def test_numbers_below_zero_are_refused() -> None:
    """Nobody keeps minus three snapshots."""
    with pytest.raises(ValueError, match="negative"):
        Policy(daily=-3)
    with pytest.raises(ValueError, match="negative"):
        Policy(minimum_age=-DAY)


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=60, unique=True),
    st.builds(Policy, *(st.integers(0, 6) for _ in range(6)), st.just(timedelta(hours=1))),
)
def test_laws_of_retention(hours: list[int], policy: Policy) -> None:
    """The newest stays; each ruling has a reason; ruling again after removing removes nothing more."""
    held = [_held(str(hour), timedelta(hours=hour)) for hour in hours]
    rulings = rule(held, policy, NOW)
    assert len(rulings) == len(held)
    assert all(one.reasons for one in rulings)
    assert rulings[0].keep
    kept = [one.snapshot for one in rulings if one.keep]
    assert all(one.keep for one in rule(kept, policy, NOW))


def _came(name: str, claimed: timedelta, age: timedelta) -> Held:
    return Held(name, NOW - claimed, NOW - age)


def test_what_came_with_a_copy_of_the_vault_is_known() -> None:
    """The first to arrive, within moments, of times far apart; what was saved since is not of it."""
    copy = [_came(f"c{n}", (30 + n) * DAY, 9 * DAY - n * timedelta(minutes=1)) for n in range(6)]
    since = [_came(f"s{n}", n * DAY, n * DAY) for n in range(1, 5)]
    found = copied([*since, *copy])
    assert found == {one.id for one in copy}
    rulings = {one.snapshot.id: one for one in rule([*since, *copy], Policy(last=1), NOW, found)}
    assert {name for name, one in rulings.items() if one.keep} == {"s1", *found}
    assert rulings["c0"].reasons == (COPIED,)


@pytest.mark.parametrize(
    "held",
    [
        [_came(str(n), n * DAY, n * DAY) for n in range(1, 9)],
        [_came(str(n), n * DAY + timedelta(hours=2), n * DAY) for n in range(1, 9)],
        [
            _came(str(n), timedelta(hours=5, seconds=30 * n), timedelta(hours=3, seconds=30 * n))
            for n in range(99)
        ],
        [_came("a", 9 * DAY, 8 * DAY)],
        [Held(str(n), NOW - n * DAY, None) for n in range(9)],
        [Held(str(n), NOW - n * DAY, NOW, arrived=NOW - n * DAY) for n in range(9)],
        [],
    ],
    ids=["as saved", "long savings", "a slow clock", "one alone", "undated", "the relief was away", "none"],
)
def test_what_only_looks_like_a_copy_is_none(held: list[Held]) -> None:
    """A client's clock that is wrong, savings that last, one old snapshot, a store that dates nothing."""
    assert copied(held) == frozenset()


def test_garbage_of_old_dates_is_no_copy_once_the_vault_has_a_past() -> None:
    """A thief's snapshots, all at once, of any dates: judged by when they came, beside what came before them."""
    good = [_came(f"good{n}", n * DAY, n * DAY) for n in range(2, 9)]
    bad = [_came(f"bad{n}", n * 100 * DAY, DAY) for n in range(1, 9)]
    assert copied([*good, *bad]) == frozenset()
