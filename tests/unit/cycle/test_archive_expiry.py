"""Which bases and which WAL may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releve.cycle.protect.archive import ALL_FOR, HeldBase, HeldWal, expire, settled
from releve.cycle.protect.retention import Held, Policy

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
GIB = 1 << 30


def _held(name: str, **age: float) -> Held:
    seen = NOW - timedelta(**age)
    return Held(name, seen, seen)


def _gone(bases: list[HeldBase], wal: list[HeldWal], policy: Policy) -> set[str]:
    return {one.snapshot.id for one in expire(bases, wal, policy, NOW) if not one.keep}


def test_wal_before_the_oldest_kept_base_goes() -> None:
    """What a kept base needs stays, down to the chapter that its first position lies in."""
    bases = [HeldBase(_held("old", days=20), 2 * GIB), HeldBase(_held("new", days=2), 9 * GIB)]
    wal = [
        HeldWal(_held(f"w{one}", days=20 - one), f"c{one}", 4 * GIB * (one + 1), covered=False)
        for one in range(4)
    ]
    assert _gone(bases, wal, Policy(last=1)) == {"old", "w0", "w1"}
    assert _gone(bases, wal, Policy(last=2)) == set()


def test_without_a_base_no_wal_goes() -> None:
    """WAL may be needed by a base that is not seen: nothing is decided from an absence."""
    wal = [HeldWal(_held("w", days=90), "c", 4 * GIB, covered=False)]
    assert _gone([], wal, Policy(last=1)) == set()


def test_covered_snapshots_thin_out_with_age() -> None:
    """All of the last ten minutes, then the last of each hour for a day, then the fullest alone."""
    wal = [
        HeldWal(_held(f"w{minutes}", minutes=minutes), "c", 4 * GIB, covered=minutes > 0)
        for minutes in (0, 5, 20, 21, 90, 95, 2000)
    ]
    base = [HeldBase(_held("base", days=3), 0)]
    assert _gone(base, wal, Policy(last=1)) == {"w21", "w95", "w2000"}


@pytest.mark.parametrize(
    "dated", [pytest.param(True, marks=pytest.mark.torture), False], ids=["folder", "rest"]
)
def test_days_of_an_archiver_at_work_stay_a_few_hundred(*, dated: bool) -> None:
    """43,200 snapshots a day, thinned every ten minutes, dated by the store or only by our looks: few are ever live.

    The newest of each chapter always stays.
    """
    live: dict[str, HeldWal] = {}
    newest: dict[str, str] = {}
    most = written = 0
    for turn in range(2 * 144):
        end = NOW + timedelta(minutes=10 * (turn + 1))
        for second in range(0, 600, 2):
            at = end - timedelta(seconds=600 - second)
            name, chapter = f"{turn:04}-{second:03}", f"c{turn // 36}"  # a chapter fills in six hours
            live[name] = HeldWal(
                Held(name, at, at if dated else end, arrived=at), chapter, 4 * GIB * (turn // 36 + 1), False
            )
            newest[chapter] = name
            written += 1
        most = max(most, len(live))
        fullest = {one.chapter: one.held.id for one in live.values() if settled(one.held, end)}
        wal = [
            replace(one, covered=settled(one.held, end) and fullest[one.chapter] != one.held.id)
            for one in live.values()
        ]
        base = HeldBase(Held("base", NOW, NOW), 0)
        for ruling in expire([base], wal, Policy(daily=14), end):
            if not ruling.keep:
                del live[ruling.snapshot.id]
        assert set(newest.values()) <= live.keys()
    assert written == 2 * 43_200
    assert most <= 650


def test_what_was_just_seen_neither_goes_nor_stands_for_others() -> None:
    """A snapshot counts as there, for good, ten minutes after it was seen; and so long a reader may be at it."""
    young, old = (HeldWal(_held(name, seconds=age), "c", GIB, covered=True) for name, age in _AGES.items())
    assert not settled(young.held, NOW)
    assert settled(old.held, NOW)
    assert not settled(replace(old.held, seen=None), NOW)
    base = [HeldBase(_held("base", days=3), 0)]
    older = HeldWal(_held("older", seconds=ALL_FOR.total_seconds() + 1), "c", GIB, covered=True)
    assert _gone(base, [young, old, older], Policy(last=1)) == {"older"}


_AGES = {"young": ALL_FOR.total_seconds() - 1, "old": ALL_FOR.total_seconds()}


def test_of_those_seen_at_one_look_the_last_to_arrive_stays_for_its_hour() -> None:
    """Where only our looks date what comes, a batch shares one date: its last one is the fullest."""
    seen = NOW - timedelta(minutes=30)
    wal = [
        HeldWal(Held(name, seen, seen, arrived=seen - timedelta(seconds=ago)), "c", GIB, covered=True)
        for name, ago in (("z", 4), ("a", 2), ("m", 6))
    ]
    assert _gone([HeldBase(_held("base", days=3), 0)], wal, Policy(last=1)) == {"z", "m"}


def test_an_age_is_the_stores_and_never_the_writers() -> None:
    """A base dated tomorrow by its writer pushes nothing out, and what nobody saw arrive stays."""
    forged = [
        HeldBase(Held(f"x{one}", NOW + timedelta(days=one), NOW - timedelta(hours=1)), 0) for one in range(3)
    ]
    good = HeldBase(_held("good", hours=30), 0)
    unseen = HeldWal(Held("u", NOW - timedelta(days=9), None), "c", GIB, covered=True)
    assert _gone([good, *forged], [unseen], Policy(daily=7)) == set()
    assert "good" not in _gone([good, *forged], [], Policy(daily=2))


def test_while_the_store_shows_not_all_no_wal_is_before_the_oldest_base() -> None:
    """What is missing may be a base that needs it; what a fuller snapshot has goes as ever."""
    bases = [HeldBase(_held("new", days=2), 9 * GIB)]
    wal = [
        HeldWal(_held("only", days=20), "c0", 4 * GIB, covered=False),
        HeldWal(_held("covered", days=20), "c0", 4 * GIB, covered=True),
    ]
    policy = Policy(daily=7)
    assert _gone(bases, wal, policy) == {"only", "covered"}
    ruled = expire(bases, wal, policy, NOW, missing=frozenset({"old"}))
    assert {one.snapshot.id for one in ruled if not one.keep} == {"covered"}
