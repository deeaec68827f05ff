"""A machine as what runs on it is given it: its programs, started with a clean environment and a journal each."""

from __future__ import annotations

import os
import shutil
import subprocess
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import kernel
from lab.estate import Node
from lab.files import write
from lab.keys import Keys

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/nut:/lib/nut"
UPS_HEALTHY: Mapping[str, str] = {
    "ups.status": "OL",
    "battery.charge": "100",
    "battery.runtime": "2400",
    "ups.model": "dummy",
}
_SETTLE = 30.0  # seconds that a preparing program may take
Ready = Callable[[], bool]


@dataclass
class Machine:
    """What a service is given: its machine, the keys of the run, what faults ask, and a way to start programs."""

    node: Node
    keys: Keys
    counters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # port -> counter -> a second
    ups: Mapping[str, str] = field(default_factory=lambda: UPS_HEALTHY)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    forked: list[int] = field(default_factory=list)

    def fork(self, name: str, work: Callable[[], None]) -> None:
        """A process of this machine, called `name`, that does `work` and nothing else."""
        pid = os.fork()
        if pid:
            self.forked.append(pid)
            return
        try:
            kernel.call_me(name)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            work()
        except Exception:  # noqa: BLE001 - the last frame of a process: its journal says what ended it
            write(f"/var/log/{name}.log", traceback.format_exc())
        finally:
            os._exit(1)

    def start(self, name: str, argv: Sequence[str], user: str = "", **env: str) -> None:
        """Start a program that stays; what it says goes to /var/log/NAME.log. Raises OSError."""
        with Path(f"/var/log/{name}.log").open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    [program(argv[0]), *argv[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/", **env},
                    cwd="/",
                    user=user or None,
                    group=user or None,
                    extra_groups=[] if user else None,
                )
            )


def program(name: str) -> str:
    """Where a program is. Raises FileNotFoundError."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise FileNotFoundError(f"no program {name}")
    return found


def do(argv: Sequence[str], user: str = "", stdin: str = "") -> None:
    """Run a program to its end. Raises RuntimeError with what it says."""
    done = subprocess.run(
        [program(argv[0]), *argv[1:]],
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=_SETTLE,
        env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/"},
        cwd="/",
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {(done.stderr or done.stdout).decode('utf-8', 'replace')[-400:]}")


def listens(port: int) -> bool:
    """Whether a TCP socket waits on that port, without disturbing it (a connection is a line in its journal)."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:])
    return any(row[3] == "0A" and row[1].endswith(wanted) for row in rows)
