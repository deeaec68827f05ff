"""The resident processes of a share: one captures on the side that writes, one follows on the relief.

Each is a process of its own, so that a share of a million files never slows the guard of a database. What
it knows is a small file in its state folder, written whole: `releve share status` reads nothing else.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.files.alert import Alert
from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Scans, Watcher
from releve.adapters.engines.files.follow import Applied, HotCopy
from releve.adapters.engines.files.following import POLL, Following
from releve.adapters.engines.files.live import Freshness, Live
from releve.adapters.engines.files.marks import Mark, Snapshots, unknown_share
from releve.adapters.engines.files.mounts import deaf_mount, mounted_inside
from releve.adapters.engines.files.orders import Barred
from releve.adapters.engines.files.place import shown
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.vault.locks import hold
from releve.adapters.vault.repository import as_kept
from releve.cycle.watch.attack import judge, within
from releve.domain.errors import BadInput, Exit, Refused, ReleveError, Unreachable
from releve.domain.os_errors import reason
from releve.domain.share import Burst
from releve.domain.units import say_count
from releve.entrypoints.worker.register import Watch, told
from releve.entrypoints.worker.resident import TURN, Stop, View, boot, say
from releve.entrypoints.worker.thinner import Thinner

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository, Snapshot

_LIST_EVERY = (
    10.0  # seconds between two entries of the relief's list: one entry a snapshot would cost ten times more
)
_RETRY = 5.0  # seconds between two attempts of a follower that was refused


@dataclass(frozen=True, slots=True)
class Post:
    """Where a share process stands: its folder on disk, its state folder, the epoch it works under."""

    share: str
    root: Path
    state: Path
    epoch: int = 0
    excludes: tuple[str, ...] = ()
    scan_every: float = 60.0  # seconds, where nothing tells of changes
    how: str = "auto"  # auto, inotify, scan
    after: int = 0  # these three: as in `capture.Share`
    adopted: bool = False
    barred: Callable[[], Barred | None] = lambda: None


def capture_share(vault: Repository, post: Post) -> int:
    """Capture until SIGTERM or SIGINT; the last look is taken first. The exit code: 3 when that look failed."""
    stop = Stop()
    with (
        only_one(post.state / "share.lock", f"la capture de « {post.share} »"),
        capturing(vault, post) as live,
    ):
        say(f"capture de « {post.share} » dans {vault.store.where} ({live.freshness.how})")
        troubled, next_look = "", 0.0
        snapshots = Snapshots(vault, post.share)
        while not stop.asked:
            live.step(TURN)
            if time.monotonic() >= next_look and not live.freshness.troubled:
                _look_elsewhere(snapshots, post, live.freshness)
                next_look = time.monotonic() + _RETRY
            troubled = told_once(troubled, live.freshness.troubled)
        live.finish()
        return Exit.PROMISE_NOT_KEPT if live.freshness.troubled else Exit.DONE


def _look_elsewhere(snapshots: Snapshots, post: Post, fresh: Freshness) -> None:
    """Whether somebody else writes this share: under a newer epoch, or under ours from another folder."""
    before = fresh.elsewhere
    try:
        known = snapshots.look()
    except ReleveError as error:
        fresh.elsewhere = f"{error.sentence} [{error.code}]"
    else:
        fresh.elsewhere = _elsewhere(known, post, fresh)
    if fresh.elsewhere != before:
        told_once(before, fresh.elsewhere)
        _tell(post, "capture", _capture_value(fresh))


def _elsewhere(known: Sequence[tuple[Mark, Snapshot]], post: Post, fresh: Freshness) -> str:
    if not known or not fresh.taken:
        return ""
    mark, one = known[-1]
    if mark.epoch > post.epoch:
        return (
            f"« {post.share} » est écrit ailleurs, sous l'époque {mark.epoch} : rien d'ici n'y sera appliqué"
        )
    ours = one.hostname == socket.gethostname() and str(post.root.absolute()) in one.paths
    if ours or mark.number < fresh.number:
        return ""
    return f"une autre capture écrit « {post.share} » sous la même époque : {one.hostname}, {', '.join(one.paths)}"


@contextmanager
def capturing(vault: Repository, post: Post) -> Iterator[Live]:
    """The capture of a share, ready to be driven; the caller holds the state folder's lock.

    Raises `Refused` when the vault holds snapshots of a newer epoch: this side writes no more.
    """
    root = _root_of(post)
    _outside(vault, post)
    with ExitStack() as stack:
        snapshots = Snapshots(vault, post.share).look()
        if snapshots and snapshots[-1][0].epoch > post.epoch:
            raise Refused(
                "share-epoch-past",
                f"« {post.share} » est écrit ailleurs, sous l'époque {snapshots[-1][0].epoch}",
                hint="ce côté ne capture plus : il peut suivre (releve share follow)",
            )
        own = bool(snapshots) and snapshots[-1][0].epoch == post.epoch
        view = (
            View()
        )  # older than the capture's first look at the list: what is told in the lock errs on the safe side
        still_ours = stack.enter_context(hold(vault, exclusive=False, now=_now, view_age=view.age))
        watcher = _watcher(root, post)
        stack.callback(watcher.close)
        cache = Cache(post.state / "capture.db", f"{vault.id} {post.share} {root!r} {boot()}")
        stack.callback(cache.close)
        share = Share(
            post.share,
            root,
            socket.gethostname(),
            post.epoch,
            tuple(os.fsencode(one) for one in post.excludes),
            post.after,
            post.adopted and not own,
            post.barred,
        )
        capture = Capture(
            vault,
            share,
            cache,
            cover=watcher.cover,
            now=_now,
            number=snapshots[-1][0].number if snapshots else 0,
            still_ours=still_ours,
            viewed=view.taken,
        )
        stack.callback(capture.close)
        live = Live(
            capture,
            watcher,
            last=snapshots[-1][1] if snapshots else None,
            now=_now,
            tell=lambda fresh: _tell(post, "capture", _capture_value(fresh)),
        )
        live.freshness.number = snapshots[-1][0].number if own else 0
        yield live


def follow_share(vault: Repository, post: Post, thin: Sequence[str] = ()) -> int:
    """Follow until SIGTERM or SIGINT. `thin`: the command that thins the history, started from time to time."""
    stop = Stop()
    known = Snapshots(vault, post.share).look()
    _not_captured_here(known, post)
    with (
        only_one(post.state / "share.lock", f"la copie de « {post.share} »"),
        followed(vault, post, dated(post)) as copy,
        Thinner(thin) as thinner,
    ):
        say(f"copie de « {post.share} » depuis {vault.store.where}")
        if not known:
            unknown = unknown_share(vault, post.share)
            copy.waits = f"{unknown.sentence} ; {unknown.hint}"
            say(f"{copy.waits} ; on attend")
        while not stop.asked:
            stop.wait(copy.turn())
            thinner.tick()
    return 0


def _not_captured_here(known: Sequence[tuple[Mark, Snapshot]], post: Post) -> None:
    """Raises `Refused` when this very folder is the share: a copy would shut its users out and undo their work."""
    for mark, one in known[-1:]:
        here = os.path.realpath(post.root)
        if mark.epoch == post.epoch and one.hostname == socket.gethostname() and as_kept(here) in one.paths:
            raise Refused(
                "share-captured-here",
                f"« {shown(os.fsencode(post.root))} » est le partage lui-même, capturé sur cette machine : ce n'est pas un endroit pour sa copie",
                hint="donnez à --root un autre dossier, sur une autre machine",
            )


@contextmanager
def followed(vault: Repository, post: Post, aside: Callable[[], Path]) -> Iterator[Copying]:
    """The copy of a share, ready to be driven; the caller holds the state folder's lock."""
    post.root.parent.mkdir(parents=True, exist_ok=True)
    _outside(vault, post)
    copy = HotCopy(vault, os.fsencode(post.root.absolute()))
    clerk = Clerk(lambda: Watch(vault, post.state, post.share, now=_now))
    try:
        yield Copying(
            post,
            copy,
            Following(
                vault,
                copy,
                post.share,
                post.state / "position.json",
                epoch=post.epoch,
                boot=boot(),
                aside=aside,
                now=_now,
                judge=_Judge(post.share).see,
            ),
            clerk,
        )
    finally:
        copy.close()
        clerk.close()


