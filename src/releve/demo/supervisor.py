"""The service manager of one demo site: `python -P -m releve.demo.supervisor CONFIG.json`.

It owns the site's programs, so that the orchestrator is free to die. It starts and stops them when
asked (JSON lines on a Unix socket, see `supctl.py`) and never on its own: a server that comes back
by itself after a crash is precisely what the guard must be able to prevent. It collects the dead at
once: a zombie would keep `postmaster.pid` and its socket lock looking alive.

When the process that it watches dies, it stops everything, removes what it was told to, and leaves.
Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from releve.demo import processes

DONE, FAILED, STOPPED, UNKNOWN = 0, 1, 3, 4
_POLL = 0.005  # seconds between two looks at a program that is coming up
_WATCH = 0.25  # seconds between two looks at the process that we must not outlive
_LAST_WORDS = 600  # bytes of a log quoted when a program dies while starting
_LEAVING = 5.0  # seconds left to the programs when the supervisor leaves; then SIGKILL


@dataclass(frozen=True, slots=True)
class Program:
    """One program as it is declared.

    `ready`: what shows that it is up: {"tcp": [host, port]}, {"postmaster": data_dir} or nothing.
    `ready_within`, `stop_within`: seconds. `user`, `group`: run as, when given.
    """

    name: str
    argv: tuple[str, ...]
    log: str
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    group: int = 0
    stop_signal: str = "TERM"
    ready: dict[str, Any] = field(default_factory=dict)
    ready_within: float = 10.0
    stop_within: float = 25.0


class Child:
    """A declared program and, when it runs, its process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        self._gone.set()

    @property
    def pid(self) -> int:
        """Its process, or 0 when it does not run."""
        process = self._process
        return process.pid if process is not None and not self._gone.is_set() else 0

    def start(self) -> dict[str, Any]:
        """Start it unless it runs, and wait until it is up, or has had its time ("starting")."""
        try:
            with self._lock:
                if not self.pid:
                    self._spawn()
        except OSError as error:
            return {"code": FAILED, "error": f"{self.program.name}: {error}"}
        deadline = time.monotonic() + self.program.ready_within
        while not self._ready():
            if self._gone.is_set():
                return {"code": FAILED, "error": f"{self.program.name} ended at once: {self._last_words()}"}
            if time.monotonic() > deadline:
                # A standby that cannot reach its primary stays so for as long as it takes: it runs.
                return {"code": DONE, "state": "starting", "pid": self.pid}
            time.sleep(_POLL)
        return {"code": DONE, "state": "running", "pid": self.pid}

    def stop(self, within: float = 0.0, *, kill: bool = False) -> dict[str, Any]:
        """Ask it to stop and wait until it is gone; `kill` it after `within` seconds, or say that it stays."""
        with self._lock:
            process = self._process
            if process is None or self._gone.is_set():
                return {"code": DONE, "state": "stopped"}
            process.send_signal(signal.Signals[f"SIG{self.program.stop_signal}"])
        if not self._gone.wait(within or self.program.stop_within):
            if not kill:
                return {"code": FAILED, "error": f"{self.program.name} is still running", "pid": self.pid}
            process.kill()
            self._gone.wait(_LEAVING)
        return {"code": DONE, "state": "stopped"}

    def status(self) -> dict[str, Any]:
        """Whether it runs."""
        if pid := self.pid:
            return {"code": DONE, "state": "running", "pid": pid}
        process = self._process
        return {"code": STOPPED, "state": "stopped", "returned": process.returncode if process else None}

    def _spawn(self) -> None:
        program = self.program
        with Path(program.log).open("ab") as log:
            process = subprocess.Popen(
                program.argv,
                env={**os.environ, **program.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # a Ctrl-C in a terminal is not the end of a server
                user=program.user or None,
                group=program.group or None,
                extra_groups=[] if program.user else None,
            )
        gone = threading.Event()
        self._process, self._gone = process, gone

        def collect() -> None:
            process.wait()
            gone.set()

        threading.Thread(target=collect, daemon=True).start()

    def _ready(self) -> bool:
        probe = self.program.ready
        if "tcp" in probe:
            host, port = probe["tcp"]
            with contextlib.suppress(OSError), socket.create_connection((host, port), 0.2):
                return True
            return False
        if "postmaster" in probe:
            return _postmaster_ready(str(probe["postmaster"]), self.pid)
        return True

    def _last_words(self) -> str:
        with contextlib.suppress(OSError), Path(self.program.log).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_WORDS))
            return log.read().decode(errors="replace").strip()
        return ""


