"""A share's history, thinned: every second, then every minute, then the policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.protect.retention import Flow, Held, Policy, thin

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _held(*ages: float) -> list[Held]:
    return [Held(f"{number:04d}", NOW, NOW - timedelta(seconds=age)) for number, age in enumerate(ages)]


def test_a_day_at_one_a_second_leaves_what_was_promised() -> None:
    """Ten minutes whole, then one a minute; the newest of each minute is the one that stays."""
    kept = [one for one in thin(_held(*range(86_400)), Flow(), NOW) if one.keep]
    assert len([one for one in kept if NOW - one.snapshot.seen < timedelta(minutes=10)]) == 600  # type: ignore[operator]
    assert 600 + 1430 <= len(kept) <= 600 + 1431
    assert all(one.reasons for one in kept)


def test_days_of_real_time_stay_a_few_thousand() -> None:
    """Thinned every ten minutes for two days, the store never holds more than the tiers allow."""
    live: list[Held] = []
    most = 0
    for turn in range(2 * 144):
        at = NOW + timedelta(minutes=10 * turn)
        live += [Held(f"{turn}-{second}", at, at + timedelta(seconds=second)) for second in range(0, 600, 2)]
        end = at + timedelta(minutes=10)
        live = [one.snapshot for one in thin(live, Flow(), end) if one.keep]
        most = max(most, len(live))
    assert most < 600 + 1440 + 48 + 30 + 8 + 12


@given(st.lists(st.floats(0, 40 * 86_400), max_size=60), st.integers(0, 59))
def test_laws(ages: list[float], at: int) -> None:
    """The newest stays, what something stands on stays, and thinning what is thin changes nothing."""
    held = _held(*ages)
    holding = {held[at].id: "la copie s'y tient"} if at < len(held) else {}
    rulings = thin(held, Flow(), NOW, holding)
    kept = {one.snapshot.id for one in rulings if one.keep}
    assert len(rulings) == len(held)
    assert holding.keys() <= kept
    if held:
        assert min(held, key=lambda one: NOW - (one.seen or NOW)).id in kept or len(set(ages)) < len(ages)
    again = thin([one for one in held if one.id in kept], Flow(), NOW, holding)
    assert all(one.keep for one in again)


def test_a_time_that_nobody_knows_or_that_lies_ahead_removes_nothing() -> None:
    """A store without clock, or with a wrong one, keeps everything."""
    unknown = [Held(str(number), NOW, None) for number in range(5)]
    ahead = _held(-3600, -7200)
    assert all(one.keep for one in thin([*unknown, *ahead], Flow(then=Policy(last=1)), NOW))
