"""The copy of the day: when it is due, and what is written down of it."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from releve.cycle.protect.daily import DAILY, due, last_copy, save_daily
from releve.domain.errors import Unreachable
from tests.fakes.engine import FakeEngine
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import data_set

PARIS = "Europe/Paris"
AT = time(2, 0)


def moment(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "now", "planned"),
    [
        (None, "2026-11-25T10:00", "2026-11-25T01:00"),
        (None, "2026-11-25T00:30", "2026-11-24T01:00"),
        ("2026-11-25T01:00", "2026-11-25T10:00", None),
        ("2026-11-25T01:00", "2026-11-26T00:59", None),
        ("2026-11-25T01:00", "2026-11-26T01:00", "2026-11-26T01:00"),
        ("2026-11-20T01:00", "2026-11-25T10:00", "2026-11-25T01:00"),  # five days off: one copy, not five
        ("2026-07-01T00:00", "2026-07-01T12:00", None),  # summer: 02:00 in Paris is midnight UTC
        ("2026-03-28T01:00", "2026-03-29T12:00", "2026-03-29T01:00"),  # the night that has no 02:00
    ],
)
def test_a_copy_is_due_once_a_day(last: str | None, now: str, planned: str | None) -> None:
    """From the planned instant on, until a copy was made since; nights that jump the hour included."""
    found = due(moment(last) if last else None, AT, PARIS, moment(now))
    assert found == (moment(planned) if planned else None)


def test_a_copy_is_made_once_and_noted() -> None:
    """The first call copies and writes the fact; the second, the same day, does nothing."""
    engine, ledger = FakeEngine(), FakeLedger()
    now = lambda: datetime.now(UTC)
    item = data_set()
    assert "faite" in save_daily(item, PARIS, engine, ledger, now)
    assert "déjà" in save_daily(item, PARIS, engine, ledger, now)
    assert engine.effects["save:principal"] == 1
    assert last_copy("dossiers", ledger) is not None
    assert [entry.kind for entry in ledger.evidence.entries()] == ["daily-saved"]


def test_a_copy_that_fails_is_evidence_and_stays_due() -> None:
    """A site that does not answer: the failure is written, nothing says that a copy exists."""
    engine, ledger = FakeEngine(), FakeLedger()
    engine.vanish("principal")
    with pytest.raises(Unreachable):
        save_daily(data_set(), PARIS, engine, ledger, lambda: datetime.now(UTC))
    assert ledger.facts.fetch(DAILY, "dossiers") is None
    assert [entry.kind for entry in ledger.evidence.entries()] == ["daily-missed"]
