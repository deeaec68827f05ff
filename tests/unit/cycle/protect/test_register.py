"""The relief's list of snapshots: what it reveals, and what it does not cry about."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.protect import register
from releve.cycle.protect.register import Listed, Roll, Trouble, compare, doubt
from releve.cycle.protect.retention import Flow, Held, Policy, rule, thin

T0 = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def one(number: int, at: datetime = T0, epoch: int = 0) -> Listed:
    """A snapshot of the share d."""
    return Listed(f"{epoch:02d}{number:062d}", at, at, at, "d", epoch, number, "00")


def roll_of(*numbers: int) -> Roll:
    """A list on which these came, a second each, after an empty look."""
    roll = Roll()
    roll.learn(1, "opened", {"vault": "v", "scope": "d", "key": "k"}, T0)
    for number in numbers:
        roll.learn(roll.seq + 1, "seen", {"snapshots": [one(number).value()]}, T0 + number * SECOND)
    return roll


def told(roll: Roll, shown: list[Listed], now: datetime = T0 + timedelta(hours=1)) -> set[tuple[str, str]]:
    """What a look reveals by listing alone."""
    found = compare(roll, shown, now)
    return {(trouble.what, trouble.name) for trouble in found.troubles} | {
        ("unseen", name) for name in found.unseen
    }


def test_what_was_shown_and_is_no_more_is_asked_for() -> None:
    """A snapshot on the list, not removed by us, not shown."""
    assert told(roll_of(1, 2, 3), [one(1), one(3)]) == {("unseen", one(2).id)}


def test_what_we_remove_is_not_missed() -> None:
    """From the announcement of a removal on, its absence says nothing; a removal given up counts no more."""
    roll = roll_of(1, 2, 3)
    roll.learn(9, "removing", {"snapshots": {one(2).id: "hors"}}, T0)
    assert told(roll, [one(1), one(3)]) == set()
    roll.learn(10, "removing", {"snapshots": {}}, T0)
    assert told(roll, [one(1), one(3)]) == {("unseen", one(2).id)}
    roll.learn(11, "removed", {"snapshots": [one(2).id]}, T0)
    assert told(roll, [one(1), one(3)]) == set()
    assert roll.removed == 1


def test_what_we_removed_and_comes_back_is_told() -> None:
    """A store that gives back a snapshot after its removal is not a store that removes; also long after."""
    roll = roll_of(*range(1, 800))
    roll.learn(900, "removed", {"snapshots": [one(number).id for number in range(1, 700)]}, T0)
    live = [one(number) for number in range(700, 800)]
    assert told(roll, [one(5), *live]) == {("back", one(5).id)}
    later = Roll()
    later.learn(901, "carried", json.loads(json.dumps(roll.carried())), T0)
    assert told(later, [one(5), *live]) == {("back", one(5).id)}
    assert told(later, [replace(one(799), id="f" * 64), *live]) == set(), (
        "a number written twice in doubt is no return"
    )


def test_the_return_of_what_had_no_number_is_told_after_the_list_was_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database's snapshots have none: their names are carried, the last ones, time after time."""
    monkeypatch.setattr(register, "_PAST", 3)
    plain = [replace(one(number), share="", number=0) for number in range(1, 7)]
    roll = Roll()
    roll.learn(1, "seen", {"snapshots": [each.value() for each in plain]}, T0)
    for seq, each in enumerate(plain[:5], 2):
        roll.learn(seq, "removed", {"snapshots": [each.id]}, T0)
    assert told(roll, plain) == {("back", each.id) for each in plain[:5]}
    for seq in (7, 8):
        body = json.loads(json.dumps(roll.carried()))
        roll = Roll()
        roll.learn(seq, "carried", body, T0)
        assert told(roll, plain) == {("back", each.id) for each in plain[2:5]}
        assert roll.let_go == 0, "what is carried over does not ask to be carried over again"
    roll.learn(9, "accepted", {"troubles": [["back", plain[4].id]]}, T0)
    assert plain[4].id not in roll.carried()["gone"]  # type: ignore[operator]
    del body["gone"]
    older = Roll()
    older.learn(8, "carried", body, T0)
    assert told(older, plain) == set(), "a list of before is read as it was"


def test_what_is_written_late_of_something_that_we_removed_meanwhile_counts_for_nothing() -> None:
    """Two processes: one saw it, the other removed it and said so first."""
    roll = roll_of(1, 2)
    roll.learn(9, "removed", {"snapshots": [one(2).id]}, T0)
    roll.learn(10, "seen", {"snapshots": [one(2).value()]}, T0)
    assert set(roll.live) == {one(1).id}
    roll.learn(11, "missed", {"troubles": [["back", one(2).id, ""]]}, T0)
    roll.learn(12, "seen", {"snapshots": [one(2).value()]}, T0)
    assert one(2).id in roll.live, "it is there again, and it may be lost again"


