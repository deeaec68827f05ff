"""The contract of `domain.ports.Host`, on the fake, on this machine and through a real sshd."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.domain.errors import BadInput, Unreachable
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed, Host
from tests.fakes.hosts import Call, FakeHost
from tests.integration.netns import pair
from tests.integration.sshd import Sshd, sshd

# Small programs, each with its twin for the fake.
SOURCES = {
    "args": "import json,sys;sys.stdout.write(json.dumps(sys.argv[1:]))",
    "echo": "import sys;sys.stdout.buffer.write(sys.stdin.buffer.read())",
    "fail": "import sys;sys.stdout.write('out');sys.stderr.write('err');sys.exit(int(sys.argv[1]))",
    "env": "import json,os,sys;sys.stdout.write(json.dumps(dict(os.environ)))",
    "hang": "import time;time.sleep(600)",
}


def _json(value: object) -> Completed:
    return Completed(0, json.dumps(value).encode(), b"")


TWINS = {
    "args": lambda call: _json(call.argv[1:]),
    "echo": lambda call: Completed(0, call.stdin, b""),
    "fail": lambda call: Completed(int(call.argv[1]), b"out", b"err"),
    "env": lambda call: _json({"LANG": "C.UTF-8", "PATH": "/usr/bin", **call.env}),
    "hang": lambda call: None,
}


@dataclass
class Bench:
    """A host, an empty folder on it, and how the small programs are run there."""

    host: Host
    folder: str
    python: tuple[str, ...] = ()

    def program(self, name: str, *words: str) -> list[str]:
        start = [*self.python, "-I", "-X", "utf8", "-c", SOURCES[name]] if self.python else [name]
        return [*start, *words]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for the file."""
    with pair() as cable, sshd(cable, tmp_path_factory.mktemp("sshd")) as running:
        yield running


LOCAL = pytest.param("local")
SSH = pytest.param("ssh", marks=pytest.mark.needs("root", "netns", "sshd"))


