"""The engines under contract, behind one set of knobs: the fake, and real servers of three kinds."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg

from releve.domain.errors import Unreachable
from releve.domain.ports import Engine
from tests.fakes.engine import FakeEngine
from tests.integration.pg import KINDS, SITES, Estate, estate
from tests.waiting import until

RIGS = ("fake", *KINDS)
SLOT_LIMIT = 4 * 1024 * 1024


_SHOWN = """
SELECT NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NULL
  OR pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
"""


class Rig(Protocol):
    """What a contract test may do to the world, whatever the engine."""

    engine: Engine

    def write(self, site: str, value: str) -> None:
        """Write and be acknowledged; raises `Unreachable` otherwise."""

    def write_unheard(self, site: str, value: str) -> None:
        """Write without waiting for the standby."""

    def values(self, site: str) -> set[str]:
        """What the database of `site` holds."""

    def kill(self, site: str) -> None:
        """Its processes are gone at once."""

    def destroy(self, site: str) -> None:
        """Its disk too."""

    def cut(self) -> None:
        """The follower receives nothing any more."""

    def start_by_hand(self, site: str) -> None:
        """A person starts the server."""

    def outrun_slot(self, site: str) -> None:
        """`site` writes more than it keeps for the other one, which is stopped."""

    def folder(self, site: str) -> str:
        """Where a survey may be kept on the host of `site`."""


class FakeRig:
    """The fake has all these knobs itself."""

    def __init__(self) -> None:
        self.fake = FakeEngine(sites=SITES)
        self.engine: Engine = self.fake
        self.write, self.write_unheard = self.fake.write, self.fake.write_unheard
        self.values, self.kill, self.destroy = self.fake.values, self.fake.kill, self.fake.destroy
        self.cut, self.start_by_hand = self.fake.cut, self.fake.start_by_hand
        self.outrun_slot = self.fake.outrun_slot

    def folder(self, site: str) -> str:
        """Nothing is written there."""
        return f"/nowhere/{site}"


class RealRig:
    """Two PostgreSQL servers on this machine."""

    def __init__(self, made: Estate) -> None:
        self.estate = made
        self.engine: Engine = made.engine()

    def write(self, site: str, value: str) -> None:
        """A row, waited for at most 500 ms; a cancelled wait is no acknowledgement."""
        self._insert(site, value, "-c synchronous_commit=on")

    def write_unheard(self, site: str, value: str) -> None:
        """A row of a session that does not wait."""
        self._insert(site, value, "-c synchronous_commit=local")

    def _insert(self, site: str, value: str, options: str) -> None:
        heard: list[str] = []
        try:
            with self.estate.servers[site].connect(options=options) as link:
                link.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
                # statement_timeout is of no help: it is switched off before the commit waits
                patience = threading.Timer(0.5, link.cancel_safe)
                patience.start()
                try:
                    link.execute("INSERT INTO ecrits VALUES (%s, 'Technicien')", [value])
                finally:
                    patience.cancel()
                    patience.join()
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise Unreachable("closed", str(error)) from error
        if heard:  # "canceling wait for synchronous replication": success, says the protocol
            raise Unreachable("blocked", heard[0])

    def values(self, site: str) -> set[str]:
        """The rows that a reader sees, once what was received is also shown (an acknowledged write is
        on the standby's disk; a reader there may see it a moment later).
        """  # noqa: D205
        server = self.estate.servers[site]
        until(lambda: bool(server.sql(_SHOWN)[0][0]))
        return {row[0] for row in server.sql("SELECT valeur FROM ecrits")}

    def kill(self, site: str) -> None:
        """SIGKILL to the whole tree."""
        self.estate.servers[site].kill()

    def destroy(self, site: str) -> None:
        """And the data folder removed."""
        self.estate.servers[site].destroy()

    def cut(self) -> None:
        """The follower forgets where its source is; it goes on running."""
        for server in self.estate.servers.values():
            with contextlib.suppress(psycopg.OperationalError):
                if server.sql("SELECT pg_is_in_recovery()")[0][0]:
                    server.sql("ALTER SYSTEM SET primary_conninfo = ''")
                    server.sql("SELECT pg_reload_conf()")

    def start_by_hand(self, site: str) -> None:
        """pg_ctl start."""
        server = self.estate.servers[site]
        if server.pid() is not None:
            (server.data / "postmaster.pid").unlink()  # of a zombie that nobody has reaped yet
        server.start()

    def outrun_slot(self, site: str) -> None:
        """Three times the limit, in segments of 1 MB, and a checkpoint that gives the slot up."""
        self.engine.close(self.estate.data_set.other(site))
        server = self.estate.servers[site]
        with server.connect(options="-c synchronous_commit=local") as link:
            for _ in range(3 * SLOT_LIMIT // (1024 * 1024)):
                link.execute("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'x', repeat('y', 5000))")
            link.execute("CHECKPOINT")

    def folder(self, site: str) -> str:
        """Below the site's own folder."""
        return str(self.estate.servers[site].folder / "divergence" / "20300101T000000Z")


@contextlib.contextmanager
def rig_of(kind: str) -> Iterator[Rig]:
    """A rig of that kind: a lone open server at the first site, nothing at the second."""
    if kind == "fake":
        yield FakeRig()
        return
    with estate(kind, slot_limit=SLOT_LIMIT) as made:
        rig = RealRig(made)
        yield rig
        left = [path for site in SITES for path in Path(made.servers[site].folder).glob("data.new.*")]
        assert not left, "a clone was left half made"
