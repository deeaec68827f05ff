"""The evidence chain: each entry carries the hash of the one before. Pure.

A chain alone shows what was altered, removed in the middle or reordered. It cannot show that its
tail was cut: that takes its head — (count, hash) of the last entry — kept outside of it, by the
`Witness`. What each reader of a flaw should know:

    somebody writes the database only       every alteration shows, the cut tail and the forged tail too
    ... while a crash left the last entry   the removal of that one entry does not show: it looks like
    announced but not confirmed             an append that never reached the disk
    somebody writes database and witness    a chain rewritten whole does not show here: compare it with
                                            a head that left the machine (a printed report, an e-mail)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

GENESIS = "0" * 64
BREAK = "chain-broken"  # kind of the entry that keeps a break in the chain, for good

Head = tuple[int, str]  # number of entries, hash of the last one


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `seq` starts at 1; `hash` and `previous` are SHA-256 in hex."""

    seq: int
    at: datetime
    kind: str
    body: Mapping[str, object]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What is kept outside the chain.

    An append writes `announced` (the head that the chain is about to have) before it commits the
    entry, and `sure` after. So a crash leaves a chain that ends at one of the two and nowhere else,
    and nobody who writes the database alone can add an entry of their own.
    """

    sure: Head
    announced: Head | None = None


def seal(seq: int, at: datetime, kind: str, body: Mapping[str, object], previous: str) -> Entry:
    """The entry with its hash. `body` must be JSON-ready."""
    text = json.dumps(
        [seq, at.isoformat(), kind, body, previous],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    # surrogatepass: a file name that is not UTF-8 is a fact like another
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Entry(seq, at, kind, body, previous, digest)


def settle(witness: Witness | None, end: Head) -> Head | None:
    """The head that the chain must have, given where it ends. None without a witness."""
    if witness is None:
        return None
    return end if end == witness.announced else witness.sure


def break_of(head: Head | None, end: Head) -> Mapping[str, object] | None:
    """The body of the `BREAK` entry that says the chain does not end where it must; None when it does.

    A missing witness is a break too, except before the first entry.
    """
    if head == end or (head is None and end == (0, GENESIS)):
        return None
    return {"expected": list(head) if head else None, "found": list(end)}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a chain, and where (0 = the chain as a whole)."""

    seq: int
    code: str  # altered | removed | reordered | truncated | broken
    sentence: str


def verify(entries: Iterable[Entry], *, head: Head | None, start: Head = (0, GENESIS)) -> list[Flaw]:
    """Every flaw of a chain read in storage order.

    `head` is the (count, hash) kept outside the chain: without it a cut tail cannot be seen, and
    that is said by the caller, not hidden. `start`: the head of what an earlier part, let go since, ended with.
    """
    flaws: list[Flaw] = []
    expected, previous = start[0] + 1, start[1]
    for entry in entries:
        if entry.seq != expected:
            code = "removed" if entry.seq > expected else "reordered"
            flaws.append(Flaw(expected, code, f"entrée {expected} attendue, entrée {entry.seq} trouvée"))
        elif entry.previous != previous:
            flaws.append(Flaw(entry.seq, "reordered", f"l'entrée {entry.seq} ne suit pas la précédente"))
        if seal(entry.seq, entry.at, entry.kind, entry.body, entry.previous).hash != entry.hash:
            flaws.append(Flaw(entry.seq, "altered", f"l'entrée {entry.seq} a été modifiée"))
        if entry.kind == BREAK:
            flaws.append(
                Flaw(
                    entry.seq,
                    "broken",
                    f"avant l'entrée {entry.seq}, la chaîne ne finissait pas où le témoin le disait",
                )
            )
        previous, expected = entry.hash, entry.seq + 1
    if head is not None and head != (expected - 1, previous):
        flaws.append(
            Flaw(0, "truncated", f"la chaîne finit à l'entrée {expected - 1}, le témoin dit {head[0]}")
        )
    return flaws


def passes_through(entries: Iterable[Entry], head: Head) -> bool:
    """Whether a sound chain had that head at some time: what a head printed long ago is checked with."""
    count, digest = head
    if count == 0:
        return digest == GENESIS
    return any(entry.seq == count and entry.hash == digest for entry in entries)
