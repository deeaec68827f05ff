"""Machines as an audit sees them over OpenSSH: a real sshd, two networks, real conversations."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from releve.adapters.hosts.ssh import SshHost
from releve.adapters.survey.machine import machine
from releve.adapters.survey.sockets import connections
from releve.domain.plan import HostSpec, Reach
from releve.domain.seen import Clock, Connection, Disk, Listening, System
from tests.integration.inside import Inside
from tests.integration.netns import Node, pair
from tests.integration.sshd import PORT, Sshd, sshd

pytestmark = pytest.mark.needs("root", "netns", "sshd")
WEB = 8080
NEAR = HostSpec("proche", "principal", Reach.LOCAL)
_SERVER = f"""
import socket, sys
server = socket.create_server((sys.argv[1], {WEB}))
print("ready", flush=True)
kept = []
while True:
    kept.append(server.accept())
"""


@dataclass(frozen=True)
class Scene:
    """A server of SSH and of web on the right, reached from the left."""

    server: Sshd
    host: SshHost

    @property
    def left(self) -> Node:
        """Where the audit runs."""
        return self.server.pair.left

    @property
    def right(self) -> Node:
        """The machine that is looked at."""
        return self.server.pair.right


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Both, and one conversation from the left to the web server of the right."""
    with pair() as cable, sshd(cable, tmp_path_factory.mktemp("sshd")) as server:
        web = cable.right.start(
            ["/usr/bin/python3", "-I", "-c", _SERVER, cable.right.address], stdout=subprocess.PIPE
        )
        assert web.stdout is not None
        web.stdout.readline()
        client = f"import socket,time; kept = socket.create_connection(('{cable.right.address}', {WEB})); time.sleep(60)"
        cable.left.start(["sh", "-c", '"$0" "$@" & wait', "/usr/bin/python3", "-I", "-c", client])
        with server.host() as host:
            yield Scene(server, host)
        web.stdout.close()


def flows(found: object) -> set[tuple[str, int, bool]]:
    """(peer, port of the server, outgoing) of every connection."""
    facts = getattr(found, "facts", ())
    return {(fact.peer, fact.port, fact.outgoing) for fact in facts if isinstance(fact, Connection)}


def seen_until(look: object, wanted: tuple[str, int, bool]) -> set[tuple[str, int, bool]]:
    """The flows of a look, once the wanted one is among them (a client takes a moment to connect)."""
    assert callable(look)
    limit = time.monotonic() + 10
    while wanted not in (found := flows(look())) and time.monotonic() < limit:
        time.sleep(0.05)
    return found


def test_a_machine_is_seen_over_ssh(scene: Scene) -> None:
    """Its system, disks, clock, and what listens in its own network, with the programs."""
    found = machine(scene.host, scene.server.spec())
    kinds = {type(fact) for fact in found.facts}
    assert {System, Disk, Clock} <= kinds
    listening = {(fact.port, fact.program) for fact in found.facts if isinstance(fact, Listening)}
    assert {(PORT, "sshd"), (WEB, "python3")} <= listening
    clock = next(fact for fact in found.facts if isinstance(fact, Clock))
    assert abs(clock.offset) <= clock.margin


def test_a_server_sees_who_talks_to_it_and_not_the_audit(scene: Scene) -> None:
    """The web conversation is incoming; the SSH session that carries the look is not among the exchanges."""
    look = lambda: connections(scene.host, scene.server.spec(), seconds=0.1)
    web = (scene.left.address, WEB, False)
    assert seen_until(look, web) == {web}


def test_another_ssh_session_from_the_same_place_is_an_exchange(scene: Scene) -> None:
    """Only our own session is left out: a second one, of the same client and key, is seen."""
    spec = scene.server.spec()
    with SshHost(spec, ssh=scene.server.client) as other:
        other.run(["true"])
        found = seen_until(
            lambda: connections(scene.host, spec, seconds=0.1), (scene.left.address, PORT, False)
        )
    assert (scene.left.address, PORT, False) in found


def test_the_machine_that_looks_does_not_see_its_own_looks(scene: Scene) -> None:
    """From the left the web conversation goes out; the SSH sessions of this very audit are left out."""
    scene.host.run(["true"])  # the session stands
    near = Inside(NEAR, scene.left.argv(()))
    web = (scene.right.address, WEB, True)
    look = lambda: connections(near, NEAR, seconds=0.1)
    assert seen_until(look, web) == {web}


def test_what_nobody_holds_any_more_is_not_an_exchange(scene: Scene) -> None:
    """A conversation that ended leaves its trace for a minute, and no holder: it may have been the audit's own."""
    short = f"import socket; socket.create_connection(('{scene.right.address}', {WEB})).close()"
    assert scene.left.run(["/usr/bin/python3", "-I", "-c", short]).returncode == 0
    trace = scene.left.run(["cat", "/proc/net/tcp"]).stdout
    assert re.search(rf":{WEB:04X} 0[4-6] ", trace), "the kernel still has it"
    spec = NEAR
    facts = connections(Inside(NEAR, scene.left.argv(())), spec, seconds=0.1).facts
    assert [fact.times for fact in facts if isinstance(fact, Connection) and fact.port == WEB] == [1]


def test_a_machine_that_is_down_is_a_gap(scene: Scene) -> None:
    """Nobody at that port: no fact, one gap, which says so in French."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with scene.server.host(port=port) as host:
        found = machine(host, scene.server.spec())
        watched = connections(host, scene.server.spec(), seconds=0.1)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["host-unreachable"])
    assert (watched.facts, [gap.code for gap in watched.gaps]) == ((), ["host-unreachable"])
    assert watched.gaps[0].sentence.endswith("n'est pas joignable : aucun service n'écoute sur ce port")


def beside(containers: Sequence[str], ready: Path) -> list[str]:
    """A command after which what is run is alone with `containers`, each in a network set by its words."""
    each = "unshare --net --pid --fork --mount-proc sh -c 'ip link set lo up; {}; echo up; sleep 60' >&3 &"
    starts = " ".join(each.format(setting) for setting in containers)
    # A line is read for each container: all of them have their addresses before anything is asked.
    waits = "read -r line <&4;" * len(containers)
    script = f'mkfifo "$0"; exec 4<>"$0" 3>&4; {starts} {waits} "$@"'
    alone = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*alone, "sh", "-c", script, str(ready)]


@pytest.mark.parametrize(
    ("containers", "count"),
    [
        ((), 0),
        (("true",), 0),
        (("ip address add 10.88.0.2/32 dev lo", "ip address add 10.88.0.3/32 dev lo"), 2),
        (("ip address add fd00:88::2/128 dev lo",), 1),
    ],
    ids=["none", "without-address", "two", "ipv6"],
)
def test_what_containers_say_is_a_gap(containers: tuple[str, ...], count: int, tmp_path: Path) -> None:
    """Their sockets are in networks that our tables do not show: the look says how many, and never that all was seen."""
    found = connections(Inside(NEAR, beside(containers, tmp_path / "ready")), NEAR, seconds=0.01)
    assert [gap.sentence.split()[0] for gap in found.gaps] == [str(count)] * bool(count)
    assert {gap.code for gap in found.gaps} <= {"containers-apart"}
