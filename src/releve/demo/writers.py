"""The professionals of the demo: each writes transmissions, all along, through the plan's addresses."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from releve.demo.journal import Ack, Journal, Miss

TIMEOUT = 0.5  # seconds an address has to answer; then the next one is tried
_BETWEEN_ROUNDS = 0.05  # seconds after a round that no address acknowledged; at 0.015 the witness took the
# cores from what it measures (return gap p50 1.00 s against 0.82 on two cores); it only adds to an outage
_SHORTEST_PAUSE = 0.005  # seconds between two writes of one person, however late they are

# Duties and no names: everything here is fictional.
_DUTIES = ("Aide-soignante", "Infirmier", "Éducatrice", "Veilleur de nuit", "Psychologue", "Ergothérapeute")
_NOTES = (
    "A bien mangé à midi, a repris du dessert.",
    "Sortie au marché avec le groupe, retour à 11 h.",
    "Tension prise au lever, rien à signaler.",
    "Préfère rester en chambre ce matin ; à revoir après le goûter.",
    "Rendez-vous chez le dentiste déplacé à jeudi.",
    "Nuit calme, levé une fois.",
)


@dataclass
class Counters:
    """What the writers have done so far; shared, guarded by `lock`."""

    acknowledged: int = 0
    missed: int = 0
    by_url: Counter[str] = field(default_factory=Counter)
    last: Ack | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, record: Ack | Miss) -> None:
        """Count one record."""
        with self.lock:
            if isinstance(record, Miss):
                self.missed += 1
                return
            self.acknowledged += 1
            self.by_url[record.url] += 1
            if self.last is None or record.monotonic > self.last.monotonic:
                self.last = record


class Address:
    """One address of the application, over one kept connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)

    def post(self, values: dict[str, object]) -> str:
        """Send a transmission: empty when it was acknowledged as sent, else the reason it was not."""
        body = json.dumps(values, ensure_ascii=False).encode()
        try:
            self._connection.request("POST", "/transmissions", body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            content = answer.read()
        except TimeoutError:
            self._connection.close()  # the answer may still come: it must not pass for the next one's
            return "timeout"
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return type(error).__name__
        if answer.status not in (200, 201):
            return f"{answer.status} {answer.headers.get('X-Releve-Gate', '')}".strip()
        return "" if _same(content, values) else "acknowledged something else"

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Writer(threading.Thread):
    """One professional. Sends a transmission again, with its id, until somebody acknowledges it."""

    def __init__(
        self,
        number: int,
        urls: tuple[str, ...],
        pace: float,
        journal: Journal,
        counters: Counters,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"writer-{number}")
        self.author = f"{_DUTIES[(number - 1) % len(_DUTIES)]} {number}"
        self.failed: OSError | None = None
        self._addresses = [Address(url) for url in urls]
        self._pace = pace
        self._journal = journal
        self._counters = counters
        self._stopping = stop
        # Milliseconds since 1970 to begin with: a later witness on the same base never repeats a number.
        self._seq = time.time_ns() // 1_000_000

    def run(self) -> None:
        """Write until told to stop."""
        try:
            while not self._stopping.is_set():
                due = time.monotonic() + self._pace
                self._write_one()
                self._stopping.wait(max(_SHORTEST_PAUSE, due - time.monotonic()))
        except OSError as error:  # the journal's disk failed: the witness must stop, and say so
            self.failed = error
            self._stopping.set()
        finally:
            for address in self._addresses:
                address.close()

    def _write_one(self) -> None:
        self._seq += 1
        note = _NOTES[self._seq % len(_NOTES)]
        values: dict[str, object] = {
            "id": str(uuid.uuid4()),
            "author": self.author,
            "resident": f"Usager {1 + self._seq % 60}",
            "text": f"{note} (n° {self._seq})",
            "seq": self._seq,
        }
        tries = 0
        while True:
            tries += 1
            record = self._round(values, tries)
            self._counters.count(record)
            if isinstance(record, Ack):
                self._journal.acknowledge(record)
                return
            self._journal.miss(record)
            if self._stopping.wait(_BETWEEN_ROUNDS):
                return

    def _round(self, values: dict[str, object], tries: int) -> Ack | Miss:
        """Each address once, the last good one first."""
        reasons: list[tuple[str, str]] = []
        for place, address in enumerate(self._addresses):
            reason = address.post(values)
            instant, at = time.monotonic(), datetime.now(UTC)
            if not reason:
                self._addresses.insert(0, self._addresses.pop(place))
                return Ack(
                    str(values["id"]),
                    self.author,
                    self._seq,
                    str(values["text"]),
                    address.url,
                    at,
                    instant,
                    tries,
                )
            reasons.append((address.url, reason))
        return Miss(str(values["id"]), self.author, self._seq, at, instant, tuple(reasons))


def _same(content: bytes, values: dict[str, object]) -> bool:
    """Whether the row that was acknowledged is the one that was sent."""
    try:
        row = json.loads(content)
    except ValueError:
        return False
    return isinstance(row, dict) and all(row.get(name) == value for name, value in values.items())