def _bench(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if kind == "fake":
        yield Bench(FakeHost(programs=dict(TWINS)), "/folder")
    elif kind == "local":
        yield Bench(
            LocalHost(HostSpec("ici", "principal", Reach.LOCAL)), str(tmp_path), ("/usr/bin/env", "python3")
        )
    else:
        with request.getfixturevalue("server").host() as host:
            yield Bench(host, str(tmp_path), ("python3",))


@pytest.fixture(params=["fake", LOCAL, SSH])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Every implementation."""
    yield from _bench(request.param, request, tmp_path)


@pytest.fixture(params=[LOCAL, SSH])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Those with real processes and files."""
    yield from _bench(request.param, request, tmp_path)


HOSTILE = [
    "",
    " ",
    "deux mots",
    "'",
    '"',
    "`id`",
    "$(touch /tmp/releve-pwned)",
    "$HOME",
    "; id",
    "a\nb",
    "\t",
    "\\",
    "\\n",
    "-n",
    "--",
    "--help",
    "-oProxyCommand=id",
    "*",
    "~root",
    "!!",
    "é ü 漢 🏥",
    "x" * 100_000,
]


def test_hostile_arguments_arrive_as_they_are(bench: Bench) -> None:
    """No argument is ever split, expanded, dropped or taken for an option on the way."""
    done = bench.host.run(bench.program("args", *HOSTILE))
    assert json.loads(done.stdout) == HOSTILE


def test_an_impossible_argument_is_bad_input(bench: Bench) -> None:
    """A null byte cannot be an argument, and no program at all cannot be run."""
    for argv in (bench.program("args", "a\0b"), []):
        with pytest.raises(BadInput) as caught:
            bench.host.run(argv)
        assert caught.value.code == "argument-invalid"


def test_input_and_output_are_bytes(bench: Bench) -> None:
    """Every byte value goes through standard input and output unchanged."""
    data = bytes(range(256)) * 40 + b"\r\n\0"
    assert bench.host.run(bench.program("echo"), stdin=data).stdout == data


def test_a_program_without_input_sees_its_end(bench: Bench) -> None:
    """A program that reads its input when none was given does not wait."""
    assert bench.host.run(bench.program("echo"), timeout=10).stdout == b""


def test_ten_megabytes_come_back_whole(bench: Bench) -> None:
    """Ten megabytes go out and come back, without a lock between the two directions."""
    data = os.urandom(10_000_000)
    assert bench.host.run(bench.program("echo"), stdin=data).stdout == data


def test_exit_code_and_both_outputs_are_given(bench: Bench) -> None:
    """A failure of the program is an answer: its code, its output and its errors, apart."""
    assert bench.host.run(bench.program("fail", "3")) == Completed(3, b"out", b"err")


def test_the_environment_is_clean_plus_what_is_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables given are seen; those of the caller are not, whatever they hold."""
    monkeypatch.setenv("PGPASSWORD", "caller")
    seen = json.loads(bench.host.run(bench.program("env"), env={"A": "é'\"$x\n"}).stdout)
    assert seen["A"] == "é'\"$x\n"
    assert seen["LANG"] == "C.UTF-8"
    assert "PGPASSWORD" not in seen


def test_a_program_that_does_not_end_is_stopped(bench: Bench) -> None:
    """Past its time a program makes the call unreachable, soon after the limit."""
    begun = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        bench.host.run(bench.program("hang"), timeout=0.3)
    assert caught.value.code == "host-timeout"
    assert caught.value.retryable
    assert time.monotonic() - begun < 3


def test_a_missing_program_is_named(bench: Bench) -> None:
    """A program that does not exist is an error of its own, not an exit code."""
    for name in ("releve-nothing-of-that-name", "/nowhere/program"):
        with pytest.raises(Unreachable) as caught:
            bench.host.run([name])
        assert caught.value.code == "program-missing"
        assert name in caught.value.sentence


def test_an_unknown_account_is_bad_input(bench: Bench) -> None:
    """Acting as an account that does not exist is refused, for programs and for files."""
    with pytest.raises(BadInput) as caught:
        bench.host.run(bench.program("args"), user="releve-personne")
    assert caught.value.code == "user-unknown"
    with pytest.raises(BadInput):
        bench.host.write(f"{bench.folder}/f", b"", user="releve-personne")
    assert bench.host.read(f"{bench.folder}/f") is None


def test_a_file_is_written_read_and_removed(bench: Bench) -> None:
    """What was written is read, replaced whole, and gone after its removal; all can be repeated."""
    path = f"{bench.folder}/fichier 'é' $x"
    assert bench.host.read(path) is None
    bench.host.remove(path)
    bench.host.write(path, b"\0un")
    assert bench.host.read(path) == b"\0un"
    bench.host.write(path, b"")
    assert bench.host.read(path) == b""
    bench.host.remove(path)
    assert bench.host.read(path) is None
    bench.host.remove(path)


def test_a_folder_shows_its_permissions(bench: Bench) -> None:
    """A folder has some; a file, or nothing at all, is no folder."""
    bench.host.write(f"{bench.folder}/f", b"")
    mode = bench.host.folder(bench.folder)
    assert mode is not None
    assert mode & 0o700 == 0o700
    assert bench.host.folder(f"{bench.folder}/f") is None
    assert bench.host.folder(f"{bench.folder}/absent") is None


def test_a_relative_path_is_bad_input(bench: Bench) -> None:
    """A path must be absolute: the folder that we stand in means nothing on a machine."""
    for act in (
        bench.host.read,
        bench.host.folder,
        bench.host.remove,
        lambda path: bench.host.write(path, b""),
    ):
        with pytest.raises(BadInput):
            act("relatif")


def test_calls_of_several_threads_do_not_mix(bench: Bench) -> None:
    """Each of many concurrent calls gets its own answer."""

    def call(number: int) -> bytes:
        return bench.host.run(bench.program("echo"), stdin=b"%d" % number * 1000).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(24))) == [b"%d" % number * 1000 for number in range(24)]


def test_a_long_call_does_not_hold_up_a_short_one(real: Bench) -> None:
    """While a program runs for seconds, a file is read at once."""
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(real.host.run, real.program("hang"), timeout=4)
        begun = time.monotonic()
        for _ in range(5):
            real.host.read(f"{real.folder}/rien")
        assert not long.done(), f"{time.monotonic() - begun} s"
        assert isinstance(long.exception(), Unreachable)


def test_the_children_of_a_stopped_program_are_stopped(real: Bench) -> None:
    """Past its time a program is killed with the programs that it started."""
    pids = Path(real.folder) / "pids"
    script = 'sleep 600 & echo $! $$ > "$0.tmp"; mv "$0.tmp" "$0"; wait'
    with pytest.raises(Unreachable):
        real.host.run(["sh", "-c", script, str(pids)], timeout=2)
    assert all(dead(int(pid)) for pid in pids.read_text().split())


def test_a_daemon_left_behind_does_not_hold_the_call(real: Bench) -> None:
    """A program that leaves a child holding its output is over when it ends itself."""
    begun = time.monotonic()
    done = real.host.run(["sh", "-c", "sleep 60 & echo $!"], timeout=40)
    assert time.monotonic() - begun < 3
    os.kill(int(done.stdout), signal.SIGKILL)


@pytest.mark.needs("root")
def test_a_program_runs_as_another_account(real: Bench) -> None:
    """Root becomes the account asked for, with its groups and its home, and nothing of root's."""
    done = real.host.run(["sh", "-c", 'id -un; id -u; id -G; echo "$HOME"'], user="nobody")
    name, uid, groups, home = done.stdout.decode().splitlines()
    assert name == "nobody"
    assert uid != "0"
    assert "0" not in groups.split()
    assert home != os.environ.get("HOME")


@pytest.mark.needs("root")
def test_a_file_belongs_to_the_account_and_has_its_mode(real: Bench) -> None:
    """A file written for an account is its own, with the mode asked for whatever the umask."""
    path = Path(real.folder) / "mot-de-passe"
    real.host.write(str(path), b"x", user="nobody", mode=0o640)
    assert path.owner() == "nobody"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_failed_write_leaves_nothing(real: Bench) -> None:
    """A write that cannot be made says why and leaves no temporary file."""
    with pytest.raises(Unreachable) as caught:
        real.host.write(f"{real.folder}/absent/f", b"x")
    assert caught.value.code == "folder-missing"
    (Path(real.folder) / "dossier").mkdir()
    with pytest.raises(Unreachable):
        real.host.write(f"{real.folder}/dossier", b"x")
    assert [item.name for item in Path(real.folder).iterdir()] == ["dossier"]


def dead(pid: int, within: float = 3.0) -> bool:
    """Whether a process is gone, or waits for its parent (which may take its time), within seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_the_fake_can_be_lost_and_full() -> None:
    """The faults of the fake are those of a machine: gone, and out of room with the old content kept."""
    host = FakeHost(files={"/f": b"old"}, full=True, programs={"p": lambda call: Completed(0, b"", b"")})
    with pytest.raises(Unreachable) as caught:
        host.write("/f", b"new")
    assert caught.value.code == "disk-full"
    assert host.read("/f") == b"old"
    host.run(["/usr/bin/p", "x"])
    assert host.calls == [Call(("/usr/bin/p", "x"))]
    host.gone = True
    for act in (lambda: host.run(["p"]), lambda: host.read("/f"), lambda: host.remove("/f")):
        with pytest.raises(Unreachable):
            act()
