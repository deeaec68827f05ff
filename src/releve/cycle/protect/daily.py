"""The copy of the day: when it is due, and what is written down of it. `due` is pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from releve.domain.errors import ReleveError
from releve.domain.plan import DataSet
from releve.domain.ports import Ledger, Now, Savable
from releve.domain.protection import ServerFacts

DAILY = "daily"  # kind of the fact that holds the last copy of a data set


def due(last: datetime | None, at: time, zone: str, now: datetime) -> datetime | None:
    """The instant (UTC) at which the copy that is still missing was due; None when none is.

    `at` is a time of day in `zone`; where the clock jumps over it, the copy is due after the jump (PEP 495).
    `last`: when the last copy was made; None: never, and then one is due since the last such instant.
    """
    local = now.astimezone(ZoneInfo(zone))
    planned = datetime.combine(local.date(), at, ZoneInfo(zone)).astimezone(UTC)
    if planned > now:
        planned = datetime.combine(local.date() - timedelta(days=1), at, ZoneInfo(zone)).astimezone(UTC)
    return planned if last is None or last < planned else None


def last_copy(data_set: str, ledger: Ledger) -> datetime | None:
    """When the last copy of the day was seen durable."""
    found = ledger.facts.fetch(DAILY, data_set)
    return found[0] if found else None


def save_daily(data_set: DataSet, zone: str, engine: Savable, ledger: Ledger, now: Now) -> str:
    """Make the copy of the day if it is due; what came of it, in one sentence. Safe to repeat.

    A failure is written in the evidence and raised: whoever asked tries again.
    """
    planned = due(last_copy(data_set.id, ledger), data_set.protection.daily_at, zone, now())
    if planned is None:
        return f"la copie du jour de « {data_set.name} » est déjà faite"
    tenure = ledger.tenures.current(data_set.id)
    holder = tenure.site if tenure else data_set.primary_site
    try:
        facts = engine.save(holder)
    except ReleveError as error:
        ledger.evidence.append(
            "daily-missed",
            {"data_set": data_set.id, "site": holder, "due": planned.isoformat(), "error": error.as_json()},
            now(),
        )
        raise
    note_copy(data_set, facts, ledger, now())
    return f"copie du jour de « {data_set.name} » faite"


def note_copy(data_set: DataSet, facts: ServerFacts, ledger: Ledger, now: datetime) -> None:
    """Write down a copy that was seen durable: the fact that the next one is due from, and the evidence."""
    seen = {"site": facts.site, "position": facts.position}
    ledger.facts.put(DAILY, data_set.id, facts.at, seen)
    ledger.evidence.append(
        "daily-saved",
        {"data_set": data_set.id, **seen},
        now,
        key=f"daily:{data_set.id}:{facts.at.isoformat()}",
    )
