"""The evidence chain: each entry carries the hash of the one before. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `seq` starts at 1; `hash` and `previous` are SHA-256 in hex."""

    seq: int
    at: datetime
    kind: str
    body: Mapping[str, object]
    previous: str
    hash: str


def seal(seq: int, at: datetime, kind: str, body: Mapping[str, object], previous: str) -> Entry:
    """The entry with its hash. `body` must be JSON-ready."""
    text = json.dumps(
        [seq, at.isoformat(), kind, body, previous],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return Entry(seq, at, kind, body, previous, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a chain, and where (0 = the chain as a whole)."""

    seq: int
    code: str  # altered | removed | reordered | truncated
    sentence: str


def verify(entries: Iterable[Entry], *, head: tuple[int, str] | None) -> list[Flaw]:
    """Every flaw of a chain read in storage order.

    `head` is the (count, hash) kept outside the chain: without it a cut tail cannot be seen, and
    that is said by the caller, not hidden.
    """
    flaws: list[Flaw] = []
    previous, expected = GENESIS, 1
    for entry in entries:
        if entry.seq != expected:
            code = "removed" if entry.seq > expected else "reordered"
            flaws.append(Flaw(expected, code, f"entrée {expected} attendue, entrée {entry.seq} trouvée"))
        elif entry.previous != previous:
            flaws.append(Flaw(entry.seq, "reordered", f"l'entrée {entry.seq} ne suit pas la précédente"))
        if seal(entry.seq, entry.at, entry.kind, entry.body, entry.previous).hash != entry.hash:
            flaws.append(Flaw(entry.seq, "altered", f"l'entrée {entry.seq} a été modifiée"))
        previous, expected = entry.hash, entry.seq + 1
    if head is not None and head != (expected - 1, previous):
        flaws.append(
            Flaw(0, "truncated", f"la chaîne finit à l'entrée {expected - 1}, le témoin dit {head[0]}")
        )
    return flaws
