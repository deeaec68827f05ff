"""The hash-chained log. An entry is acknowledged when the database and the witness have both kept it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.ledger import models
from releve.adapters.ledger.chain import Chain
from releve.adapters.ledger.codec import dump, load_object, utc
from releve.adapters.ledger.database import BUSY_SECONDS, Database, file_lock, ours
from releve.adapters.ledger.witness import WitnessFile
from releve.domain.errors import Unreachable
from releve.domain.evidence import GENESIS, Entry, Head, Witness, settle


class DjangoEvidence:
    """Implements `domain.ports.EvidenceLog`."""

    def __init__(self, database: Database, state_dir: Path) -> None:
        self._database = database
        self._lock_path = state_dir / "evidence.lock"
        self._witness = WitnessFile(state_dir)
        self._chain = Chain(_Rows(database), self._witness)
        self._threads = threading.Lock()  # spares the threads of one process the polling of the file lock
        self._open()

    def append(self, kind: str, body: Mapping[str, object], at: datetime, *, key: str = "") -> Entry:
        """Add an entry. With a `key`, repeating it returns the entry already there.

        A chain that does not end where the witness says is not repaired and does not stop the work
        of a crisis: what was found is written into the chain, which reports it from then on.
        """
        plain = load_object(dump(body))  # what is hashed must be exactly what will be read back
        with self._alone():
            if key and (written := self._by_key(key)):
                return written
            with _our_words():
                return self._chain.append(kind, plain, utc(at), key)

    def entries(self) -> list[Entry]:
        """In storage order."""
        with self._database.reading() as alias:
            return [_entry(row) for row in models.Evidence.objects.using(alias).order_by("seq")]

    def head(self) -> Head | None:
        """(count, hash) kept outside the chain; None when the witness is missing."""
        with self._alone(), _our_words():
            return self._chain.head()

    def snapshot(self) -> tuple[list[Entry], Head | None]:
        """Entries and head of one and the same instant: what `domain.evidence.verify` wants."""
        with self._alone():
            entries = self.entries()
            return entries, settle(self._read(), _head(entries[-1]) if entries else (0, GENESIS))

    def _open(self) -> None:
        with self._alone(), _our_words():
            self._chain.open()

    def _by_key(self, key: str) -> Entry | None:
        with self._database.reading() as alias:
            row = models.Evidence.objects.using(alias).filter(key=key).first()
        return _entry(row) if row else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._threads.acquire(timeout=BUSY_SECONDS):
            raise Unreachable("ledger-busy", "le registre des preuves est resté occupé", retryable=True)
        try:
            with file_lock(self._lock_path):
                yield
        finally:
            self._threads.release()

    def _read(self) -> Witness | None:
        with _our_words():
            return self._witness.read()


class _Rows:
    """The table of the evidence. Implements `chain.Rows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self) -> Head:
        """See `Rows`."""
        with self._database.reading() as alias:
            last = models.Evidence.objects.using(alias).order_by("-seq").first()
        return (last.seq, last.hash) if last else (0, GENESIS)

    def add(self, entry: Entry, key: str) -> None:
        """See `Rows`."""
        with self._database.writing() as alias:
            models.Evidence.objects.using(alias).create(
                seq=entry.seq,
                at=entry.at.isoformat(),
                kind=entry.kind,
                body=dump(entry.body),
                previous=entry.previous,
                hash=entry.hash,
                key=key or None,
            )


@contextlib.contextmanager
def _our_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ours(error) from error


def _entry(row: models.Evidence) -> Entry:
    """The entry as it stands. What can no longer be read gets a body that no hash agrees with."""
    try:
        at, body = datetime.fromisoformat(row.at), load_object(row.body)
        if dump(body) == row.body:
            return Entry(row.seq, at, row.kind, body, row.previous, row.hash)
    except (ValueError, TypeError):
        at = datetime.fromtimestamp(0, UTC)
    return Entry(row.seq, at, row.kind, {"unreadable": str(row.body)}, row.previous, row.hash)


def _head(entry: Entry) -> Head:
    return entry.seq, entry.hash
