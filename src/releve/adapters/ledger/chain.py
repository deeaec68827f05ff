"""How an entry joins a chain, wherever its rows lie: announce, commit, confirm.

The rows are a database's, the witness a file beside it (see `domain.evidence.Witness`). One writer at a time:
the caller holds a lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from releve.adapters.ledger.witness import WitnessFile
from releve.domain.evidence import BREAK, GENESIS, Entry, Head, Witness, break_of, seal, settle


class Rows(Protocol):
    """Where the entries of a chain lie."""

    def end(self) -> Head:
        """(count, hash) of the last row."""
        ...

    def add(self, entry: Entry, key: str) -> None:
        """Commit one more row, durable on return."""
        ...


class Chain:
    """Appends to a chain. Raises what the rows raise, and OSError when the witness cannot be kept."""

    def __init__(self, rows: Rows, witness: WitnessFile) -> None:
        self._rows = rows
        self._witness = witness

    def open(self) -> None:
        """A chain that is empty and has no witness gets one."""
        end = self._rows.end()
        if end == (0, GENESIS) and self._witness.read() is None:
            self._witness.write(Witness(end))

    def head(self) -> Head | None:
        """(count, hash) kept outside the chain; None when the witness is missing."""
        return settle(self._witness.read(), self._rows.end())

    def append(self, kind: str, body: Mapping[str, object], at: datetime, key: str = "") -> Entry:
        """Add an entry; a chain that does not end where the witness says keeps that for good, in a `BREAK`."""
        end = self._rows.end()
        head = settle(self._witness.read(), end)
        if found := break_of(head, end):
            broken = self._add(head or (0, GENESIS), end, BREAK, found, at, "")
            end = (broken.seq, broken.hash)
        return self._add(end, end, kind, body, at, key)

    def _add(
        self, sure: Head, end: Head, kind: str, body: Mapping[str, object], at: datetime, key: str
    ) -> Entry:
        """Announce, commit, confirm. `sure` differs from `end` only while a break is being written."""
        entry = seal(end[0] + 1, at, kind, body, end[1])
        self._witness.write(Witness(sure, (entry.seq, entry.hash)))
        self._rows.add(entry, key)
        with contextlib.suppress(OSError):  # announced is enough to be found again: see `settle`
            self._witness.write(Witness((entry.seq, entry.hash)))
        return entry
