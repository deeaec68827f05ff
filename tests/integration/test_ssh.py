"""SSH for real, between two network namespaces: refusals, cut cables, servers that die."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from releve.adapters.hosts.ssh import SshHost
from releve.domain.errors import Unreachable
from tests.contract.test_host import dead
from tests.integration.netns import Pair, pair
from tests.integration.sshd import PORT, Sshd, keygen, sshd

pytestmark = pytest.mark.needs("root", "netns", "sshd")

HELLO = ["echo", "bonjour"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for the file; tests that break something mend it."""
    with pair() as cable, sshd(cable, tmp_path_factory.mktemp("sshd")) as running:
        yield running


def refused(host: SshHost) -> Unreachable:
    """The error of a first call."""
    with pytest.raises(Unreachable) as caught:
        host.run(HELLO)
    return caught.value


def test_an_unknown_host_key_is_refused(server: Sshd, tmp_path: Path) -> None:
    """A machine whose key is not in the plan's file is never talked to, and the file stays as it was."""
    empty = tmp_path / "known hosts 100%"
    empty.write_text("")
    with server.host(known_hosts=str(empty)) as host:
        error = refused(host)
    assert error.code == "host-key-refused"
    assert "inconnue" in error.sentence
    assert not error.retryable
    assert empty.read_text() == ""


def test_a_changed_host_key_is_refused(server: Sshd, tmp_path: Path) -> None:
    """A machine that shows another key than the known one is refused, and it is said that it changed."""
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text().split()
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"[{server.pair.right.address}]:{PORT} {other[0]} {other[1]}\n")
    with server.host(known_hosts=str(wrong)) as host:
        error = refused(host)
    assert error.code == "host-key-refused"
    assert "a changé" in error.sentence
    assert str(wrong) in error.hint


def test_a_key_that_is_not_authorized_is_said(server: Sshd, tmp_path: Path) -> None:
    """When the account does not accept our key, the error says which account and which key."""
    with server.host(key=str(keygen(tmp_path / "stranger"))) as host:
        error = refused(host)
    assert error.code == "ssh-auth-refused"
    assert "stranger" in error.hint


def test_a_readable_private_key_is_said(server: Sshd, tmp_path: Path) -> None:
    """A private key that others can read is refused by OpenSSH: the hint gives the remedy."""
    key = keygen(tmp_path / "loose")
    key.chmod(0o644)
    with server.host(key=str(key)) as host:
        error = refused(host)
    assert error.code == "ssh-auth-refused"
    assert "chmod 600" in error.hint


def test_nobody_listening_is_quick(server: Sshd) -> None:
    """A closed port is reported at once, as a machine that may come back."""
    begun = time.monotonic()
    with server.host(port=PORT + 1) as host:
        error = refused(host)
    assert error.code == "host-unreachable"
    assert error.retryable
    assert time.monotonic() - begun < 3


def test_a_missing_root_is_a_lost_machine(server: Sshd, tmp_path: Path) -> None:
    """A host whose root folder went away counts as lost, for programs and for files."""
    root = tmp_path / "site"
    root.mkdir()
    with server.host(root=str(root)) as host:
        assert host.run(HELLO).code == 0
        root.rmdir()
        for act in (lambda: host.run(HELLO), lambda: host.read(f"{root}/f"), lambda: host.write("/x/y", b"")):
            with pytest.raises(Unreachable) as caught:
                act()
            assert caught.value.code == "host-gone"


CUTS: dict[str, Callable[[Pair], None]] = {
    "both": lambda cable: cable.cut(),
    "requests": lambda cable: cable.cut(cable.left),
    "answers": lambda cable: cable.cut(cable.right),
    "unplugged": lambda cable: cable.unplug(),
}


