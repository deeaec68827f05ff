"""The relief's list of snapshots, and what it reveals of a store: pure.

The list is a chain of entries (`domain.evidence`), each of one of these kinds; `Roll` is what they amount to.

    opened    vault, scope (a share's name, "database=NAME" for a database, "" for what belongs to neither), key
    seen      snapshots that the relief saw for the first time, at the entry's instant by its own clock
    removing  all that we are about to remove, and why      removed   what is gone for sure since
    missed    what the store no longer shows, shows again, or never showed; noted once
    returned  what was missed and is shown again            accepted  a person knows of it: no longer said
    head      a snapshot of the vault that only says where this list stood
    carried   all of this at once, in the place of the entries before it

There is one list a scope. Every snapshot of a share has a number, one more than the one before: a number that never
came is a hole. Those of a database, and of what is neither, have none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

SETTLED = timedelta(
    seconds=60
)  # a listing taken while others write may skip a file: so long, nothing is said
_PAST = (
    100_000  # removed snapshots without a number that are carried over: 7 MB, two days of a database at work
)
_OLD = 600  # numbers behind the newest: what comes under a number that far back, already taken, is a return


@dataclass(frozen=True, slots=True)
class Listed:
    """A snapshot on the list. `arrived`: the store's own time of it; None: it told none. `claimed`: its writer's."""

    id: str
    first_seen: datetime
    arrived: datetime | None
    claimed: datetime
    share: str = ""
    epoch: int = 0
    number: int = 0
    tree: str = ""

    def value(self) -> list[object]:
        """As an entry holds it; `first_seen` is the entry's."""
        arrived = self.arrived.isoformat() if self.arrived else None
        return [self.id, arrived, self.claimed.isoformat(), self.share, self.epoch, self.number, self.tree]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the list reveals. `what`: lost, hidden, back, hole. `name`: a snapshot's id, or share/epoch/numbers."""

    what: str
    name: str
    since: datetime
    detail: str = ""


