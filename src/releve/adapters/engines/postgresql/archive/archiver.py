"""The resident archiver of one server: receives its WAL, keeps it in the vault, says how far it is.

One turn: ask the server where it is, wait a moment until that much is received, keep it, and only then say so. What
is in a durable snapshot leaves the spool; the server's slot keeps what was not received.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from releve.adapters.engines.postgresql.archive.joining import hole
from releve.adapters.engines.postgresql.archive.keeping import Claim, Keeper
from releve.adapters.engines.postgresql.archive.marks import HISTORY
from releve.adapters.engines.postgresql.archive.receiver import Receiver
from releve.adapters.engines.postgresql.archive.source import Facts, Position, Source
from releve.adapters.engines.postgresql.archive.spool import Received, Spool
from releve.adapters.engines.postgresql.parse import say_lsn
from releve.adapters.engines.postgresql.timelines import History, history
from releve.adapters.notes import drop, put
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.os_errors import reason

HEARTBEAT = 60.0  # seconds after which an idle server gets a snapshot all the same: proof that it was idle
_CATCH_UP = 1.5  # seconds that a turn waits for what the server already has
_LOOK = 0.04  # seconds between two looks at the spool meanwhile
_HEADER = 24  # bytes: the least that a WAL record takes (PostgreSQL source, xlogrecord.h)
_BATCH = 64  # segments kept at a time after an outage: what is kept leaves the spool as it goes
_GAPS = "gaps.json"
_RETRY = (1.0, 2.0, 5.0, 10.0)  # seconds between turns while the server or the vault does not answer


@dataclass(slots=True)
class Freshness:
    """How far the vault follows a server. Everything acknowledged before `safe_until` is in a durable snapshot.

    Where the server is a standby at rest, that instant stands still: at `quiet`, by its clock, the vault had all that
    had ever come to it.

    `gaps`: positions after which WAL is missing for ever, as they were met, by this archiver or an earlier one of the
    same folder; only a base taken since heals one.
    """

    safe_until: datetime | None = None
    quiet: datetime | None = None
    lsn: int = 0
    timeline: int = 0
    snapshot: str = ""
    taken: int = 0
    stored: int = 0  # bytes
    spool: int = 0  # bytes
    gaps: list[tuple[datetime, str]] = field(default_factory=list)
    troubled: str = ""
    troubled_since: datetime | None = None
    unlimited: bool = False


class Archiver:
    """Drives one receiver and one keeper. `step` is one turn; the caller loops, and stops between two turns."""

    def __init__(
        self,
        source: Source,
        facts: Facts,
        keeper: Keeper,
        folder: Path,
        slot: str,
        *,
        every: float,
        now: Callable[[], datetime],
        boot: str,
        known: Freshness,
        tell: Callable[[Freshness], None] = lambda _freshness: None,
    ) -> None:
        """`boot`: what changes when the machine starts anew. `known`: what an earlier archiver of the same folder said."""
        self._boot = boot
        self._booted = folder.parent / "boot"
        self._source = source
        self._keeper = keeper
        self._slot = slot
        self._every = every
        self._now = now
        self._tell = tell
        self._spool = Spool(folder, facts.segment)
        self._receiver = Receiver(source.server, self._spool, slot, folder.parent / "pg_receivewal.log")
        self._begun = False
        # What was kept before a new beginning (timeline: bytes), until it is seen whether what comes joins it.
        self._before = folder.parent / "before.json"
        self._gaps = folder.parent / _GAPS
        self._near = False  # whether the files of this turn hold all that the server had
        self._failures = 0
        self._proved = -HEARTBEAT
        self.freshness = known

    def step(self) -> float:
        """One turn; how many seconds to rest after it."""
        begun = time.monotonic()
        try:
            self._turn()
        except (ReleveError, OSError) as error:
            wait = _RETRY[min(self._failures, len(_RETRY) - 1)]
            self._failures += 1
            self._troubled(_said(error))
            return wait
        self._failures = 0
        self._troubled(self._receiver.trouble)
        return max(0.1, self._every - (time.monotonic() - begun))

    def finish(self) -> None:
        """Take what the server has now, then stop receiving. Raises as a turn does, when that could not be kept."""
        self._proved = -HEARTBEAT
        try:
            self._turn()
        finally:
            self._receiver.stop()
            self._tell(self.freshness)

    def close(self) -> None:
        """Stop at once; nothing of what was received is lost."""
        self._receiver.stop()
        self._keeper.close()
        self._source.close()

    def _turn(self) -> None:
        if not self._begun:
            self._begin()
        trouble: ReleveError | None = None
        position: Position | None = None
        try:
            if self._receiver.lost:
                self._start_over()
            self._receiver.tick()
            position = self._source.position(self._slot)
        except ReleveError as error:
            trouble = error  # what was received is kept all the same
        files = self._caught_up(position) if position else self._spool.files()
        self._joined(files)
        self._keep(files, position)
        if position is not None and (position.timeline or (position.quiet and files and self._near)):
            self.freshness.quiet = position.quiet  # of a server that was promoted: None
        if trouble is not None:
            raise trouble

    def _begin(self) -> None:
        """Keep what an earlier archiver received, before anything new is written over it.

        What is not whole is received anew. After a power cut it may have holes that nobody would see, so it is not even
        kept: no instant was claimed for it. Whole files were made durable before they took their name.
        """
        self._keeper.prove_ours()
        self._receiver.end_orphan()
        sound = self._booted.exists() and self._booted.read_text(encoding="utf-8") == self._boot
        files = [one for one in self._spool.files() if sound or not one.partial]
        self._joined(files)
        for at in range(0, len(files), _BATCH):
            self._store(files[at : at + _BATCH], None)
        outrun = self._source.ensure_slot(self._slot)  # the server threw WAL away
        if outrun or not files:
            self._leave(files)
        self.freshness.unlimited = self._source.keeps_without_limit()
        self._spool.drop_partial()
        self._booted.write_text(self._boot, encoding="utf-8")
        self._begun = True

    def _start_over(self) -> None:
        """The server does not go on from where the spool ends: keep what is there, and begin where our slot stands."""
        files = self._spool.files()
        self._joined(files)
        self._store(files, None)
        self._source.ensure_slot(self._slot)
        self._leave(files)
        self._receiver.again()

    def _leave(self, files: list[Received]) -> None:
        """Empty the spool, whose files are kept; up to where stays known, killed or not.

        Of what this folder never knew, or forgot, the vault is asked.
        """
        if files or not self._before.exists():
            kept = dict(self._keeper.ends())
            for one in files:
                kept[one.at.timeline] = max(kept.get(one.at.timeline, 0), one.end)
            put(self._before, json.dumps(kept).encode())
        self._spool.leave()

    def _joined(self, files: list[Received]) -> None:
        """After a new beginning: see whether it follows what was kept."""
        if not files or not self._before.exists():
            return
        first = files[0]
        start = first.at.number * first.size
        end = hole(_ends(self._before), self._way(first.at.timeline), start)
        if end is not None:
            self._gap(f"rien entre {say_lsn(end)} et {say_lsn(start)} (ligne de temps {first.at.timeline})")
        drop(self._before)

    def _way(self, timeline: int) -> History:
        for path in self._spool.histories():
            if path.name == f"{timeline:08X}{HISTORY}":
                return history(timeline, path.read_text(encoding="utf-8", errors="replace"))
        return History(timeline)

    def _gap(self, why: str) -> None:
        """Known from now on, also to the archivers to come: status and the next base depend on it."""
        gaps = [*self.freshness.gaps, (self._now(), why)]
        put(self._gaps, json.dumps([[at.isoformat(), one] for at, one in gaps]).encode())
        self.freshness.gaps = gaps

    def _caught_up(self, position: Position) -> list[Received]:
        """The files, once what the server had is among them, or after a moment."""
        deadline = time.monotonic() + _CATCH_UP
        before = -1
        while True:
            files = self._spool.files()
            end = files[-1].end if files else 0
            # the receiver's own word comes up to a second late, but counts zeros too
            if _has_its_end(files, position) or _reaches(files, position, end if end == before else -1):
                self._near = True
                return files
            if not self._receiver.running or time.monotonic() > deadline:
                self._near = False
                return files
            before = end
            time.sleep(_LOOK)

    def _keep(self, files: list[Received], position: Position | None) -> None:
        while len(files) > _BATCH:
            self._store(files[:_BATCH], None)
            files = files[_BATCH:]
        claim = self._claim(files, position)
        fresh = self.freshness
        idle = claim is not None and (claim.timeline, claim.until) == (fresh.timeline, fresh.lsn)
        if idle and claim is not None and time.monotonic() - self._proved < HEARTBEAT:
            self._safe(claim)  # the vault has it all already; the instant alone moves on
            self._tell_size()
            return
        self._store(files, claim)

    def _claim(self, files: list[Received], position: Position | None) -> Claim | None:
        if position is None or position.at is None or not files or not self._near:
            return None
        return Claim(files[-1].at.timeline, position.lsn, position.at)

    def _store(self, files: list[Received], claim: Claim | None) -> None:
        if not files:
            self._tell_size()
            return
        kept = self._keeper.keep(files, self._spool.histories(), claim)
        fresh = self.freshness
        if kept.snapshot:
            fresh.snapshot = kept.snapshot
            fresh.taken += 1
            fresh.stored += kept.stored
        if claim is not None:
            self._proved = time.monotonic()
            self._safe(claim)
        self._spool.clear(kept.names)
        self._tell_size()

    def _safe(self, claim: Claim) -> None:
        fresh = self.freshness
        another = claim.timeline != fresh.timeline  # a server that was promoted: another clock
        if fresh.safe_until is None or another or claim.at >= fresh.safe_until:
            fresh.safe_until, fresh.lsn, fresh.timeline = claim.at, claim.until, claim.timeline

    def _tell_size(self) -> None:
        try:
            self.freshness.spool = self._spool.size()
        except OSError as error:
            raise Unreachable("spool-unreadable", f"la réserve ne se lit pas : {error}") from error
        self._tell(self.freshness)

    def _troubled(self, why: str) -> None:
        fresh = self.freshness
        fresh.troubled = why
        fresh.troubled_since = (fresh.troubled_since or self._now()) if why else None
        self._tell(fresh)


def read_gaps(state: Path) -> list[tuple[datetime, str]]:
    """The holes that the archivers of a state folder met, as `Freshness.gaps`. Raises `Unreachable`."""
    path = state / _GAPS
    try:
        return [(datetime.fromisoformat(at), str(why)) for at, why in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise Unreachable(
            "archive-state",
            f"la liste des trous {path} ne se lit pas : {error}",
            hint="supprimez-la, puis prenez une base (releve database base)",
        ) from error


def _ends(path: Path) -> Mapping[int, int]:
    """What is not readable is taken for the first byte of a timeline that is none: then a hole is said."""
    try:
        return {int(timeline): int(end) for timeline, end in json.loads(path.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError):
        return {0: 0}


def _said(error: ReleveError | OSError) -> str:
    if isinstance(error, ReleveError):
        return f"{error.sentence} [{error.code}]"
    return f"la réserve ne peut pas être tenue : {reason(error)} ({error.filename}) [archive-disk]"


def _has_its_end(files: list[Received], position: Position) -> bool:
    """Whether the receiver said that it has all, and the file is there that holds the end of it.

    After a power cut the server may for a while believe in the link of before, whose last file is gone.
    """
    if not files or not _follows(files, position) or position.received < position.lsn:
        return False
    newest = files[-1]
    return position.lsn <= (newest.at.number + 1) * newest.size


def _follows(files: list[Received], position: Position) -> bool:
    return position.timeline in {0, files[-1].at.timeline}


def _reaches(files: list[Received], position: Position, settled: int) -> bool:
    """Whether the files hold all that the server had, on its timeline.

    A record may end in zeros, which are not seen in a file filled with zeros; no record is shorter than its header.
    So a shortfall below that is none, once a second look has found the same end (`settled`).
    """
    if not files or not _follows(files, position):
        return False
    end = files[-1].end
    return end >= position.lsn or (end == settled and position.lsn - end < _HEADER)