def dated(post: Post) -> Callable[[], Path]:
    """A folder of the day, in the state folder, for what only the copy had."""
    return lambda: post.state / "aside" / f"{_now():%Y-%m-%dT%H%M%S}"


class Copying:
    """Drives one follower, and writes how far it is."""

    def __init__(self, post: Post, copy: HotCopy, following: Following, clerk: Clerk) -> None:
        self._post = post
        self.copy, self.following, self.clerk = copy, following, clerk
        self.trouble: ReleveError | None = None
        self.waits = ""  # why nothing can come yet, until the first snapshot
        self._told, self._looked = "", 0.0
        self._alerted: Alert | None = None

    def turn(self) -> float:
        """One look and what it asks for; seconds to wait before the next."""
        self.trouble = None
        done: Applied | None = None
        try:
            done = self.following.step()
        except ReleveError as error:
            self.trouble = error
        else:
            self.clerk.tick(self.following)
        if done is not None and done.aside:
            say(
                f"{say_count(len(done.aside), 'chose mise', 'choses mises')} de côté, que « {self._post.root} » avait et que "
                f"le partage n'a pas sous cette forme ; rien n'est perdu ({self._post.state / 'aside'}, ou le dossier du retour)"
            )
        lag = self.following.lag
        news = done is not None or self.trouble is not None or lag.alert != self._alerted
        self._alerted = lag.alert
        if news or not self._looked or time.monotonic() - self._looked > _RETRY:
            self._looked = time.monotonic()
            waits = self.waits if not lag.position.snapshot else ""
            value = {**_follow_value(self.following, self.trouble), **self.clerk.value(), "waits": waits}
            _tell(self._post, "follow", value)
        said = (
            f"{self.trouble.sentence} [{self.trouble.code}]"
            if self.trouble
            else "".join(unreadable(lag.unreadable)[:1])
        )
        self._told = told_once(self._told, said)
        return _RETRY if self.trouble else POLL


