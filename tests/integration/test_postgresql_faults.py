"""PostgreSQL when things go wrong: frozen, cut short, kept out, half done."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from releve.adapters.engines.postgresql import bookkeeping, rebuild, settings, standby
from releve.adapters.engines.postgresql.connection import Connections
from releve.adapters.engines.postgresql.driver import Postgresql
from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.protection import ServerState, SyncState, Tenure
from tests.integration.pg import (
    DATABASE,
    SITES,
    Estate,
    children,
    estate,
    no_templates_left,  # noqa: F401 - a fixture of the session
    run,
    until,
)

HERE, THERE = SITES


@pytest.fixture
def made() -> Iterator[Estate]:
    """A lone server of the wheel."""
    with estate("wheel16") as given:
        yield given


class Killed(BaseException):
    """Stands for kill -9 of the orchestrator: nobody catches it."""


def test_a_frozen_server_is_unknown_within_three_seconds(made: Estate) -> None:
    """Its kernel goes on acknowledging: only a limit of our own ends the look."""
    engine = made.engine()
    assert engine.facts(HERE).state is ServerState.OPEN
    link = engine._pair.links._kept()[HERE].connection.info.backend_pid
    postmaster = made.servers[HERE].pid()
    assert postmaster is not None
    for pid in (postmaster, link):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        seen = engine.facts(HERE)
    finally:
        for pid in (postmaster, link):
            os.kill(pid, signal.SIGCONT)
    assert seen.state is ServerState.UNKNOWN
    assert time.monotonic() - began < 3.5
    assert engine.facts(HERE).state is ServerState.OPEN


def test_a_standby_that_is_kept_out_is_told_the_very_line(made: Estate) -> None:
    """The access rules of the source are tried, and the missing line is given."""
    server = made.servers[HERE]
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"host {DATABASE},postgres all 127.0.0.1/32 scram-sha-256\n")
    server.sql("SELECT pg_reload_conf()")
    with pytest.raises(BadInput) as caught:
        made.engine().prepare(HERE)
    assert caught.value.code == "replication-refused"
    assert "host replication releve_replication 127.0.0.1/32 scram-sha-256" in caught.value.hint


def test_a_promotion_cut_short_is_finished_and_not_done_again(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the promotion and its record: the repeat writes the record, on the same timeline."""
    engine = made.engine()
    made.protect(engine)
    made.servers[HERE].kill()
    tenure = Tenure("dossiers", 1, THERE, "bascule")

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(bookkeeping, "take", killed)
        with pytest.raises(Killed):
            engine.promote(THERE, tenure)
    again = made.engine()
    between = again.facts(THERE)
    assert (between.state, between.epoch) == (ServerState.OPEN, 0)
    assert again.promote(THERE, tenure) == 0.0
    after = again.facts(THERE)
    assert (after.epoch, after.timeline, after.identity) == (1, between.timeline, between.identity)
    assert (made.servers[THERE].data / "standby.signal").exists()


