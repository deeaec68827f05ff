"""Round trips, throughput and gateways, from what programs print."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.survey.paths import (
    Trips,
    connections,
    gateways,
    kernel_routes,
    path,
    routes_of,
    throughput,
    trips_of,
)
from releve.domain.errors import Unreachable
from releve.domain.plan import HostSpec, Reach, SshSpec
from releve.domain.ports import Completed
from releve.domain.seen import Gateway, Path
from tests.fakes.hosts import FakeHost

IPUTILS = b"""PING 10.1.0.2 (10.1.0.2) 56(84) bytes of data.
64 bytes from 10.1.0.2: icmp_seq=1 ttl=64 time=0.274 ms
64 bytes from 10.1.0.2: icmp_seq=1 ttl=64 time=0.300 ms (DUP!)
64 bytes from 10.1.0.2: icmp_seq=3 ttl=64 time=12 ms

--- 10.1.0.2 ping statistics ---
4 packets transmitted, 2 received, +1 duplicates, 50% packet loss, time 606ms
"""
BUSYBOX = b"""PING 10.1.0.2 (10.1.0.2): 56 data bytes
64 bytes from 10.1.0.2: seq=0 ttl=64 time=0.062 ms

--- 10.1.0.2 ping statistics ---
1 packets transmitted, 1 packets received, 0% packet loss
"""
NOBODY = (
    b"\n--- 10.1.0.3 ping statistics ---\n20 packets transmitted, 0 received, 100% packet loss, time 1ms\n"
)
KERNEL = b"""Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\tFE00010A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def reached(port: int = 22) -> HostSpec:
    """A machine reached through SSH at 127.0.0.1."""
    ssh = SshSpec("127.0.0.1", port, "releve", "/cle", "/connues")
    return HostSpec("relais", "annexe", Reach.SSH, ssh)


@pytest.fixture
def closed() -> int:
    """A port where nobody listens."""
    with socket.socket() as handle:
        handle.bind(("127.0.0.1", 0))
        return int(handle.getsockname()[1])


@pytest.mark.parametrize(
    ("printed", "trips"),
    [
        (IPUTILS, Trips(4, (0.274, 12.0))),
        (BUSYBOX, Trips(1, (0.062,))),
        (NOBODY, Trips(20, ())),
        (b"ping: socket: Operation not permitted", None),
        (b"", None),
    ],
)
def test_what_ping_printed(printed: bytes, trips: Trips | None) -> None:
    """Both common pings are read; an answer that comes twice counts once; no summary is no measure."""
    assert trips_of(printed) == trips


@given(st.binary(max_size=200))
def test_no_print_of_ping_breaks_the_reader(printed: bytes) -> None:
    """Never an exception, never more answers than packets."""
    trips = trips_of(printed + IPUTILS[: len(printed)])
    assert trips is None or len(trips.times) <= trips.sent


def test_a_silent_machine_is_lost_whole_and_not_measured() -> None:
    """Everything lost is a fact; the throughput that could not be measured is a gap."""
    found = path(
        FakeHost("relais", gone=True),
        reached(),
        here="poste",
        run=lambda argv, timeout: Completed(1, NOBODY, b""),
    )
    assert found.facts == (Path("poste", "relais", 20, 1.0),)
    assert "path-silent" in {gap.code for gap in found.gaps}


def test_without_ping_connections_measure(closed: int) -> None:
    """A refused connection has made the trip; the gap says how it was measured."""

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        raise Unreachable("program-missing", "ping manque")

    host = FakeHost("relais", {"head": lambda call: Completed(0, bytes(int(call.argv[2])), b"")})
    found = path(host, reached(closed), here="poste", run=run, count=2)
    (way,) = [fact for fact in found.facts if isinstance(fact, Path)]
    assert (way.sent, way.lost) == (2, 0.0)
    assert way.p50 is not None
    assert way.p95 is not None
    assert way.p50 <= way.p95
    assert way.throughput is not None
    assert way.throughput > 1000
    assert "command-missing" in {gap.code for gap in found.gaps}


def test_a_connection_that_times_out_is_lost() -> None:
    """A listener that takes no more is a packet lost, not an error."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        where = full.getsockname()
        with socket.create_connection(where):
            assert connections("127.0.0.1", where[1], 1) == Trips(1, ())


def test_bytes_that_do_not_come_are_a_gap() -> None:
    """A machine without `head`, or that gives back other bytes, has no throughput."""
    assert throughput(FakeHost("relais"))[0] is None
    short = FakeHost("relais", {"head": lambda _: Completed(0, b"x", b"")})
    rate, gap = throughput(short)
    assert rate is None
    assert gap is not None
    assert gap.code == "throughput-unclear"


def test_default_routes() -> None:
    """One gateway a default route, the several hops of one included; other words are no answer."""
    told = b'[{"dst":"default","gateway":"10.1.0.254","dev":"eth0","protocol":"static"}]'
    assert routes_of("a", told) == [Gateway("a", "10.1.0.254", "eth0")]
    hops = b'[{"dst":"default","nexthops":[{"gateway":"10.1.0.1","dev":"e0"},{"gateway":"10.1.0.2","dev":"e1"}]}]'
    assert routes_of("a", hops) == [Gateway("a", "10.1.0.1", "e0"), Gateway("a", "10.1.0.2", "e1")]
    assert routes_of("a", b"") == []
    assert routes_of("a", b"default via 10.1.0.254") is None
    for other in (b"[1]", b"{}", b"3", b'[{"nexthops":3}]', b"[" * 200_000):
        assert routes_of("a", other) is None
    mean = b'[{"dst":"default","gateway":"a\\u001b[2J","dev":"\\ud800"}]'
    assert routes_of("a", mean) == [Gateway("a", "a?[2J", "?")]


def test_where_ip_is_missing_the_kernel_is_asked() -> None:
    """Addresses are turned round; without either, a gap."""
    assert kernel_routes("a", KERNEL) == [Gateway("a", "10.1.0.254", "eth0")]
    assert kernel_routes("a", b"rien") is None
    assert gateways(FakeHost("a", files={"/proc/net/route": KERNEL}), "a").facts == (
        Gateway("a", "10.1.0.254", "eth0"),
    )
    assert [gap.code for gap in gateways(FakeHost("a"), "a").gaps] == ["gateways-unseen"]
