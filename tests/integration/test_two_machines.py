"""The guide, done for real: Debian's PostgreSQL on two machines, TLS, SSH, the commands and nothing else.

Two network namespaces stand for the machines. The primary is reached by OpenSSH only; one plan serves
both sides; every step is the command that the guide names.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration import netns
from tests.integration.sshd import PORT, Sshd, sshd

pytestmark = pytest.mark.needs("root", "netns", "sshd", "debian-postgresql")

BIN = "/usr/lib/postgresql/15/bin"
TUNNEL = {"principal": 15433, "secours": 15434}  # where the other side finds each server
PASSWORD = {"admin": "mot de passe admin", "replication": "mot de passe replication"}


def sh(*argv: str) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", timeout=60)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@dataclass
class Machines:
    """Both machines, the plan and the way to the commands."""

    primary: netns.Node
    relief: netns.Node
    ssh: Sshd
    folder: Path
    ports: dict[str, int]
    stack: ExitStack
    transport: str

    def tunnel(self) -> None:
        """What systemd keeps alive on a real relief: one SSH connection, a forward in each direction."""
        if self.transport != "ssh":
            return
        ssh = [
            "ssh",
            "-N",
            "-F",
            "/dev/null",
            "-o",
            "BatchMode=yes",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            f"UserKnownHostsFile={self.ssh.known_hosts}",
            "-i",
            str(self.folder / "client"),
            "-p",
            str(PORT),
            "-L",
            f"127.0.0.1:{TUNNEL['principal']}:127.0.0.1:{self.ports['principal']}",
            "-R",
            f"127.0.0.1:{TUNNEL['secours']}:127.0.0.1:{self.ports['secours']}",
            f"root@{self.primary.address}",
        ]
        process = self.relief.start(ssh, stdin=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        until(lambda: self._listens(TUNNEL["principal"]), 10, "the tunnel")

    def _listens(self, port: int) -> bool:
        probe = f"import socket;socket.create_connection(('127.0.0.1',{port}),1).close()"
        return self.relief.run(["/usr/bin/python3", "-I", "-c", probe]).returncode == 0

    def releve(self, *words: str) -> tuple[int, dict[str, Any]]:
        """A command on the relief; exit code and JSON."""
        argv = [
            sys.executable,
            "-P",
            "-m",
            "releve",
            *words,
            "--plan",
            str(self.folder / "plan.yaml"),
            "--json",
        ]
        done = self.relief.run(argv, timeout=120, cwd=str(self.folder))
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def worker(self, site: str, node: netns.Node) -> None:
        """Start the resident process of a site."""
        log = self.stack.enter_context((self.folder / f"worker-{site}.log").open("ab"))
        argv = [
            sys.executable,
            "-P",
            "-m",
            "releve",
            "worker",
            "--site",
            site,
            "--plan",
            str(self.folder / "plan.yaml"),
        ]
        process = node.start(argv, stdout=log, stderr=log, cwd="/")
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def sql(self, site: str, text: str) -> list[str]:
        """A statement over TLS, asked from the relief's machine."""
        node = self.primary if site == "principal" else self.relief
        done = self.relief.run(
            [
                f"{BIN}/psql",
                "-XAtq",
                "-h",
                node.address,
                "-p",
                str(self.ports[site]),
                "-U",
                "postgres",
                "-d",
                "dossiers",
                "-c",
                text,
            ],
            env={"PGPASSWORD": PASSWORD["admin"], "PGSSLMODE": "require", "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


def certificates(folder: Path, addresses: list[str]) -> None:
    """An authority and one server certificate for these addresses."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    sh(
        "openssl",
        "req",
        "-x509",
        *curve,
        "-keyout",
        f"{folder}/ca.key",
        "-out",
        f"{folder}/ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=autorite-de-test",
    )
    sh(
        "openssl",
        "req",
        *curve,
        "-keyout",
        f"{folder}/server.key",
        "-out",
        f"{folder}/server.csr",
        "-subj",
        "/CN=srv",
    )
    (folder / "san.ext").write_text(
        "subjectAltName = " + ", ".join(f"IP:{item}" for item in addresses) + "\n"
    )
    sh(
        "openssl",
        "x509",
        "-req",
        "-in",
        f"{folder}/server.csr",
        "-CA",
        f"{folder}/ca.pem",
        "-CAkey",
        f"{folder}/ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        f"{folder}/san.ext",
        "-out",
        f"{folder}/server.pem",
    )
    shutil.chown(folder / "server.key", "postgres", "postgres")
    (folder / "server.key").chmod(0o600)


def cluster(folder: Path, site: str, port: int, stack: ExitStack) -> str:
    """A Debian cluster as an administrator makes it, TLS only, not started by itself."""
    name = "rlv" + secrets.token_hex(3)
    secret = folder / "initial.pw"
    secret.write_text(PASSWORD["admin"] + "\n")
    shutil.chown(secret, "postgres")
    home = folder / site
    home.mkdir()
    shutil.chown(home, "postgres", "postgres")
    sh(
        "pg_createcluster",
        "15",
        name,
        "-u",
        "postgres",
        "--start-conf",
        "manual",
        "-d",
        str(home / "data"),
        "-p",
        str(port),
        "-l",
        str(home / "log"),
        "--",
        "-A",
        "scram-sha-256",
        "--pwfile",
        str(secret),
    )
    stack.callback(subprocess.run, ["pg_dropcluster", "--stop", "15", name], check=False, capture_output=True)
    conf = Path(f"/etc/postgresql/15/{name}")
    with (conf / "postgresql.conf").open("a") as file:
        file.write(
            f"ssl = on\nssl_cert_file = '{folder}/server.pem'\nssl_key_file = '{folder}/server.key'\n"
            "listen_addresses = '*'\n"
        )
    (conf / "pg_hba.conf").write_text(
        "local all postgres peer\nhostssl all all 10.99.0.0/30 scram-sha-256\n"
        "hostssl replication all 10.99.0.0/30 scram-sha-256\n"
        "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n"
    )
    return name


def write_plan(made: Machines, names: dict[str, str]) -> None:
    """One plan for both sides (JSON is YAML)."""
    for name, value in {**PASSWORD, "link": "secret de liaison"}.items():
        path = made.folder / f"{name}.pw"
        path.write_text(value)
        path.chmod(0o600)
    nodes = {"principal": made.primary, "secours": made.relief}
    ends = {
        site: {
            "host": f"srv-{site}",
            "address": node.address if made.transport == "tls" else "127.0.0.1",
            "port": made.ports[site],
            "database": "dossiers",
            "data_dir": str(made.folder / site / "data"),
            "bin_dir": BIN,
            "os_user": "postgres",
            **(
                {"tls_root": str(made.folder / "ca.pem")}
                if made.transport == "tls"
                else {"upstream": {"address": "127.0.0.1", "port": TUNNEL[site]}}
            ),
            "admin": {"user": "postgres", "password": f"file:{made.folder}/admin.pw"},
            "replication": {"user": "releve_replication", "password": f"file:{made.folder}/replication.pw"},
            "service": {"manager": "pg_ctlcluster", "version": "15", "cluster": names[site]},
        }
        for site, node in nodes.items()
    }
    ssh = {
        "port": PORT,
        "user": "root",
        "key": str(made.folder / "client"),
        "known_hosts": str(made.ssh.known_hosts),
        "connect_timeout": "3 s",
    }
    plan = {
        "version": 1,
        "association": {"name": "Association fictive"},
        "sites": [
            {
                "id": site,
                "name": site,
                "role": role,
                "worker": {
                    "listen": f"{nodes[site].address}:7401",
                    "state": str(made.folder / f"state-{site}"),
                    "secret": f"file:{made.folder}/link.pw",
                },
            }
            for site, role in (("principal", "primary"), ("secours", "relief"))
        ],
        "hosts": [
            {"id": f"srv-{site}", "site": site, "reach": "ssh", "ssh": {**ssh, "address": node.address}}
            for site, node in nodes.items()
        ],
        "contacts": [{"id": "directrice", "name": "Directrice"}],
        "data_sets": [
            {
                "id": "dossiers",
                "name": "Dossiers",
                "engine": "postgresql",
                "kind": "health",
                "sensitivity": "critical",
                "protection": {"mode": "realtime", "rpo": 0, "transport": made.transport},
                "primary": ends["principal"],
                "relief": ends["secours"],
            }
        ],
        "applications": [],
    }
    (made.folder / "plan.yaml").write_text(json.dumps(plan, indent=1))


@pytest.fixture(params=["tls", pytest.param("ssh", marks=pytest.mark.torture)])
def machines(request: pytest.FixtureRequest) -> Iterator[Machines]:
    """Two machines ready for the guide: production runs on the primary, nothing is protected."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="rlv-two-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        pair = stack.enter_context(netns.pair())
        stack.callback(pair.right.kill_all)
        stack.callback(pair.left.kill_all)
        server = stack.enter_context(sshd(pair, folder))
        ports = {"principal": 5433, "secours": 5434}
        made = Machines(pair.right, pair.left, server, folder, ports, stack, request.param)
        certificates(folder, [pair.left.address, pair.right.address])
        names = {site: cluster(folder, site, ports[site], stack) for site in ports}
        write_plan(made, names)
        done = pair.right.run(["pg_ctlcluster", "15", names["principal"], "start"])
        assert done.returncode == 0, done.stderr
        sh(
            "ip",
            "netns",
            "exec",
            pair.right.name,
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            f"{BIN}/psql",
            "-h",
            "/var/run/postgresql",
            "-p",
            "5433",
            "-d",
            "postgres",
            "-c",
            "CREATE DATABASE dossiers",
        )
        made.tunnel()
        yield made


def promise(made: Machines) -> str:
    """What `releve status` says of the promise."""
    _, said = made.releve("status")
    return str(said["data_sets"][0]["promise"])


def test_the_guide(machines: Machines) -> None:
    """Protect, lose a machine, switch, work, repair, return, report, verify: nothing acknowledged is lost."""
    made = machines
    code, said = made.releve("plan", "check")
    assert code == 0, said
    made.worker("secours", made.relief)
    until((made.folder / "state-secours" / "worker.sock").exists, 20, "the relief's worker")
    code, said = made.releve("protect")
    assert code == 0, said
    made.worker("principal", made.primary)
    until(lambda: promise(made) == "held", 20, "the promise is held")
    made.sql(
        "principal",
        "CREATE TABLE ecrits (n int PRIMARY KEY); INSERT INTO ecrits SELECT generate_series(1, 500)",
    )

    at = datetime.now(UTC)
    made.ssh.kill()  # the machine dies: its server, its guard, its sshd, all of them at once
    code, incident = made.releve(
        "incident",
        "declare",
        "--site",
        "principal",
        "--by",
        "directrice",
        "--summary",
        "machine perdue",
        "--began",
        at.isoformat(),
    )
    assert code == 0, incident
    code, run = made.releve(
        "switch",
        "--incident",
        incident["incident"],
        "--by",
        "directrice",
        "--stopped",
        "vue éteinte",
        "--since",
        at.isoformat(),
    )
    assert (code, run["state"]) == (0, "done"), run
    loss = next(item for item in run["tasks"] if item["id"] == "assess:dossiers")
    assert loss["facts"]["loss"]["kind"] == "none", loss
    made.sql("secours", "INSERT INTO ecrits SELECT generate_series(501, 600)")

    made.ssh.start()
    made.tunnel()
    made.worker("principal", made.primary)
    code, run = made.releve("return")
    assert (code, run["state"]) == (0, "done"), run
    assert made.sql("principal", "SELECT count(*), max(n) FROM ecrits") == ["600|600"]
    until(lambda: promise(made) == "held", 20, "the promise is held again")
    code, said = made.releve("report", "--output", str(made.folder / "compte-rendu.pdf"))
    assert code == 0, said
    assert (made.folder / "compte-rendu.pdf").read_bytes().startswith(b"%PDF")
    code, said = made.releve("evidence", "verify")
    assert code == 0, said