def test_a_rewind_cut_short_is_never_started_but_cloned(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that a rewind left half way is replaced, and kept aside."""
    engine = made.engine()
    made.protect(engine)
    old, new = made.servers[HERE], made.servers[THERE]
    with old.connect(options="-c synchronous_commit=local") as link:
        new.stop()
        link.execute("INSERT INTO ecrits VALUES ('perdu', '')")
    old.kill()
    new.start()
    engine.fence(HERE)
    engine.promote(THERE, Tenure("dossiers", 1, THERE, "bascule"))
    real = rebuild._put_back

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_put_back", killed)
        with pytest.raises(Killed):
            engine.rebuild(HERE, THERE)
    assert real is rebuild._put_back
    (old.folder / "data.new.0123abcd").mkdir()  # and a clone that was cut short before that
    again = made.engine()
    assert again.rebuild(HERE, THERE) == "clone"
    assert again.rebuild(HERE, THERE) == "already"
    assert again.arm(THERE).standby.sync is SyncState.SYNC
    names = sorted(path.name.partition("-2")[0] for path in old.folder.iterdir())
    assert names == ["data", "data.avant", "data.local", "data.lock", "data.pgpass", "log"]
    assert (old.data / "postgresql.conf").read_text().count(f"port = '{old.port}'") == 1


def test_nothing_secret_is_left_in_reach_of_the_standby(made: Estate) -> None:
    """The password file holds the replication role alone, for its owner's eyes; settings hold none."""
    engine = made.engine()
    made.protect(engine)
    folder = made.servers[THERE].folder
    kept = folder / "data.pgpass"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text() == "*:*:*:releve_replication:mot\\\\de\\:passe\n"
    assert "mot" not in (folder / "data" / "postgresql.auto.conf").read_text()


def test_a_server_that_a_person_started_by_hand_is_fenced_too(made: Estate) -> None:
    """Its manager says stopped; its process and its port say otherwise."""
    engine = made.engine()
    made.protect(engine)
    end = made.data_set.ends[HERE]
    other = _told_by(made, "exit 3")
    assert other.fence(HERE).state is ServerState.STOPPED
    assert run([str(end.bin_dir + "/pg_ctl"), "status", "-D", end.data_dir], check=False).returncode == 3


def _told_by(made: Estate, status: str) -> Postgresql:
    """An engine whose manager of the primary's server answers `status` (a shell line) whatever happens."""
    end = made.data_set.ends[HERE]
    service = replace(end.service, status=("sh", "-c", status), stop=("true",))
    data_set = replace(made.data_set, ends={**made.data_set.ends, HERE: replace(end, service=service)})
    engine = made.engine()
    other = Postgresql(
        data_set,
        host=engine._pair.host,
        services=engine._pair.services,
        secret=engine._pair.secret,
        now=engine._pair.now,
    )
    made.engines.append(other)
    return other


def test_a_folder_that_is_gone_is_no_fence_unless_its_manager_says_stopped(made: Estate) -> None:
    """A destroyed disk and a manager that can tell nothing: a person is asked, nothing is assumed."""
    made.protect(made.engine())
    made.servers[HERE].kill()
    shutil.rmtree(made.servers[HERE].data)
    with pytest.raises(Unreachable) as caught:
        _told_by(made, "exit 4").fence(HERE)
    assert caught.value.code == "service-unknown"
    assert _told_by(made, "exit 3").fence(HERE).state is ServerState.STOPPED


def test_a_folder_that_cannot_be_read_is_never_taken_for_an_empty_one(made: Estate) -> None:
    """Whatever its manager says, such a server is not seen stopped, and no clone comes over it."""
    engine = made.engine()
    made.protect(engine)
    server = made.servers[HERE]
    server.kill()
    other = _told_by(made, "exit 3")
    before = sorted(path.name for path in server.folder.iterdir())
    server.folder.chmod(0)
    try:
        assert other.facts(HERE).state is ServerState.UNKNOWN
        with pytest.raises(Unreachable) as fenced:
            other.fence(HERE)
        assert fenced.value.code == "path-unseen"
        other.promote(THERE, Tenure("dossiers", 1, THERE, "bascule"))
        with pytest.raises(Unreachable) as rebuilt:
            other.rebuild(HERE, THERE)
        assert rebuilt.value.code == "path-unseen"
    finally:
        server.folder.chmod(0o755)
    assert sorted(path.name for path in server.folder.iterdir()) == before


def test_an_attempt_that_fails_leaves_no_socket_behind() -> None:
    """A server that accepts and says nothing sees the client gone as soon as it gave up, not when
    Python happens to collect: a mute client would hold that server's stop.
    """  # noqa: D205
    links = Connections(lambda _site: {"host": "127.0.0.1", "port": listener.getsockname()[1]})
    gc.disable()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with pytest.raises(Unreachable):
                links.run(HERE, lambda link: link.execute("SELECT 1"))
            mute, _ = listener.accept()
            with mute:
                mute.settimeout(1.0)
                while mute.recv(4096):  # its first words, then the end
                    pass
    finally:
        gc.enable()


def test_a_mute_client_does_not_hold_a_stop_for_a_minute(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that connects while the server stops is waited for: as long as we set, not as the default says."""
    monkeypatch.setattr(settings, "LOGIN_SECONDS", 2)
    engine = made.engine()
    made.protect(engine)
    server = made.servers[HERE]
    postmaster = server.pid()
    assert postmaster is not None
    log = server.folder / "log"
    stops = log.read_text().count("fast shutdown request")
    with server.connect() as link:
        frozen = link.info.backend_pid
        os.kill(frozen, signal.SIGSTOP)  # so that the stop lasts until the mute client is there
        with ThreadPoolExecutor(1) as pool:
            try:
                fenced = pool.submit(engine.fence, HERE)
                until(lambda: log.read_text().count("fast shutdown request") > stops)
                before = set(children(postmaster))
                with socket.create_connection(("127.0.0.1", server.port)):
                    until(lambda: not set(children(postmaster)) <= before)
                    os.kill(frozen, signal.SIGCONT)
                    assert fenced.result(timeout=20).state is ServerState.STOPPED
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(frozen, signal.SIGCONT)


def test_a_foreign_server_on_the_same_port_stops_the_fence(made: Estate) -> None:
    """Something still answers there: no fence is claimed."""
    engine = made.engine()
    made.protect(engine)
    here, there = made.data_set.ends[HERE], made.data_set.ends[THERE]
    wrong = replace(made.data_set, ends={HERE: replace(here, port=there.port), THERE: there})
    other = Postgresql(
        wrong,
        host=engine._pair.host,
        services=engine._pair.services,
        secret=engine._pair.secret,
        now=engine._pair.now,
    )
    made.engines.append(other)
    with pytest.raises(Refused) as caught:
        other.fence(HERE)
    assert caught.value.code == "fence-still-answers"


def test_arming_without_a_standby_leaves_production_free(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the standby does not come, nobody is left waiting for it."""
    engine = made.engine()
    engine.prepare(HERE)
    monkeypatch.setattr(standby, "CATCH_UP_PATIENCE", 0.3)
    with pytest.raises(Unreachable) as caught:
        engine.arm(HERE)
    assert caught.value.retryable
    assert not engine.facts(HERE).sync_armed


def test_a_role_that_waits_for_nobody_is_named(made: Estate) -> None:
    """RPO 0 does not hold for a role or a database that overrides synchronous_commit."""
    engine = made.engine()
    server = made.servers[HERE]
    server.sql("CREATE ROLE presse")
    server.sql("ALTER ROLE presse SET synchronous_commit = off")
    server.sql("ALTER ROLE postgres SET synchronous_commit = remote_apply")
    assert engine.facts(HERE).overriding_roles == ("presse",)
    server.sql("ALTER SYSTEM SET synchronous_commit = local")
    server.sql("SELECT pg_reload_conf()")
    assert made.engine().facts(HERE).overriding_roles == ("*", "presse")
