"""PostgreSQL's history in a vault behind a server: REST, REST that only adds, S3. What holds of a folder holds there."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import pytest

from releve.adapters.vault.places import store_at
from releve.adapters.vault.repository import Repository, create, open_vault
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from tests.archives import NAME, RELEVE, Archive, archive, receivers
from tests.integration.pg import no_templates_left  # noqa: F401
from tests.places import KEYS, Line, Rclone, s3_server
from tests.vaults import CHEAP, PASSWORD, now
from tests.waiting import until

PLACES = ["s3", *(pytest.param(one, marks=pytest.mark.torture) for one in ("rest", "append-only"))]


@dataclass
class Away:
    """A database, its archiver, and a line to the server behind which the vault lies."""

    rig: Archive
    line: Line

    def vault(self) -> Repository:
        vault = open_vault(store_at(self.rig.address), PASSWORD)
        vault.load_index()
        return vault

    def stop(self) -> None:
        """Let everything end, the archiver in order: what the server had is kept."""
        self.archiver.send_signal(signal.SIGTERM)
        assert self.archiver.wait(30) == 0, self.log()
        assert not receivers(self.rig.state)

    def start(self) -> None:
        self.archiver = self.rig.start()

    def kill(self) -> None:
        self.archiver.kill()
        self.archiver.wait()

    def log(self) -> str:
        return (self.rig.root / "archive.log").read_text()

    def lost_server(self) -> list[str]:
        """The database burns; what comes back of it, at the latest."""
        self.rig.server.destroy()
        code, said = self.rig.restore("latest", "fin")
        assert code == 0, (said, self.log())
        return self.rig.values("fin")


@pytest.fixture(params=PLACES)
def away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    """An archiver at work, a base taken."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        rig = stack.enter_context(archive())
        if request.param == "s3":
            port = stack.enter_context(s3_server())
        else:
            options = ["--append-only"] if request.param == "append-only" else []
            server = Rclone(rig.root / "derrière", *options)
            stack.callback(server.stop)
            port = server.port
        line = Line(port)
        stack.callback(line.close)
        where = f"127.0.0.1:{line.port}"
        rig.address = f"s3:http://{where}/seau/coffre" if request.param == "s3" else f"rest:http://{where}/"
        create(store_at(rig.address), PASSWORD, now(), CHEAP)
        made = Away(rig, line)
        made.start()
        stack.callback(made.kill)
        rig.base()
        yield made


def test_archived_killed_and_brought_back_to_an_instant(away: Away) -> None:
    """A base, WAL, a kill -9 in the middle of a flow of writes, an end in order; then the instants, and the latest."""
    rig = away.rig
    between = rig.write("a", "b")
    rig.until_safe(rig.write("c"))
    rig.server.sql("SELECT pg_switch_wal()")
    written: list[str] = []
    stop = threading.Event()

    def people() -> None:
        while not stop.is_set():
            written.append(name := f"d{len(written):04}")
            rig.server.sql("INSERT INTO ecrits VALUES (%s, repeat('x', 20000))", name)

    flow = threading.Thread(target=people)
    flow.start()
    passed = away.line.passed
    until(lambda: away.line.passed > passed + 100_000)  # it is sending what is being written
    away.kill()
    stop.set()
    flow.join()
    away.start()
    rig.until_safe(rig.write("e"))
    away.stop()
    assert rig.said()["gaps"] == []
    code, said = rig.restore(between.isoformat())
    assert code == 0, said
    assert rig.values() == ["a", "b"]
    assert datetime.fromisoformat(said["last_commit"]) <= between
    assert away.lost_server() == ["a", "b", "c", *written, "e"]
    assert verify(away.vault()).sound


@pytest.mark.parametrize("how", ["cut", pytest.param("die", marks=pytest.mark.torture)])
def test_a_server_away_for_a_while_is_told_and_gets_all_once_it_is_back(away: Away, how: str) -> None:
    """Cut, or dead without a word: the status is not green; mended, everything goes there, nothing is missing."""
    rig, line = away.rig, away.line
    rig.until_safe(rig.write("a"))
    getattr(line, how)()
    at = rig.write("b")
    rig.server.sql("SELECT pg_switch_wal()")
    until(lambda: not rig.status()[1]["well"], 60)
    assert not rig.safe(at)
    for number in range(5):
        rig.write(f"c{number}")
        rig.server.sql("SELECT pg_switch_wal()")
    line.mend()
    rig.until_safe(rig.write("d"))
    until(lambda: rig.status()[0] == 0)
    away.stop()
    assert rig.said()["gaps"] == []
    assert list(away.vault().store.entries(Kind.LOCKS)) == []
    assert away.lost_server() == ["a", "b", *(f"c{number}" for number in range(5)), "d"]
    assert verify(away.vault()).sound


@pytest.mark.torture
def test_a_base_killed_while_it_is_sent_stands_in_nobody_s_way(away: Away) -> None:
    """Kill -9 in the middle of its upload: no such base is listed, the next one is taken and comes back."""
    rig = away.rig
    rig.server.sql(
        "CREATE TABLE gros AS SELECT md5(n::text) AS a, md5((-n)::text) AS b FROM generate_series(1, 200000) n"
    )
    rig.until_safe(rig.write("a"))
    argv = [str(RELEVE), "database", "base", rig.address, "-d", NAME, "--state", str(rig.state), *rig.where()]
    passed = away.line.passed
    with subprocess.Popen(argv, env=rig.environment(), stdout=subprocess.DEVNULL) as base:
        until(lambda: away.line.passed > passed + 2_000_000 or base.poll() is not None, 60.0)
        assert base.poll() is None
        base.kill()
    assert len(rig.run("times")[1]["windows"]) == 1
    second = rig.base()
    rig.until_safe(rig.write("b"))
    away.stop()
    assert [one["base"] for one in rig.run("times")[1]["windows"]][-1] == second["base"]
    assert away.lost_server() == ["a", "b"]
    assert verify(away.vault()).sound
