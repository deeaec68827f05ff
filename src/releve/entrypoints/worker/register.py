"""The relief's list of snapshots beside the store: what is new goes on it, what is gone is revealed.

A list is of one scope: a share (its name), a database ("database=NAME"), or all that belongs to neither ("").
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.files.marks import Mark, mark_of
from releve.adapters.engines.postgresql.archive.marks import mark_of as mark_of_database
from releve.adapters.ledger.register import Register, read_only, vouched
from releve.adapters.vault.repository import snapshot_value
from releve.adapters.vault.store import Absent, Kind
from releve.cycle.protect.register import Listed, Roll, Trouble, compare, doubt
from releve.cycle.protect.retention import Held, Ruling
from releve.domain.errors import BadInput, PromiseBroken, Refused, ReleveError

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository, Snapshot
    from releve.domain.evidence import Entry, Head

Up = tuple[str, float]
_LET_GO = 20_000  # removed snapshots, or
_ENTRIES = 5_000  # entries, after which the list is carried over
_HEAD_EVERY = timedelta(days=1)
_HEADS = 7  # of them stay in the vault
DAMAGED = "register-damaged"  # code of the error when an entry of a list cannot be read


class Watch:
    """One list, of one scope. Beside any number of processes."""

    def __init__(
        self,
        vault: Repository,
        state: Path,
        scope: str | None,
        *,
        now: Callable[[], datetime],
        up: Callable[[], Up] | None = None,
    ) -> None:
        """Opens the register of `state`; raises `Refused` when it is that of another vault or scope.

        `scope` None: whatever it is of; then raises `BadInput` where there is none. Raises `PromiseBroken`
        ("register-damaged") when an entry can no longer be read: so do all that read the list.
        """
        if scope is None and not (state / "register.sqlite3").exists():
            raise no_register(state)
        self._vault = vault
        self._now = now
        self._up = up or uptime
        self.register = Register(state)
        self.roll = Roll()
        self._count = 0
        try:
            self._refresh()
        except ReleveError:
            self.register.close()
            raise
        if not self.roll.vault or self.register.public not in self.roll.keys:
            mine = {"vault": self.roll.vault or vault.id, "scope": self.roll.scope or scope or ""}
            self._add("opened", {**mine, "key": self.register.public})
        if self.roll.vault != vault.id or scope not in {None, self.roll.scope}:
            self.register.close()
            raise Refused(
                "register-other",
                f"la liste de {state} est celle d'un autre coffre, ou d'autres données",
                hint="donnez le dossier d'état de ces données, ou un dossier neuf",
                context={"vault": self.roll.vault[:16], "share": self.roll.scope},
            )

    def close(self) -> None:
        """Close the register."""
        self.register.close()

    def look(self, known: Iterable[tuple[Mark | None, Snapshot]]) -> Sequence[Trouble]:
        """Put what is new on the list, and say what is newly wrong. `known`: a listing of the store.

        What it shows anew is asked for again: another process of ours may have removed it since. Raises `Refused` when the clock cannot be believed: then nothing is put on the list.
        """
        now = self._believed(None)
        self._refresh()
        found = compare(self.roll, [_shown(mark, one, now) for mark, one in known], now)
        listed = {entry.name for entry in self._vault.store.entries(Kind.SNAPSHOTS)} if found.fresh else set()
        fresh = [one for one in found.fresh if one.id in listed]
        troubles = [one for one in found.troubles if one.what != "back" or one.name in listed]
        troubles += self._missing(found.unseen, now)
        if troubles:
            self._add("missed", {"troubles": [[one.what, one.name, one.detail] for one in troubles]})
        if fresh:  # in one entry: of a first look cut in two, the second half would have holes
            base = {"base": True} if self.roll.untouched else {}
            self._add("seen", {"snapshots": [one.value() for one in fresh], **base})
        if found.returned:
            self._add("returned", {"snapshots": list(found.returned)})
        if self.roll.let_go > _LET_GO or self._count > _ENTRIES:
            self._add("carried", self.roll.carried())
            self._count = 0
        return troubles

    def held(
        self, known: Iterable[tuple[Mark | None, Snapshot]], series: Callable[[Snapshot], tuple[str, ...]]
    ) -> list[Held]:
        """What retention judges: the later of the store's time and ours. To be asked after `look`."""
        found = []
        for _mark, one in known:
            first = self.roll.live[one.id].first_seen if one.id in self.roll.live else None
            seen = max((at for at in (first, one.seen) if at is not None), default=None)
            found.append(Held(one.id, one.at, seen, series(one), one.seen or one.at))
        return found

    def missing(self, known: Iterable[tuple[Mark | None, Snapshot]]) -> Sequence[Listed]:
        """What we saw and never removed, and a listing does not show: lost or hidden, and no person took note of it yet."""
        here = {one.id for _mark, one in known}
        return [
            one for name, one in self.roll.live.items() if name not in here and name not in self.roll.leaving
        ]

    def trees(self) -> Sequence[bytes]:
        """Of every snapshot that we saw and never removed, shown now or not."""
        return _trees(self.roll)

    def now(self, store: datetime | None) -> datetime:
        """The instant by which to judge ages: the earlier of ours and the store's. Raises `Refused` when they disagree."""
        mine = self._believed(store)
        return min(mine, store) if store is not None else mine

    def remove(self, rulings: Iterable[Ruling], act: Callable[[Sequence[str]], None]) -> None:
        """Remove what the rulings let go: announced with its reason, done by `act`, then confirmed."""
        going = {one.snapshot.id: ", ".join(one.reasons) for one in rulings if not one.keep}
        if not going and not self.roll.leaving:
            return
        self._add("removing", {"snapshots": going})
        act(list(going))
        self._add("removed", {"snapshots": list(going)})

    def settle(self, known: Iterable[tuple[Mark | None, Snapshot]]) -> None:
        """Confirm what an earlier removal, cut before it could say so, did remove."""
        here = {one.id for _mark, one in known}
        if gone := [name for name in self.roll.leaving if name not in here]:
            self._add("removed", {"snapshots": gone})

    def leave_head(self, newest: Snapshot) -> None:
        """Once a day, leave the head of the list in the vault: what shows later that this folder was set back.

        It is a snapshot of what `newest` shows, on no list, that carries the head and its signature in a tag. The vault
        itself tells which of ours are old enough to go: none stays for ever because we were cut. One that our chain never
        had is what reveals a set-back: it always stays; so does what bears our tag and is on the list. Raises
        `PromiseBroken` beside a snapshot that nobody can read.
        """
        now = self._believed(None)
        if self.roll.head_at is not None and now - self.roll.head_at < _HEAD_EVERY:
            return
        before = [
            (head[0], one.id)
            for one, head in self._heads(self._vault.snapshots())
            if self.register.passed_through(head) and one.id not in self.roll.live
        ]
        count, digest = self.register.give_out()
        said = f"{count}:{digest}"
        signature = self.register.sign(_statement(self._vault.id, said)).hex()
        name = self._vault.save_snapshot(
            snapshot_value(
                at=now,
                tree=newest.tree,
                paths=newest.paths,
                hostname=socket.gethostname(),
                username="releve",
                uid=os.getuid(),
                gid=os.getgid(),
                tags=[f"{_TAG}{said}:{signature}:{self.roll.scope}"],
                program="releve",
            )
        )
        self._add("head", {"snapshot": name})
        for _, old in sorted(before)[: -_HEADS + 1]:
            self._vault.store.remove(Kind.SNAPSHOTS, old)

    def set_back(self, every: Iterable[Snapshot]) -> Sequence[str]:
        """Heads that the vault holds, that we signed, and that our chain never had: it was set back, or rewritten."""
        return [
            f"{head[0]}:{head[1]}" for _, head in self._heads(every) if not self.register.passed_through(head)
        ]

    def _heads(self, every: Iterable[Snapshot]) -> Iterator[tuple[Snapshot, Head]]:
        """The snapshots that carry a head of this list, signed by us, with that head."""
        for one in every:
            parts = head_of(one).split(":", 3)
            if len(parts) < 4 or parts[3] != self.roll.scope:
                continue
            statement = _statement(self._vault.id, f"{parts[0]}:{parts[1]}")
            try:
                signature, head = bytes.fromhex(parts[2]), (int(parts[0]), parts[1])
            except ValueError:
                continue
            if any(vouched(key, statement, signature) for key in self.roll.keys):
                yield one, head

    def accept(self, by: str, words: str) -> Sequence[Trouble]:
        """A person knows of all that the list reveals now, and vouches for the clock."""
        self._refresh()
        told = list(self.roll.troubles.values())
        self._add("accepted", {"troubles": [[one.what, one.name] for one in told], "by": by, "words": words})
        return told

    def _missing(self, names: Sequence[str], now: datetime) -> list[Trouble]:
        """Of the snapshots that a listing did not show: those that are really gone, or hidden."""
        if not names:
            return []
        listed = {entry.name for entry in self._vault.store.entries(Kind.SNAPSHOTS)}
        self._refresh()  # somebody of ours may be removing at this very moment: announced before it is done
        found = []
        for name in names:
            if name in listed or name in self.roll.leaving or name not in self.roll.live:
                continue
            one = self.roll.live[name]
            detail = f"{one.share}/{one.epoch}/{one.number}"
            try:
                self._vault.get(Kind.SNAPSHOTS, name)
            except Absent:
                found.append(Trouble("lost", name, now, detail))
            except PromiseBroken:
                found.append(Trouble("lost", name, now, detail))
            else:
                if ("hidden", name) not in self.roll.troubles:
                    found.append(Trouble("hidden", name, now, detail))
        return found

    def _believed(self, store: datetime | None) -> datetime:
        now = self._now()
        if why := doubt(now, self._up(), self.roll, store):
            raise Refused(
                "clock-doubtful",
                f"l'heure d'ici ne peut pas être crue : {why}",
                hint="mettez la machine à l'heure ; si elle y est : releve vault register accept --by NOM",
                retryable=True,
            )
        return now

    def _refresh(self) -> None:
        for one in self.register.entries(self.roll.seq):
            self.roll = _with(self.roll, one.entry)
            self._count += 1

    def _add(self, kind: str, body: Mapping[str, object]) -> None:
        self.register.append(kind, {**body, "up": list(self._up())}, self._now())
        self._refresh()


