"""Waiting for the standby or not: arm, relax, restore, drain.

"Blocked" hides commits, it does not prevent them: a waiting commit already stands on the source's
disk, a cancelled wait answers success, and after a restart the row is visible to all (measured).
So the suspension is written in the database before the wait is lifted, never after.
"""

from __future__ import annotations

from datetime import datetime

from releve.adapters.engines.postgresql import bookkeeping, settings, timelines
from releve.adapters.engines.postgresql.facts import Look
from releve.adapters.engines.postgresql.gate import until
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import ServerFacts, SlotState, Suspension

CATCH_UP_PATIENCE = 60.0  # seconds; a task that finds it too short is tried again
SYNC_PATIENCE = 10.0
_NAMES = "synchronous_standby_names"
# A gap small enough to be closed within the wait for SYNC: one WAL segment.
NEARLY = 16 * 1024 * 1024

_CAUGHT_UP = """
SELECT state = 'streaming', pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)::bigint
FROM pg_stat_replication WHERE application_name = %(other)s AND state = 'streaming'
ORDER BY backend_start DESC LIMIT 1
"""
_NOW_AT = "SELECT pg_current_wal_flush_lsn()::text"
_SYNC_BEYOND = """
SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = %(other)s
  AND state = 'streaming' AND sync_state IN ('sync', 'quorum') AND flush_lsn >= %(position)s::pg_lsn)
"""
_STREAMING_BEYOND = """
SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = %(other)s
  AND state = 'streaming' AND flush_lsn >= %(position)s::pg_lsn)
"""
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'IPC' AND wait_event = 'SyncRep'"
_SLOT = "SELECT wal_status, active FROM pg_replication_slots WHERE slot_name = %(slot)s"


def relax(pair: Pair, site: str, suspension: Suspension) -> None:
    """Write the suspension, stop waiting, and see the waiting commits released."""
    must_be_open(pair, site)
    bookkeeping.suspend(pair, site, suspension)
    if current(pair, site, _NAMES):
        pair.set_system(site, {_NAMES: ""})
    freed = until(lambda: not current(pair, site, _NAMES) and pair.ask(site, _WAITING)[0][0] == 0, 5.0)
    if not freed:
        raise Unreachable(
            "relax-not-seen",
            f"le serveur du site « {site} » attend encore son relais malgré l'ordre donné",
            hint=f"un fichier de configuration impose peut-être {_NAMES}",
            retryable=True,
        )


def restore(pair: Pair, site: str, at: datetime) -> None:
    """Wait for the standby again, see it synchronous without lag, then write the suspension's end."""
    must_be_open(pair, site)
    _demand(pair, site, patience=SYNC_PATIENCE)
    bookkeeping.resume(pair, site, at)


def arm(pair: Pair, look: Look, site: str) -> ServerFacts:
    """The promise is in force: synchronous without lag, or streaming when the plan asks no more."""
    must_be_open(pair, site)
    if pair.data_set.protection.synchronous:
        _demand(pair, site, patience=CATCH_UP_PATIENCE)
    else:
        _catch_up(pair, site, CATCH_UP_PATIENCE)
        position = str(pair.ask(site, _NOW_AT)[0][0])
        _see(pair, site, _STREAMING_BEYOND, position)
    bookkeeping.resume(pair, site, pair.now())
    return look.at(site)


def _demand(pair: Pair, site: str, *, patience: float) -> None:
    """Ask for the standby only once it has nearly caught up: until then every commit would hang."""
    name = settings.quoted_standby(pair.other(site))
    already = current(pair, site, _NAMES) == name
    try:
        _catch_up(pair, site, patience)
        if not already:
            pair.set_system(site, {_NAMES: name})
        position = str(pair.ask(site, _NOW_AT)[0][0])
        _see(pair, site, _SYNC_BEYOND, position)
    except Unreachable:
        if not already:  # leave production as it was found: not waiting for somebody who is not there
            pair.set_system(site, {_NAMES: ""})
        raise


