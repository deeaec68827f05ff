"""What is asked of a MariaDB server (10.2 and later), and what its answers mean.

An answer is lines of fields: those of a question begin with a word of ours. A server shows an account only what
is its own, as if nothing else were: so its rights are asked first, and a figure beyond them is None, never 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from releve.adapters.survey.databases.rate import Place, rate
from releve.adapters.survey.telling import text
from releve.domain.audit import Found, Gap
from releve.domain.seen import Base

Row = Sequence[str]
Ask = Callable[[str], Sequence[Row]]

# How far InnoDB's log has come; the second name for a server that does not tell the first.
START = """SELECT 'at', UNIX_TIMESTAMP(SYSDATE(6));
SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_os_log_written');
"""
_REST = """SELECT 'version', VERSION();
SELECT 'log_bin', @@global.log_bin;
SELECT 'right', privilege_type FROM information_schema.user_privileges WHERE privilege_type IN ('PROCESS', 'SELECT');
SELECT 'replicas', COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%';
SELECT 'base', s.schema_name, COUNT(t.table_name), COALESCE(SUM(t.data_length + t.index_length), 0),
  COALESCE(SUM(t.table_rows), 0)
FROM information_schema.schemata s
LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name AND t.table_type = 'BASE TABLE'
WHERE s.schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')
GROUP BY s.schema_name ORDER BY s.schema_name;
"""


def bases(
    ask: Ask, subject: str, host: str, *, pause: float, sleep: Callable[[float], None] = time.sleep
) -> Found:
    """One `Base` a database of a server, and what could not be seen. Raises what `ask` raises of the server.

    `pause`: seconds between the two looks that give the rate. Sizes and rows are InnoDB's own estimates.
    `archiving`: whether binary logs are kept. What belongs to the server stands in each of its databases.
    """
    try:
        first = _place(ask(START))
        sleep(pause)
        rows = ask(START + _REST)
        server = _server(rows, rate(first, _place(rows)))
        found = tuple(
            Base(
                subject,
                host,
                "mariadb",
                text(row[1]),
                bytes=int(row[3]),
                tables=int(row[2]),
                rows=int(row[4]),
                **server,
            )
            for row in rows
            if row[0] == "base"
        )
    except (ValueError, IndexError, KeyError, OverflowError):
        return Found(gaps=(Gap("answer-unclear", f"ce que la base {subject} a répondu ne se comprend pas"),))
    gaps = []
    if server["replicas"] is None:
        said = (
            f"le compte donné pour {subject} n'a pas le droit PROCESS : ses copies vivantes restent inconnues"
        )
        gaps.append(Gap("database-rights", said, "répliques"))
    if "SELECT" not in _rights(rows):
        said = f"le compte donné pour {subject} ne lit pas tout : d'autres bases ou tables peuvent exister"
        gaps.append(Gap("database-rights", said, "bases"))
    return Found(found, tuple(gaps))


def _place(rows: Sequence[Row]) -> Place | None:
    told = {row[0]: row[1] for row in rows if len(row) == 2}
    position = told.get("Innodb_lsn_current", told.get("Innodb_os_log_written"))
    return None if position is None else Place(float(told["at"]), int(position))


def _server(rows: Sequence[Row], written: float | None) -> Mapping[str, Any]:
    told = {row[0]: row[1] for row in rows if len(row) == 2 and row[0] != "right"}
    return {
        "version": text(told["version"]),
        "written": written,
        "replicas": int(told["replicas"]) if "PROCESS" in _rights(rows) else None,
        "archiving": told["log_bin"] in ("1", "ON"),
    }


def _rights(rows: Sequence[Row]) -> set[str]:
    return {row[1] for row in rows if row[0] == "right"}
