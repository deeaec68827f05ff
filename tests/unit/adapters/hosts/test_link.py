"""The connection to an agent, with a shell of this machine in the place of ssh."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.adapters.hosts.link import BOOTSTRAP, TOO_OLD, Late, Link, LinkDown, Slow
from releve.adapters.hosts.ssh import SshHost
from releve.domain.errors import Unreachable
from releve.domain.plan import HostSpec, Reach, SshSpec

BOOT = BOOTSTRAP.replace("python3", sys.executable, 1)


@contextmanager
def link(script: str = BOOT, opening: float = 10) -> Iterator[Link]:
    """A link whose far end is `script`."""
    opened = Link(["sh", "-c", script], env=dict(os.environ), config={"root": ""}, opening=opening)
    try:
        yield opened
    finally:
        opened.close()


def run(opened: Link, *argv: str, timeout: float = 5, limit: float = 10) -> dict[str, object]:
    """The header of a run's answer."""
    return opened.ask({"do": "run", "argv": argv, "user": "", "timeout": timeout, "env": {}}, b"", limit)[0]


def test_what_a_login_script_prints_is_skipped() -> None:
    """A banner before the agent's first word does not break the frames."""
    with link(f"echo Bienvenue; printf '\\0\\377'; {BOOT}") as opened:
        assert run(opened, "true")["code"] == 0


def test_a_late_answer_fails_its_request_alone() -> None:
    """A request past its limit is given up; the others, and the connection, go on."""
    with link() as opened:
        with pytest.raises(Late):
            run(opened, "sleep", "60", limit=0.1)
        assert run(opened, "true")["code"] == 0
        assert opened.alive


def peer(*said: str) -> str:
    """A far end that swallows the agent, says hello, waits to be asked for `true`, then does these lines of Python."""
    lines = (
        "import os,sys,threading,time",
        "from releve.adapters.hosts.agent import MAGIC,_FRAME,pack",
        "heard=bytearray()",
        "def listen():",
        "    while got := os.read(0,65536): heard.extend(got)",
        "threading.Thread(target=listen,daemon=True).start()",
        "say=lambda data:os.write(1,data)",
        "say(MAGIC+pack({'id':0}))",
        "while b'[\"true\"]' not in heard: time.sleep(0.01)",
        *said,
    )
    return f"exec {sys.executable} -c {shlex.quote(chr(10).join(lines))}"


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come one by one hold a request for a while after its time, and no longer."""
    monkeypatch.setattr("releve.adapters.hosts.link._ARRIVING", 0.2)
    slowly = ("say(pack({'id':1},b'x'*500)[:-500])", "for _ in range(500): say(b'x');time.sleep(0.01)")
    begun = time.monotonic()
    with link(peer(*slowly)) as opened, pytest.raises(Slow):
        run(opened, "true", limit=0.5)
    assert time.monotonic() - begun < 4


def test_an_answer_that_is_too_large_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of its size ends the connection, before its first byte."""
    monkeypatch.setattr("releve.adapters.hosts.link._LARGEST", 1000)
    with (
        link(peer("say(pack({'id':1},b'x'*1001)[:-1001])", "time.sleep(60)")) as opened,
        pytest.raises(LinkDown, match="1001 octets"),
    ):
        run(opened, "true")


def test_a_header_that_makes_no_sense_ends_the_connection() -> None:
    """It is told to whoever waits."""
    nested = "h=b'['*100000;say(_FRAME.pack(len(h),0)+h)"
    with link(peer(nested, "time.sleep(60)")) as opened, pytest.raises(LinkDown, match="ne se lit plus"):
        run(opened, "true")


@pytest.mark.parametrize(
    "header",
    [
        "{'id':1}",
        "{'id':1,'out':'x','code':0}",
        "{'id':1,'failed':'host-timeout'}",
        "{'id':1,'failed':'host-timeout','detail':{'program':3}}",
        "{'id':1,'failed':[],'detail':{}}",
    ],
)
def test_an_answer_to_something_else_is_the_fault_of_the_other_end(header: str, tmp_path: Path) -> None:
    """No defect of ours, whatever a machine says: it has a name, and what to look at."""
    (tmp_path / "k").touch()
    there = SshSpec("127.0.0.1", 22, "releve", str(tmp_path / "k"), str(tmp_path / "k"))
    far = ("sh", "-c", peer(f"say(pack({header}))", "time.sleep(60)"))
    with (
        SshHost(HostSpec("srv", "siege", Reach.SSH, there), ssh=far) as host,
        pytest.raises(Unreachable) as caught,
    ):
        host.run(["true"])
    assert caught.value.code == "host-answer"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 127", 127),
        (f"exit {TOO_OLD}", TOO_OLD),
        ("echo nothing of ours; exit 3", 3),
        ("head -c 100000 /dev/zero; exit 4", 4),
    ],
)
def test_a_far_end_that_is_no_agent_is_down(script: str, code: int) -> None:
    """Whatever answers in the agent's place, the connection fails with the exit code of its program."""
    with pytest.raises(LinkDown) as caught, link(script):
        pytest.fail("it opened")
    assert caught.value.code == code


def test_a_far_end_that_says_nothing_is_given_up() -> None:
    """Without a word within the opening time, the connection is torn down."""
    with pytest.raises(LinkDown), link("exec sleep 600", opening=0.2):
        pytest.fail("it opened")


def test_a_program_that_does_not_exist_is_down() -> None:
    """An ssh that is not installed is a connection that fails, with its name."""
    with pytest.raises(LinkDown, match="releve-no-ssh"):
        Link(["releve-no-ssh"], env={"PATH": "/usr/bin"}, config={}, opening=1)


def test_a_torn_link_tells_everyone() -> None:
    """When the far end dies a running request fails, and so does the next one."""
    with link() as opened:
        with pytest.raises(LinkDown):
            run(opened, "sh", "-c", "kill -9 $PPID; sleep 5")
        assert not opened.alive
        with pytest.raises(LinkDown):
            run(opened, "true")


def test_an_unknown_verb_is_a_fault_that_is_told() -> None:
    """A request that the agent does not know is answered as a failure, not by silence."""
    with link() as opened:
        assert opened.ask({"do": "dance"}, b"", 5)[0]["failed"] == "agent-fault"
        assert opened.ask({"do": "read"}, b"", 5)[0]["failed"] == "agent-fault"
