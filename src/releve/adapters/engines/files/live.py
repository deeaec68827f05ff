"""The resident capture of a share: listens, waits a moment, takes, says how fresh the vault is.

Pace: one snapshot a second at most, and never more than a fifth of the time at work, so that a share whose
snapshots are dear (one folder of a million files) is saved less often by itself, and says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.engines.files.capture import Capture, Taken
from releve.adapters.engines.files.events import Hints, How, Spot, Watcher
from releve.adapters.vault.repository import Snapshot
from releve.domain.errors import ReleveError
from releve.domain.units import say_seconds

SPACING = 1.0  # seconds between two snapshots of a busy share
SHARE_OF_TIME = 4.0  # a snapshot that took 1 s of work is followed by 4 s of rest
IDLE = 25.0  # seconds after which an unchanged share gets a snapshot all the same (at most 30 are promised)
_SLOW = 5.0  # seconds between two snapshots from which a person is told why
GATHER = 0.1  # seconds: a first hint is seldom alone
OPEN_FILE = 5.0  # seconds after which a file that is still being written is saved as it stands
_RETRY = (1.0, 2.0, 5.0, 10.0)  # seconds between attempts while the vault does not answer
_TRICKLE = 0.003  # share of a core that the slow comparison of everything may take


def pause(work: float) -> float:
    """Seconds to rest after a snapshot that took `work` seconds."""
    return max(SPACING - work, SHARE_OF_TIME * work)


@dataclass(slots=True)
class Freshness:
    """How far the vault follows a share. Everything closed before `safe_until` is in a durable snapshot.

    `open_since`: the oldest write, not yet saved, into a file that is still open. `every`: seconds between
    two snapshots at the present pace; `work`: those that the last one took. `troubled`: why the last attempt failed, and since when.
    """

    how: How
    safe_until: datetime | None = None
    quiet: datetime | None = None  # up to then nothing was heard that is not in the last snapshot
    snapshot: str = ""
    number: int = 0
    open_since: datetime | None = None
    every: float = SPACING
    work: float = 0.0
    taken: int = 0
    stored: int = 0  # bytes
    files: int = 0
    size: int = 0  # bytes
    unread: dict[bytes, str] = field(default_factory=dict)
    troubled: str = ""
    troubled_since: datetime | None = None
    elsewhere: str = ""  # who else writes this share

    @property
    def slowed(self) -> str:
        """Why snapshots are rarer than they usually are, for a person; empty when they are not."""
        if self.every < _SLOW:
            return ""
        return (
            f"cadence réduite d'elle-même : un instantané demande {say_seconds(self.work)} de travail (dossier très "
            f"large, ou beaucoup de changements) ; il y en a un toutes les {say_seconds(self.every)}"
        )


class Live:
    """Drives one capture. `step` is one turn; the caller loops, and stops between two turns."""

    def __init__(
        self,
        capture: Capture,
        watcher: Watcher,
        *,
        last: Snapshot | None,
        now: Callable[[], datetime],
        tell: Callable[[Freshness], None] = lambda _freshness: None,
    ) -> None:
        self._capture = capture
        self._watcher = watcher
        self._last = last
        self._now = now
        self._tell = tell
        self._todo = Hints(everything=True)  # what happened while nobody listened is not known
        self._open: dict[Spot, tuple[float, datetime]] = {}  # since when: by the steady clock, for a person
        self._not_before = 0.0
        self._fresh_at = -IDLE
        self._failures = 0
        self._trickle_at = 0.0
        self._compared: datetime | None = None  # when the last comparison of everything began
        self.freshness = Freshness(watcher.how)

    def step(self, longest: float) -> Taken | None:
        """Wait at most `longest` seconds for something to do, and do it."""
        begun = time.monotonic()
        rest = self._not_before - begun
        if rest > 0:
            time.sleep(min(rest, longest))
            if rest > longest:
                return None
        if not self._todo and not self._idle() and not self._due_open():
            at = self._now()
            if not self._watcher.wait(min(longest, self._until_idle())):
                if self._capture.replaced:
                    self._todo.everything = True
                else:
                    self._quiet(at)
                    self._trickle()
                if not (self._todo or self._idle() or self._due_open()):
                    return None
            elif not self._failures:
                time.sleep(GATHER)
        return self._take()

    @property
    def moving(self) -> str:
        """As in `Capture`."""
        return self._capture.moving

    def finish(self, *, force: bool = True) -> Taken | None:
        """One last look, now, whatever the pace; `force`: a snapshot even when nothing changed."""
        self._todo.everything |= self._watcher.how is How.SCAN
        self._open = {spot: (-math.inf, since) for spot, (_, since) in self._open.items()}
        return self._take(force=force)

    def _take(self, *, force: bool | None = None) -> Taken | None:
        at = self._now()
        self._todo.merge(self._watcher.gather())
        hints = self._sorted(at)
        begun = time.monotonic()
        heard = hints.everything or self._watcher.how is not How.SCAN
        proved = None if heard else self._compared
        due = heard and begun - self._fresh_at >= IDLE
        try:
            taken = self._capture.take(
                hints, last=self._last, force=due if force is None else force, proved=proved
            )
        except ReleveError as error:
            self._todo.merge(hints)
            self._fail(error, at)
            return None
        work = time.monotonic() - begun
        if hints.everything:
            self._compared = at
            if taken is None and not self._open:
                self.freshness.quiet = at
        self._failures = 0
        self._todo = Hints(spots=self._capture.again())
        whole = taken is not None and not self.freshness.taken
        # The first look at everything may take minutes and tells nothing of the next: no rest is due for it.
        scanned = hints.everything and self._watcher.how is How.SCAN
        rest = pause(work) if (taken and not whole) or scanned else min(SPACING, SHARE_OF_TIME * work)
        self._not_before = time.monotonic() + rest
        if hints.folders:
            self._trickle_at = time.monotonic() + work / _TRICKLE
        if taken is not None:
            self._fresh_at = time.monotonic()
            self._last = None
        self._say(taken, proved or at, SPACING if whole else work + rest, work)
        return taken

    def _sorted(self, at: datetime) -> Hints:
        """What to compare now; files still being written wait until they close, or for `OPEN_FILE` seconds."""
        hints, self._todo = self._todo, Hints()
        for spot in hints.spots:
            self._open.pop(spot, None)
        for spot in hints.writing - hints.spots:
            self._open.setdefault(spot, (time.monotonic(), at))
        due = {spot for spot, (since, _) in self._open.items() if time.monotonic() - since >= OPEN_FILE}
        for spot in due:
            del self._open[spot]
        return Hints(hints.spots, hints.folders, due, hints.everything)

    def _due_open(self) -> bool:
        oldest = min(self._open.values(), default=None)
        return oldest is not None and time.monotonic() - oldest[0] >= OPEN_FILE

    def _idle(self) -> bool:
        return self._until_idle() <= 0

    def _until_idle(self) -> float:
        """Seconds; never where nothing tells of changes: a snapshot that was taken without a look proves nothing."""
        if self._watcher.how is How.SCAN:
            return math.inf
        return max(0.0, self._fresh_at + IDLE - time.monotonic())

    def _quiet(self, at: datetime) -> None:
        """Nothing was heard up to `at`: the last snapshot holds everything that was closed before."""
        fresh = self.freshness
        if fresh.snapshot and not self._open and not self._failures and self._watcher.how is not How.SCAN:
            fresh.quiet = at

    def _trickle(self) -> None:
        """Nothing happens: compare one more folder, in case something happened that nobody was told."""
        if time.monotonic() >= self._trickle_at and not self._failures:
            self._todo.folders.add(self._capture.next_folder())

    def _fail(self, error: ReleveError, at: datetime) -> None:
        wait = _RETRY[min(self._failures, len(_RETRY) - 1)]
        self._failures += 1
        self._todo.everything |= error.code == "share-missing"  # nobody told of what happened meanwhile
        self._not_before = time.monotonic() + wait
        fresh = self.freshness
        fresh.troubled = f"{error.sentence} [{error.code}]"
        fresh.troubled_since = fresh.troubled_since or at
        self._tell(fresh)

    def _say(self, taken: Taken | None, at: datetime, every: float, work: float) -> None:
        fresh = self.freshness
        fresh.how = self._watcher.how
        fresh.troubled, fresh.troubled_since = "", None
        fresh.open_since = min((since for _, since in self._open.values()), default=None)
        fresh.unread = self._capture.unread
        if taken is None:
            return  # the instant is proven by a durable snapshot alone
        fresh.safe_until, fresh.snapshot, fresh.number = at, taken.id, taken.number
        fresh.every, fresh.work = every, work
        fresh.taken += 1
        fresh.stored += taken.stored
        fresh.files, fresh.size = self._capture.counts()
        self._tell(fresh)
