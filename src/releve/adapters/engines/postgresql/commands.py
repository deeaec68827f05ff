"""Programs to run and SQL to ask, as data. Pure: nothing here touches anything.

argv lists only. The one string a shell will see (`pg_ctl -o`) is quoted for it here.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping, Sequence

from releve.adapters.engines.postgresql.parse import say_lsn
from releve.domain.plan import Manager, ServerEnd

# The programs' words are parsed: they must not be translated, and times must have one zone.
PLAIN: Mapping[str, str] = {"LC_ALL": "C", "TZ": "UTC"}


def program(end: ServerEnd, name: str) -> str:
    """Full path of a program of that server."""
    return posixpath.join(end.bin_dir, name)


def in_data(end: ServerEnd, *names: str) -> str:
    """A path inside the data folder."""
    return posixpath.join(end.data_dir, *names)


def beside(end: ServerEnd, suffix: str) -> str:
    """A path beside the data folder, on the same file system as far as one can know."""
    return end.data_dir.rstrip("/") + suffix


def pg_controldata(end: ServerEnd) -> list[str]:
    """State of a stopped server."""
    return [program(end, "pg_controldata"), "-D", end.data_dir]


def pg_waldump(
    end: ServerEnd, timeline: int, start: int, *, limit: int = 0, stop: int | None = None
) -> list[str]:
    """WAL of `timeline` from `start` (to `stop`); with no limit, only where it ends."""
    where = ["-p", in_data(end, "pg_wal"), "-t", str(timeline), "-s", say_lsn(start)]
    until = ["-e", say_lsn(stop)] if stop is not None else []
    how = ["-n", str(limit)] if limit else ["-q"]
    return [program(end, "pg_waldump"), *where, *until, *how]


def pg_rewind(end: ServerEnd, source: str, lock: str, config_file: str) -> list[str]:
    """Take the data folder back to the fork and forward to `source` (a connection string).

    Under a lock that the program itself inherits: when the one who started it is killed, a second
    rewind cannot begin beside the first. Exit code 75: the first still runs.
    """
    guard = ["flock", "--no-fork", "--wait", "20", "--conflict-exit-code", "75", lock]
    where = ["-D", end.data_dir, "--source-server", source]
    config = ["--config-file", config_file] if config_file else []
    return [*guard, program(end, "pg_rewind"), *where, *config]


def pg_basebackup(end: ServerEnd, folder: str, source: str, slot: str) -> list[str]:
    """Clone the source into a new folder, with the WAL written meanwhile.

    Through the site's own slot, which so moves on with the clone: left where it was, a long clone
    beside a busy source would outrun the limit and end with a standby that cannot follow.
    """
    how = ["-X", "stream", "-S", slot, "-c", "fast", "--no-password"]
    return [program(end, "pg_basebackup"), "-D", folder, "-d", source, *how]


def identify_system(end: ServerEnd, source: str) -> list[str]:
    """Ask the source for its name over a replication connection: tells whether we are let in."""
    return [program(end, "psql"), "-XAtq", "--no-password", "-d", source, "-c", "IDENTIFY_SYSTEM"]


def config_file_outside(end: ServerEnd) -> str:
    """Where Debian keeps the configuration of a cluster; empty when nothing says so."""
    service = end.service
    version, cluster = service.version, service.cluster
    if service.manager is Manager.SYSTEMD and service.unit.startswith("postgresql@"):
        instance = service.unit.removeprefix("postgresql@").removesuffix(".service")
        version, _, cluster = instance.partition("-")
    if not (version and cluster):
        return ""
    return f"/etc/postgresql/{version}/{cluster}/postgresql.conf"


def isolated_settings(socket_dir: str, hba_file: str) -> dict[str, str]:
    """Settings under which a lost side may be read: it listens to nobody and follows nobody."""
    return {
        "listen_addresses": "",
        "unix_socket_directories": socket_dir,
        "hba_file": hba_file,
        "ssl": "off",
        "primary_conninfo": "",
        "primary_slot_name": "",
        "restore_command": "",
        "archive_mode": "off",
        "synchronous_standby_names": "",
        "logging_collector": "off",
        "hot_standby": "on",
    }


def start_isolated(
    end: ServerEnd, settings: Mapping[str, str], config_file: str, log: str, timeout: float
) -> list[str]:
    """Start the server for the survey, and wait until it can be read."""
    pairs = [f"{name}={value}" for name, value in settings.items()]
    if config_file:
        pairs.append(f"config_file={config_file}")
    # pg_ctl hands this string to /bin/sh (its own doing), so each word is quoted for a shell
    options = " ".join(f"-c {shlex.quote(pair)}" for pair in pairs)
    wait = ["-w", "-t", str(round(timeout)), "-l", log]
    return [program(end, "pg_ctl"), "start", "-D", end.data_dir, *wait, "-o", options]


def stop_postmaster(end: ServerEnd, mode: str, timeout: float) -> list[str]:
    """Stop a server that its manager does not know of (started by hand, or left by a survey)."""
    return [program(end, "pg_ctl"), "stop", "-D", end.data_dir, "-m", mode, "-w", "-t", str(round(timeout))]


# Names of tables may hold anything that a line of text may hold.
FIELD, RECORD = "\x1f", "\x1e"


def psql_isolated(end: ServerEnd, socket_dir: str, database: str) -> list[str]:
    """Run psql on the private socket; SQL comes on its standard input."""
    quiet = ["-XAt", "--no-password", "-v", "ON_ERROR_STOP=1", "-F", FIELD, "-R", RECORD]
    where = ["-h", socket_dir, "-p", str(end.port), "-U", end.admin_user, "-d", database]
    return [program(end, "psql"), *quiet, *where, "-f", "-"]


def literal(text: str) -> str:
    """A string as an SQL literal, for psql's standard input (no bound parameters there)."""
    quoted = text.replace("'", "''")
    if "\\" in quoted:
        return " E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def identifier(text: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


DATABASES = "SELECT oid, datname FROM pg_database WHERE datallowconn ORDER BY oid;"

# relfilenode of every ordinary table, catalogs included (their file number may be mapped: ask the
# function), with what is needed to name and classify it.
TABLES = """
SELECT pg_relation_filenode(c.oid), n.nspname, c.relname, c.relpersistence, c.relkind,
       coalesce(tn.nspname, ''), coalesce(t.relname, '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.reltoastrelid = c.oid AND c.relkind = 't'
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind IN ('r', 't', 'm') AND pg_relation_filenode(c.oid) IS NOT NULL;
"""


def copy_rows(schema: str, table: str, xids: Sequence[int], path: str) -> str:
    """Write to `path`, as the server's own account, the row versions that `xids` left in a table."""
    numbers = ",".join(str(int(xid)) for xid in xids)
    source = f"{identifier(schema)}.{identifier(table)}"
    rows = (
        f"SELECT xmin AS releve_transaction, * FROM {source} "  # noqa: S608 - integers and quoted names
        f"WHERE xmin::text::bigint = ANY ('{{{numbers}}}'::bigint[])"
    )
    return f"COPY ({rows}) TO {literal(path)} WITH (FORMAT csv, HEADER true);"
