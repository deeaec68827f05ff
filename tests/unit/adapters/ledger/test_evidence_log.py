"""The evidence log on SQLite: crash windows, and what somebody with the files can do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from releve.adapters.ledger import open_ledger
from releve.domain.errors import Unreachable
from releve.domain.evidence import BREAK, Witness, seal, verify

if TYPE_CHECKING:
    from releve.adapters.ledger.store import DjangoLedger

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[DjangoLedger]:
    """A ledger with three entries."""
    opened = open_ledger(tmp_path)
    for number in range(3):
        opened.evidence.append("fait", {"n": number}, NOW, key=f"k{number}")
    yield opened
    opened.close()


def sql(folder: Path, text: str, *values: object) -> None:
    """Somebody writes the database behind our back."""
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as link, link:
        assert link.execute(text, values).rowcount > 0


def codes(ledger: DjangoLedger) -> set[str]:
    """What `releve evidence verify` would find."""
    entries, head = ledger.evidence.snapshot()
    return {flaw.code for flaw in verify(entries, head=head)}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE ledger_evidence SET body = '{\"n\":7}' WHERE seq = 2", "altered"),
        ('UPDATE ledger_evidence SET body = \'{"n":1,"n":1}\' WHERE seq = 2', "altered"),
        ("UPDATE ledger_evidence SET body = 'rien' WHERE seq = 2", "altered"),
        ("UPDATE ledger_evidence SET at = 'hier' WHERE seq = 2", "altered"),
        ("UPDATE ledger_evidence SET at = '2026-01-05T08:00:01+00:00' WHERE seq = 3", "altered"),
        ("UPDATE ledger_evidence SET kind = 'autre' WHERE seq = 1", "altered"),
        ("DELETE FROM ledger_evidence WHERE seq = 2", "removed"),
        ("DELETE FROM ledger_evidence WHERE seq = 1", "removed"),
        ("DELETE FROM ledger_evidence WHERE seq = 3", "truncated"),
        ("DELETE FROM ledger_evidence", "truncated"),
        ("UPDATE ledger_evidence SET seq = 9 WHERE seq = 3", "removed"),
    ],
)
def test_every_change_of_the_database_shows(
    ledger: DjangoLedger, tmp_path: Path, change: str, code: str
) -> None:
    """Altered, unreadable, removed, cut: found when read, and nothing of it raises."""
    sql(tmp_path, change)
    assert code in codes(ledger)


def test_a_forged_entry_at_the_end_shows(ledger: DjangoLedger, tmp_path: Path) -> None:
    """A well-hashed entry that nobody announced is not taken for one of ours, now or after the next append."""
    last = ledger.evidence.entries()[-1]
    forged = seal(4, NOW, "faux", {}, last.hash)
    sql(
        tmp_path,
        "INSERT INTO ledger_evidence (seq, at, kind, body, previous, hash) VALUES (4, ?, 'faux', '{}', ?, ?)",
        NOW.isoformat(),
        last.hash,
        forged.hash,
    )
    assert codes(ledger) == {"truncated"}
    ledger.evidence.append("fait", {"n": 4}, NOW)
    assert codes(ledger) == {"broken"}


def test_a_cut_tail_is_written_into_the_chain_and_work_goes_on(ledger: DjangoLedger, tmp_path: Path) -> None:
    """The next append neither refuses nor hides: the break becomes an entry, for good, even after a restart."""
    cut = ledger.evidence.entries()[-1]
    sql(tmp_path, "DELETE FROM ledger_evidence WHERE seq = 3")
    entry = ledger.evidence.append("fait", {"n": 3}, NOW)
    entries = ledger.evidence.entries()
    assert [item.kind for item in entries] == ["fait", "fait", BREAK, "fait"]
    assert entries[2].body["expected"] == [3, cut.hash]
    assert entry == entries[3]
    assert codes(ledger) == {"broken"}
    again = open_ledger(tmp_path)
    again.evidence.append("fait", {"n": 5}, NOW)
    assert codes(again) == {"broken"}
    again.close()


def test_taking_the_witness_away_is_a_break(ledger: DjangoLedger, tmp_path: Path) -> None:
    """Without its witness a chain says so at once, and forever after the next append."""
    (tmp_path / "evidence.head").unlink()
    assert ledger.evidence.head() is None
    open_ledger(tmp_path).close()
    assert ledger.evidence.head() is None, "opening must not make a new witness for an old chain"
    ledger.evidence.append("fait", {}, NOW)
    assert codes(ledger) == {"broken"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"sure": 3}', b'{"sure": ["x", "y"]}', b"\xff\xfe"])
def test_a_witness_that_cannot_be_read_witnesses_nothing(
    ledger: DjangoLedger, tmp_path: Path, content: bytes
) -> None:
    """Rubbish in the file counts as no file."""
    (tmp_path / "evidence.head").write_bytes(content)
    assert ledger.evidence.head() is None


def test_a_crash_after_the_announcement_changes_nothing(ledger: DjangoLedger) -> None:
    """The entry never reached the disk: the chain is sound and the same append can be done again."""
    log = ledger.evidence
    entries, head = log.snapshot()
    assert head is not None
    lost = seal(4, NOW, "fait", {"n": 3}, entries[-1].hash)
    log._witness.write(Witness(head, (4, lost.hash)))
    assert codes(ledger) == set()
    assert log.append("fait", {"n": 3}, NOW, key="k3").hash == lost.hash
    assert codes(ledger) == set()


def test_a_crash_before_the_confirmation_changes_nothing(ledger: DjangoLedger) -> None:
    """The entry is on the disk and only announced: the chain is sound, its repetition finds it, the next one follows."""
    log = ledger.evidence
    entries, head = log.snapshot()
    assert head is not None
    log._witness.write(Witness((2, entries[1].hash), head))
    assert codes(ledger) == set()
    assert log.head() == head
    assert log.append("fait", {"n": 2}, NOW, key="k2") == entries[2]
    log.append("fait", {"n": 3}, NOW)
    assert codes(ledger) == set()
    assert len(log.entries()) == 4


def test_a_disk_that_refuses_the_confirmation_does_not_lose_the_entry(
    ledger: DjangoLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed and announced is kept: the caller is told yes, not made to write it twice."""
    log = ledger.evidence
    real = log._witness.write

    def refuse_confirmation(witness: Witness) -> None:
        if witness.announced is None:
            raise OSError(28, "no space left on device")
        real(witness)

    monkeypatch.setattr(log._witness, "write", refuse_confirmation)
    entry = log.append("fait", {"n": 3}, NOW)
    assert log.entries()[-1] == entry
    assert codes(ledger) == set()


def test_a_disk_that_refuses_the_announcement_stops_the_entry(
    ledger: DjangoLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be witnessed is not written, and the error says the disk is full."""
    log = ledger.evidence

    def refuse(_witness: Witness) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(log._witness, "write", refuse)
        with pytest.raises(Unreachable) as caught:
            log.append("fait", {"n": 3}, NOW)
    assert caught.value.code == "ledger-full"
    assert len(log.entries()) == 3
    assert codes(ledger) == set()