def uptime() -> Up:
    """(name of the machine's present run, seconds since its start, sleep included)."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text(encoding="ascii").strip(), time.clock_gettime(time.CLOCK_BOOTTIME)


def read_roll(state: Path) -> Roll | None:
    """What the list of a state folder amounts to, without the store; None where none is kept. Writes nothing.

    Raises `Unreachable` or `PromiseBroken` when it cannot be read.
    """
    found = read_only(state)
    if found is None:
        return None
    roll = Roll()
    for one in found:
        roll = _with(roll, one.entry)
    return roll


def trees_beside(states: Iterable[Path], vault: str) -> list[bytes]:
    """The same of the lists of other state folders, as far as they are of that vault. Raises as `read_roll` does."""
    rolls = [roll for state in states if (roll := read_roll(state)) is not None]
    return [tree for roll in rolls if roll.vault == vault for tree in _trees(roll)]


def _trees(roll: Roll) -> list[bytes]:
    return [
        bytes.fromhex(one.tree) for name, one in roll.live.items() if one.tree and name not in roll.leaving
    ]


def of_scope(vault: Repository, scope: str) -> list[tuple[Mark | None, Snapshot]]:
    """The snapshots that belong on a list, as the store shows them now."""
    every = [one for one in vault.snapshots() if not head_of(one)]
    return [(mark_of(one), one) for one in every if scope_of(one) == scope]


def database_scope(database: str) -> str:
    """The scope of a database's list: the tag that its snapshots bear."""
    return f"{_DATABASE}{database}"


