"""A restored server, started where nobody else can reach it, until its recovery ends; then asked, then stopped.

Nothing of the original's surroundings is touched: no network, no archiving, no replication, no extension that works
by itself. The settings are given on the command line, so the data folder keeps its own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from releve.adapters.engines.postgresql.archive.account import as_account, give, identity
from releve.adapters.engines.postgresql.commands import isolated_settings
from releve.adapters.engines.postgresql.parse import lsn
from releve.domain.errors import PromiseBroken, Unreachable

PORT = 5432  # names the socket in a folder of its own; nothing listens on the network
_POLL = 0.05  # seconds between two looks at a server that is coming up
_SILENT = (
    900.0  # seconds without a word in its log after which it is given up: it says each file that it takes
)
_STOP = 120.0  # seconds for its last checkpoint
_SHORT = "recovery ended before configured recovery target was reached"
_STOPPING = re.compile(
    r"recovery stopping (before|after) (?:commit|abort)[^,]*, time (\d{4}-\d\d-\d\d [\d:.]+) ?(?:UTC|\+00)"
)
_TAKEN = re.compile(r"restored log file")


class EndedShort(Exception):
    """The WAL ended before the target."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server said once its recovery had ended. `next_commit`: the first that was left out, if one was met."""

    timeline: int
    replayed: int
    last_commit: datetime | None
    next_commit: datetime | None
    in_recovery: bool
    databases: tuple[str, ...]
    checksums: bool


def _socket_folder(beside: Path) -> Path:
    """Beside the data, which whoever clears these clears too; elsewhere where the path is too long for a socket."""
    fits = len(os.fsencode(beside)) + _NAMES <= _SOCKET_PATH
    return Path(tempfile.mkdtemp(prefix="rlv-", dir=beside if fits else None))


_SOCKET_PATH = 107  # bytes (Linux, unix(7))
_NAMES = len("/rlv-12345678/.s.PGSQL.5432.lock") + 1


