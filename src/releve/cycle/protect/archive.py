"""Which bases and which WAL of a database to keep, and why: pure, decided before anything is removed.

Bases follow the retention policy. WAL is needed from the first position of the oldest base that stays. Of the many
snapshots of one chapter of WAL, the fullest has everything that the others have; before it is believed, the caller
has compared them, file by file. One that came in the last minutes is not believed yet: the store may still lose it.
What the store no longer shows may be a base: until a person has taken note of it, no WAL is before the oldest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from releve.cycle.protect.retention import Held, Policy, Ruling, rule

ALL_FOR = timedelta(minutes=10)  # every snapshot of a chapter that is younger stays: a reader may be at it
HOURLY_FOR = timedelta(hours=24)  # then one an hour, against a fuller one that was forged


@dataclass(frozen=True, slots=True)
class HeldBase:
    """A base; `start`: the first position (bytes) of WAL that it needs."""

    held: Held
    start: int


@dataclass(frozen=True, slots=True)
class HeldWal:
    """A snapshot of a chapter of WAL, which ends before `end` (bytes).

    `covered`: another one, itself `settled`, was seen to have all that this one has.
    """

    held: Held
    chapter: str
    end: int
    covered: bool


def settled(held: Held, now: datetime) -> bool:
    """Whether it came long enough ago to stand for others, or to go."""
    return held.seen is not None and now - held.seen >= ALL_FOR


def expire(
    bases: Sequence[HeldBase],
    wal: Sequence[HeldWal],
    policy: Policy,
    now: datetime,
    copies: frozenset[str] = frozenset(),
    missing: frozenset[str] = frozenset(),
) -> list[Ruling]:
    """One ruling a snapshot, bases first. Ages are the store's or the relief's, never the writer's.

    `copies`: of the bases, those that stay since they came with a copy of the vault (see `retention.copied`).
    `missing`: what the relief saw, never removed, and the store does not show now.

    Run every ten minutes, an archiver at work never has more than some 650 snapshots of WAL beside one a chapter: those
    of the last ten to twenty minutes (one every two seconds), and one an hour.
    """
    ruled = rule([replace(one.held, series=("base",)) for one in bases], policy, now, copies)
    staying = {ruling.snapshot.id for ruling in ruled if ruling.keep}
    needed = 0 if missing else min((one.start for one in bases if one.held.id in staying), default=0)
    hours: set[tuple[str, object]] = set()
    newest_first = sorted(wal, key=_order, reverse=True)
    for one in newest_first:
        keep, reason = _wal(one, needed, policy, now, hours)
        ruled.append(Ruling(one.held, keep, (reason,)))
    return ruled


def _wal(
    one: HeldWal, needed: int, policy: Policy, now: datetime, hours: set[tuple[str, object]]
) -> tuple[bool, str]:
    seen = one.held.seen
    if seen is None:
        return True, "nul ne sait quand il est arrivé"
    age = now - seen
    if age < timedelta():
        return True, "arrivé dans le futur : une horloge est fausse"
    if one.end <= needed:
        if age < policy.minimum_age:
            return True, "trop jeune pour être retiré"
        return False, "journaux d'avant la plus ancienne base gardée"
    if not settled(one.held, now):
        return True, "des dernières minutes"
    if not one.covered:
        return True, "journaux dont une base a besoin"
    hour = (one.chapter, seen.replace(minute=0, second=0, microsecond=0))
    if age < HOURLY_FOR and hour not in hours:
        hours.add(hour)
        return True, "le dernier de son heure"
    return False, "un plus complet a tout ce qu'il a"


def _order(one: HeldWal) -> tuple[datetime, datetime, str]:
    """By when it was seen; of those that the relief saw at one look, by what the store or the writer says."""
    seen = one.held.seen or one.held.claimed
    return seen, one.held.arrived or seen, one.held.id
