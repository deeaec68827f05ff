"""The demo's service manager, with real small programs and its real client."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from releve.demo import processes, supctl
from releve.demo.supctl import ask

LIMIT = 10.0  # seconds; everything here takes a few hundredths


def program(name, *argv, **more):
    """A declared program; its log goes nowhere."""
    return {"name": name, "argv": list(argv), "log": "/dev/null", **more}


PROGRAMS = [
    program("sleeper", "/bin/sleep", "600"),
    program("deaf", sys.executable, "-c", "import signal,time;signal.signal(15,signal.SIG_IGN);time.sleep(600)",
            stop_within=0.3),
    program("stillborn", "/bin/false", ready={"tcp": ["127.0.0.1", 1]}),
    program("absent", "/no/such/program"),
    program("late", "/bin/sleep", "600", ready={"tcp": ["127.0.0.1", 1]}, ready_within=0.1),
]  # fmt: skip


class Running:
    """A supervisor and how to talk to it."""

    def __init__(self, folder, *, watch=()):
        self.socket = folder / "s"
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.marker = f"test-{os.getpid()}-{folder.name}"
        config = {"marker": self.marker, "root": str(self.disk), "socket": str(self.socket), "watch": list(watch),
                  "remove": [str(self.disk)], "programs": PROGRAMS}  # fmt: skip
        (folder / "c.json").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "releve.demo.supervisor", str(folder / "c.json")],
            env={**os.environ, processes.MARKER: self.marker},
            start_new_session=True,
        )
        until(self.socket.exists)

    def ask(self, verb, name="", **more):
        """One order."""
        return ask(str(self.socket), {"do": verb, "name": name, **more})

    def alive(self):
        """What still carries the site's mark."""
        return processes.of_site(self.marker, self.disk)


def until(condition):
    """Wait for something that comes by itself; fail after the limit."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


@pytest.fixture
def folder():
    """A short folder."""
    with tempfile.TemporaryDirectory(prefix="rs-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def running(folder):
    """A supervisor that is gone after the test, with all its programs."""
    supervisor = Running(folder)
    yield supervisor
    processes.kill_all(supervisor.alive, within=LIMIT)
    supervisor.process.wait()


def test_a_program_starts_once_and_stops_for_good(running):
    """Starting twice is one process; stopped means that the process is gone."""
    pid = running.ask("start", "sleeper")["pid"]
    assert running.ask("start", "sleeper")["pid"] == pid
    assert processes.alive(pid)
    assert running.ask("stop", "sleeper")["code"] == 0
    assert not processes.alive(pid)
    assert running.ask("stop", "sleeper")["code"] == 0


def test_a_program_that_dies_is_never_started_again(running):
    """A killed server stays down until somebody asks: bringing it back is the guard's decision."""
    pid = running.ask("start", "sleeper")["pid"]
    os.kill(pid, 9)
    until(lambda: running.ask("status", "sleeper")["code"] == 3)
    assert running.ask("status", "sleeper")["returned"] == -9
    assert not [child for child in running.alive() if child != running.process.pid]


def test_a_program_that_will_not_stop_is_said_to_run(running):
    """The word "stopped" is never said of a process that lives: the caller must know."""
    pid = running.ask("start", "deaf")["pid"]
    until(lambda: _ignores_term(pid))
    assert running.ask("stop", "deaf")["code"] == 1
    assert running.ask("status", "deaf")["code"] == 0


def test_a_program_that_dies_while_starting_is_a_failure(running):
    """Neither a program that ends at once nor one that does not exist counts as started."""
    assert running.ask("start", "stillborn")["code"] == 1
    assert running.ask("start", "absent")["code"] == 1
    assert running.ask("status", "absent")["code"] == 3


def test_a_program_that_takes_its_time_counts_as_starting(running):
    """A standby without its primary runs, though it answers nobody yet."""
    assert running.ask("start", "late")["state"] == "starting"


def test_a_program_can_be_declared_later(running):
    """One more program, unless it would replace one that runs."""
    extra = program("extra", "/bin/sleep", "600")
    assert running.ask("declare", program=extra)["code"] == 0
    assert running.ask("start", "extra")["code"] == 0
    assert running.ask("declare", program=extra)["code"] == 1


@pytest.mark.parametrize("order", [b"nonsense\n", b"{}\n", b'{"do": "dance", "name": "sleeper"}\n', b"[]\n"])
def test_an_order_that_is_not_understood_changes_nothing(running, order):
    """It is answered, and the supervisor goes on."""
    import socket

    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(running.socket))
        line.sendall(order)
        assert json.loads(line.makefile().readline())["code"] == 4
    assert running.ask("list")["code"] == 0


def test_the_client_speaks_in_exit_codes(running, folder):
    """0 running, 3 stopped, 4 nobody can tell: what a plan's `status` promises."""

    def code(socket, verb, name):
        argv = [sys.executable, "-I", "-S", supctl.__file__, str(socket), verb, name]
        return subprocess.run(argv, capture_output=True, check=False).returncode

    assert code(running.socket, "status", "sleeper") == 3
    assert code(running.socket, "start", "sleeper") == 0
    assert code(running.socket, "status", "sleeper") == 0
    assert code(running.socket, "stop", "sleeper") == 0
    assert code(running.socket, "status", "nobody") == 4
    assert code(folder / "nothing", "status", "sleeper") == 4


def test_it_leaves_when_told_and_takes_its_programs_along(running):
    """After a shutdown nothing of the site lives, and the disk is kept."""
    running.ask("start", "sleeper")
    running.ask("shutdown")
    running.process.wait(LIMIT)
    assert not running.alive()
    assert running.disk.exists()


def test_it_never_outlives_the_process_that_it_watches(folder):
    """Killed −9, its starter leaves no process and no disk behind."""
    starter = subprocess.Popen(["/bin/sleep", "600"])
    supervisor = Running(folder, watch=(starter.pid, processes.started(starter.pid)))
    supervisor.ask("start", "sleeper")
    # A worker that was started beside the supervisor carries the mark too, and goes too.
    beside = subprocess.Popen(["/bin/sleep", "600"], env={processes.MARKER: supervisor.marker})
    starter.kill()
    starter.wait()
    supervisor.process.wait(LIMIT)
    assert beside.wait(LIMIT) == -9
    assert not supervisor.alive()
    assert not supervisor.disk.exists()


def _ignores_term(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) & (1 << 14))