def _postmaster_ready(data_dir: str, pid: int) -> bool:
    """What `pg_ctl --wait` looks at: line 1 of postmaster.pid is its process, line 8 its state."""
    try:
        lines = Path(data_dir, "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")


class Supervisor:
    """The programs of a site and the socket on which orders come."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._socket_path = str(config["socket"])
        self._marker = str(config["marker"])
        self._root = str(config["root"])
        # [pid, start in ticks] of the process not to outlive; nothing = outlive anybody
        self._watched: list[int] = list(config["watch"])
        self._remove: list[str] = list(config["remove"])
        self._children: dict[str, Child] = {}
        self._leave = threading.Event()
        for program in config["programs"]:
            self._declare(program)

    def run(self) -> None:
        """Serve until told to leave or until the watched process is dead."""
        for wanted in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wanted, lambda *_: self._leave.set())
        old = os.umask(0o077)  # only our own account may give orders
        line = socket.socket(socket.AF_UNIX)
        line.bind(f"{self._socket_path}.new")
        os.umask(old)
        line.listen(16)
        Path(f"{self._socket_path}.new").rename(self._socket_path)  # whoever sees it can already speak
        threading.Thread(target=self._accept, args=(line,), daemon=True).start()
        orphan = False
        while not orphan and not self._leave.wait(_WATCH):
            orphan = bool(self._watched) and processes.started(self._watched[0]) != self._watched[1]
        self._stop_all()
        if orphan:
            self._clear()
        with contextlib.suppress(OSError):
            Path(self._socket_path).unlink()

    def _declare(self, values: dict[str, Any]) -> None:
        program = Program(**{**values, "argv": tuple(values["argv"])})
        self._children[program.name] = Child(program)

    def _accept(self, line: socket.socket) -> None:
        while True:
            client, _ = line.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rwb") as talk:
            for question in talk:
                try:
                    reply = self._answer(json.loads(question))
                except (ValueError, KeyError, TypeError) as error:
                    reply = {"code": UNKNOWN, "error": f"not understood: {error!r}"}
                talk.write(json.dumps(reply).encode() + b"\n")
                talk.flush()

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        verb, name = question["do"], str(question.get("name", ""))
        if verb == "list":
            return {"code": DONE, "programs": {key: it.status() for key, it in self._children.items()}}
        if verb == "shutdown":
            self._leave.set()
            return {"code": DONE}
        if verb == "declare":
            values = dict(question["program"])
            running = self._children.get(str(values["name"]))
            if running and running.pid:
                return {"code": FAILED, "error": f"{values['name']} is running"}
            self._declare(values)
            return {"code": DONE}
        child = self._children.get(name)
        if child is None:
            return {"code": UNKNOWN, "error": f"no program named {name!r} here"}
        if verb == "start":
            return child.start()
        if verb == "stop":
            return child.stop()
        if verb == "status":
            return child.status()
        return {"code": UNKNOWN, "error": f"unknown order {verb!r}"}

    def _stop_all(self) -> None:
        leaving = [
            threading.Thread(target=child.stop, args=(_LEAVING,), kwargs={"kill": True})
            for child in self._children.values()
        ]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()

    def _clear(self) -> None:
        """Nobody is left to clean up: take down what else carries the site's marker, and the folders."""
        mine = {os.getpid()}
        found = processes.kill_all(
            lambda: processes.of_site(self._marker, Path(self._root)) - mine, within=_LEAVING
        )
        processes.free_memory_of(found)
        for folder in self._remove:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(folder).parent.rmdir()  # only when it is empty


def main() -> None:
    """Entry point of the process."""
    Supervisor(json.loads(Path(sys.argv[1]).read_text())).run()


if __name__ == "__main__":
    main()
