"""Which snapshots of a vault to keep, and why: pure, decided before anything is removed.

The age of a snapshot is counted from when the relief first saw it or the store did, whichever is later, never
from the time that its writer claims: a thief who holds the writer's key could otherwise push good snapshots out with
newer-dated bad ones (restic documents this attack in `doc/060_forget.rst`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

USUAL_MINIMUM = timedelta(hours=24)  # nobody's mistake of today can remove what was saved today
_LATE = timedelta(
    minutes=2
)  # between a snapshot and the relief's first sight of it: more, and it had been away

COPIED = "arrivé avec une copie du coffre"  # why it stays
LATE = "d'une époque passée, jamais appliqué à la copie"  # the same
_BURST = timedelta(minutes=10)  # at most so long between two snapshots of one copy
_STALE = timedelta(hours=1)  # a saving that lasts claims its beginning; beyond, the file is not of that time
_CRUSHED = 4  # times as far apart, at least, in their own dates as in their arrivals


@dataclass(frozen=True, slots=True)
class Held:
    """A snapshot that is there. `seen`: the later of the store's time of it and the relief's; None: nobody knows.

    `arrived`: an earlier time that the store, or only its writer, gives. It can but keep more: of snapshots that the
    relief saw all at once (it had been away), one stays for each of *their* periods. Only snapshots of the same
    `series` (machine and folders) compete with each other.
    """

    id: str
    claimed: datetime
    seen: datetime | None
    series: tuple[str, ...] = ()
    arrived: datetime | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How many to keep a period. 0: that period keeps nothing; a policy of zeros keeps everything."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    minimum_age: timedelta = field(default=USUAL_MINIMUM)

    def __post_init__(self) -> None:
        """Raises ValueError on a negative number."""
        if min(self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly) < 0:
            raise ValueError("a number of snapshots cannot be negative")
        if self.minimum_age < timedelta():
            raise ValueError("an age cannot be negative")

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not (self.last or self.hourly or self.daily or self.weekly or self.monthly or self.yearly)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a snapshot. `reasons`: why it stays, or the one reason why it goes."""

    snapshot: Held
    keep: bool
    reasons: tuple[str, ...]