class Trial:
    """One data folder. The programs run under `account` (None: ourselves)."""

    def __init__(
        self, data: Path, bin_dir: str, account: pwd.struct_passwd | None, admin: str, log: Path
    ) -> None:
        self._data = data
        self._bin = bin_dir
        self._account = account
        self._admin = admin
        self._log = log
        self._sockets = Path()

    @contextmanager
    def opened(
        self, recovery: Mapping[str, str], progress: Callable[[int], None] = lambda _files: None
    ) -> Iterator[Seen]:
        """The server, its recovery ended, for as long as the block runs. `progress`: WAL files replayed so far.

        Raises `EndedShort`, `PromiseBroken` (it does not start, or not to the end).
        """
        self._sockets = _socket_folder(self._data.parent)
        try:
            (self._sockets / "hba").write_text("local all all trust\n", encoding="ascii")
            (self._sockets / "none.conf").write_text("", encoding="ascii")
            give(self._sockets, self._account)
            process: subprocess.Popen[bytes] | None = None
            try:
                with _deferred():
                    process = self._start(recovery)
                self._wait(process, progress)
                yield self._look()
            finally:
                if process is not None:
                    _stop(process)
        finally:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def dump(self, database: str) -> None:
        """Read every row of a database, to nowhere. Raises `PromiseBroken`."""
        where = ["-h", str(self._sockets), "-p", str(PORT), "-U", self._admin, "-d", database]
        self._must(["pg_dump", *where, "-f", os.devnull], f"la base « {database} » ne se lit pas entièrement")

    def checksums(self) -> None:
        """Compare each page of the stopped server with its checksum. Raises `PromiseBroken`."""
        self._must(
            ["pg_checksums", "--check", "-D", str(self._data)], "une page n'a pas sa somme de contrôle"
        )

    def _must(self, argv: Sequence[str], wrong: str) -> None:
        user, group = identity(self._account)
        ran = subprocess.run(
            as_account([self._program(argv[0]), *argv[1:]], self._account),
            user=user,
            group=group,
            cwd="/",
            env=_environment(),
            capture_output=True,
            check=False,
        )
        if ran.returncode:
            raise PromiseBroken(
                "restored-unsound",
                wrong,
                context={argv[0]: ran.stderr.decode(errors="replace").strip()[-500:]},
            )

    def _program(self, name: str) -> str:
        return str(Path(self._bin) / name) if self._bin else name

    def _start(self, recovery: Mapping[str, str]) -> subprocess.Popen[bytes]:
        settings = {
            **isolated_settings(str(self._sockets), str(self._sockets / "hba")),
            "data_directory": str(self._data),
            "external_pid_file": "",
            "port": str(PORT),
            "hot_standby": "off",  # nobody is let in before the end, so the original's sizes need not be kept
            "shared_buffers": "128MB",
            "huge_pages": "off",
            "shared_preload_libraries": "",  # a scheduler would begin its work
            "max_logical_replication_workers": "0",  # a subscription would pull from the living
            "autovacuum": "off",
            "lc_messages": "C",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_destination": "stderr",
            "log_min_messages": "warning",
            "recovery_target_action": "promote",
            "recovery_target_inclusive": "on",
            **recovery,
        }
        if not (self._data / "postgresql.conf").exists():  # Debian keeps it elsewhere
            settings["config_file"] = str(self._sockets / "none.conf")
        argv = [self._program("postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        user, group = identity(self._account)
        try:
            with self._log.open("wb") as log:
                return subprocess.Popen(
                    as_account(argv, self._account),
                    user=user,
                    group=group,
                    cwd="/",
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unreachable(
                "pg-program-missing",
                f"« {argv[0]} » ne peut pas être lancé : {error.strerror}",
                hint="--bin-dir suivi du dossier des programmes de PostgreSQL",
            ) from error

    def _wait(self, process: subprocess.Popen[bytes], progress: Callable[[int], None]) -> None:
        heard, at = 0, time.monotonic()
        while True:
            ended = process.poll() is not None
            said = self._log.read_text(encoding="utf-8", errors="replace")
            if ended:
                raise self._why(said)
            if len(said) != heard:
                heard, at = len(said), time.monotonic()
                progress(len(_TAKEN.findall(said)))
            elif time.monotonic() - at > _SILENT:
                raise PromiseBroken(
                    "restored-stalled",
                    "le serveur restauré ne dit plus rien : il a été arrêté",
                    context={"journal": said[-500:]},
                )
            if "ready to accept connections" in said and self._answers():
                return
            time.sleep(_POLL)

    def _why(self, said: str) -> Exception:
        if _SHORT in said:
            return EndedShort()
        wrong = [
            line for line in said.splitlines() if "FATAL" in line or "PANIC" in line
        ] or said.splitlines()
        return PromiseBroken(
            "restored-not-starting",
            "le serveur restauré ne démarre pas",
            hint="vérifiez que --bin-dir est de la version de la base, et que son compte peut lire ce dossier",
            context={"journal": " / ".join(wrong[-3:])[-600:]},
        )

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self._sockets),
            port=PORT,
            user=self._admin,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
            options="-c search_path=pg_catalog",
        )

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self._connect().close()
            return True
        return False

    def _look(self) -> Seen:
        try:
            with self._connect() as link:
                row = link.execute(_SEEN).fetchone()
                names = link.execute(
                    "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1"
                ).fetchall()
        except psycopg.Error as error:
            raise PromiseBroken(
                "restored-silent", f"le serveur restauré ne répond pas : {str(error).splitlines()[0]}"
            ) from error
        recovering, last, replayed, name, checksums = row or (True, None, "0/0", "0" * 8, "off")
        stopped = _STOPPING.findall(self._log.read_text(encoding="utf-8", errors="replace"))
        left_out = [
            datetime.fromisoformat(at).replace(tzinfo=UTC) for side, at in stopped if side == "before"
        ]
        return Seen(
            int(name[:8], 16),
            lsn(replayed or "0/0"),
            last,
            left_out[-1] if left_out else None,
            bool(recovering),
            tuple(str(one[0]) for one in names),
            checksums == "on",
        )


_SEEN = """
SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp(), pg_last_wal_replay_lsn()::text,
       CASE WHEN pg_is_in_recovery() THEN '00000000' ELSE pg_walfile_name(pg_current_wal_lsn()) END,
       current_setting('data_checksums')
"""


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def _deferred() -> Iterator[None]:
    """SIGTERM and Ctrl-C wait until the block has ended: a program that was begun in it is then known, and stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        one: signal.signal(one, lambda number, _frame: came.append(number))
        for one in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()
