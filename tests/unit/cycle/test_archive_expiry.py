"""Which bases and which WAL may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from releve.cycle.protect.archive import HeldBase, HeldWal, expire
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


def test_an_age_is_the_stores_and_never_the_writers() -> None:
    """A base dated tomorrow by its writer pushes nothing out, and what nobody saw arrive stays."""
    forged = [
        HeldBase(Held(f"x{one}", NOW + timedelta(days=one), NOW - timedelta(hours=1)), 0) for one in range(3)
    ]
    good = HeldBase(_held("good", hours=30), 0)
    unseen = HeldWal(Held("u", NOW - timedelta(days=9), None), "c", GIB, covered=True)
    assert _gone([good, *forged], [unseen], Policy(daily=7)) == set()
    assert "good" not in _gone([good, *forged], [], Policy(daily=2))