@pytest.mark.parametrize("how", CUTS)
def test_a_cut_cable_is_unreachable_within_the_limit(server: Sshd, how: str) -> None:
    """Cut in the middle of a call, in any direction, the call ends as unreachable within its own limit."""
    with server.host() as host, ThreadPoolExecutor(1) as pool:
        host.run(HELLO)
        begun = time.monotonic()
        calling = pool.submit(host.run, ["sleep", "600"], timeout=1)
        try:
            CUTS[how](server.pair)
            error = calling.exception(timeout=20)
            took = time.monotonic() - begun
        finally:
            server.pair.mend()
    assert isinstance(error, Unreachable)
    assert error.code in {"host-silent", "host-timeout"}
    assert 0.9 < took < 5


def test_a_dead_cable_is_noticed_and_the_machine_found_again(server: Sshd) -> None:
    """A long call over a dead cable fails long before its limit; mended, the same host works again."""
    with server.host() as host, ThreadPoolExecutor(1) as pool:
        host.run(HELLO)
        begun = time.monotonic()
        calling = pool.submit(host.run, ["sleep", "600"], timeout=3600)
        try:
            server.pair.cut()
            error = calling.exception(timeout=40)
            took = time.monotonic() - begun
            assert isinstance(error, Unreachable)
            assert error.code == "host-unreachable"
            assert took < 20
            again = time.monotonic()
            with pytest.raises(Unreachable):
                host.run(HELLO)
            assert time.monotonic() - again < 10
        finally:
            server.pair.mend()
        assert host.run(HELLO).stdout == b"bonjour\n"


def test_programs_of_a_lost_caller_are_killed(server: Sshd, tmp_path: Path) -> None:
    """When the caller goes away, what still ran for it is killed: no ghost goes on writing."""
    pid = tmp_path / "pid"
    with server.host() as host, ThreadPoolExecutor(1) as pool:
        script = 'echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; exec sleep 600'
        calling = pool.submit(host.run, ["sh", "-c", script, str(pid)], timeout=600)
        _until(pid.exists)
        host.close()
        assert isinstance(calling.exception(timeout=10), Unreachable)
    assert dead(int(pid.read_text()))


def test_a_killed_server_is_unreachable_then_found_again(server: Sshd) -> None:
    """With sshd killed in the middle of a call the call fails at once; restarted, it is found again."""
    with server.host() as host, ThreadPoolExecutor(1) as pool:
        host.run(HELLO)
        calling = pool.submit(host.run, ["sleep", "600"], timeout=60)
        _until(lambda: b"sleep\x00600" in _command_lines(server))
        try:
            server.kill()
            error = calling.exception(timeout=10)
            assert isinstance(error, Unreachable)
            assert refused(host).code == "host-unreachable"
        finally:
            server.start()
        assert host.run(HELLO).stdout == b"bonjour\n"


def test_threads_share_the_news_of_an_absent_machine(server: Sshd) -> None:
    """Eight threads that want an absent machine together wait once for it, not eight times."""
    server.pair.cut()
    try:
        with server.host(connect_timeout=1.0) as host, ThreadPoolExecutor(8) as pool:
            begun = time.monotonic()
            errors = list(pool.map(lambda _: refused(host), range(8)))
            assert time.monotonic() - begun < 6
    finally:
        server.pair.mend()
    assert {error.code for error in errors} == {"host-unreachable"}


def test_nothing_is_left_of_a_pair() -> None:
    """Namespaces and the processes inside are gone at the end, even when the test failed."""
    opened: list[tuple[Pair, subprocess.Popen[bytes]]] = []

    def a_failing_test() -> None:
        with pair() as cable:
            process = cable.left.start(["sleep", "600"])
            opened.append((cable, process))
            _until(lambda: process.pid in cable.left.pids())
            pytest.fail("a failure inside")

    with pytest.raises(pytest.fail.Exception):
        a_failing_test()
    cable, process = opened[0]
    assert process.wait(timeout=5) != 0
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert cable.left.name not in listed
    assert cable.right.name not in listed


def _command_lines(server: Sshd) -> bytes:
    lines = b""
    for pid in server.pair.right.pids():
        try:
            lines += Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # it ended while we looked
            continue
    return lines


def _until(seen: Callable[[], bool], within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not seen():
        assert time.monotonic() < until, "never seen"
        time.sleep(0.01)
