"""The demo estate: two sites on this machine, started, destroyed, repaired and cleared away.

A site is a folder (its disk), a supervisor (its service manager) and what runs under it. Destroying
it kills every one of its processes at once and removes the folder. Everything listens on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.demo import processes, room
from releve.demo.dossier_store import TABLE
from releve.demo.layout import FILE, PRIMARY, SITES, Layout, SiteLayout, new_layout, read_layout
from releve.demo.plan_text import (
    ADMIN,
    APPLICATION,
    DATABASE,
    DOCUMENTS,
    POSTGRESQL,
    REPLICATION,
    VAULT_KEY,
    plan_text,
)
from releve.demo.programs import Programs, postgresql_programs, run_as
from releve.demo.supctl import ask
from releve.demo.supervisor import Program
from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable

_APP_ROLE = "dossier"
_UP = 10.0  # seconds for a supervisor to listen; it takes 0.05
_KILL = 20.0  # seconds for every process of a site to be dead; it takes 0.05

# Durable on purpose (fsync, full_page_writes and synchronous_commit keep their safe defaults): what
# the demo proves must be true. Small, because two servers and a laptop's programs share the memory.
_SETTINGS = """
shared_buffers = 16MB
max_connections = 60
max_wal_size = 256MB
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
dynamic_shared_memory_type = mmap   # in the data folder: a killed server leaves nothing in /dev/shm
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""
_HBA = f"""\
# type  database     user           address        method
local   all          all                           scram-sha-256
host    all          all            127.0.0.1/32   scram-sha-256
host    replication  {REPLICATION}  127.0.0.1/32   scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Destruction:
    """A site was destroyed: the instant (wall and monotonic clock) of the first blow, and what it took."""

    site: str
    at: datetime
    monotonic: float
    killed: int
    seconds: float


class Estate:
    """Both sites. Making the object touches nothing; `create` does.

    `watch`: the supervisors do not outlive this process, however it dies, and take the sites' folders
    with them. Without it the estate stays until `cleanup`, and `attach` takes it up again. `share`: it has
    shared documents too, captured into a vault.
    """

    def __init__(self, folder: Path, *, watch: bool = True, share: bool = False) -> None:
        self.folder = folder.resolve()
        self._share = share
        self.programs: Programs | None = None
        self._watch = watch
        self._layout: Layout | None = None
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    def attach(cls, folder: Path) -> Estate:
        """The estate that another process made in `folder`. Raises `BadInput` when there is none."""
        estate = cls(folder, watch=False)
        estate._layout = read_layout(estate.folder)
        return estate

    @property
    def layout(self) -> Layout:
        """Where everything stands. Raises RuntimeError before `create`."""
        if self._layout is None:
            raise RuntimeError("the estate has not been created")
        return self._layout

    @property
    def plan(self) -> Path:
        """The plan file."""
        return self.layout.plan

    @property
    def disks(self) -> tuple[Path, ...]:
        """Where the estate writes: its own folder and, once it is known, the ground of its sites."""
        return (self.folder, Path(self._layout.ground)) if self._layout else (self.folder,)

    @property
    def documents_urls(self) -> tuple[str, str]:
        """The addresses of the shared documents: principal first."""
        return self.layout.sites[0].documents_url, self.layout.sites[1].documents_url

    @property
    def urls(self) -> tuple[str, str]:
        """The list of addresses that users have: principal first."""
        return self.layout.sites[0].url, self.layout.sites[1].url

    def create(self) -> None:
        """Folders, ports, secrets and the plan. What an earlier demo left in `folder` is cleared first.

        Raises `BadInput` when `folder` holds something that is not a demo; `Refused` when a demo runs
        there; `Unreachable` when this machine cannot run one, or has not the room.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()):
            _clear_earlier(self.folder)
        self.programs = postgresql_programs()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._layout = layout = new_layout(self.folder, self.programs, share=self._share)
        room.require(self.disks)
        layout.save()
        layout.secret("").mkdir(mode=0o700, exist_ok=True)
        for name in ("link.key", "admin.pw", "replication.pw", "app.pw", VAULT_KEY):
            _write_private(layout.secret(name), secrets.token_urlsafe(24))
        if layout.share:
            self._make_vault()
        for site in layout.sites:
            self._make_folders(site)
        layout.plan.write_text(plan_text(layout), encoding="utf-8")

    def environment(self, site: str) -> dict[str, str]:
        """What to add to the environment of a process of that site, so that it dies with it."""
        return {processes.MARKER: self.layout.site(site).marker}

    def dsn(self, site: str, *, role: str = ADMIN) -> str:
        """A connection string to the database of a site, as `ADMIN` or as the application."""
        password = self.layout.secret("admin.pw" if role == ADMIN else "app.pw").read_text()
        return (
            f"host=127.0.0.1 port={self.layout.site(site).ports.database} dbname={DATABASE} "
            f"user={role} password={password} connect_timeout=2"
        )

    def start_site(self, site: str) -> None:
        """Start the supervisor of a site, its programs declared and stopped. Raises `Unreachable`."""
        layout = self.layout.site(site)
        config = {
            "marker": layout.marker,
            "root": layout.folder,
            "socket": str(layout.supervisor),
            "watch": [os.getpid(), processes.started(os.getpid())] if self._watch else [],
            "remove": [layout.folder],
            "programs": [asdict(program) for program in self._programs(layout)],
        }
        path = Path(layout.folder, "supervisor.json")
        _write_private(path, json.dumps(config, indent=1))
        layout.supervisor.unlink(missing_ok=True)
        with layout.log("supervisor").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-P", "-m", "releve.demo.supervisor", str(path)],
                env={**os.environ, **self.environment(site)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._supervisors[site] = started
        deadline = time.monotonic() + _UP
        while self._asked(site, "list") is None:
            if started.poll() is not None or time.monotonic() > deadline:
                words = layout.log("supervisor").read_text(errors="replace")[-500:]
                raise Unreachable(
                    "demo-supervisor", f"le superviseur du site « {site} » ne démarre pas : {words}"
                )
            time.sleep(0.005)

    def init_database(self, site: str = PRIMARY) -> None:
        """Make the database of a site with its roles and the application's table, and start it."""
        layout = self.layout.site(site)
        password = layout.data_dir.parent / ".pw"
        _write_private(password, self.layout.secret("admin.pw").read_text(), owner=self.layout.os_user)
        options = ("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--username={ADMIN}")
        try:
            self._run_as_owner("initdb", "-D", str(layout.data_dir), *options, f"--pwfile={password}")
        finally:
            password.unlink(missing_ok=True)
        with (layout.data_dir / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)
        (layout.data_dir / "pg_hba.conf").write_text(_HBA)
        self.start(site, POSTGRESQL)
        self._make_roles(site)

    def init_documents(self, site: str = PRIMARY) -> None:
        """Make the share of a site, empty, with the permissions that its users have."""
        path = self.layout.site(site).documents
        path.mkdir(exist_ok=True)
        path.chmod(0o775)

    def start(self, site: str, program: str) -> None:
        """Start a program and wait until it is up. Raises `Unreachable`."""
        self._must(site, "start", program)

    def stop(self, site: str, program: str) -> None:
        """Stop a program and wait until it is gone. Raises `Unreachable`."""
        self._must(site, "stop", program)

    def running(self, site: str, program: str) -> bool:
        """Whether it runs; False too when the site is no more."""
        answer = self._asked(site, "status", program)
        return answer is not None and answer["code"] == 0

    def declare(self, site: str, program: Program) -> None:
        """Give the supervisor one more program (a worker, say). Raises `Unreachable`."""
        self._must(site, "declare", program.name, program=asdict(program))

    def open_gate(self, site: str) -> None:
        """Let users in, as a person would by hand. During a run this belongs to Relève."""
        self.layout.site(site).gate.touch()

    def shut_gate(self, site: str) -> None:
        """Keep users out."""
        self.layout.site(site).gate.unlink(missing_ok=True)

    def pids(self, site: str, extra: Iterable[int] = ()) -> set[int]:
        """The live processes of a site; `extra` names some that do not carry its mark."""
        layout = self.layout.site(site)
        return processes.of_site(layout.marker, Path(layout.folder), extra)

    def destroy_site(self, site: str, extra: Iterable[int] = ()) -> Destruction:
        """Kill everything of a site at once (SIGKILL), see it dead, take its disk away.

        Raises `ReleveError` when something survives: a demo that cannot kill proves nothing.
        """
        layout, extra = self.layout.site(site), tuple(extra)
        first = self.pids(site, extra)  # looked for beforehand: the blow must be one
        at, instant = datetime.now(UTC), time.monotonic()
        try:
            killed = processes.kill_all(lambda: self.pids(site, extra), within=_KILL, first=first)
        except TimeoutError as error:
            raise ReleveError("demo-survivor", f"un processus du site « {site} » survit : {error}") from error
        processes.free_memory_of(killed)
        _remove_tree(Path(layout.folder))
        supervisor = self._supervisors.pop(site, None)
        if supervisor is not None:
            supervisor.wait(_KILL)  # dead already; this only takes it off the list of our children
        return Destruction(site, at, instant, len(killed), time.monotonic() - instant)

    def repair_site(self, site: str) -> None:
        """A new machine in the old one's place: an empty disk, its programs declared, no data."""
        self._make_folders(self.layout.site(site))
        self.start_site(site)

    def cleanup(self) -> None:
        """Kill and remove all that the estate made. What others put in its folder stays. Safe to repeat."""
        if self._layout is None:
            return
        for site in SITES:
            self.destroy_site(site)
        _remove_files(self.layout)
        self._layout = None

    def _make_vault(self) -> None:
        from releve.adapters.vault.repository import create
        from releve.adapters.vault.store import FolderStore

        key = self.layout.secret(VAULT_KEY).read_text()
        create(FolderStore(self.layout.vault), key, datetime.now(UTC))

    def _programs(self, site: SiteLayout) -> tuple[Program, ...]:
        account = run_as(self.layout.os_user)
        ports, data = site.ports, str(site.data_dir)
        # Where it listens belongs to the machine and not to the data, which travel between sites.
        where = {
            "port": ports.database,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": site.socket_dir,
        }
        options = [part for name, value in where.items() for part in ("-c", f"{name}={value}")]
        server = Program(
            POSTGRESQL,
            (f"{self.layout.bin_dir}/postgres", "-D", data, *options),
            str(site.log(POSTGRESQL)),
            user=account[0] if account else "",
            group=account[1] if account else 0,
            stop_signal="INT",  # "fast": sessions are ended, everything is written
            ready={"postmaster": data},
        )
        application = Program(
            APPLICATION,
            (sys.executable, "-P", "-m", "releve.demo.dossier", "--config", str(site.app_config)),
            str(site.log(APPLICATION)),
            ready={"tcp": ["127.0.0.1", ports.application]},
            stop_within=5.0,
        )
        if not self.layout.share:
            return server, application
        documents = Program(
            DOCUMENTS,
            (sys.executable, "-P", "-m", "releve.demo.dossier", "--config", str(site.documents_config)),
            str(site.log(DOCUMENTS)),
            ready={"tcp": ["127.0.0.1", ports.documents]},
            stop_within=5.0,
        )
        return server, application, documents

    def _make_folders(self, site: SiteLayout) -> None:
        """The empty disk of a site. The database's part belongs to the database's account."""
        for name in ("", "app", "log", "pg", "pg/run", "releve"):
            Path(site.folder, name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("", "releve"):  # that account walks through to what is its own, whatever our umask
            Path(site.folder, name).chmod(0o711)
        account = run_as(self.layout.os_user)
        for path in (site.data_dir.parent, site.socket_dir):
            if account:
                shutil.chown(path, *account)
            path.chmod(0o700)
        config = {
            "listen": ["127.0.0.1", site.ports.application],
            "site": site.id,
            "dsn": self.dsn(site.id, role=_APP_ROLE),
            "gate": str(site.gate),
        }
        _write_private(site.app_config, json.dumps(config, indent=1))
        if self.layout.share:
            config = {
                "listen": ["127.0.0.1", site.ports.documents],
                "site": site.id,
                "documents": str(site.documents),
                "gate": str(site.documents_gate),
            }
            _write_private(site.documents_config, json.dumps(config, indent=1))

    def _make_roles(self, site: str) -> None:
        import psycopg
        from psycopg import sql

        def role(name: str, rights: str, secret: str) -> sql.Composed:
            password = self.layout.secret(secret).read_text()
            return sql.SQL("CREATE ROLE {} LOGIN " + rights + " PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(password)
            )

        admin = self.dsn(site)
        with psycopg.connect(admin.replace(f"dbname={DATABASE}", "dbname=postgres"), autocommit=True) as link:
            link.execute(role(REPLICATION, "REPLICATION", "replication.pw"))
            link.execute(role(_APP_ROLE, "NOSUPERUSER", "app.pw"))
            link.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (DATABASE, _APP_ROLE)))
            )
        with psycopg.connect(admin, autocommit=True) as link:
            link.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(_APP_ROLE)))
            link.execute(TABLE)

    def _run_as_owner(self, program: str, *arguments: str) -> None:
        account = run_as(self.layout.os_user)
        done = subprocess.run(
            [f"{self.layout.bin_dir}/{program}", *arguments],
            user=account[0] if account else None,
            group=account[1] if account else None,
            extra_groups=[] if account else None,
            capture_output=True,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise Unreachable(
                "demo-postgresql",
                f"{program} a échoué : {done.stderr.decode(errors='replace').strip()[-500:]}",
            )

    def _asked(self, site: str, verb: str, name: str = "", **more: object) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, ValueError):
            return ask(str(self.layout.site(site).supervisor), {"do": verb, "name": name, **more})
        return None

    def _must(self, site: str, verb: str, name: str, **more: object) -> None:
        answer = self._asked(site, verb, name, **more)
        if answer is None:
            raise Unreachable("demo-site-gone", f"le superviseur du site « {site} » ne répond pas")
        if answer["code"] != 0:
            raise Unreachable("demo-program", f"{verb} {name} sur « {site} » : {answer.get('error', '?')}")


