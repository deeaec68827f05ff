"""pg_receivewal, kept running: started again when it ends, its last words put in French."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from releve.adapters.engines.postgresql.archive.source import Server
from releve.adapters.engines.postgresql.archive.spool import Spool
from releve.adapters.engines.postgresql.connection import denied
from releve.domain.errors import Unreachable

_RETRY = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before it is started again
_WELL = 2.0  # seconds after which a start counts as a success
_PATIENCE = 10.0  # seconds that it is left to end in order
# The server no longer has what comes next, or has it on another timeline, or is another one under the same address: rebuilt,
# it has no slot of ours. The last: a timeline that ends exactly where a segment does, which pg_receivewal does not
# understand (16.14: an answer without a reason).
_LOST = re.compile(
    r"has already been removed|is not in this server.s history|starting timeline \d+ is not present in the server"
    r'|replication slot "[^"]*" does not exist|"START_REPLICATION": *$',
    re.MULTILINE,
)
_FULL = "No space left on device"
_LITTLE = 1 << 20  # bytes free below which a disk is called full, when the program could not even say so


class Receiver:
    """One pg_receivewal at a time for one spool. `lost`: the server does not go on from where the spool ends."""

    def __init__(self, server: Server, spool: Spool, slot: str, log: Path) -> None:
        self._server = server
        self._files = spool
        self._spool = spool.folder
        self._slot = slot
        self._log = log
        self._running: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        self._not_before = 0.0
        self._failures = 0
        self.trouble = ""
        self.lost = False

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._running is not None and self._running.poll() is None

    def tick(self) -> None:
        """Start it when it should run and does not. Raises `Unreachable` when there is no such program."""
        if self._running is not None:
            if self._running.poll() is None:
                if self.trouble and time.monotonic() - self._since > _WELL:
                    self.trouble, self._failures = "", 0
                return
            self._ended()
        if time.monotonic() >= self._not_before and not self.lost:
            self._start()

    def again(self) -> None:
        """Begin anew after `lost`."""
        self.lost, self.trouble, self._failures, self._not_before = False, "", 0, 0.0

    def stop(self) -> None:
        """End it; what it received stays in the spool."""
        if self._running is None:
            return
        self._running.send_signal(signal.SIGINT)
        try:
            self._running.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None

    def end_orphan(self) -> None:
        """End the one that a killed archiver may have left: two must not write into one spool."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                # `setpriv` may still stand before it
                ours = any(word.endswith(b"pg_receivewal") for word in words)
                if ours and os.fsencode(self._spool) in words:
                    os.kill(int(entry.name), signal.SIGKILL)
                    _wait_gone(entry)

    def _start(self) -> None:
        self._files.drop_torn()
        program = self._server.program("pg_receivewal")
        tie = shutil.which("setpriv")  # ends it with us, kill -9 included
        how = ["-S", self._slot, "--no-loop", "--no-password", "--status-interval=1"]
        argv = [program, "-D", str(self._spool), "-d", self._server.address(), *how]
        if tie is not None:
            argv = [tie, "--pdeathsig", "TERM", "--", *argv]
        with self._log.open("wb") as log:
            try:
                self._running = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env=dict(self._server.environment()),
                    start_new_session=True,
                )
            except OSError as error:
                raise _missing(program, str(error)) from error
        self._since = time.monotonic()

    def _ended(self) -> None:
        code = self._running.returncode if self._running is not None else 0
        self._running = None
        said = self._log.read_text(encoding="utf-8", errors="replace").strip()
        lines = said.splitlines()
        last = next(
            (line for line in lines if "error:" in line.lower() or "FATAL:" in line), (lines or [""])[-1]
        )
        if code == 127 and "setpriv" in said:
            raise _missing(self._server.program("pg_receivewal"), last)
        if time.monotonic() - self._since > _WELL:
            self._failures = 0
        self._not_before = time.monotonic() + _RETRY[min(self._failures, len(_RETRY) - 1)]
        self._failures += 1
        self.lost = _LOST.search(said) is not None
        if self.lost:
            self.trouble = "le serveur n'a pas la suite des journaux là où elle était attendue"
        elif _FULL in said or shutil.disk_usage(self._spool).free < _LITTLE:
            self.trouble = f"le disque de la réserve {self._spool} est plein ; libérez de la place"
        elif denied(said):
            error = self._server.denial(said)
            self.trouble = f"{error.sentence} [{error.code}]"
        else:
            self.trouble = f"la réception des journaux s'est arrêtée (code {code}) : {last}"


def _missing(program: str, why: str) -> Unreachable:
    return Unreachable(
        "pg-program-missing",
        f"« {program} » ne peut pas être lancé : {why}",
        hint="--bin-dir suivi du dossier des programmes de PostgreSQL (même version que le serveur ou plus récente)",
    )


def _wait_gone(entry: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return
        except OSError:
            return
        time.sleep(0.01)
    raise Unreachable("archive-orphan", f"le processus {entry.name} de la réception ne s'arrête pas")
