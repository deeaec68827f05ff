"""The witness's journal: every write that was acknowledged, durable and outside the system.

JSON lines. An acknowledgement is on the disk before the writer that got it writes again, so that at
most one a writer can be missing from the journal, whatever happens to the witness itself.
"""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ack:
    """A write that was acknowledged. `monotonic`: seconds of the machine's clock that never steps.

    `tries`: how often its author had to send it; the id is the same each time. `seq` grows for each
    author and never comes twice.
    """

    id: str
    author: str
    seq: int
    text: str
    url: str
    at: datetime
    monotonic: float
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Miss:
    """A round in which no address acknowledged. `reasons`: what each address answered, in order."""

    id: str
    author: str
    seq: int
    at: datetime
    monotonic: float
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """A silence: no acknowledgement between two, in seconds of the monotonic clock.

    `first_after` None: it had not ended when the journal was read, `seconds` being then what had
    passed at `until`. `slowest_writer`: the longest any single person was kept waiting across it.
    """

    last_before: Ack | None
    first_after: Ack | None
    seconds: float
    slowest_writer: float = 0.0


class Journal:
    """Appends records; several threads share each flush to the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._pending: list[bytes] = []
        self._written = 0  # batches on the disk
        self._batch = 1  # number of the batch being filled
        self._closing = False
        self._failed: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._flush)
        self._thread.start()

    def acknowledge(self, ack: Ack) -> None:
        """Append, and return once it is on the disk. Raises OSError when it cannot be."""
        self._wait(self._add("ack", ack))

    def miss(self, miss: Miss) -> None:
        """Append with the next flush; nobody waits for it."""
        self._add("miss", miss)

    def close(self) -> None:
        """Flush what is left. Raises OSError when that failed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._file.close()
        if self._failed:
            raise self._failed

    def _add(self, kind: str, record: Ack | Miss) -> int:
        line = json.dumps({"kind": kind, **asdict(record)}, ensure_ascii=False, default=datetime.isoformat)
        with self._changed:
            if self._closing:
                raise OSError("the journal is closed")
            self._pending.append(line.encode() + b"\n")
            self._changed.notify_all()
            return self._batch

    def _wait(self, batch: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._written >= batch or self._failed is not None)
            if self._failed:
                raise self._failed

    def _flush(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._pending) or self._closing)
                lines, batch = self._pending, self._batch
                if not lines:
                    return
                self._pending, self._batch = [], batch + 1
            failed: OSError | None = None
            try:
                self._file.write(b"".join(lines))
                os.fdatasync(self._file.fileno())
            except OSError as error:  # final: a flush that failed once may lie the second time
                failed = error
            with self._changed:
                self._written, self._failed = batch, failed
                self._changed.notify_all()
                if failed:
                    return


def read_journal(path: Path) -> tuple[list[Ack], list[Miss]]:
    """All records, acknowledgements in the order of their instants.

    A last line cut short (the witness was killed while it wrote) was never counted on and is left
    out; a damaged line anywhere else raises ValueError.
    """
    acks: list[Ack] = []
    misses: list[Miss] = []
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last line end is cut short
        try:
            values = json.loads(line)
            kind, at = values.pop("kind"), datetime.fromisoformat(values.pop("at"))
            if kind == "ack":
                acks.append(Ack(**values, at=at))
            else:
                reasons = tuple((str(url), str(why)) for url, why in values.pop("reasons"))
                misses.append(Miss(**values, at=at, reasons=reasons))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: damaged record") from error
    return sorted(acks, key=lambda ack: ack.monotonic), misses


def silences(acks: Sequence[Ack], *, longer_than: float) -> list[Outage]:
    """Every silence of more than `longer_than` seconds, in order. `acks` sorted by instant."""
    return [
        _outage(acks, before, after)
        for before, after in pairwise(acks)
        if after.monotonic - before.monotonic > longer_than
    ]


def outage(acks: Sequence[Ack], after: float, until: float) -> Outage:
    """The longest silence that touches the span from `after` to `until` (monotonic seconds).

    The longest, because some acknowledgements were already under way at the first blow. A silence
    that has not ended at `until` counts up to there.
    """
    past = [ack for ack in acks if ack.monotonic <= until]
    found = Outage(past[-1] if past else None, None, until - (past[-1].monotonic if past else after))
    for before, following in pairwise(past):
        seconds = following.monotonic - before.monotonic
        if following.monotonic > after and seconds > found.seconds:
            found = Outage(before, following, seconds)
    if found.last_before is None or found.first_after is None:
        return found
    return _outage(acks, found.last_before, found.first_after)


def _outage(acks: Iterable[Ack], before: Ack, after: Ack) -> Outage:
    return Outage(before, after, after.monotonic - before.monotonic, _slowest(acks, before, after))


def _slowest(acks: Iterable[Ack], before: Ack, after: Ack) -> float:
    """The longest wait of one author between two of his own, across the silence."""
    instants: dict[str, list[float]] = defaultdict(list)
    for ack in acks:
        instants[ack.author].append(ack.monotonic)
    waits = [
        second - first
        for own in instants.values()
        for first, second in pairwise(own)
        if first <= before.monotonic and second >= after.monotonic
    ]
    return max(waits, default=0.0)
