"""What retention decides of each snapshot, as the commands that thin say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from releve.domain.units import say_count

if TYPE_CHECKING:
    from releve.cycle.protect.retention import Ruling


def say_rulings(rulings: Sequence[Ruling]) -> list[str]:
    """One line a snapshot: what becomes of it, and why."""
    return [
        f"{'garder ' if one.keep else 'retirer'}  {one.snapshot.id[:8]}  "
        f"{(one.snapshot.seen or one.snapshot.claimed).astimezone():%Y-%m-%d %H:%M}  {', '.join(one.reasons)}"
        for one in rulings
    ]


def say_going(rulings: Sequence[Ruling], *, done: bool) -> str:
    """How many go, or would."""
    going = sum(not one.keep for one in rulings)
    what = f"{say_count(going, 'instantané')} sur {len(rulings)}"
    return f"retiré : {what}" if done else f"à retirer : {what} (rien n'est fait sans --yes)"


def ruling_values(rulings: Sequence[Ruling]) -> list[dict[str, object]]:
    """The same, JSON-ready."""
    return [{"snapshot": one.snapshot.id, "keep": one.keep, "reasons": list(one.reasons)} for one in rulings]
