"""What is observed of a protection, and what may be believed of it.

A promise ("RPO 0") is declared by the plan, in force or suspended by observed facts, and proven
only by content. The three are different values here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ServerState(StrEnum):
    """What a look at a server shows."""

    STOPPED = "stopped"  # looked at, and seen stopped
    CLOSED = "closed"  # runs in recovery: reads only
    OPEN = "open"  # runs and accepts writes
    UNKNOWN = "unknown"  # could not be looked at


class SyncState(StrEnum):
    """What the source says of its standby."""

    ABSENT = "absent"
    ASYNC = "async"
    SYNC = "sync"


class SlotState(StrEnum):
    """What the source keeps for its standby."""

    NONE = "none"
    RESERVED = "reserved"
    AT_RISK = "at-risk"  # beyond the limit, not yet removed
    LOST = "lost"  # invalidated: the standby must be cloned again


@dataclass(frozen=True, slots=True)
class StandbyFacts:
    """The standby as its source sees it. Lags in bytes and seconds; None when not known.

    `reply_age`: seconds since the source last heard of it, on the source's own clock.
    """

    sync: SyncState = SyncState.ABSENT
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    reply_age: float | None = None
    slot: SlotState = SlotState.NONE


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One look at one server, at instant `at`.

    `identity` names this very start of the server (a restart changes it). `position` is the last
    position written (open) or received (closed), in bytes. `epoch` is the tenure written in the
    database itself, `epoch_site` the site that took it ("": none yet). `suspended_since` is the open suspension written in the database, if any.
    `sync_armed`: the server waits for its standby before it acknowledges.
    """

    site: str
    at: datetime
    state: ServerState
    identity: str = ""
    version: int = 0
    timeline: int = 0
    position: int = 0
    size_bytes: int = 0
    system_id: str = ""
    collation: str = ""
    epoch: int = 0
    epoch_site: str = ""
    sync_armed: bool = False
    suspended_since: datetime | None = None
    standby: StandbyFacts = StandbyFacts()
    following: str = ""  # site that it streams from, when closed and streaming
    overriding_roles: tuple[str, ...] = ()  # roles or databases that weaken synchronous_commit
    written_bytes: int = 0  # bytes written since the server's start: two looks give a rate
    warnings: tuple[str, ...] = ()  # what a person must know of it, in French sentences
    safe_until: datetime | None = None  # of a share: everything closed before is in its vault, or in the copy


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who may write a data set: `site`, since the run that took `epoch` (0 = from the beginning)."""

    data_set: str
    epoch: int
    site: str
    run: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Last proof, seen from the relief, that the promise held.

    `asked_at` is when the question left the relief; `reply_age` is how old the primary's own
    knowledge of the standby was when it answered (seconds). The primary cannot have gone on alone
    before `asked_at - reply_age + degrade_after`, whatever the two clocks say.
    """

    data_set: str
    asked_at: datetime
    reply_age: float
    synchronous: bool
    suspended_since: datetime | None = None
    overriding_roles: tuple[str, ...] = ()
    lag_bytes: int | None = None
    position: int = 0  # of a share: its last snapshot at that time, whose age is `reply_age`

    @property
    def safe_until(self) -> datetime | None:
        """Of a share: everything closed before is in the snapshot `position`, by the relief's own clock."""
        return self.asked_at - timedelta(seconds=self.reply_age) if self.position else None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A span during which "RPO 0" does not hold. `ended_at` None: it still runs."""

    data_set: str
    epoch: int
    started_at: datetime
    reason: str
    ended_at: datetime | None = None


class LossKind(StrEnum):
    """How much acknowledged data a switch would lose."""

    NONE = "none"
    BOUNDED = "bounded"  # at most `bytes` (and/or what was written since `since`)
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Loss:
    """An assessment, with the reason a person can check. Never `NONE` without a proof.

    `allowed`: it is bounded by what the plan's RPO lets be lost; its users have accepted that already.
    """

    kind: LossKind
    reason: str
    since: datetime | None = None
    bytes: int | None = None
    allowed: bool = False


class FenceKind(StrEnum):
    """On what ground the old side is held to be unable to write."""

    SEEN_STOPPED = "seen-stopped"
    PERSON = "person"
    BLOCKED = "blocked"  # blocked for want of its standby; only under the policy `wait`
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Fence:
    """The fence of one data set. `since`: instant from which writes are held to be impossible."""

    data_set: str
    site: str
    kind: FenceKind
    reason: str
    since: datetime | None = None
    by: str = ""
    final_position: int | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """What one side wrote and the other never received, found at the return.

    `folder`: where it is kept. `transactions`: committed there and unknown here; of a share, the files that
    differ. `rows`: table -> row versions exported; of a share, folder -> files put aside. `whole`: False when a part could not be read, said in `note`.
    """

    data_set: str
    site: str
    transactions: int
    rows: tuple[tuple[str, int], ...]
    folder: str
    whole: bool
    note: str = ""
