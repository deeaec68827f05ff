"""What PostgreSQL's programs print, as values. Pure. Programs are run with LC_ALL=C."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

_LSN = re.compile(r"^([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})$")


def lsn(text: str) -> int:
    """A position "0/3000148" as bytes since the beginning. Raises ValueError."""
    match = _LSN.match(text.strip())
    if match is None:
        raise ValueError(f"not a WAL position: {text!r}")
    return (int(match[1], 16) << 32) + int(match[2], 16)


def say_lsn(position: int) -> str:
    """The position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True)
class Control:
    """What `pg_controldata` says of a stopped server. Positions in bytes.

    `state` is PostgreSQL's own word: "shut down", "shut down in recovery", "in production"…
    A crash leaves "in production" or "in archive recovery".
    """

    system_id: str
    state: str
    checkpoint: int
    redo: int
    timeline: int
    min_recovery: int
    min_recovery_timeline: int
    segment_bytes: int

    @property
    def clean(self) -> bool:
        """A source that was stopped in order: its last record is the shutdown checkpoint."""
        return self.state == "shut down"


def control(text: str) -> Control | None:
    """Read the output of `pg_controldata`; None when it is not one."""
    values = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())
    }
    try:
        return Control(
            values["Database system identifier"],
            values["Database cluster state"],
            lsn(values["Latest checkpoint location"]),
            lsn(values["Latest checkpoint's REDO location"]),
            int(values["Latest checkpoint's TimeLineID"]),
            lsn(values["Minimum recovery ending location"]),
            int(values["Min recovery ending loc's timeline"]),
            int(values["Bytes per WAL segment"]),
        )
    except (KeyError, ValueError):
        return None


_SEGMENT = re.compile(r"^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:\.partial)?$")


@dataclass(frozen=True, slots=True)
class Segment:
    """A WAL file: its name, timeline and first position."""

    name: str
    timeline: int
    start: int


def segments(names: Iterable[str], segment_bytes: int) -> list[Segment]:
    """The WAL files among `names`, in order."""
    found = []
    for name in names:
        match = _SEGMENT.match(name)
        if match is not None:
            start = (int(match[2], 16) << 32) + int(match[3], 16) * segment_bytes
            found.append(Segment(name, int(match[1], 16), start))
    return sorted(found, key=lambda segment: (segment.start, segment.timeline, segment.name))


