"""What a person reads of a thinning before it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from releve.cycle.protect.retention import Held, Ruling
from releve.entrypoints.cli.rulings import ruling_values, say_going, say_rulings

SAVED = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)


def _ruling(late: timedelta | None, *, keep: bool = True) -> Ruling:
    seen = None if late is None else SAVED + late
    return Ruling(Held("0123456789", SAVED, seen), keep, ("le plus récent",))


def test_a_snapshot_is_shown_by_its_own_date_and_by_its_arrival_where_it_is_another() -> None:
    """Within a minute they are one; beyond, what retention judges by is said beside it; nobody knows: nothing is said."""
    own, later = (f"{at.astimezone():%Y-%m-%d %H:%M}" for at in (SAVED, SAVED + timedelta(days=1)))
    rulings = [_ruling(timedelta(seconds=30)), _ruling(timedelta(days=1)), _ruling(None)]
    assert say_rulings(rulings) == [
        f"garder   01234567  {own}  le plus récent",
        f"garder   01234567  {own}  (arrivé le {later})  le plus récent",
        f"garder   01234567  {own}  le plus récent",
    ]
    assert [one["claimed_at"] for one in ruling_values(rulings)] == [SAVED.isoformat()] * 3
    assert [one["seen_at"] for one in ruling_values(rulings)][1:] == [
        (SAVED + timedelta(days=1)).isoformat(),
        None,
    ]


def test_what_goes_is_counted_before_and_after() -> None:
    """Before: nothing is done, and how to do it."""
    rulings = [_ruling(None), _ruling(None, keep=False)]
    assert say_going(rulings, done=False) == "à retirer : 1 instantané sur 2 (rien n'est fait sans --yes)"
    assert say_going(rulings, done=True) == "retiré : 1 instantané sur 2"
