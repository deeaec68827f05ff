"""The resident follower of a share: sees new snapshots, brings the hot copy to the newest, says how far it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.engines.files.alert import Alert, read, write
from releve.adapters.engines.files.capture import down
from releve.adapters.engines.files.follow import Applied, HotCopy
from releve.adapters.engines.files.marks import Mark, Snapshots, late
from releve.adapters.engines.files.place import absent, elsewhere, shown
from releve.adapters.engines.files.traits import burst
from releve.adapters.notes import put
from releve.adapters.vault.node import Node, decode, encode, tree
from releve.adapters.vault.repository import Repository, Snapshot, damaged
from releve.domain.errors import PromiseBroken
from releve.domain.os_errors import unwritable
from releve.domain.share import Burst

POLL = 0.2  # seconds between two looks at the list of snapshots


_SHOWN = 5  # entries of a kind that a person is told


@dataclass(frozen=True, slots=True)
class Position:
    """Where a hot copy stands. Kept in a file; believed only under the `boot` that it was written under.

    `tree`: what the folder holds, as a tree of the vault (hex). `applying`: the tree to which it was being
    brought: when it is not empty, some of its entries may be there already.
    `owed`: what the vault could not give and the copy therefore lacks; asked for again at each step.
    """

    boot: str
    epoch: int = 0
    number: int = 0
    snapshot: str = ""
    at: str = ""  # everything closed before it is there; ISO 8601, by the clock of the site that took it
    tree: str = ""
    applying: str = ""
    owed: Sequence[str] = ()
    ungiven: int = (
        0  # entries without all of their owner, rights or attributes, since everything was compared
    )
    ungiven_of: Sequence[str] = ()  # the first of them, and what
    inode: int = 0  # of the folder itself; 0: not noted
    top: str = ""  # the share's own entry (its owner, permissions, dates), as the vault has it

    @property
    def entry(self) -> Node | None:
        """The share's own entry; the vault need not answer."""
        return next(decode(tree([self.top.encode()]))) if self.top else None

    @classmethod
    def read(cls, path: Path) -> Position | None:
        """The position in a file; None when there is none, or when a power cut tore it."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # the folder is compared whole instead


@dataclass(slots=True)
class Lag:
    """How far the hot copy follows: what was applied last, and what was not."""

    position: Position
    applied_at: datetime | None = None
    late: list[str] = field(default_factory=list)  # snapshots of an older epoch: kept, never applied
    lost: list[tuple[bytes, str]] = field(default_factory=list)
    alert: Alert | None = None
    unreadable: Sequence[str] = ()  # snapshot files of the vault that nobody can read


class Following:
    """Brings one hot copy forward. `step` is one look; the caller loops, and stops between two."""

    def __init__(
        self,
        repository: Repository,
        copy: HotCopy,
        share: str,
        state: Path,
        *,
        epoch: int,
        boot: str,
        aside: Callable[[], Path],
        now: Callable[[], datetime],
        judge: Callable[[Burst], Alert | None] = lambda _burst: None,
    ) -> None:
        """`epoch`: the only one that is followed. `aside`: the folder where what only this side had is put, asked at the time.

        `judge` sees each step before it is applied; an alert stops the copy until a person has decided.
        """
        self._judge = judge
        self._alert = state.with_name("alert.json")
        self._repository = repository
        self._copy = copy
        self._snapshots = Snapshots(repository, share)
        self._state = state
        self.epoch = epoch
        self._boot = boot
        self._aside = aside
        self._now = now
        found = Position.read(state)
        self._sure = found is not None and found.boot == boot and not found.applying
        self._cut = found.applying if found is not None and found.boot == boot else ""
        self._base = bytes.fromhex(found.tree) if found else b""
        self._begun = found.applying if found is not None and not self._cut else ""
        self.lag = Lag(replace(found, boot=boot, applying="") if found else Position(boot))
        if found is not None:
            self.lag.applied_at = datetime.fromtimestamp(state.stat().st_mtime, UTC)
        self._ready = False
        self._early: list[bytes] = []  # put aside before the first step
        self.known: Sequence[tuple[Mark, Snapshot]] = ()  # what the last look saw, of every epoch

    def step(self) -> Applied | None:
        """Look, and follow if there is something newer; what was done. Raises what the store and the disk raise."""
        self.known = known = self._snapshots.look()
        self.lag.unreadable = self._snapshots.unreadable
        mine = [one for one in known if one[0].epoch == self.epoch]
        self.lag.late = [one for one in late(known, self.epoch) if one != self.lag.position.snapshot]
        self._in_place()
        if not self._ready:
            self._early = self._copy.prepare(lambda: os.fsencode(self._aside())).aside
            self._ready = True
        if not mine:
            return None
        alert = read(self._alert)
        self.lag.alert = alert
        if alert is not None and alert.decision != "resume":
            return self._held(alert, known)
        mark, snapshot = mine[-1]
        here = self.lag.position
        newer = (mark.epoch, mark.number) > (here.epoch, here.number)
        other = (mark.epoch, mark.number) == (here.epoch, here.number) and snapshot.id != here.snapshot
        if self._sure and not newer and not other:
            return None
        return self._follow(mark, snapshot)

    def _in_place(self) -> None:
        """Raises `Unreachable` when the folder is another one than the position tells of, and has nothing of it."""
        here = self.lag.position
        if not here.tree or not here.inode:
            return
        with suppress(FileNotFoundError):
            if os.lstat(self._copy.root).st_ino == here.inode:
                return
        example = b""
        with suppress(PromiseBroken):  # thinned away since: nothing is known of what it held
            held = self._repository.nodes(bytes.fromhex(here.tree))
            example = absent(self._copy.root, (node.name for node in held))
        if example:
            raise elsewhere(
                self._copy.root,
                example,
                f"Si c'est un disque neuf, ôtez {self._state} : la copie le remplira",
            )
        # Another folder, with some of the same: all of it is compared, with what was being applied to the other one.
        self._sure = False
        self._begun, self._cut = self._cut or self._begun, ""

    def _held(self, alert: Alert, known: Sequence[tuple[Mark, Snapshot]]) -> Applied | None:
        """Stay; or go back to the last clean snapshot when a person said so."""
        if alert.decision != "back" or (self._sure and self.lag.position.snapshot == alert.clean):
            return None
        for mark, snapshot in known:
            if snapshot.id == alert.clean and mark.epoch == self.epoch:
                return self._follow(mark, snapshot)
        return None

    def _suspect(self, snapshot: Snapshot, old: bytes, new: bytes) -> bool:
        """Whether this step is not to be applied: then the alert stands. A person who said "resume" is believed."""
        alert = self.lag.alert
        if alert is not None:
            if alert.decision == "resume":
                write(self._alert, None)
                self.lag.alert = None
            return False
        found = self._judge(
            burst(
                self._repository,
                old,
                new,
                at=self._now(),
                before=self.lag.position.snapshot,
                snapshot=snapshot.id,
                files=int(snapshot.summary.get("total_files_processed", 0)),
            )
        )
        if found is not None:
            write(self._alert, found)
            self.lag.alert = found
        return found is not None

    def _follow(self, mark: Mark, snapshot: Snapshot) -> Applied | None:
        self._repository.refresh_index()
        node = down(self._repository, snapshot)
        if node is None:
            raise damaged(f"snapshots/{snapshot.id}", "le partage n'y est pas, ou ne s'y lit pas")
        whole = node.subtree
        self._finish()
        try:
            if self._judged(mark) and self._suspect(snapshot, bytes.fromhex(self.lag.position.tree), whole):
                return None if self._sure else self._stay()
        except PromiseBroken:
            if self._sure or self.lag.alert is not None:
                raise  # else what it held was thinned away since: nothing is left to judge by
        owed = self._owed()
        done = self._bring(whole)
        done.aside[:0], self._early = self._early, []
        if owed:  # one file lost and never asked for again would be a gap that nobody sees
            done.lost += self._copy.mend(whole, set(owed) - {path for path, _ in done.lost}).lost
        ungiven, some = self._ungiven(done)
        self._sure, self._cut = True, ""
        self._copy.settled()  # the position never says more than the disk holds
        self._keep(
            Position(
                self._boot,
                mark.epoch,
                mark.number,
                snapshot.id,
                (mark.safe or snapshot.at).isoformat(),
                whole.hex(),
                owed=[os.fsdecode(path) for path, _ in done.lost],
                ungiven=ungiven,
                ungiven_of=some,
                inode=os.lstat(self._copy.root).st_ino,
                top=encode(node).decode(),
            )
        )
        self.lag.applied_at = self._now()
        self.lag.lost = done.lost
        return done

    def _ungiven(self, done: Applied) -> tuple[int, Sequence[str]]:
        """What the copy's disk, or our account, refused: of this comparison of everything, or of all steps since one."""
        fresh = [f"{shown(path)} : {what}" for path, what in done.missed]
        here = self.lag.position
        known, of = (here.ungiven, list(here.ungiven_of)) if self._sure else (0, [])
        return known + len(fresh), [*of, *fresh][:_SHOWN]

    def _owed(self) -> Sequence[bytes]:
        return [os.fsencode(path) for path in self.lag.position.owed]

    def _judged(self, mark: Mark) -> bool:
        """Whether this step is judged: also after the machine started anew, or an attack would only have to wait for it.

        Not when another epoch begins: all that a run brings back would look like one.
        """
        here = self.lag.position
        return self._sure or (bool(here.tree) and here.epoch == mark.epoch)

    def _stay(self) -> Applied:
        """An alert stands, and the folder may hold anything: it becomes what it was known to hold, and no more."""
        here = self.lag.position
        done = self._bring(bytes.fromhex(here.tree))
        self._sure = True
        self._copy.settled()
        self._keep(replace(here, boot=self._boot, applying=""))
        return done

    def _finish(self) -> None:
        """Cut in the middle: first what was begun, or what differs from both trees would stay as it is."""
        if self._sure or not self._cut:
            return
        here, target = self.lag.position, self._cut
        try:
            self._copy.apply(bytes.fromhex(here.tree), bytes.fromhex(target), self._owed())
        except PromiseBroken:
            self._cut = ""  # thinned away meanwhile: the folder is compared whole instead
            return
        self._keep(replace(here, tree=target, applying=""))
        self._sure, self._cut = True, ""

    def _bring(self, wanted: bytes) -> Applied:
        here = self.lag.position
        if not self._sure:
            # A cut comparison is begun again, not believed; what was being applied before it is still to be known.
            self._keep(replace(here, boot="", applying=self._begun))
            return self._compared(wanted, os.fsencode(self._aside()))
        self._keep(replace(here, applying=wanted.hex()))
        try:
            return self._copy.apply(bytes.fromhex(here.tree), wanted, self._owed())
        except BaseException:
            self._sure, self._cut, self._base = False, wanted.hex(), bytes.fromhex(here.tree)
            raise

    def _compared(self, wanted: bytes, aside: bytes) -> Applied:
        """The folder made `wanted`, whatever it holds; what differs from all that we know of it goes aside.

        After a power cut in a step it may hold some of both trees: first all of it becomes the later one, or what
        is the vault's would be taken for what only this side has.
        """
        first = Applied()
        if self._begun and self._begun != wanted.hex():
            with suppress(PromiseBroken):  # thinned away meanwhile: then its files go aside, and none is lost
                first = self._copy.settle(bytes.fromhex(self._begun), self._base, aside)
                self._base = bytes.fromhex(self._begun)
        done = self._copy.settle(wanted, self._base, aside)
        self._begun = ""
        done.aside[:0] = first.aside
        return done

    def _keep(self, position: Position) -> None:
        try:
            put(self._state, json.dumps(asdict(position)).encode())
        except OSError as error:
            raise unwritable(self._state, error, "share-state") from error
        self.lag.position = position
