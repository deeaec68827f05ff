"""A real sshd in a network namespace, with its own keys and configuration in one folder."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.hosts.ssh import SshHost
from releve.domain.plan import HostSpec, Reach, SshSpec
from tests.integration.netns import Node, Pair

PORT = 2222
_START = 10.0  # seconds


def keygen(path: Path) -> Path:
    """A new key pair without passphrase at `path`."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "releve-test", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


@dataclass
class Sshd:
    """A server on `pair.right`, reached from `pair.left`. `folder` holds keys and files of both ends."""

    pair: Pair
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def known_hosts(self) -> Path:
        """The right file of host keys."""
        return self.folder / "known_hosts"

    def spec(self, *, root: str = "", **changes: object) -> HostSpec:
        """A host of the plan; `changes` replace fields of its `ssh` entry."""
        ssh = {
            "address": self.pair.right.address,
            "port": PORT,
            "user": getpass.getuser(),
            "key": str(self.folder / "client"),
            "known_hosts": str(self.known_hosts),
            "connect_timeout": 3.0,
            **changes,
        }
        return HostSpec("distant", "secours", Reach.SSH, SshSpec(**ssh), root)  # type: ignore[arg-type]

    @property
    def client(self) -> Sequence[str]:
        """The program that connects, from the left machine."""
        return self.pair.left.argv(["ssh"])

    @contextlib.contextmanager
    def host(self, *, root: str = "", **changes: object) -> Iterator[SshHost]:
        """The host under test, closed at the end."""
        with SshHost(self.spec(root=root, **changes), ssh=self.client) as host:
            yield host

    def start(self) -> None:
        """Start the server and wait until it answers."""
        # sshd needs /run/sshd: it gets a /run of its own (ip netns exec already has its own mounts).
        own_run = 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$0" "$@"'
        program = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin") or "sshd"
        argv = ["sh", "-c", own_run, program, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = self.pair.right.start(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + _START
        while not _answers(self.pair.right):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "sshd.log").read_text())
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to the server and to every session of it."""
        self.pair.right.kill_all()
        if self.process is not None:
            self.process.wait()
            self.process = None


def _answers(node: Node) -> bool:
    probe = f"import socket;socket.create_connection(('{node.address}',{PORT}),1).close()"
    return node.run(["/usr/bin/python3", "-I", "-c", probe]).returncode == 0


@contextlib.contextmanager
def sshd(pair: Pair, folder: Path) -> Iterator[Sshd]:
    """A running server; killed at the end."""
    keygen(folder / "host")
    keygen(folder / "client")
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    server = Sshd(pair, folder)
    server.known_hosts.write_text(f"[{pair.right.address}]:{PORT} {key}\n")
    lines = [
        f"ListenAddress {pair.right.address}:{PORT}",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "PidFile none",
        "UsePAM no",
        "StrictModes no",  # the folder is below /tmp
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    server.start()
    try:
        yield server
    finally:
        server.kill()
