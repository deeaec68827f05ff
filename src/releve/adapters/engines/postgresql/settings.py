"""The server settings that protection needs, and the file they are written to. Pure.

`postgresql.auto.conf` travels with pg_basebackup and pg_rewind: a clone arrives with the settings
of its source. What the two sites may not share is therefore written on purpose, each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from releve.domain.plan import Protection

MEGABYTE = 1024 * 1024
# WAL kept without a slot, so that pg_rewind still finds the checkpoint before the fork. It counts
# against nothing, so it must stay well below the limit given for an absent relief.
REWIND_WAL = 256
# A walsender drops a silent standby after this, so what the source says of it is never older.
SENDER_TIMEOUT_SECONDS = 6.0
# A client that connects while the server stops, and says nothing, holds the stop for this long; by
# default a minute, which a fence cannot spare. A login over a slow line takes a second or two.
LOGIN_SECONDS = 10

# A standby refuses to start when one of these is lower than on its source (PostgreSQL manual,
# "Hot Standby", administrator's overview): it is given the source's values.
NOT_LOWER_THAN_SOURCE = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)


def wanted(protection: Protection) -> dict[str, str]:
    """What both ends must be set to, whichever of them is open."""
    limit = max(protection.slot_limit // MEGABYTE, 1)
    return {
        "hot_standby": "on",
        # A lost relief must not fill the production disk: beyond this its slot is given up.
        "max_slot_wal_keep_size": f"{limit}MB",
        "wal_keep_size": f"{min(REWIND_WAL, limit // 4)}MB",
        # The default, 5 s, hides a 5-second tail in the promotion (measured: 5,033 ms against 124).
        "wal_retrieve_retry_interval": "100ms",
        "wal_receiver_status_interval": "1s",
        "wal_sender_timeout": f"{SENDER_TIMEOUT_SECONDS:g}s",
        "wal_receiver_timeout": f"{SENDER_TIMEOUT_SECONDS:g}s",
        "authentication_timeout": f"{LOGIN_SECONDS}s",
        "recovery_target_timeline": "latest",
        # A source that restarts by itself would show commits the relief never had: the guard decides.
        "restart_after_crash": "off",
    }


def quoted_standby(site: str) -> str:
    """A site as `synchronous_standby_names` wants it: a quoted identifier, for ids with dashes."""
    return '"' + site.replace('"', '""') + '"'


def slot_name(site: str) -> str:
    """The slot kept for `site` on the other side; slots allow only lower case, digits and _."""
    return "releve_" + re.sub(r"[^a-z0-9_]", "_", site.lower())[:50]


def conninfo(values: Mapping[str, str]) -> str:
    """A libpq connection string."""
    return " ".join(f"{name}='{_escape(value)}'" for name, value in values.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def passfile(entries: Mapping[str, str]) -> bytes:
    """A libpq password file: user -> password, for any host (a tunnel changes host and port)."""
    lines = [f"*:*:*:{_colon(user)}:{_colon(password)}\n" for user, password in entries.items()]
    return "".join(lines).encode()


def _colon(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*=?")


def auto_conf(text: str, values: Mapping[str, str]) -> str:
    """`postgresql.auto.conf` with `values` set and everything else kept. For a stopped server."""
    kept = []
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line)
        if match is None or match[1].lower() not in values:
            kept.append(line)
    ours = [f"{name} = '{_guc(value)}'" for name, value in values.items()]
    return "\n".join([*kept, *ours]) + "\n"


def _guc(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