def _catch_up(pair: Pair, site: str, patience: float) -> None:
    other = pair.other(site)

    def near() -> bool:
        rows = pair.ask(site, _CAUGHT_UP, {"other": other})
        return bool(rows) and rows[0][1] is not None and rows[0][1] <= NEARLY

    if not until(near, patience):
        raise Unreachable(
            "standby-behind",
            f"le relais « {other} » ne suit pas le site « {site} » d'assez près",
            hint="s'il rattrape son retard, recommencez ; sinon reconstruisez-le",
            retryable=True,
        )


def _see(pair: Pair, site: str, question: str, position: str) -> None:
    other = pair.other(site)
    values = {"other": other, "position": position}
    if not until(lambda: bool(pair.ask(site, question, values)[0][0]), SYNC_PATIENCE):
        raise Unreachable(
            "standby-not-in-sync",
            f"le relais « {other} » n'a pas confirmé ce que le site « {site} » a écrit",
            hint="vérifiez le lien entre les deux sites, puis recommencez",
            retryable=True,
        )


def drained(pair: Pair, site: str, position: int, timeout: float) -> bool:
    """Whether the standby at `site` has replayed beyond `position` within `timeout` seconds.

    Beyond, not up to: `position` is where the source's last record (its shutdown checkpoint)
    begins. A server that was promoted meanwhile answers by where its own timeline begins.
    """

    def beyond() -> bool:
        try:
            row = pair.ask(
                site,
                "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint",
            )[0]
            return bool((row[1] if row[0] else history(pair, site).began) > position)
        except Unreachable:
            return False

    return until(beyond, timeout, poll=0.005)


def history(pair: Pair, site: str) -> timelines.History:
    """The timeline of an open server, with its ancestors, from the files it wrote itself."""
    query = """SELECT t.tli, CASE WHEN t.tli > 1
        THEN pg_read_file('pg_wal/' || lpad(upper(to_hex(t.tli)), 8, '0') || '.history') ELSE '' END
        FROM (SELECT ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int AS tli) t"""
    timeline, text = pair.ask(site, query)[0]
    return timelines.history(timeline, text)


def current(pair: Pair, site: str, name: str) -> str:
    """The value of a setting, as a new statement sees it."""
    return str(pair.ask(site, "SELECT current_setting(%(name)s)", {"name": name})[0][0])


def must_be_open(pair: Pair, site: str) -> None:
    """Raises `Refused` unless the server of `site` accepts writes."""
    if pair.ask(site, "SELECT pg_is_in_recovery()")[0][0]:
        raise Refused(
            "not-open",
            f"le serveur du site « {site} » est en lecture seule : ce n'est pas lui qui porte les données",
            hint="« releve status » dit quel site est ouvert",
        )


def slot_state(pair: Pair, site: str) -> tuple[SlotState, bool]:
    """What `site` keeps for the other side, and whether somebody reads from it right now."""
    rows = pair.ask(site, _SLOT, {"slot": settings.slot_name(pair.other(site))})
    if not rows:
        return SlotState.NONE, False
    status, active = rows[0]
    if status == "lost":
        return SlotState.LOST, active
    return (SlotState.AT_RISK if status == "unreserved" else SlotState.RESERVED), active


def ensure_slot(pair: Pair, site: str, *, anew: bool = False) -> None:
    """Keep WAL for the other side from now on. `anew`: replace a slot that was given up."""
    name = settings.slot_name(pair.other(site))
    state, _ = slot_state(pair, site)
    if state is SlotState.LOST and anew:
        drop_slot(pair, site, name)
        state = SlotState.NONE
    if state is SlotState.NONE:
        pair.ask(site, "SELECT pg_create_physical_replication_slot(%(slot)s, true)", {"slot": name})


def drop_slot(pair: Pair, site: str, name: str) -> None:
    """Drop a slot that nobody reads from; nothing happens when there is none."""
    query = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %(slot)s AND NOT active"
    pair.ask(site, query, {"slot": name})
