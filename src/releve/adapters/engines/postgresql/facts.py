"""Read-only questions to one server: what it is, how far it has come, what it says of its standby."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime

from releve.adapters.engines.postgresql import settings
from releve.adapters.engines.postgresql.pair import Pair, Row
from releve.adapters.engines.postgresql.parse import Control, Life
from releve.domain.errors import Unreachable
from releve.domain.protection import ServerFacts, ServerState, SlotState, StandbyFacts, SyncState

# Position of a source: the *flushed* end of WAL. Only flushed WAL is sent to a standby and only
# flushed commits are acknowledged; the insert position would show a lag nobody can lose.
# Position of a standby: received and flushed there, or replayed from its own disk after a restart.
_LOOK = """
WITH r AS MATERIALIZED (SELECT pg_is_in_recovery() AS reading),
p AS MATERIALIZED (
  SELECT reading,
    CASE WHEN reading THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
         ELSE pg_current_wal_flush_lsn() END AS position,
    CASE WHEN reading THEN NULL ELSE pg_current_wal_insert_lsn() END AS inserted
  FROM r)
SELECT p.reading,
  current_setting('server_version_num')::int,
  (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
  (SELECT system_identifier::text FROM pg_control_system()),
  coalesce(p.position - '0/0'::pg_lsn, 0)::bigint,
  CASE WHEN p.reading
    THEN coalesce(w.received_tli, (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || substr(pg_walfile_name(p.position), 1, 8))::bit(32)::int END,
  NOT p.reading AND current_setting('synchronous_standby_names') <> '',
  CASE WHEN w.status = 'streaming' THEN w.sender_host END, w.sender_port,
  coalesce(p.inserted - '0/0'::pg_lsn, 0)::bigint,
  to_regclass('releve.tenure') IS NOT NULL,
  s.state, s.sync_state, s.lag, s.lag_seconds, s.reply_time, s.reply_age,
  (SELECT wal_status FROM pg_replication_slots WHERE slot_name = %(slot)s),
  d.size, d.collation,
  (SELECT array_agg(coalesce(rolname, datname, '*') ORDER BY 1)
     FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole
     LEFT JOIN pg_database ON pg_database.oid = setdatabase
     WHERE EXISTS (SELECT FROM unnest(setconfig) AS c(line)
       WHERE line LIKE 'synchronous_commit=%%'
         AND lower(substr(line, 20)) NOT IN ('on', 'true', 'yes', '1', 'remote_apply')))
FROM p
LEFT JOIN pg_stat_wal_receiver w ON true
LEFT JOIN LATERAL (
  SELECT state, sync_state, reply_time,
    greatest(pg_wal_lsn_diff(p.position, flush_lsn), 0)::bigint AS lag,
    extract(epoch FROM coalesce(flush_lag, write_lag))::float8 AS lag_seconds,
    extract(epoch FROM clock_timestamp() - reply_time)::float8 AS reply_age
  FROM pg_stat_replication WHERE application_name = %(other)s
  ORDER BY (state = 'streaming') DESC, backend_start DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (SELECT %(details)s::boolean AS wanted) x ON true
LEFT JOIN LATERAL (
  SELECT CASE WHEN x.wanted THEN pg_database_size(oid) END AS size,
    CASE WHEN x.wanted THEN concat_ws(':', j->>'datlocprovider',
      coalesce(j->>'datlocale', j->>'daticulocale', j->>'datcollate'), {actual}) END AS collation
  FROM (SELECT oid, to_jsonb(pg_database) AS j FROM pg_database WHERE datname = current_database()) o) d ON true
"""
_ACTUAL = "pg_database_collation_actual_version(oid)"  # since 15; before, only the name can be compared

_KEPT = """
SELECT t.epoch, t.site, (SELECT min(started_at) FROM releve.suspension WHERE ended_at IS NULL)
FROM (SELECT 1) always LEFT JOIN LATERAL
  (SELECT epoch, site FROM releve.tenure ORDER BY epoch DESC LIMIT 1) t ON true
"""
# A server-wide value is not in pg_db_role_setting, and our own session overrides it.
_SERVER_WIDE = "SELECT setting FROM pg_file_settings WHERE name = 'synchronous_commit' AND applied"
_STRONG = ("on", "true", "yes", "1", "remote_apply")
_DETAILS_FOR = 20.0  # seconds: the size asks for the length of every file, so not at each look

_SYNC = {"sync": SyncState.SYNC, "quorum": SyncState.SYNC}
_SLOT = {
    "reserved": SlotState.RESERVED,
    "extended": SlotState.RESERVED,
    "unreserved": SlotState.AT_RISK,
    "lost": SlotState.LOST,
}


@dataclass(frozen=True, slots=True)
class _Details:
    """What changes slowly, and when it was read (monotonic)."""

    read_at: float
    size: int
    collation: str
    weak: tuple[str, ...]


@dataclass(slots=True)
class _Heard:
    """The last answer of the standby, and between which two of our looks it came (monotonic)."""

    reply: datetime
    not_before: float | None
    seen_at: float


@dataclass(slots=True)
class Look:
    """Looks at the servers of a pair; remembers what is too dear to ask each time."""

    pair: Pair
    _details: dict[tuple[str, str], _Details] = field(default_factory=dict)
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _last_look: dict[str, float] = field(default_factory=dict)
    _ends: dict[str, tuple[Control, int]] = field(default_factory=dict)  # of the last stop of each site

    def at(self, site: str) -> ServerFacts:
        """One look. Never raises for a server or a machine that does not answer."""
        asked_at = self.pair.now()
        try:
            return self._connected(site, asked_at)
        except Unreachable:
            return self._from_outside(site, asked_at)

    def _connected(self, site: str, asked_at: datetime) -> ServerFacts:
        other = self.pair.other(site)
        key = (site, self.pair.end(site).database)
        known = self._details.get(key)
        fresh = known is not None and time.monotonic() - known.read_at < _DETAILS_FOR

        def look(link: object) -> Row:
            version = link.info.server_version  # type: ignore[attr-defined]
            text = _LOOK.replace("{actual}", _ACTUAL if version >= 150000 else "NULL")
            values = {"other": other, "slot": settings.slot_name(other), "details": not fresh}
            row: Row = link.execute(text.encode(), values).fetchone()  # type: ignore[attr-defined]
            return row

        row = self.pair.links.run(site, look)
        if not fresh or known is None:
            known = _Details(time.monotonic(), int(row[18] or 0), str(row[19] or ""), self._weak(site))
            self._details[key] = known
        epoch, holder, suspended = self.pair.ask(site, _KEPT)[0] if row[10] else (None, None, None)
        return ServerFacts(
            site=site,
            at=asked_at,
            state=ServerState.CLOSED if row[0] else ServerState.OPEN,
            identity=f"{row[3]}:{row[2]}",
            version=row[1],
            timeline=row[5],
            position=row[4],
            size_bytes=known.size,
            system_id=row[3],
            collation=known.collation,
            epoch=epoch or 0,
            epoch_site=holder or "",
            sync_armed=row[6],
            suspended_since=suspended,
            standby=self._standby(site, row) if not row[0] else StandbyFacts(),
            following=self._following(site, row[7], row[8]),
            overriding_roles=tuple(sorted({*(row[20] or ()), *known.weak})),
            written_bytes=row[9] or row[4],
        )

    def _weak(self, site: str) -> tuple[str, ...]:
        values = [str(setting).lower() for (setting,) in self.pair.ask(site, _SERVER_WIDE)]
        return () if all(value in _STRONG for value in values) else ("*",)

    def _following(self, site: str, host: str | None, port: int | None) -> str:
        other = self.pair.other(site)
        upstream = self.pair.upstream(site, other)
        return (
            other
            if host in (upstream["host"], upstream.get("hostaddr")) and str(port) == upstream["port"]
            else ""
        )

    def _standby(self, site: str, row: Row) -> StandbyFacts:
        state, sync_state, lag, lag_seconds, reply_time, reply_age = row[11:17]
        slot = _SLOT.get(row[17] or "", SlotState.NONE)
        age = self._age(site, reply_time, reply_age)
        if state not in ("streaming", "catchup"):
            return StandbyFacts(slot=slot)
        sync = _SYNC.get(sync_state, SyncState.ASYNC) if state == "streaming" else SyncState.ASYNC
        seconds = 0.0 if lag == 0 else lag_seconds
        return StandbyFacts(sync, lag, seconds, age, slot)

    def _age(self, site: str, reply: datetime | None, by_clocks: float | None) -> float | None:
        """Seconds since the source last heard of its standby, whatever the two clocks say.

        PostgreSQL's `reply_time` is the *standby's* clock: subtracted from the source's it is wrong
        by their difference. So the age is held between what our own looks prove: the answer came
        after the last look that did not show it, and before the first that did; and the source
        drops a standby that is silent for longer than its time limit. It errs on the old side.
        """
        now = time.monotonic()
        before, self._last_look[site] = self._last_look.get(site), now
        if reply is None or by_clocks is None:
            self._heard.pop(site, None)
            return None
        heard = self._heard.get(site)
        if heard is None or heard.reply != reply:
            not_before = before if heard is not None else None
            heard = self._heard[site] = _Heard(reply, not_before, now)
        longest = settings.SENDER_TIMEOUT_SECONDS
        if heard.not_before is not None:
            longest = min(longest, now - heard.not_before)
        shortest = now - heard.seen_at
        return by_clocks if shortest <= by_clocks <= longest else max(longest, shortest)

    def _from_outside(self, site: str, asked_at: datetime) -> ServerFacts:
        """A server that does not answer: seen stopped, or unknown."""
        unknown = ServerFacts(site, asked_at, ServerState.UNKNOWN)
        try:
            life = self.pair.disk(site).postmaster()
            # a zombie is dead, whatever a manager that has not reaped it believes
            if life is Life.LIVES or (life is Life.GONE and self.pair.service(site).running()):
                return unknown
            return self.stopped(site, replace(unknown, state=ServerState.STOPPED), timeout=2.0)
        except Unreachable:
            return unknown

    def stopped(self, site: str, facts: ServerFacts, *, timeout: float) -> ServerFacts:
        """What the disk of a stopped server says, added to `facts`; unchanged when it cannot be read."""
        disk = self.pair.disk(site)
        control = disk.control()
        if control is None:
            return facts
        line = disk.history(control)
        known, end = self._ends.get(site, (None, 0))
        if known != control:
            try:
                end = disk.wal_end(control, line, timeout=timeout) or 0
            except Unreachable:  # a long WAL to read: the next look, or the fence, takes its time
                end = 0
            if end:
                self._ends[site] = control, end
        # 0 when the end cannot be told: a checkpoint is too low a position, a loss would pass for none.
        return replace(facts, timeline=line.timeline, position=end, system_id=control.system_id)
