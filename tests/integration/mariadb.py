"""A real MariaDB server in a temporary folder, on a free port and a socket, under an ordinary account."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.pg import as_server, free_port, own
from tests.waiting import until

_SMALL = ("--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0")


@dataclass(frozen=True)
class Mariadb:
    """Where it answers. Its administrator (root) has no password, by the socket."""

    folder: Path
    port: int

    @property
    def socket(self) -> Path:
        """Its socket."""
        return self.folder / "s"

    def sql(self, text: str) -> str:
        """Run statements as the administrator; what they print."""
        argv = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "-N", "--batch"]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def mariadb(*options: str) -> Iterator[Mariadb]:
    """A running server; killed and erased at the end."""
    folder = own(Path(tempfile.mkdtemp(prefix="rlv-m-")))
    server = Mariadb(folder, free_port())
    data = f"--datadir={folder / 'data'}"
    try:
        made = subprocess.run(
            as_server(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    data,
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    *_SMALL,
                ]
            ),
            capture_output=True,
            check=False,
            cwd="/",
        )
        assert made.returncode == 0, made.stderr
        places = [data, f"--socket={server.socket}", f"--pid-file={folder / 'pid'}"]
        network = [f"--port={server.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        argv = as_server([shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or "mariadbd", "--no-defaults"])
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*argv, *places, *network, *_SMALL, *options], stdout=log, stderr=log, cwd="/"
            )
        try:
            until(lambda: server.socket.exists() or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
            yield server
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
