"""The life of one machine, from its first process: files, network, servers, faults; then it waits for the end."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cables, files, kernel
from lab.estate import Node
from lab.faults import Fault, counters_of, do_before, do_during
from lab.keys import Keys
from lab.programs import PATH, Machine, Ready
from lab.services import SERVICES

STATE = "state"  # below the folder of the run: where the plan says that the ledger is
_SLOWEST = 30.0  # seconds for every server of a machine to answer
_GOODBYE = 1.5  # seconds given to servers to stop by themselves; the kernel ends what is left


@dataclass(frozen=True, slots=True)
class Birth:
    """What a machine is born with.

    `cables` and `life` are ends of pipes: the first closes when the cables are
    plugged, the second when the laboratory ends. `folder`: of the run, which it sees empty but for `given`; `shown`: folders that it does see.
    """

    node: Node
    keys: Keys
    faults: tuple[Fault, ...]
    place: files.Place
    cables: int
    life: int
    tell: socket.socket
    folder: Path
    shown: tuple[Path, ...] = ()
    given: tuple[tuple[Path, bytes], ...] = ()


def live(birth: Birth) -> None:
    """Everything, as process 1 of new namespaces. Never returns; exit code 1 when something failed."""
    name = birth.node.name
    try:
        kernel.call_me("labo-init")
        os.setsid()  # a server that signals its whole process group signals this machine alone
        machine = Machine(birth.node, birth.keys, counters_of(birth.faults, name))
        effects = _settled(birth, machine)
        _say(birth, {"node": name, "ready": True, "faults": effects})
        _until_the_end(birth.life)
        _goodbye(machine)
    except Exception:  # noqa: BLE001 - the last frame of a process: told to the supervisor, which ends the rest
        _say(birth, {"node": name, "ready": False, "why": traceback.format_exc()[-1500:]})
        os._exit(1)
    os._exit(0)


def _settled(birth: Birth, machine: Machine) -> dict[str, str]:
    """Files, network, servers and faults, in that order; what came of each fault."""
    node = birth.node
    socket.sethostname(node.name)
    files.layered(birth.place, birth.shown, birth.folder)
    files.entered(birth.place)
    files.furnish(node)
    if birth.given:  # the post: the plan, its keys, and a folder for what it writes
        (birth.folder / STATE).mkdir(mode=0o700, parents=True)
    for path, content in birth.given:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
    effects = do_before(birth.faults, machine)
    select.select([birth.cables], [], [])
    cables.settle(node)
    names = [*node.services, *(["lldpd"] if node.neighbourly and shutil.which("lldpd", path=PATH) else [])]
    asked: list[tuple[str, Ready]] = [(name, SERVICES[name](machine)) for name in names]
    _wait_for(asked, machine.started)
    return effects | do_during(birth.faults, machine)


def _wait_for(asked: Sequence[tuple[str, Ready]], started: Sequence[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + _SLOWEST
    left = list(asked)
    while left := [(name, ready) for name, ready in left if not ready()]:
        gone = [process for process in started if process.poll() is not None]
        if gone or time.monotonic() > until:
            names = ", ".join(name for name, _ready in left)
            raise RuntimeError(f"no answer from {names}\n{_journals()}")
        time.sleep(0.02)


def _journals() -> str:
    """The end of what servers said."""
    return "\n".join(
        f"{path.name}: {path.read_text(encoding='utf-8', errors='replace')[-600:]}"
        for path in sorted(Path("/var/log").glob("*.log"))
    )


def _until_the_end(life: int) -> None:
    """Bury the orphans of this machine, as process 1 must, until `life` closes."""
    while not select.select([life], [], [], 0.5)[0]:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _goodbye(machine: Machine) -> None:
    """Ask the servers to stop and leave them a moment. What is left dies with us, at once."""
    for number, pids in (
        (signal.SIGKILL, machine.forked),
        (signal.SIGTERM, [process.pid for process in machine.started]),
    ):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    until = time.monotonic() + _GOODBYE
    with suppress(ChildProcessError):
        while time.monotonic() < until:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.02)


def _say(birth: Birth, message: dict[str, object]) -> None:
    """One message to the supervisor; on the error stream when it is gone."""
    try:
        birth.tell.send(json.dumps(message).encode())
    except OSError:
        sys.stderr.write(f"{message}\n")