def scope_of(one: Snapshot) -> str:
    """Whose a snapshot is: that whose whole mark it bears. All else, whatever its tags say, belongs to neither.

    So each is on the list of the command that removes it: nothing else reads less than a whole mark.
    """
    share, database = mark_of(one), mark_of_database(one)
    if share is not None and "=" not in share.share:  # the name of no share, and else the scope of a database
        return share.share
    return database_scope(database.database) if database is not None else ""


def _with(roll: Roll, entry: Entry) -> Roll:
    """The same and one entry more; a `carried` one that does not follow stands for all that was let go of.

    Raises `PromiseBroken` when it cannot be read: what somebody, or a disk, did to a row is no fault of ours.
    """
    if entry.kind == "carried" and entry.seq > roll.seq + 1:
        roll = Roll()
    try:
        roll.learn(entry.seq, entry.kind, entry.body, entry.at)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise PromiseBroken(
            DAMAGED,
            f"l'entrée {entry.seq} de la liste des instantanés ne se lit plus : la liste est abîmée",
            hint="gardez ce dossier d'état tel qu'il est ; releve vault register check dit ce qui ne va pas ; "
            "un dossier d'état neuf commence une nouvelle liste",
            context={"entrée": str(entry.seq)},
        ) from error
    return roll


_SAID = {
    "lost": "l'instantané {name} a disparu du coffre, et ce n'est pas nous",
    "hidden": "le coffre ne montre plus l'instantané {name}, qu'il a pourtant",
    "back": "l'instantané {name}, que nous avions retiré, est revenu",
    "hole": "le coffre n'a jamais montré {name}, alors qu'il montre la suite",
}


def told(one: Trouble) -> str:
    """One trouble, in one line."""
    name = one.name if one.what == "hole" else one.name[:8]
    where = f" ({one.detail})" if one.detail else ""
    return (
        f"{_SAID[one.what].format(name=name)}{where}, constaté le {one.since.astimezone():%d/%m/%Y %H:%M:%S}"
    )


def head_of(snapshot: Snapshot) -> str:
    """What a snapshot carries when it only holds the head of a list: "N:HASH:SIGNATURE:SCOPE"; "" for all others."""
    return next((tag.removeprefix(_TAG) for tag in snapshot.tags if tag.startswith(_TAG)), "")


_TAG = "register-head="
_DATABASE = "database="


def no_register(state: Path) -> BadInput:
    """The error where no list was ever kept."""
    return BadInput(
        "no-register",
        f"aucune liste d'instantanés dans « {state} »",
        hint="donnez le dossier d'état du secours : celui de share follow, de database forget, ou de vault forget --register",
    )


def _statement(vault: str, said: str) -> bytes:
    return f"releve head 1\n{vault}\n{said}".encode()


def _shown(mark: Mark | None, one: Snapshot, now: datetime) -> Listed:
    listed = Listed(one.id, now, one.seen, one.at, tree=one.tree.hex())
    return replace(listed, share=mark.share, epoch=mark.epoch, number=mark.number) if mark else listed


__all__ = [
    "DAMAGED",
    "Watch",
    "database_scope",
    "head_of",
    "of_scope",
    "read_roll",
    "scope_of",
    "told",
    "trees_beside",
    "uptime",
]