@dataclass(slots=True)
class Roll:
    """What the entries of a list amount to, in order. `learn` takes the next one."""

    vault: str = ""
    scope: str = ""
    keys: list[str] = field(default_factory=list)
    live: dict[str, Listed] = field(default_factory=dict)
    leaving: dict[str, str] = field(default_factory=dict)  # id -> why; not known to be gone yet
    gone: set[str] = field(default_factory=set)  # removed by us since the last `carried`, and `past`
    past: dict[str, None] = field(default_factory=dict)  # of them, those without a number, oldest first
    let_go: int = 0  # removed since the last `carried`
    removed: int = 0  # all of them, ever
    troubles: dict[tuple[str, str], Trouble] = field(default_factory=dict)  # that no person has accepted
    known: set[str] = field(default_factory=set)  # holes that a person accepted
    runs: dict[str, list[list[int]]] = field(
        default_factory=dict
    )  # share/epoch -> numbers seen, as intervals
    head_at: datetime | None = None  # when our head was last left in the vault
    last_at: datetime | None = None
    last_up: tuple[str, float] | None = None
    seq: int = 0

    def learn(self, seq: int, kind: str, body: Mapping[str, Any], at: datetime) -> None:
        """Take the next entry. Kinds that are not known change nothing. Raises KeyError, ValueError, TypeError."""
        self.seq, self.last_at = seq, at
        if body.get("up"):
            self.last_up = (str(body["up"][0]), float(body["up"][1]))
        match kind:
            case "opened":
                self.vault, self.scope = str(body["vault"]), str(body["scope"])
                self.keys.append(str(body["key"]))
            case "seen":
                for value in body["snapshots"]:
                    self._list(_listed(value, at))
                if body.get(
                    "base"
                ):  # a history that was thinned before the list began has holes that tell nothing
                    self.runs = {name: [[pairs[0][0], pairs[-1][1]]] for name, pairs in self.runs.items()}
            case "removing":
                self.leaving = {str(one): str(why) for one, why in body["snapshots"].items()}
            case "removed":
                for one in body["snapshots"]:
                    self.leaving.pop(one, None)
                    self._remove(one)
            case "missed":
                for what, name, detail in body["troubles"]:
                    self.troubles[what, name] = Trouble(what, name, at, detail)
                    if what == "lost":
                        self.gone.discard(name)
            case "returned":
                for name in body["snapshots"]:
                    self.troubles.pop(("lost", name), None)
                    self.troubles.pop(("hidden", name), None)
            case "accepted":
                self._accept(body["troubles"])
            case "head":
                self.head_at = at
            case "carried":
                self._carry(body)
            case _:
                return

    def _remove(self, name: str) -> None:
        was = self.live.pop(name, None)
        self.removed += was is not None
        self.let_go += 1
        self.gone.add(name)
        if was is not None and not was.number:
            self.past[name] = None

    def _list(self, one: Listed) -> None:
        if one.id in self.gone and ("back", one.id) not in self.troubles:
            return  # written by a process that had looked before another one of ours removed it
        self.live[one.id] = one
        if one.number:
            _add(self.runs.setdefault(f"{one.share}/{one.epoch}", []), one.number)

    def _accept(self, troubles: Iterable[Sequence[str]]) -> None:
        for what, name in troubles:
            self.troubles.pop((what, name), None)
            if what in {"lost", "hidden"}:
                self.live.pop(name, None)
            elif what == "hole":
                self.known.add(name)
            elif what == "back":
                self.gone.discard(name)

    def _carry(self, body: Mapping[str, Any]) -> None:
        self.vault, self.scope, self.keys = body["vault"], body["scope"], list(body["keys"])
        self.live = {value[0]: _listed(value, datetime.fromisoformat(seen)) for seen, value in body["live"]}
        self.leaving, self.let_go = dict(body["leaving"]), 0
        self.past = dict.fromkeys(str(one) for one in body.get("gone", ()))
        self.gone = set(self.past)
        self.removed, self.known = int(body["removed"]), set(body["known"])
        self.troubles = {
            (what, name): Trouble(what, name, datetime.fromisoformat(since), detail)
            for what, name, since, detail in body["troubles"]
        }
        self.runs = {name: [list(pair) for pair in pairs] for name, pairs in body["runs"].items()}
        self.head_at = datetime.fromisoformat(body["head_at"]) if body["head_at"] else None

    def carried(self) -> dict[str, object]:
        """The body of a `carried` entry that says all of this.

        A removed snapshot keeps only its number; one that had none keeps its name, until `_PAST` more have gone.
        """
        return {
            "vault": self.vault,
            "scope": self.scope,
            "keys": self.keys,
            "live": [[one.first_seen.isoformat(), one.value()] for one in self.live.values()],
            "leaving": self.leaving,
            "gone": [one for one in self.past if one in self.gone][-_PAST:],
            "removed": self.removed,
            "known": sorted(self.known),
            "troubles": [
                [one.what, one.name, one.since.isoformat(), one.detail] for one in self.troubles.values()
            ],
            "runs": self.runs,
            "head_at": self.head_at.isoformat() if self.head_at else None,
        }

    @property
    def untouched(self) -> bool:
        """Whether no snapshot was ever put on it."""
        return not (self.live or self.runs or self.removed)

    def taken(self, share: str, epoch: int, number: int) -> bool:
        """Whether a snapshot came under that number before, so long ago that another one under it is a return."""
        runs = self.runs.get(f"{share}/{epoch}", [])
        at = bisect_right(runs, [number, 1 << 62]) - 1
        within = at >= 0 and runs[at][0] <= number <= runs[at][1]
        return within and number < runs[-1][1] - _OLD


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the store shows beside the list."""

    fresh: tuple[Listed, ...] = ()  # to be put on the list
    unseen: tuple[str, ...] = ()  # on the list, not removed by us, not shown: to be asked for by name
    returned: tuple[str, ...] = ()  # missed, and shown again
    troubles: tuple[Trouble, ...] = ()  # new ones: returns and holes


def compare(roll: Roll, shown: Iterable[Listed], now: datetime) -> Found:
    """What a listing reveals; `first_seen` of what is shown is not looked at. Nothing is concluded from absence alone."""
    here = {one.id: one for one in shown}
    fresh: list[Listed] = []
    troubles: list[Trouble] = []
    for one in here.values():
        if one.id in roll.live:
            continue
        back = one.id in roll.gone or roll.taken(one.share, one.epoch, one.number)
        if back and ("back", one.id) not in roll.troubles:
            troubles.append(Trouble("back", one.id, now, f"{one.share}/{one.epoch}/{one.number}"))
        fresh.append(
            Listed(one.id, now, one.arrived, one.claimed, one.share, one.epoch, one.number, one.tree)
        )
    unseen = tuple(
        name
        for name in roll.live
        if name not in here and name not in roll.leaving and ("lost", name) not in roll.troubles
    )
    returned = tuple(name for what, name in roll.troubles if what in {"lost", "hidden"} and name in here)
    return Found(tuple(fresh), unseen, returned, (*troubles, *_holes(roll, now)))


def _holes(roll: Roll, now: datetime) -> Iterable[Trouble]:
    """Numbers that never came, though a higher one came a while ago."""
    for name, runs in roll.runs.items():
        if len(runs) < 2:
            continue
        share, _, epoch = name.rpartition("/")
        late = max(
            (
                one.number
                for one in roll.live.values()
                if one.share == share and str(one.epoch) == epoch and now - one.first_seen >= SETTLED
            ),
            default=0,
        )
        for (_, low), (high, _) in pairwise(runs):
            hole = f"{name}/{low + 1}-{high - 1}"
            if high <= late and hole not in roll.known and ("hole", hole) not in roll.troubles:
                yield Trouble("hole", hole, now, "")


def doubt(
    now: datetime,
    up: tuple[str, float],
    roll: Roll,
    store: datetime | None,
    most: timedelta = timedelta(minutes=10),
) -> str:
    """Why the relief's clock cannot be believed; "" when nothing speaks against it.

    `up`: (start of the machine, seconds since). `store`: what time it is for the store, None when it does not tell.
    A clock that is ahead would make everything look old, and so be removed.
    """
    if store is not None and abs(now - store) > most:
        return f"l'horloge d'ici dit {now:%d/%m/%Y %H:%M} UTC, celle du coffre {store:%d/%m/%Y %H:%M}"
    if roll.last_at is None:
        return ""
    if roll.last_at - now > most:
        return (
            f"l'horloge dit {now:%d/%m/%Y %H:%M} UTC, la liste a été écrite le {roll.last_at:%d/%m/%Y %H:%M}"
        )
    if roll.last_up is not None and roll.last_up[0] == up[0]:
        passed = timedelta(seconds=up[1] - roll.last_up[1])
        if (now - roll.last_at) - passed > most:
            return f"l'horloge a avancé de {now - roll.last_at} pendant que {passed} passaient"
    return ""


def _listed(value: Sequence[Any], first_seen: datetime) -> Listed:
    name, arrived, claimed, share, epoch, number, tree = value
    return Listed(
        str(name),
        first_seen,
        datetime.fromisoformat(arrived) if arrived else None,
        datetime.fromisoformat(claimed),
        str(share),
        int(epoch),
        int(number),
        str(tree),
    )


def _add(runs: list[list[int]], number: int) -> None:
    """One number more in a sorted list of intervals."""
    at = bisect_right(runs, [number, 1 << 62])
    if at and runs[at - 1][1] >= number:
        return
    joins_left = at > 0 and runs[at - 1][1] == number - 1
    joins_right = at < len(runs) and runs[at][0] == number + 1
    if joins_left and joins_right:
        runs[at - 1][1] = runs.pop(at)[1]
    elif joins_left:
        runs[at - 1][1] = number
    elif joins_right:
        runs[at][0] = number
    else:
        runs.insert(at, [number, number])
