"""Databases as an audit sees them: real servers, by their protocol and by the client of their machine."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.databases import data_set_bases, holding_bases
from releve.adapters.survey.databases.planned import _BOUNDS
from releve.domain.audit import Found
from releve.domain.inventory import Holding, HoldingKind
from releve.domain.plan import HostSpec, Reach, SecretRef
from releve.domain.seen import Base
from tests.integration.mariadb import Mariadb, mariadb
from tests.integration.pg import ADMIN, DATABASE, SECRETS, SITES, Estate, estate, no_templates_left
from tests.waiting import until

__all__ = ["no_templates_left"]

HOST = LocalHost(HostSpec("srv", "principal", Reach.LOCAL))
PASSWORD = SecretRef("env", "admin")


def secret(ref: SecretRef) -> str:
    """The passwords of this page."""
    return SECRETS[ref.target]


def bases(found: Found) -> dict[str, Base]:
    """By name; every fact is one."""
    seen = [fact for fact in found.facts if isinstance(fact, Base)]
    assert len(seen) == len(found.facts)
    return {fact.name: fact for fact in seen}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Estate]:
    """A server that archives its log, with a little in it."""
    with estate("wheel16", conf={"archive_mode": "on", "archive_command": "true"}) as made:
        server = made.servers[SITES[0]]
        server.sql("CREATE TABLE agenda AS SELECT g AS jour FROM generate_series(1, 500) g")
        server.sql("ANALYZE")
        yield made


@pytest.fixture(scope="module")
def maria() -> Iterator[Mariadb]:
    """A server that keeps binary logs, with a little in it, and an account that may see little."""
    with mariadb("--log-bin=journal") as server:
        server.sql(
            "CREATE DATABASE paie; CREATE TABLE paie.bulletins (n INT PRIMARY KEY) ENGINE=InnoDB;"
            "USE paie; INSERT INTO bulletins SELECT seq FROM seq_1_to_300; CREATE DATABASE vide;"
            "CREATE USER visiteur IDENTIFIED BY 'peu'; GRANT SELECT ON vide.* TO visiteur;"
            "ANALYZE TABLE paie.bulletins;"
        )
        yield server


def test_a_database_of_the_plan_tells_its_size_tables_rows_and_archive(postgresql: Estate) -> None:
    """Over its protocol: two databases, of which one has two tables and five hundred rows; its archive works."""
    server = postgresql.servers[SITES[0]]
    server.sql("SELECT pg_switch_wal()")
    until(lambda: server.sql("SELECT last_archived_time FROM pg_stat_archiver")[0][0] is not None)
    found = data_set_bases(postgresql.data_set, SITES[0], secret=secret, pause=0.05)
    seen = bases(found)
    assert found.gaps == ()
    assert set(seen) == {"postgres", DATABASE}
    base = seen[DATABASE]
    assert (base.host, base.engine, base.subject) == (f"srv-{SITES[0]}", "postgresql", "dossiers")
    assert (base.tables, base.rows, seen["postgres"].tables) == (2, 500, 0)
    assert base.version.startswith("16.")
    size = server.sql("SELECT pg_database_size(current_database())")[0][0]
    assert base.bytes == pytest.approx(size, rel=0.05)  # the server works meanwhile
    assert (base.archiving, base.archive_failures, base.replicas) == (True, 0, 0)
    assert base.archived_at is not None
    assert abs(datetime.now(UTC) - base.archived_at) < timedelta(minutes=1)


@pytest.mark.needs("debian-postgresql")
def test_a_holding_is_asked_by_the_client_of_its_machine(postgresql: Estate) -> None:
    """With the client program and its password in the environment, the same figures come back."""
    server = postgresql.servers[SITES[0]]
    holding = Holding(
        "agenda", "Agenda", HoldingKind.POSTGRESQL, "srv", port=server.port, user=ADMIN, password=PASSWORD
    )
    through = bases(holding_bases(HOST, holding, secret=secret, pause=0.05))[DATABASE]
    direct = bases(data_set_bases(postgresql.data_set, SITES[0], secret=secret, pause=0.05))[DATABASE]
    assert (through.tables, through.rows) == (direct.tables, direct.rows)
    assert through.bytes == pytest.approx(direct.bytes, rel=0.05)  # the server works meanwhile
    assert (through.subject, through.host) == ("agenda", "srv")


def test_what_is_written_between_two_looks_is_a_rate(postgresql: Estate) -> None:
    """A server that writes all the while shows bytes a second, of the order of what was written."""
    server = postgresql.servers[SITES[0]]
    over = threading.Event()
    written = []

    def write() -> None:
        with server.connect() as link:
            begun, place = time.monotonic(), link.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
            while not over.wait(0.01):
                link.execute("SELECT pg_logical_emit_message(false, 'essai', repeat('a', 20000))")
            end = link.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
            assert place is not None and end is not None
            written.append(float(end[0] - place[0]) / (time.monotonic() - begun))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = data_set_bases(postgresql.data_set, SITES[0], secret=secret, pause=0.4)
    finally:
        over.set()
        writer.join()
    rate = bases(found)[DATABASE].written
    assert rate is not None
    assert written[0] / 4 < rate < written[0] * 4


def test_a_standby_is_counted_and_can_be_asked_too() -> None:
    """Once the second server follows, the first counts one replica, and the second tells its own bases."""
    with estate("wheel16") as made:
        made.protect(made.engine())
        first, second = (
            bases(data_set_bases(made.data_set, site, secret=secret, pause=0.05))[DATABASE] for site in SITES
        )
    assert (first.replicas, second.replicas) == (1, 0)
    assert (second.host, second.tables) == (f"srv-{SITES[1]}", first.tables)
    assert second.written is not None


def test_nothing_can_be_written_by_a_look(postgresql: Estate) -> None:
    """The session refuses to write, whatever would be asked: the server itself is told to."""
    server = postgresql.servers[SITES[0]]
    before = server.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
    with server.connect() as link:
        for bound in _BOUNDS:
            link.execute(f"SET {bound.format(timeout=1000)}".encode())
        with pytest.raises(Exception, match="read-only"):
            link.execute("CREATE TABLE intrus (n int)")
    assert server.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables") == before


def test_a_server_that_is_stopped_or_refuses_is_a_gap(postgresql: Estate) -> None:
    """Nobody at the other end, or a wrong password: no figure at all, and a reason without the password."""
    gone = data_set_bases(postgresql.data_set, SITES[1], secret=secret, pause=0)
    assert (gone.facts, [gap.code for gap in gone.gaps]) == ((), ["pg-silent"])
    wrong = data_set_bases(postgresql.data_set, SITES[0], secret=lambda _: "tout-autre", pause=0)
    assert (wrong.facts, [gap.code for gap in wrong.gaps]) == ((), ["pg-denied"])
    assert "tout-autre" not in str(wrong)


@pytest.mark.needs("debian-postgresql")
def test_the_client_says_why_it_got_nothing(postgresql: Estate) -> None:
    """Through the client program: a wrong password and a dead port are two different gaps."""
    server = postgresql.servers[SITES[0]]
    holding = Holding(
        "agenda", "Agenda", HoldingKind.POSTGRESQL, "srv", port=server.port, user=ADMIN, password=PASSWORD
    )
    wrong = holding_bases(HOST, holding, secret=lambda _: "tout-autre", pause=0)
    assert [gap.code for gap in wrong.gaps] == ["database-denied"]
    dead = Holding("agenda", "Agenda", HoldingKind.POSTGRESQL, "srv", port=1, user=ADMIN, password=PASSWORD)
    assert [gap.code for gap in holding_bases(HOST, dead, secret=secret, pause=0).gaps] == ["database-silent"]


def test_an_account_that_may_not_enter_a_database_leaves_a_gap(postgresql: Estate) -> None:
    """A database closed to the account is named, and is not said to be empty."""
    server = postgresql.servers[SITES[0]]
    server.sql("CREATE ROLE lecteur LOGIN PASSWORD 'lecteur'")
    server.sql("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    end = replace(postgresql.data_set.ends[SITES[0]], admin_user="lecteur")
    data_set = replace(postgresql.data_set, ends={**postgresql.data_set.ends, SITES[0]: end})
    try:
        found = data_set_bases(data_set, SITES[0], secret=lambda _: "lecteur", pause=0)
    finally:
        server.sql("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    assert set(bases(found)) == {DATABASE}
    assert [(gap.code, gap.what) for gap in found.gaps] == [("database-closed", "postgres")]


@pytest.mark.needs("mariadb")
def test_mariadb_tells_its_bases_and_its_binary_log(maria: Mariadb) -> None:
    """By its socket: sizes, tables, rows and rate; an empty database is one too; no system database is."""
    holding = Holding("paie", "Paie", HoldingKind.MARIADB, "srv", socket=str(maria.socket))
    found = holding_bases(HOST, holding, secret=secret, pause=0.05)
    seen = bases(found)
    assert found.gaps == ()
    assert set(seen) == {"paie", "vide"}
    base = seen["paie"]
    assert (base.tables, base.rows, seen["vide"].tables, seen["vide"].bytes) == (1, 300, 0, 0)
    assert base.bytes >= 16_384  # one page of InnoDB
    assert (base.archiving, base.replicas) == (True, 0)
    assert base.written is not None
    assert "MariaDB" in base.version


def let_go(maria: Mariadb) -> bool:
    """Whether the server feeds nobody: it sees that a follower died when it next writes to it, so it is made to."""
    maria.sql("FLUSH BINARY LOGS")
    asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    return maria.sql(asked).strip() == "0"


@pytest.mark.needs("mariadb")
def test_mariadb_counts_those_who_follow_its_binary_log(maria: Mariadb, tmp_path: Path) -> None:
    """A program that reads the log as a replica does is one."""
    holding = Holding("paie", "Paie", HoldingKind.MARIADB, "srv", socket=str(maria.socket))
    reading = ["mariadb-binlog", "--no-defaults", f"--socket={maria.socket}", "--user=root"]
    follower = subprocess.Popen(
        [
            *reading,
            "--read-from-remote-server",
            "--stop-never",
            "--raw",
            f"--result-file={tmp_path}/",
            "journal.000001",
        ]
    )
    try:

        def counted() -> bool:
            found = bases(holding_bases(HOST, holding, secret=secret, pause=0))
            return found["paie"].replicas == 1

        until(counted)
    finally:
        follower.kill()
        follower.wait()
        until(lambda: let_go(maria))


@pytest.mark.needs("mariadb")
def test_mariadb_never_shows_as_none_what_an_account_may_not_see(maria: Mariadb) -> None:
    """An account without rights sees its own base alone: replicas stay unknown, and both limits are gaps."""
    ref = SecretRef("env", "peu")
    holding = Holding(
        "paie", "Paie", HoldingKind.MARIADB, "srv", port=maria.port, user="visiteur", password=ref
    )
    found = holding_bases(HOST, holding, secret=lambda _: "peu", pause=0)
    assert set(bases(found)) == {"vide"}
    assert bases(found)["vide"].replicas is None
    assert [gap.what for gap in found.gaps if gap.code == "database-rights"] == ["répliques", "bases"]
    refused = holding_bases(HOST, holding, secret=lambda _: "autre", pause=0)
    assert (refused.facts, [gap.code for gap in refused.gaps]) == ((), ["database-denied"])


@pytest.mark.needs("mariadb")
def test_mariadb_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    """A socket that nobody serves: the gap says that it does not answer."""
    holding = Holding("paie", "Paie", HoldingKind.MARIADB, "srv", socket=str(tmp_path / "absent"))
    found = holding_bases(HOST, holding, secret=secret, pause=0)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["database-silent"])
