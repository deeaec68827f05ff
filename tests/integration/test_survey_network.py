"""Real nmap, ping and interfaces, between network namespaces of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.interfaces import interfaces
from releve.adapters.survey.network import scan
from releve.adapters.survey.paths import gateways, path
from releve.domain.inventory import AuditSpec, Network
from releve.domain.plan import HostSpec, Reach, SshSpec
from releve.domain.ports import Completed
from releve.domain.seen import Gateway, Neighbour, Path, Port, Scan
from tests.integration.inside import Inside
from tests.integration.netns import Node, Pair, pair

LISTEN = """
import socket, sys
kept = [socket.create_server(("0.0.0.0", port)) for port in (22, 445, 9100)]
print("ready", flush=True)
sys.stdin.read()
"""
NETWORK = Network("essai", "Essai", "siege", "10.99.1.0/26")
SPEC = AuditSpec(rate=2000, ports="22,80,445,9100")
HERE = HostSpec("ici", "siege", Reach.LOCAL)
NO_PACKETS = (
    "setpriv",
    "--bounding-set=-net_raw",
    "--no-new-privs",
)  # an auditor who is nobody in particular


@pytest.fixture(scope="module")
def ground() -> Iterator[Pair]:
    """Two machines; the right one answers at three addresses of a network, with three listeners."""
    with pair() as two:
        two.left.run(["ip", "address", "add", "10.99.1.62/26", "dev", two.left.device])
        for last in (5, 17, 40):
            two.right.run(["ip", "address", "add", f"10.99.1.{last}/26", "dev", two.right.device])
        listening = two.right.start(
            [sys.executable, "-I", "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert listening.stdout is not None
        assert listening.stdout.readline() == b"ready\n"
        yield two
        listening.kill()
        listening.communicate()


@pytest.mark.needs("root", "netns", "nmap")
@pytest.mark.parametrize("before", [(), NO_PACKETS], ids=["syn", "connect"])
def test_who_lives_is_found_with_what_is_open(ground: Pair, before: Sequence[str]) -> None:
    """All who live, nobody else, and their open ports; with the right to make packets or without it."""
    found = scan(NETWORK, SPEC, run=Inside(HERE, ground.left.argv(before)).run)
    seen = {fact.address: fact for fact in found.facts if isinstance(fact, Neighbour)}
    assert found.gaps == ()
    assert set(seen) == {"10.99.1.5", "10.99.1.17", "10.99.1.40", "10.99.1.62"}
    assert [service.port for service in seen["10.99.1.17"].services] == [22, 445, 9100]
    assert seen["10.99.1.62"].services == ()
    assert bool(seen["10.99.1.5"].mac) == (not before)  # addresses of cards are seen on one's own cable only
    summary = found.facts[-1]
    assert isinstance(summary, Scan)
    assert (summary.addresses, summary.up, found.gaps) == (62, 4, ())
    assert ("-sT" in summary.timing) == bool(before)


@pytest.mark.needs("root", "netns", "nmap")
@pytest.mark.parametrize("before", [(), NO_PACKETS], ids=["syn", "connect"])
def test_a_network_without_a_route_is_not_an_empty_one(ground: Pair, before: Sequence[str]) -> None:
    """No fact, and the reason: nobody was asked."""
    away = Network("ailleurs", "Ailleurs", "annexe", "10.98.0.0/26")
    found = scan(away, SPEC, run=Inside(HERE, ground.left.argv(before)).run)
    assert found.facts == ()
    assert [gap.code for gap in found.gaps] == ["network-unrouted"]


@pytest.mark.needs("root", "netns", "nmap")
def test_a_scan_that_is_killed_leaves_a_gap_and_nothing_running(ground: Pair) -> None:
    """What nmap had not said is not seen; the program does not outlive its caller."""
    host = Inside(HERE, ground.left.argv(()))
    wide = Network("large", "Large", "siege", "10.99.1.0/26")
    threading.Timer(1.0, lambda: [os.kill(pid, 9) for pid in _scanners(ground.left)]).start()
    begun = time.monotonic()
    found = scan(wide, AuditSpec(rate=1, ports="1-200"), run=host.run)
    assert time.monotonic() - begun < 20
    assert {gap.code for gap in found.gaps} <= {"nmap-truncated", "nmap-garbage"}
    assert found.gaps
    assert not any(isinstance(fact, Scan) for fact in found.facts)
    assert _scanners(ground.left) == []

    def out_of_time(argv: Sequence[str], *, timeout: float) -> Completed:
        assert timeout > 60
        return host.run(argv, timeout=1.0)

    late = scan(wide, AuditSpec(rate=1, ports="1-200"), run=out_of_time)
    assert [gap.code for gap in late.gaps] == ["host-timeout"]
    assert _scanners(ground.left) == []


def _scanners(node: Node) -> list[int]:
    return [pid for pid in node.pids() if _name(pid) == "nmap"]


def _name(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@pytest.mark.needs("root", "netns", "ping")
def test_round_trips_and_loss_between_two_machines(ground: Pair) -> None:
    """A live machine answers every packet; a dead address loses all; both are facts."""
    host = Inside(HERE, ground.left.argv(()))
    there = _reached(ground.right.address)
    found = path(host, there, here="ici", run=host.run, count=3)
    (way,) = [fact for fact in found.facts if isinstance(fact, Path)]
    assert (way.sent, way.lost) == (3, 0.0)
    assert way.p50 is not None
    assert 0 < way.p50 < 100
    assert way.throughput is not None
    assert way.throughput > 10**6
    lost = path(host, _reached("10.99.1.33"), here="ici", run=host.run, count=2)
    (dead,) = [fact for fact in lost.facts if isinstance(fact, Path)]
    assert (dead.lost, dead.p50, dead.throughput) == (1.0, None, None)


def _reached(address: str) -> HostSpec:
    return HostSpec("relais", "annexe", Reach.SSH, SshSpec(address, 22, "releve", "/cle", "/connues"))


@pytest.mark.needs("root", "netns")
def test_the_way_out_of_a_machine_is_its_default_route(ground: Pair) -> None:
    """None when there is none; the gateway once there is."""
    host = Inside(HERE, ground.left.argv(()))
    assert gateways(host, "ici") == type(gateways(host, "ici"))()
    ground.left.run(["ip", "route", "add", "default", "via", ground.right.address])
    try:
        expected = Gateway("ici", ground.right.address, ground.left.device)
        assert gateways(host, "ici").facts == (expected,)
    finally:
        ground.left.run(["ip", "route", "delete", "default"])


@pytest.mark.needs("root", "netns")
def test_a_cable_that_comes_and_goes_is_counted(ground: Pair) -> None:
    """Unplugged and plugged again between two readings: its carrier changed, and the machine counts it."""
    read = threading.Event()

    def flap() -> None:
        while not read.is_set():  # the first reading comes when the machine gets round to it
            for state in ("down", "up"):
                ground.right.run(["ip", "link", "set", ground.right.device, state])
            read.wait(0.1)

    shaking = threading.Thread(target=flap)
    shaking.start()
    try:
        found = interfaces(Inside(HERE, ground.left.argv(())), HERE, 1.5)
    finally:
        read.set()
        shaking.join()
    (port,) = [fact for fact in found.facts if isinstance(fact, Port)]
    assert (port.device, port.name) == ("ici", ground.left.device)
    assert port.grown["changes"] >= 2
    assert port.seconds >= 1.5
    assert port.crc == 0


@pytest.mark.needs("root", "netns", "ethtool")
def test_a_card_at_half_duplex_is_seen_so(ground: Pair) -> None:
    """The speed and duplex that ethtool set are those that are read; the loopback is no cable."""
    if not os.path.exists("/dev/net/tun"):  # noqa: PTH110
        pytest.skip("netns: no TAP device on this kernel")
    ground.left.run(["ip", "tuntap", "add", "dev", "prise0", "mode", "tap"])
    try:
        ground.left.run(["ethtool", "-s", "prise0", "speed", "100", "duplex", "half"])
        ground.left.run(["ip", "link", "set", "prise0", "up"])
        with _holding(ground.left):
            found = interfaces(Inside(HERE, ground.left.argv(())), HERE, 0)
        ports = {fact.name: fact for fact in found.facts if isinstance(fact, Port)}
        assert set(ports) == {"prise0", ground.left.device}
        tap = ports["prise0"]
        assert (tap.up, tap.speed, tap.duplex, tap.seconds) == (True, 100_000_000, "half", 0.0)
    finally:
        ground.left.run(["ip", "link", "delete", "prise0"])


HOLD = """
import fcntl, struct, sys
tap = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"prise0", 0x1002))
print("held", flush=True)
sys.stdin.read()
"""


def _holding(node: Node) -> subprocess.Popen[bytes]:
    """A TAP device has a carrier while a program holds it."""
    held = node.start([sys.executable, "-I", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout is not None
    assert held.stdout.readline() == b"held\n"
    return held


def test_a_probe_on_this_very_machine_changes_nothing() -> None:
    """Read as anybody: interfaces are told, none is the loopback, and no gap where nothing failed."""
    found = interfaces(LocalHost(HERE), HERE, 0)
    assert all(fact.name != "lo" for fact in found.facts if isinstance(fact, Port))
    assert {gap.code for gap in found.gaps} <= {"interfaces-unseen", "lldp-silent"}
