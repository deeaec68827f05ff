"""What is asked of a PostgreSQL server (10 and later), and what its answers mean. Each answer is one JSON document.

`ask(question, database)` gives the one value of a question. Whoever may not see a figure gets null for it, which
stays None: pg_settings and has_database_privilege hide, where the plain functions would fail.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from releve.adapters.survey.databases.rate import Place, rate
from releve.adapters.survey.telling import count, flag, instant, joined, maybe, text
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.seen import Base

Ask = Callable[[str, str], str]

_PLACE = """json_build_object(
  'at', extract(epoch FROM clock_timestamp()),
  'position', CASE WHEN pg_is_in_recovery()
    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)"""
START = f"SELECT {_PLACE}"
# A base backup in progress and a receiver of WAL are senders too, and follow nobody's data.
SERVER = f"""SELECT json_build_object(
  'place', {_PLACE},
  'version', current_setting('server_version'),
  'replicas', (SELECT count(*) FROM pg_stat_replication
    WHERE state IS DISTINCT FROM 'backup' AND application_name NOT IN ('pg_receivewal', 'releve-archive')),
  'mode', current_setting('archive_mode'),
  'ways', (SELECT json_agg(setting) FROM pg_settings WHERE name IN ('archive_command', 'archive_library')),
  'archived', (SELECT extract(epoch FROM last_archived_time) FROM pg_stat_archiver),
  'failed', (SELECT CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity')
    THEN failed_count ELSE 0 END FROM pg_stat_archiver),
  'bases', (SELECT json_agg(json_build_array(datname,
      CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER')
        THEN pg_database_size(oid) END,
      datallowconn AND has_database_privilege(oid, 'CONNECT')) ORDER BY datname)
    FROM pg_database WHERE NOT datistemplate))"""  # noqa: S608 - constants
# A part of a partitioned table is no table of its own; rows as the statistics have them, never counted.
INSIDE = """SELECT json_build_object(
  'tables', count(*) FILTER (WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition),
  'rows', coalesce(sum(greatest(c.reltuples::bigint, s.n_live_tup, 0)) FILTER (WHERE c.relkind = 'r'), 0)::bigint)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'"""


def bases(
    ask: Ask,
    subject: str,
    host: str,
    *,
    pause: float,
    door: str = "postgres",
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """One `Base` a database of a server, and what could not be seen. Raises what `ask` raises of the server.

    `door`: the database by which we come in. `pause`: seconds between the two looks that give the rate. What
    belongs to the server (rate, replicas, archive) stands in each of its databases.
    """
    try:
        first = _place(json.loads(ask(START, door)))
        sleep(pause)
        told = json.loads(ask(SERVER, door))
        server = _server(told, rate(first, _place(told["place"])))
        names = [(text(name), maybe(count, size), flag(open_)) for name, size, open_ in told["bases"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Found(gaps=(Gap("answer-unclear", f"ce que la base {subject} a répondu ne se comprend pas"),))
    return joined(
        *(_base(ask, subject, host, server, name, size, open_=open_) for name, size, open_ in names)
    )


def _base(
    ask: Ask, subject: str, host: str, server: Mapping[str, Any], name: str, size: int | None, *, open_: bool
) -> Found:
    if size is None or not open_:
        said = f"le compte donné pour {subject} ne peut pas entrer dans cette base"
        return Found(gaps=(Gap("database-closed", said, name),))
    try:
        inside = json.loads(ask(INSIDE, name))
        tables, rows = count(inside["tables"]), count(inside["rows"])
    except ReleveError as error:
        return Found(gaps=(Gap(error.code, error.sentence, name),))
    except (ValueError, TypeError, KeyError, RecursionError):
        said = f"ce que la base {subject} a répondu ne se comprend pas"
        return Found(gaps=(Gap("answer-unclear", said, name),))
    return Found((Base(subject, host, "postgresql", name, bytes=size, tables=tables, rows=rows, **server),))


def _place(told: Any) -> Place | None:
    position = told["position"]
    return None if position is None else Place(float(told["at"]), int(position))


def _server(told: Mapping[str, Any], written: float | None) -> dict[str, Any]:
    archiving = text(told["mode"]) != "off"
    ways = told["ways"]  # None, or without the command, for an account that may not read it
    if archiving and isinstance(ways, list) and ways and not any(ways):
        archiving = False  # the mode is on, and nothing is asked to be done
    return {
        "version": text(told["version"]),
        "written": written,
        "replicas": count(told["replicas"]),
        "archiving": archiving,
        "archived_at": maybe(instant, told["archived"]),
        "archive_failures": maybe(count, told["failed"]),
    }