def test_a_number_that_never_came_is_a_hole_once_the_next_has_settled() -> None:
    """n+1 is there and n never was: told after a minute, once, with the numbers."""
    roll = roll_of(1, 2, 5, 6)
    shown = [one(number) for number in (1, 2, 5, 6)]
    assert told(roll, shown, T0 + 30 * SECOND) == set()
    assert told(roll, shown) == {("hole", "d/0/3-4")}
    roll.learn(20, "missed", {"troubles": [["hole", "d/0/3-4", ""]]}, T0)
    assert told(roll, shown) == set()
    assert roll.troubles["hole", "d/0/3-4"] == Trouble("hole", "d/0/3-4", T0)
    roll.learn(21, "accepted", {"troubles": [["hole", "d/0/3-4"]]}, T0)
    assert told(roll, shown) == set()
    assert not roll.troubles


def test_a_history_thinned_before_the_list_began_has_no_holes() -> None:
    """The first look takes what is there as it is; each epoch is counted apart."""
    roll = Roll()
    old = [one(1), one(40), one(90), one(3, epoch=1), one(8, epoch=1)]
    roll.learn(1, "seen", {"snapshots": [each.value() for each in old], "base": True}, T0)
    assert told(roll, old) == set()
    roll.learn(2, "seen", {"snapshots": [one(92).value()]}, T0)
    assert told(roll, [*old, one(92)]) == {("hole", "d/0/91-91")}


@given(st.lists(st.integers(1, 60), unique=True, min_size=1), st.data())
def test_carrying_over_changes_nothing(numbers: list[int], data: st.DataObject) -> None:
    """Whatever came and went: the list that stands for all before it says the same of any store."""
    roll = roll_of(*numbers)
    removed = data.draw(st.lists(st.sampled_from(numbers), unique=True))
    roll.learn(500, "removed", {"snapshots": [one(number).id for number in removed]}, T0)
    left = [one(number) for number in numbers if number not in removed]
    lost = data.draw(st.lists(st.sampled_from(left), unique_by=lambda each: each.id)) if left else []
    roll.learn(501, "missed", {"troubles": [["lost", each.id, "d"] for each in lost]}, T0)
    after = Roll()
    after.learn(502, "carried", json.loads(json.dumps(roll.carried())), T0)
    shown = data.draw(st.lists(st.sampled_from(left), unique_by=lambda each: each.id)) if left else []
    assert told(after, shown) == told(roll, shown)
    assert (after.live, after.troubles, after.runs, after.removed) == (
        roll.live,
        roll.troubles,
        roll.runs,
        roll.removed,
    )


def test_a_clock_that_jumped_is_doubted() -> None:
    """Against the store, against the last entry, and against the time that the machine has run."""
    roll = Roll()
    assert doubt(T0, ("b", 0.0), roll, None) == ""
    roll.learn(1, "seen", {"snapshots": [], "up": ["b", 100.0]}, T0)
    hour, year = timedelta(hours=1), timedelta(days=365)
    assert doubt(T0 + hour, ("b", 3700.0), roll, T0 + hour) == ""
    assert "celle du coffre" in doubt(T0 + year, ("c", 5.0), roll, T0 + hour)
    assert "celle du coffre" in doubt(T0 + hour, ("c", 5.0), roll, T0 + year)
    assert "la liste a été écrite" in doubt(T0 - hour, ("c", 5.0), roll, None)
    assert "a avancé de" in doubt(T0 + year, ("b", 3700.0), roll, None)
    assert doubt(T0 + year, ("c", 5.0), roll, None) == "", "a machine that was off for a year may be right"


def test_the_later_of_the_two_times_counts() -> None:
    """A snapshot that the store dates from last year and that we saw today is of today."""
    new = Held("new", T0 - timedelta(days=400), T0, arrived=T0 - timedelta(days=400))
    newer = Held("newer", T0, T0 + SECOND)
    rulings = {each.snapshot.id: each for each in rule([new, newer], Policy(last=1), T0 + timedelta(hours=2))}
    assert rulings["new"].reasons == ("trop jeune pour être retiré",)


def test_a_relief_that_was_away_does_not_squash_what_it_missed() -> None:
    """A day of snapshots first seen at one instant: one a minute of theirs stays, then one an hour of theirs."""
    back = T0
    day = [
        Held(
            f"{minute:04d}{second:02d}",
            T0,
            back,
            arrived=T0 - timedelta(days=1) + timedelta(minutes=minute, seconds=second),
        )
        for minute in range(1437)
        for second in (0, 20, 40)
    ]
    kept = [each for each in thin(day, Flow(), back + timedelta(minutes=30)) if each.keep]
    assert 1437 <= len(kept) <= 1440
    assert all(each.snapshot.id.endswith("40") for each in kept[1:])
    later = [
        each.snapshot
        for each in thin([one.snapshot for one in kept], Flow(), back + timedelta(hours=30))
        if each.keep
    ]
    assert 24 <= len(later) <= 27


def test_late_garbage_pushes_no_other_period_out() -> None:
    """What a thief dates from many hours at once takes one hour of the policy, not all of them."""
    good = [Held(f"g{hour}", T0, T0 - timedelta(hours=30 + hour)) for hour in range(10)]
    bad = [
        Held(f"b{hour}", T0, T0 - timedelta(hours=26), arrived=T0 - timedelta(hours=100 + hour))
        for hour in range(200)
    ]
    policy = Policy(hourly=11, minimum_age=timedelta(hours=24))
    kept = {each.snapshot.id for each in rule([*good, *bad], policy, T0) if each.keep}
    assert {each.id for each in good} <= kept