def read_state(state: Path) -> Mapping[str, Mapping[str, object]]:
    """What the processes of a state folder said last, by role ("capture", "follow")."""
    found: dict[str, Mapping[str, object]] = {}
    for role in ("capture", "follow"):
        try:
            found[role] = json.loads((state / f"{role}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise Unreachable("share-state", f"l'état {state} ne se lit pas : {error}") from error
    return found


class _Judge:
    """Remembers the last minutes of a share, and asks whether they look like an attack."""

    def __init__(self, share: str) -> None:
        self._share = share
        self._bursts: list[Burst] = []

    def see(self, burst: Burst) -> Alert | None:
        """The alert, when there is one."""
        self._bursts = within([*self._bursts, burst], burst.at)
        found = judge(self._bursts)
        if found is None:
            return None
        self._bursts = []
        say(
            f"ALERTE sur « {self._share} » : {found.reason} ; la copie ne suit plus, une personne doit décider"
        )
        return Alert(found.reason, found.since.isoformat(), found.clean, found.samples)


class Clerk:
    """Keeps the relief's list of snapshots, a few at a time; the copy never waits for it, nor stops with it."""

    def __init__(self, opening: Callable[[], Watch]) -> None:
        self._opening = opening
        self._watch: Watch | None = None
        self._next = 0.0
        self._troubled = ""

    def tick(self, following: Following) -> None:
        """Write when it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LIST_EVERY
            self.write(following)

    def write(self, following: Following) -> None:
        """Put on the list what the last look of the copy saw; say what is missing."""
        trouble = ""
        try:
            self._watch = self._watch or self._opening()
            for one in self._watch.look(following.known):
                say(f"ALERTE sur le coffre : {told(one)}")
        except ReleveError as error:
            trouble = f"{error.sentence} [{error.code}]"
        self._troubled = told_once(self._troubled, trouble)

    @property
    def missing(self) -> str:
        """The first trouble that no person has accepted, in one line; or why the list cannot be kept."""
        roll = self._watch.roll if self._watch else None
        return next((told(one) for one in roll.troubles.values()), self._troubled) if roll else self._troubled

    def value(self) -> Mapping[str, object]:
        """What `share status` shows of it."""
        roll = self._watch.roll if self._watch else None
        return {
            "listed": len(roll.live) if roll else 0,
            "missing": [told(one) for one in roll.troubles.values()] if roll else [],
            "register_troubled": self._troubled,
        }

    def close(self) -> None:
        """Close the register."""
        if self._watch is not None:
            self._watch.close()


def _now() -> datetime:
    return datetime.now(UTC)


def unreadable(names: Iterable[str]) -> list[str]:
    """The snapshots of the vault that nobody can read, in one line each."""
    return [f"un instantané du coffre ne se lit pas : {name[:8]} ; releve vault heal" for name in names]


def told_once(before: str, now: str) -> str:
    """Say `now` if it is news; what stands from now on."""
    if now and now != before:
        say(now)
    elif before and not now:
        say("de nouveau en ordre")
    return now


def _root_of(post: Post) -> bytes:
    """The folder itself: by a link, or by « .. », the snapshots would hold a path that leads nowhere."""
    if not post.root.is_dir():
        raise BadInput(
            "share-missing", f"« {shown(os.fsencode(post.root))} » n'est pas un dossier qui se lit"
        )
    return os.fsencode(os.path.realpath(post.root))


def _outside(vault: Repository, post: Post) -> None:
    """Raises `BadInput` for a vault, or a state, that is inside the share: each snapshot would ask for another."""
    root, where = post.root, Path(vault.store.where)
    for one, other in ((where, root), (root, where)):
        if one.exists() and one.resolve().is_relative_to(other.resolve()):
            raise BadInput(
                "vault-inside",
                f"le coffre {where} et le partage {shown(os.fsencode(root))} sont l'un dans l'autre",
                hint="placez le coffre ailleurs, sur un autre disque et un autre site",
            )
    if post.state.resolve().is_relative_to(root.resolve()):
        raise BadInput(
            "state-inside",
            f"le dossier d'état {shown(os.fsencode(post.state))} est dans le partage {shown(os.fsencode(root))}",
            hint="donnez à --state un dossier hors du partage",
        )


def _watcher(root: bytes, post: Post) -> Watcher:
    from releve.adapters.engines.files.fanotify import Fanotify
    from releve.adapters.engines.files.inotify import Inotify

    if post.how == "scan":
        return Scans(post.scan_every)
    if post.how == "auto" and (kind := deaf_mount(os.path.realpath(root))):
        say(
            f"ce dossier est tenu par une autre machine ({kind}) : il est comparé toutes les {post.scan_every:.0f} s"
        )
        return Scans(post.scan_every)
    if post.how == "auto" and not mounted_inside(os.path.realpath(root)):
        try:
            return Fanotify(root, post.scan_every)
        except Unreachable as error:
            say(f"{error.sentence} ; {error.hint}")
    return Inotify(root, post.scan_every)


def _capture_value(fresh: Freshness) -> Mapping[str, object]:
    return {
        "how": fresh.how,
        "safe_until": _iso(fresh.safe_until),
        "snapshot": fresh.snapshot,
        "open_since": _iso(fresh.open_since),
        "every_seconds": round(fresh.every, 2),
        "work_seconds": round(fresh.work, 2),
        "slowed": fresh.slowed,
        "taken": fresh.taken,
        "stored_bytes": fresh.stored,
        "files": fresh.files,
        "bytes": fresh.size,
        "unread": [{"path": shown(path), "why": why} for path, why in sorted(fresh.unread.items())],
        "elsewhere": fresh.elsewhere,
        "troubled": fresh.troubled,
        "troubled_since": _iso(fresh.troubled_since),
    }


def _follow_value(following: Following, trouble: ReleveError | None) -> Mapping[str, object]:
    lag = following.lag
    return {
        "snapshot": lag.position.snapshot,
        "epoch": lag.position.epoch,
        "number": lag.position.number,
        "safe_until": lag.position.at or None,
        "applied_at": _iso(lag.applied_at),
        "alert": asdict(lag.alert) if lag.alert else None,
        "late": lag.late,
        "lost": [{"path": shown(path), "why": why} for path, why in lag.lost],
        "ungiven": lag.position.ungiven,
        "ungiven_of": list(lag.position.ungiven_of),
        "unreadable_snapshots": list(lag.unreadable),
        "troubled": f"{trouble.sentence} [{trouble.code}]" if trouble else "",
    }


def _tell(post: Post, role: str, value: Mapping[str, object]) -> None:
    path = post.state / f"{role}.json"
    whole = {
        "share": post.share,
        "root": shown(os.fsencode(post.root)),
        "epoch": post.epoch,
        "pid": os.getpid(),
        "written_at": _iso(_now()),
        **value,
    }
    draft = path.with_suffix(".new")
    try:
        draft.write_text(json.dumps(whole), encoding="utf-8")
        draft.replace(path)
    except OSError as error:  # the share goes on; its state is then old, and is shown as such
        say(f"l'état {path} ne peut pas être écrit : {reason(error)}")


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
