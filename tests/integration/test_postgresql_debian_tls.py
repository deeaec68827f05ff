"""Debian's own clusters, configuration in /etc, between them TLS with a certificate authority of the plan."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from releve.domain.plan import Manager, ServiceSpec, Transport
from releve.domain.protection import ServerState, SyncState, Tenure
from tests.integration.pg import DATABASE, SECRETS, SITES, Estate, Server, carried, end_of, free_port

HERE, THERE = SITES
pytestmark = pytest.mark.needs("root", "debian-postgresql")


def sh(*argv: str, cwd: Path | None = None) -> None:
    """Run a program; what it says is shown when it fails."""
    done = subprocess.run(argv, capture_output=True, check=False, cwd=cwd or "/", timeout=60)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)


def authority(folder: Path, name: str) -> Path:
    """A certificate authority, and a server certificate of 127.0.0.1 signed by it."""
    ca, key = folder / f"{name}.pem", folder / f"{name}.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    sh(
        "openssl",
        "req",
        "-x509",
        *curve,
        "-keyout",
        str(key),
        "-out",
        str(ca),
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    )
    request, server = folder / f"{name}-server.csr", folder / f"{name}-server.pem"
    mine = folder / f"{name}-server.key"
    sh("openssl", "req", *curve, "-keyout", str(mine), "-out", str(request), "-subj", "/CN=serveur")
    extensions = folder / f"{name}.ext"
    extensions.write_text("subjectAltName = IP:127.0.0.1\n")
    signed = [
        "-CA",
        str(ca),
        "-CAkey",
        str(key),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        str(extensions),
    ]
    sh("openssl", "x509", "-req", "-in", str(request), "-out", str(server), *signed)
    shutil.chown(mine, "postgres", "postgres")
    mine.chmod(0o600)
    return ca


@pytest.fixture
def clusters() -> Iterator[tuple[Estate, Path]]:
    """Two clusters made by pg_createcluster; the second is a stranger, to be replaced."""
    root = Path(tempfile.mkdtemp(prefix="rlv-deb-"))
    root.chmod(0o755)
    tls = root / "tls"
    tls.mkdir()
    ca = authority(tls, "bonne")
    authority(tls, "autre")
    secret = root / "pw"
    secret.write_text(SECRETS["admin"] + "\n")
    shutil.chown(secret, "postgres")
    names, servers = {}, {}
    try:
        for site in SITES:
            name = names[site] = "rlv" + secrets.token_hex(3)
            server = servers[site] = Server("debian15", root / site, free_port())
            server.folder.mkdir()
            shutil.chown(server.folder, "postgres", "postgres")
            initdb = ["--", "-A", "scram-sha-256", "--pwfile", str(secret), "-N", "--wal-segsize=1"]
            where = ["-d", str(server.data), "-p", str(server.port), "-l", str(server.folder / "log")]
            sh("pg_createcluster", "15", name, "-u", "postgres", *where, *initdb)
            configure(Path(f"/etc/postgresql/15/{name}"), tls / "bonne-server")
        sh("pg_ctlcluster", "15", names[HERE], "start")
        with servers[HERE].connect("postgres", sslmode="require") as link:
            link.execute(f"CREATE DATABASE {DATABASE}".encode())
        yield describe(servers, names, ca), tls / "autre.pem"
    finally:
        for site, name in names.items():
            servers[site].kill()
            subprocess.run(
                ["pg_dropcluster", "--stop", "15", name], check=False, capture_output=True, timeout=60
            )
        shutil.rmtree(root, ignore_errors=True)


def configure(folder: Path, certificate: Path) -> None:
    """TLS on, and nobody let in without it."""
    with (folder / "postgresql.conf").open("a") as file:
        file.write(
            f"ssl = on\nssl_cert_file = '{certificate}.pem'\nssl_key_file = '{certificate}.key'\n"
            "listen_addresses = '127.0.0.1'\nfsync = off\n"
        )
    (folder / "pg_hba.conf").write_text(
        "local all postgres peer\n"  # pg_ctlcluster asks through it whether the server has started
        "hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 scram-sha-256\n"
    )


def describe(servers: dict[str, Server], names: dict[str, str], ca: Path) -> Estate:
    """The data set on these two."""
    ends = {
        site: end_of(
            server,
            site,
            os_user="postgres",
            tls_root=str(ca),
            service=ServiceSpec(Manager.PG_CTLCLUSTER, version="15", cluster=names[site]),
        )
        for site, server in servers.items()
    }
    return Estate(servers, carried(ends, transport=Transport.TLS))


def test_debian_clusters_switch_and_return_over_tls(clusters: tuple[Estate, Path]) -> None:
    """Configuration outside the data folder, own authority, verify-full: there and back, nothing lost."""
    made, _ = clusters
    old, new = made.servers[HERE], made.servers[THERE]
    engine = made.engine()
    engine.prepare(HERE)
    assert engine.rebuild(THERE, HERE) == "clone"
    engine.arm(HERE)
    assert len(list(new.folder.glob("data.avant-*"))) == 1, "the stranger that was there is kept aside"
    with old.connect(sslmode="require") as link:
        link.execute("CREATE TABLE ecrits (valeur text PRIMARY KEY)")
        link.execute("INSERT INTO ecrits VALUES ('un')")
        ssl = "SELECT bool_and(ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename IS NOT NULL"
        assert link.execute(ssl.encode()).fetchone() == (True,)
    old.kill()
    assert engine.fence(HERE).state is ServerState.STOPPED
    engine.promote(THERE, Tenure("dossiers", 1, THERE, "bascule"))
    with new.connect(sslmode="require") as link:
        link.execute("INSERT INTO ecrits VALUES ('deux')")
    assert engine.survey(HERE, THERE, str(old.folder / "divergence")).whole
    assert engine.rebuild(HERE, THERE) == "rewind"
    assert engine.arm(THERE).standby.sync is SyncState.SYNC
    last = engine.fence(THERE)
    assert engine.drained(HERE, last.position, 5)
    engine.promote(HERE, Tenure("dossiers", 2, HERE, "retour"))
    assert engine.rebuild(THERE, HERE) == "rewind"
    with old.connect(sslmode="require") as link:
        assert link.execute("SELECT count(*) FROM ecrits").fetchone() == (2,)


def test_another_authority_or_no_tls_is_refused(clusters: tuple[Estate, Path]) -> None:
    """A certificate of somebody else is not believed, and the server lets nobody in without TLS."""
    made, other = clusters
    ends = {site: replace(end, tls_root=str(other)) for site, end in made.data_set.ends.items()}
    believing_another = Estate(made.servers, replace(made.data_set, ends=ends)).engine()
    assert made.engine().facts(HERE).state is ServerState.OPEN
    assert believing_another.facts(HERE).state is ServerState.UNKNOWN
    clear = made.engine(transport=Transport.CLEAR)
    assert clear.facts(HERE).state is ServerState.UNKNOWN
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        made.servers[HERE].connect("postgres", sslmode="disable")
    believing_another.disconnect()
