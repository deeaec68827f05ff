"""A PostgreSQL server, a vault, and the archiver between them, as processes that a test may kill."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from releve.adapters.engines.postgresql.archive.catalogue import Base, Catalogue, Chapter, chapters
from releve.adapters.engines.postgresql.archive.marks import PARTIAL
from releve.adapters.engines.postgresql.archive.segments import wal_of
from releve.adapters.engines.postgresql.archive.trees import Trees
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.store import Kind
from releve.adapters.vault.writer import Writer
from releve.entrypoints.cli.root import command_line
from tests.integration import pg
from tests.vaults import PASSWORD, fresh, reopened

RELEVE = Path(sys.executable).parent / "releve"
SEGMENT = 1 << 20  # bytes: `--wal-segsize=1`
NAME = "dossiers"


class Archive:
    """One server (a second one on demand), its vault, its archiver."""

    def __init__(self, root: Path, kind: str, conf: Mapping[str, str]) -> None:
        self.root = root
        self.kind = kind
        self.vault = root / "vault"
        self.address = str(self.vault)  # or that of a server in front of it
        self.releve: Sequence[str] = [str(RELEVE)]
        self.state = root / "state"
        self.servers: list[pg.Server] = []
        self.server = self.another("serveur", conf)
        self._started: list[subprocess.Popen[bytes]] = []
        fresh(self.vault)

    def another(self, name: str, conf: Mapping[str, str] | None = None) -> pg.Server:
        """A server that is not there yet."""
        made = pg.Server(self.kind, pg.own(self.root / name), pg.free_port(), conf or {})
        self.servers.append(made)
        return made

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "RELEVE_VAULT_KEY": PASSWORD,
            "RELEVE_PG_BIN": str(pg.bin_dir(self.kind)),
            "SECRET": pg.SECRETS["admin"],
        }

    def where(self, server: pg.Server | None = None) -> list[str]:
        """How the server is reached, as options."""
        port = (server or self.server).port
        return ["--host", "127.0.0.1", "--port", str(port), "--password-at", "env:SECRET"]

    def run(self, verb: str, *more: str) -> tuple[int, dict[str, Any]]:
        """A command, its code and its JSON."""
        return self.invoke("database", verb, self.address, "-d", NAME, *more)

    def status(self) -> tuple[int, dict[str, Any]]:
        """What is said of the archiver."""
        return self.invoke("database", "status", str(self.state))

    def invoke(self, *argv: str) -> tuple[int, dict[str, Any]]:
        """Any command, its code and its JSON."""
        ran = CliRunner().invoke(command_line(), [*argv, "--json"], env=self.environment())
        assert ran.stdout, ran.stderr
        return ran.exit_code, json.loads(ran.stdout)

    def start(
        self, server: pg.Server | None = None, every: float = 0.2, within: str = ""
    ) -> subprocess.Popen[bytes]:
        """The archiver, running; `within`: its state folder is mounted first, for it alone."""
        argv = [*self.releve, "database", "archive", self.address, "-d", NAME]
        argv += ["--state", str(self.state), "--every", str(every), *self.where(server)]
        if within:
            script = f'{within} "$0" && exec "$@"'
            argv = ["unshare", "--mount", "--", "sh", "-c", script, str(self.state), *argv]
        with (self.root / "archive.log").open("ab") as log:
            started = subprocess.Popen(argv, env=self.environment(), stdout=log, stderr=log)
        self._started.append(started)
        return started

    def base(self) -> dict[str, Any]:
        code, said = self.run("base", "--state", str(self.state), *self.where())
        assert code == 0, said
        return said

    def restore(self, at: str = "latest", name: str = "retour", *more: str) -> tuple[int, dict[str, Any]]:
        return self.run("restore", "--target", str(self.root / name), "--at", at, *self.account(), *more)

    def account(self) -> list[str]:
        """Under whom restored servers run."""
        return ["--os-user", pg.server_account()]

    def values(self, name: str = "retour") -> list[str]:
        """What a restored server holds, opened as its owner would."""
        server = self.reopened(name)
        found = [str(row[0]) for row in server.sql(_VALUES)]
        server.stop()
        return found

    def reopened(self, name: str = "retour") -> pg.Server:
        """A restored server, running."""
        server = pg.Server(self.kind, pg.own(self.root / name), pg.free_port(), {})
        self.servers.append(server)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {server.port}\n")
        server.start()
        return server

    def said(self) -> dict[str, Any]:
        """What the archiver said last."""
        try:
            return dict(json.loads((self.state / "archive.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def safe(self, instant: datetime) -> bool:
        """Whether the archiver says that all that was acknowledged before the instant is kept."""
        until = self.said().get("safe_until")
        return bool(until) and datetime.fromisoformat(str(until)) >= instant

    def until_safe(self, instant: datetime | None = None) -> None:
        wanted = instant or datetime.now(UTC)
        try:
            pg.until(lambda: self.safe(wanted))
        except AssertionError as error:
            log = (self.root / "archive.log").read_text(encoding="utf-8", errors="replace")[-1500:]
            raise AssertionError(f"{wanted} never safe; said: {self.said()}\n{log}") from error

    def write(self, *values: str) -> datetime:
        """Acknowledged rows; an instant after them, by the server's clock."""
        for value in values:
            self.server.sql("INSERT INTO ecrits VALUES (%s, 'essai')", value)
        return self.instant()

    def instant(self) -> datetime:
        found: datetime = self.server.sql("SELECT clock_timestamp()")[0][0]
        return found

    def standby(self, name: str) -> pg.Server:
        """A server that follows the first and has all that it wrote."""
        made = self.another(name)
        source = self.server
        self._follow(made, source)
        end = source.sql("SELECT pg_current_wal_lsn()::text")[0][0]
        pg.until(lambda: bool(made.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", end)[0][0]))
        return made

    def rebuild(self, server: pg.Server, source: pg.Server) -> None:
        """Make a server follow `source` anew: nothing stays of what it was."""
        server.stop()
        shutil.rmtree(server.data)
        self._follow(server, source)

    def _follow(self, made: pg.Server, source: pg.Server) -> None:
        where = f"host=127.0.0.1 port={source.port} user={pg.ADMIN} password='{_quoted(pg.SECRETS['admin'])}'"
        copy = [str(made.bin / "pg_basebackup"), "-D", str(made.data), "-R", "-X", "stream", "-c", "fast"]
        pg.run([*copy, "-d", where])
        with (made.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {made.port}\n")
        made.start()

    def foreign(self, name: str) -> pg.Server:
        """A server of another system."""
        made = self.another(name)
        secret = made.folder / "pw"
        secret.write_text(pg.SECRETS["admin"] + "\n")
        secret.chmod(0o644)
        how = ["-U", pg.ADMIN, "-A", "scram-sha-256", "--pwfile", str(secret), "-N", "--wal-segsize=1"]
        pg.run([str(made.bin / "initdb"), "-D", str(made.data), *how])
        made._configure()
        made.start()
        return made

    def spool_after_power_cut(self) -> bool:
        """As a machine that starts anew finds it: another start; what no fsync had kept is gone. False: nothing was."""
        (self.state / "boot").write_text("un autre démarrage", encoding="utf-8")
        torn = list((self.state / "spool").glob("*.partial"))
        for path in torn:
            path.write_bytes(bytes(path.stat().st_size))
        return bool(torn)

    def lose_a_segment(self) -> str:
        """Take one whole segment, not the last, out of every snapshot of the vault, begun or whole; its name."""
        vault = reopened(self.vault)
        found = Catalogue(vault, NAME).look()
        stop = min(one.mark.stop for one in found if isinstance(one, Base))
        vault.load_index()
        wal = wal_of(vault, found, SEGMENT)
        whole = sorted(
            one.name for one in wal.segments.values() if not one.partial and one.end > stop + wal.size
        )
        missing = whole[0]
        trees = Trees(vault)
        for one in found:
            names = trees.files(one.snapshot.tree) if isinstance(one, Chapter) else {}
            if {missing, missing + PARTIAL} & names.keys():
                _rewritten(
                    vault,
                    one.snapshot.id,
                    lambda node: None if node.name.decode().removesuffix(PARTIAL) == missing else node,
                )
                vault.store.remove(Kind.SNAPSHOTS, one.snapshot.id)
        return missing

    def forge(self) -> str:
        """A snapshot of the last chapter that says to go further, with other bytes in every WAL file; its id."""
        vault = reopened(self.vault)
        every = chapters(Catalogue(vault, NAME).look())
        fullest = every[max(every)][-1]
        with contextlib.closing(Writer(vault)) as writer:
            garbage = writer.save(BlobKind.DATA, b"\7" * SEGMENT)
            writer.flush()
        further = replace(fullest.mark, until=fullest.mark.until + 5 * SEGMENT).tags()
        return _rewritten(
            vault,
            fullest.snapshot.id,
            lambda node: replace(node, content=(garbage,)) if node.size == SEGMENT else node,
            {"tags": list(further)},
        )

    def stop_all(self) -> None:
        for one in self._started:
            one.kill()
            one.wait()
        for server in self.servers:
            server.kill()
        for pid in receivers(self.state):
            os.kill(pid, signal.SIGKILL)


def _rewritten(
    vault: Repository,
    snapshot: str,
    change: Callable[[Node], Node | None],
    more: Mapping[str, object] | None = None,
) -> str:
    """A copy of a snapshot of WAL in which each file is what `change` makes of it; its id."""
    with contextlib.closing(Writer(vault)) as writer:

        def below(identity: bytes) -> bytes:
            kept = []
            for node in vault.tree(identity):
                left = replace(node, subtree=below(node.subtree)) if node.is_dir else change(node)
                kept += [encode(left)] if left else []
            return writer.save(BlobKind.TREE, tree(kept))

        value = json.loads(vault.get(Kind.SNAPSHOTS, snapshot))
        root = below(bytes.fromhex(value["tree"]))
        writer.flush()
    return vault.save_snapshot({**value, "tree": root.hex(), **(more or {})})


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


_VALUES = "SELECT valeur FROM ecrits ORDER BY valeur"


def receivers(state: Path) -> Sequence[int]:
    """The pg_receivewal processes of a state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"pg_receivewal") and os.fsencode(state / "spool") in words:
                    found.append(int(entry.name))
    return found


@contextlib.contextmanager
def archive(kind: str = "wheel16", conf: Mapping[str, str] | None = None) -> Iterator[Archive]:
    """Everything stopped and removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="rlv-arc-"))
    root.chmod(0o755)
    made = Archive(root, kind, conf or {})
    try:
        made.server.create()
        yield made
    finally:
        made.stop_all()
        shutil.rmtree(root, ignore_errors=True)
