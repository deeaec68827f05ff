"""PostgreSQL when things go wrong: frozen, cut short, kept out, half done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from releve.adapters.engines.postgresql import bookkeeping, rebuild, standby
from releve.adapters.engines.postgresql.driver import Postgresql
from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.protection import ServerState, SyncState, Tenure
from tests.integration.pg import (
    DATABASE,
    SITES,
    Estate,
    estate,
    no_templates_left,  # noqa: F401 - a fixture of the session
    run,
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
    blind = replace(end, service=replace(end.service, status=("sh", "-c", "exit 3"), stop=("true",)))
    data_set = replace(made.data_set, ends={**made.data_set.ends, HERE: blind})
    other = Postgresql(
        data_set,
        host=engine._pair.host,
        services=engine._pair.services,
        secret=engine._pair.secret,
        now=engine._pair.now,
    )
    made.engines.append(other)
    assert other.fence(HERE).state is ServerState.STOPPED
    assert run([str(end.bin_dir + "/pg_ctl"), "status", "-D", end.data_dir], check=False).returncode == 3


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
