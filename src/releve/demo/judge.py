"""The verdict on "nothing was lost": by content, acknowledged writes against what the database holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from releve.demo.documents import read_documents
from releve.demo.journal import Ack, Miss, read_journal
from releve.domain.errors import Unreachable

_READ = "SELECT id::text, author, seq, text FROM transmissions"

Row = tuple[str, str, int, str]  # id, author, seq, text


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the writes that were acknowledged.

    `lost`: acknowledged and not there, or there with another content (these are `altered` too).
    `duplicated`: rows too many for one (author, seq). `in_doubt`: there though never acknowledged,
    which a system may do; `refused`: never acknowledged and not there.
    """

    acknowledged: int
    lost: int
    duplicated: int
    altered: int
    in_doubt: int
    refused: int
    lost_ids: tuple[str, ...]
    duplicated_keys: tuple[tuple[str, int], ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and nothing is there twice."""
        return self.lost == 0 and self.duplicated == 0


def judge(journal: Path, dsn: str) -> Verdict:
    """Compare the journal with the database at `dsn`, read now.

    Raises `Unreachable` when the database cannot be read, ValueError when the journal is damaged.
    """
    acks, misses = read_journal(journal)
    return compare(acks, misses, _database(dsn))


def judge_documents(journal: Path, root: Path) -> Verdict:
    """Compare the journal with the shared documents below `root`, read now; raises as `judge` does."""
    acks, misses = read_journal(journal)
    try:
        rows = [(row["id"], row["author"], row["seq"], row["text"]) for row in read_documents(root)]
    except (OSError, KeyError, ValueError) as error:
        raise Unreachable("demo-judge", f"le témoin ne peut pas lire les documents : {error}") from error
    return compare(acks, misses, rows)


def oldest_loss(journal: Path, verdict: Verdict, struck: float) -> float:
    """Seconds (monotonic) between the oldest write that was lost and the blow; 0 when nothing was."""
    lost = set(verdict.lost_ids)
    return max((struck - ack.monotonic for ack in read_journal(journal)[0] if ack.id in lost), default=0.0)


def _database(dsn: str) -> list[Row]:
    import psycopg

    try:
        with psycopg.connect(dsn) as link:
            return link.execute(_READ).fetchall()
    except psycopg.Error as error:
        raise Unreachable(
            "demo-judge", f"le témoin ne peut pas lire la base : {error}", retryable=True
        ) from error


def compare(acks: Iterable[Ack], misses: Iterable[Miss], rows: Iterable[Row]) -> Verdict:
    """The verdict, from values alone. Nothing is trusted of the database, not even its primary key."""
    acknowledged = {ack.id: ack for ack in acks}
    unanswered = {miss.id for miss in misses} - acknowledged.keys()
    held: dict[str, set[tuple[str, int, str]]] = {}
    keys: Counter[tuple[str, int]] = Counter()
    for row_id, author, seq, text in rows:
        held.setdefault(row_id, set()).add((author, seq, text))
        keys[author, seq] += 1
    missing = [ack_id for ack_id in acknowledged if ack_id not in held]
    altered = [
        ack.id
        for ack in acknowledged.values()
        if ack.id in held and held[ack.id] != {(ack.author, ack.seq, ack.text)}
    ]
    twice = {key: count - 1 for key, count in keys.items() if count > 1}
    return Verdict(
        acknowledged=len(acknowledged),
        lost=len(missing) + len(altered),
        duplicated=sum(twice.values()),
        altered=len(altered),
        in_doubt=len(unanswered & held.keys()),
        refused=len(unanswered - held.keys()),
        lost_ids=tuple(sorted((*missing, *altered))),
        duplicated_keys=tuple(sorted(twice)),
    )