_PERIODS: Sequence[tuple[str, str, Callable[[datetime], object]]] = (
    ("hourly", "de l'heure", lambda at: (at.date(), at.hour)),
    ("daily", "du jour", lambda at: at.date()),
    ("weekly", "de la semaine", lambda at: at.isocalendar()[:2]),
    ("monthly", "du mois", lambda at: (at.year, at.month)),
    ("yearly", "de l'année", lambda at: at.year),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """How a share that is captured every second is thinned: all, then one a minute, then a policy."""

    all_for: timedelta = timedelta(minutes=10)
    minutely_for: timedelta = timedelta(hours=24)
    then: Policy = field(default_factory=lambda: Policy(hourly=48, daily=30, weekly=8, monthly=12))


def copied(held: Iterable[Held]) -> frozenset[str]:
    """Those that came into the store with a copy of the whole vault that did not keep its dates.

    They are the first that it ever had, all within a moment, and say that they are of times far apart. Their writers'
    word is believed for that alone, since it can but keep more: the dates of the files tell the order of the copy.
    """
    dated = sorted(
        ((at, one) for one in held if (at := one.arrived or one.seen) is not None), key=lambda pair: pair[0]
    )
    came: list[tuple[datetime, Held]] = []
    last = dated[0][0] if dated else None
    for at, one in dated:
        if last is None or at - last > _BURST:
            break
        last = at
        if at - one.claimed > _STALE:
            came.append((at, one))
    if len(came) < 2:
        return frozenset()
    spread = max(one.claimed for _, one in came) - min(one.claimed for _, one in came)
    crushed = spread > max(_STALE, _CRUSHED * (came[-1][0] - came[0][0]))
    return frozenset(one.id for _, one in came) if crushed else frozenset()


def thin(
    held: Iterable[Held],
    flow: Flow,
    now: datetime,
    holding: Mapping[str, str] = MappingProxyType({}),
    staying: frozenset[str] = frozenset(),
) -> list[Ruling]:
    """One ruling a snapshot of one share, newest first. `holding`: why some stay whatever their age, by id.

    `staying`: those that `copied` found.

    About 2,200 stay of a series, whatever the share does: 600 of the last minutes, 1,440 of the day, the policy's.
    """
    dated = sorted(held, key=_order, reverse=True)
    minutes: set[object] = set()
    kept: dict[str, list[str]] = {one.id: [] for one in dated}
    old: list[Held] = []
    for one in dated:
        age = now - _when(one)
        minute = (one.series, _minute(_when(one)), _apart(one, _minute))
        if one is dated[0]:
            kept[one.id].append("le plus récent")
        if one.id in holding:
            kept[one.id].append(holding[one.id])
        if one.id in staying:
            kept[one.id].append(COPIED)
        if one.seen is None:
            kept[one.id].append("nul ne sait quand il est arrivé")
        elif age < timedelta():
            kept[one.id].append("arrivé dans le futur : une horloge est fausse")
        elif age < flow.all_for:
            kept[one.id].append("des dernières minutes")
        elif age < flow.minutely_for:
            if minute not in minutes:
                kept[one.id].append("le dernier de sa minute")
        else:
            old.append(one)
        minutes.add(minute)
    for ruling in rule(old, flow.then, now):
        kept[ruling.snapshot.id] += ruling.reasons if ruling.keep else ()
    return [
        Ruling(one, bool(kept[one.id]), tuple(kept[one.id]) or ("un plus récent tient sa place",))
        for one in dated
    ]


def rule(
    held: Iterable[Held], policy: Policy, now: datetime, staying: frozenset[str] = frozenset()
) -> list[Ruling]:
    """One ruling a snapshot, newest first. Periods are counted in the zone of `now` (aware).

    `staying`: those that `copied` found.

    Kept whatever the policy says: the newest of a series, one younger than the minimum age, one of
    which nobody knows when it came, and one seen in the future (a clock is wrong).
    """
    series: dict[tuple[str, ...], list[Held]] = {}
    for one in held:
        series.setdefault(one.series, []).append(one)
    rulings = [ruling for same in series.values() for ruling in _series(same, policy, now, staying)]
    return sorted(rulings, key=lambda ruling: _order(ruling.snapshot), reverse=True)


def _when(one: Held) -> datetime:
    return one.seen or one.claimed


def _order(one: Held) -> tuple[datetime, datetime, str]:
    return _when(one), one.arrived or _when(one), one.id


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _apart(one: Held, period: Callable[[datetime], object]) -> object:
    """What sets apart snapshots that were first seen in one period because the relief had been away."""
    late = one.seen is not None and one.arrived is not None and one.seen - one.arrived > _LATE
    return period(one.arrived) if late and one.arrived is not None else None


def _series(same: Sequence[Held], policy: Policy, now: datetime, staying: frozenset[str]) -> list[Ruling]:
    dated = sorted((one for one in same if one.seen), key=_order, reverse=True)
    reasons: dict[str, list[str]] = {one.id: [] for one in same}
    for one in same:
        reasons[one.id] += _always(one, policy, now)
        if one.id in staying:
            reasons[one.id].append(COPIED)
    if dated:
        reasons[dated[0].id].append("le plus récent")
    for one in dated[: policy.last]:
        reasons[one.id].append("parmi les derniers")
    for name, word, period in _PERIODS:
        for one in _one_a_period(dated, getattr(policy, name), period, now):
            reasons[one.id].append(f"le dernier {word}")
    return [
        Ruling(one, bool(reasons[one.id]), tuple(reasons[one.id]) or ("hors de la durée de conservation",))
        for one in same
    ]


def _always(one: Held, policy: Policy, now: datetime) -> list[str]:
    if policy.empty:
        return ["aucune durée de conservation n'est donnée"]
    if one.seen is None:
        return ["nul ne sait quand il est arrivé"]
    if one.seen > now:
        return ["arrivé dans le futur : une horloge est fausse"]
    if now - one.seen < policy.minimum_age:
        return ["trop jeune pour être retiré"]
    return []


def _one_a_period(
    dated: Sequence[Held], count: int, period: Callable[[datetime], object], now: datetime
) -> list[Held]:
    def of(at: datetime) -> object:
        return period(at.astimezone(now.tzinfo))

    periods: set[object] = set()  # by when they were seen: what came late never pushes another period out
    kept: dict[object, Held] = {}
    for one in dated:  # newest first: the first met is the last of its period
        main = of(_when(one))
        if main not in periods and len(periods) == count:
            break
        periods.add(main)
        kept.setdefault((main, _apart(one, of)), one)
    return list(kept.values())