def _write_private(path: Path, text: str, *, owner: str = "") -> None:
    """A file for its owner's eyes only, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if owner:
            os.fchown(file.fileno(), pwd.getpwnam(owner).pw_uid, -1)
        file.write(text)


def _clear_earlier(folder: Path) -> None:
    """Clear away the demo that an earlier process left in `folder`; refuse a folder of somebody's own."""
    if not (folder / FILE).exists():
        raise BadInput(
            "demo-folder-not-empty",
            f"{folder} n'est pas vide et ne vient pas d'une démonstration",
            hint="donnez un dossier vide ou nouveau",
        )
    earlier = Estate.attach(folder)
    if earlier.layout.held:
        raise Refused(
            "demo-already-running",
            f"une démonstration est en cours dans {folder} (processus {earlier.layout.owner[0]})",
            hint="attendez sa fin, ou donnez un autre dossier",
        )
    earlier.cleanup()


def _remove_tree(folder: Path) -> None:
    """Remove a folder whole, even when somebody else is removing it too. Raises OSError if it stays."""

    def gone_already(_call: object, _path: str, failure: tuple[type, BaseException, object]) -> None:
        if not isinstance(failure[1], FileNotFoundError):
            raise failure[1]

    shutil.rmtree(folder, onerror=gone_already)


def _remove_files(layout: Layout) -> None:
    for whole in (layout.secret(""), layout.vault):
        shutil.rmtree(whole, ignore_errors=True)
    for path in (layout.plan, Path(layout.folder, FILE)):
        path.unlink(missing_ok=True)
    for folder in {layout.ground, layout.folder}:
        with contextlib.suppress(OSError):
            Path(folder).rmdir()  # only when nobody put anything there