def postmaster_pid(text: str) -> int | None:
    """The process written in `postmaster.pid`; None when there is none to read."""
    first = text.split("\n", 1)[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else None


def socket_lock(text: str) -> str:
    """Path of the socket's lock file, from `postmaster.pid`; empty without a socket.

    Its fourth and fifth lines are the port and the folder of the first socket (PostgreSQL source,
    `pidfile.h`).
    """
    lines = text.splitlines()
    if len(lines) < 5 or not lines[3].strip().isdigit() or not lines[4].startswith("/"):
        return ""
    return f"{lines[4].rstrip('/')}/.s.PGSQL.{lines[3].strip()}.lock"


def unbroken(files: Iterable[Segment], timeline: int, start: int, segment_bytes: int) -> int:
    """End of the last of `files` (in order) that follows `start` on `timeline` without a gap."""
    end = start - start % segment_bytes
    for segment in files:
        if segment.timeline == timeline and segment.start == end and "." not in segment.name:
            end += segment_bytes
    return max(end, start)


class Life(StrEnum):
    """What became of the process that holds a data folder."""

    LIVES = "lives"
    ZOMBIE = "zombie"
    GONE = "gone"


def life(stat: str, *, name: str = "postgres") -> Life:
    """What `/proc/<pid>/stat` shows of a process of that name (GONE when it bears another name).

    A zombie is dead: it holds its number and its lock file, but it can write nothing. The first
    process of a container may reap it seconds later, and until then `pg_ctl` takes it for alive.
    """
    head, closed, rest = stat.rpartition(")")
    state = rest.split()[:1]
    if not closed or not state or name not in head.partition("(")[2]:
        return Life.GONE
    return Life.ZOMBIE if state[0] in "ZX" else Life.LIVES


_WAL_END = re.compile(r"error in WAL record at ([0-9A-F]+/[0-9A-F]+): (.*)")
_WAL_NONE = re.compile(r"could not find a valid record after ([0-9A-F]+/[0-9A-F]+)")
_POSITION = re.compile(r"\bat ([0-9A-F]+/[0-9A-F]+)")


def wal_end(stderr: str) -> int | None:
    """Where readable WAL ends, from what `pg_waldump` says as it stops; None when it does not say.

    pg_waldump always ends on an error, since it reads until no valid record follows. It names the
    place of the missing record for an ordinary end; otherwise only the last good record is known,
    and we say None rather than a position that is too low.
    """
    match = _WAL_END.search(stderr)
    if match is not None:
        named = _POSITION.search(match[2])
        return lsn(named[1]) if named else None
    match = _WAL_NONE.search(stderr)
    return lsn(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation as WAL names it: database and file numbers (0 = shared by all databases)."""

    database: int
    filenode: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A committed transaction: its numbers (itself, then its savepoints), and what it wrote where."""

    xids: tuple[int, ...]
    at: datetime | None
    writes: tuple[tuple[Relation, str, int], ...]  # relation, insert | update | delete, count


_RECORD = re.compile(r"^rmgr: (\S+)\s+len .*?\btx:\s+(\d+), lsn: \S+ prev \S+ desc: (\S+)(.*)$")
_BLOCK = re.compile(r"blkref #0: rel (\d+)/(\d+)/(\d+)")
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC")
_SUBS = re.compile(r"subxacts: ([\d ]+)")
_TUPLES = re.compile(r"(?:ntuples: (\d+)|(\d+) tuples)")
_PREPARED = re.compile(r"^\s*(\d+):? ")
_VERBS = {
    "INSERT": "insert",
    "INSERT+INIT": "insert",
    "MULTI_INSERT": "insert",
    "MULTI_INSERT+INIT": "insert",
    "UPDATE": "update",
    "UPDATE+INIT": "update",
    "HOT_UPDATE": "update",
    "HOT_UPDATE+INIT": "update",
    "DELETE": "delete",
}


def transactions(lines: Iterable[str]) -> list[Transaction]:
    """Committed transactions in what `pg_waldump` prints (run with TZ=UTC), in commit order.

    Aborted ones and those cut by the crash are left out: nobody was told that they were done.
    """
    writes: dict[int, dict[tuple[Relation, str], int]] = {}
    committed: list[Transaction] = []
    for line in lines:
        match = _RECORD.match(line)
        if match is None:
            continue
        manager, xid, verb, rest = match[1], int(match[2]), match[3], match[4]
        if manager in ("Heap", "Heap2"):
            _note(writes, xid, verb, rest)
        elif manager == "Transaction" and verb in ("COMMIT", "COMMIT_PREPARED"):
            committed.append(_commit(writes, xid, verb, rest))
    return committed


def _note(writes: dict[int, dict[tuple[Relation, str], int]], xid: int, verb: str, rest: str) -> None:
    kind, block = _VERBS.get(verb), _BLOCK.search(rest)
    if kind is None or block is None:
        return
    tuples = _TUPLES.search(rest) if verb.startswith("MULTI_INSERT") else None
    count = int(tuples[1] or tuples[2]) if tuples else 1
    key = (Relation(int(block[2]), int(block[3])), kind)
    mine = writes.setdefault(xid, {})
    mine[key] = mine.get(key, 0) + count


def _commit(
    writes: dict[int, dict[tuple[Relation, str], int]], xid: int, verb: str, rest: str
) -> Transaction:
    prepared = _PREPARED.match(rest) if verb == "COMMIT_PREPARED" else None
    subs = _SUBS.search(rest)
    own = int(prepared[1]) if prepared else xid
    xids = (own, *(int(number) for number in subs[1].split())) if subs else (own,)
    total: dict[tuple[Relation, str], int] = {}
    for number in xids:
        for key, count in writes.pop(number, {}).items():
            total[key] = total.get(key, 0) + count
    when = _WHEN.search(rest)
    at = datetime.fromisoformat(when[1]).replace(tzinfo=UTC) if when else None
    return Transaction(xids, at, tuple((rel, kind, count) for (rel, kind), count in total.items()))
