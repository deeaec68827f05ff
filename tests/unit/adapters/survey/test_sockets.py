"""Sockets as the kernel writes them, and what is made of them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files

import pytest

from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.probes.sockets import Socket, address_of, gathered, outgoing, sockets_of
from releve.adapters.survey.sockets import connections, listening_of
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import Connection, Listening
from tests.fakes.hosts import FakeHost

SPEC = HostSpec("srv", "principal", Reach.LOCAL)
ANY = "0.0.0.0"  # noqa: S104 - read, not bound


class As(LocalHost):
    """This machine, under another account."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        return super().run(argv, stdin=stdin, user="nobody", timeout=timeout, env=env)


def asked(host: LocalHost) -> tuple[list[Listening], set[str]]:
    """What listens, by the probe alone; and the codes of the gaps."""
    from releve.adapters.survey.asking import answered

    told = answered(host, "sockets", {}, what="", timeout=20)
    assert isinstance(told, dict)
    found = listening_of("srv", told, what="ports")
    return [fact for fact in found.facts if isinstance(fact, Listening)], {gap.code for gap in found.gaps}


def test_a_socket_that_listens_is_seen_with_its_program() -> None:
    """TCP and UDP, on IPv4 and IPv6, and the program that holds each: ours."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        listening, _ = asked(LocalHost(SPEC))
        wanted = [
            ("tcp", "127.0.0.1", tcp.getsockname()[1]),
            ("tcp", "::1", six.getsockname()[1]),
            ("udp", "127.0.0.1", udp.getsockname()[1]),
        ]
    name = open("/proc/self/comm").read().strip()  # noqa: SIM115, PTH123 - read at once
    found = {(fact.protocol, fact.address, fact.port): fact.program for fact in listening}
    assert [found.get(item) for item in wanted] == [name] * 3


@pytest.mark.needs("root")
def test_without_the_right_to_know_a_program_is_unnamed_and_a_gap_says_so() -> None:
    """Under an ordinary account the port is there, its program is empty, and the gap counts it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        listening, codes = asked(As(SPEC))
        port = server.getsockname()[1]
    assert [fact.program for fact in listening if fact.port == port] == [""]
    assert codes == {"programs-hidden"}


@pytest.mark.parametrize(("root", "why"), [(False, "n'a pas le droit"), (True, "même à root")])
def test_a_program_without_a_name_is_told_why(root: bool, why: str) -> None:
    """Root has every right: what it does not see is somewhere else."""
    told = {"listening": [["tcp", "::", 80, ""]], "hidden": True, "root": root}
    (gap,) = listening_of("srv", told, what="ports").gaps
    assert why in gap.sentence


def test_what_a_machine_says_to_itself_is_no_exchange() -> None:
    """A conversation on the loopback is left out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            found = connections(LocalHost(SPEC), SPEC, seconds=0.05)
    seen = [fact for fact in found.facts if isinstance(fact, Connection)]
    assert not [fact for fact in seen if port in (fact.port,) or fact.peer.startswith("127.")]


@pytest.mark.parametrize(
    "text", [b"", b"{}", b'{"flows": 3}', b'{"flows": [["a"]], "apart": 0}', b'{"flows": []}', b"\xff"]
)
def test_garbage_about_exchanges_is_a_gap(text: bytes) -> None:
    """No exchange seen is a fact of a whole answer only."""
    host = FakeHost(programs={"python3": lambda _: Completed(0, text, b"")})
    found = connections(host, SPEC, seconds=1)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["answer-unclear"])


def test_a_quiet_machine_has_no_exchange_and_no_gap() -> None:
    """An answer without any conversation is whole."""
    text = json.dumps({"listening": [], "flows": [], "hidden": True, "apart": 0}).encode()
    found = connections(FakeHost(programs={"python3": lambda _: Completed(0, text, b"")}), SPEC, seconds=1)
    assert (found.facts, found.gaps) == ((), ())


def test_lines_nobody_understands_are_left_out() -> None:
    """A strange line costs itself alone."""
    good = "   0: 0100007F:0016 0200000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 4242 1"
    assert [one.inode for one in sockets_of(f"  sl ...\n{good}\n 1: XYZ\n\n{good[:20]}\n")] == ["4242"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0100007F:0016", ("127.0.0.1", 22)),
        ("00000000000000000000000000000000:01BB", ("::", 443)),
        ("0000000000000000FFFF00000100000A:01BB", ("10.0.0.1", 443)),
        ("B80D01200000000000000000010000FE:0050", ("2001:db8::fe00:1", 80)),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(text: str, address: tuple[str, int]) -> None:
    """Words in the machine's order; an IPv4 address within IPv6 is one of IPv4."""
    assert address_of(text) == address


def talk(port: int, peer_port: int, peer: str = "10.0.0.9") -> Socket:
    """A conversation of 10.0.0.1."""
    return Socket("", "10.0.0.1", port, peer, peer_port, "")


@pytest.mark.parametrize(
    ("one", "listening", "expected"),
    [
        (talk(443, 50_000), {(ANY, 443)}, False),
        (talk(443, 50_000), {("::", 443)}, False),
        (talk(8443, 5432), {("10.0.0.1", 8443)}, False),
        (talk(50_000, 443), {(ANY, 443)}, True),
        (talk(50_000, 443), {("127.0.0.1", 50_000)}, True),
        (talk(21, 50_000), set(), False),
        (talk(1000, 2049), set(), True),
    ],
    ids=["any4", "any6", "own", "client", "loopback-only", "closed-since", "reserved-client"],
)
def test_the_server_is_the_end_that_listens(
    one: Socket, listening: set[tuple[str, int]], expected: bool
) -> None:
    """Here when we listen there; else the far end, unless ports say that a listener has closed since."""
    assert outgoing(one, listening) is expected


def test_conversations_are_counted_by_flow_and_an_unnamed_one_joins_its_flow() -> None:
    """Two programs stay two; one that was seen too late for its name joins the only program known."""
    seen = {talk(50_001, 443): "curl", talk(50_002, 443): "", talk(50_003, 25): "", talk(22, 50_004): "sshd"}
    assert sorted(gathered(seen, {(ANY, 22)})) == [
        ["10.0.0.1", "10.0.0.9", 22, False, "sshd", 1],
        ["10.0.0.1", "10.0.0.9", 25, True, "", 1],
        ["10.0.0.1", "10.0.0.9", 443, True, "curl", 2],
    ]
    seen[talk(50_005, 443)] = "wget"
    assert {tuple(flow[4:]) for flow in gathered(seen, set()) if flow[2] == 443} == {
        ("curl", 1),
        ("wget", 1),
        ("", 1),
    }


def test_the_conversation_that_carries_the_audit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its SSH session, whoever holds the socket; another one of the same machine is an exchange."""
    from releve.adapters.survey.probes import sockets as probe

    carries, other = (Socket("01", "10.1.0.10", 22, "192.0.2.7", port, str(port)) for port in (50022, 50023))
    monkeypatch.setattr(probe, "table", lambda _: [carries, other])
    monkeypatch.setattr(probe, "owners", lambda: ({"50022": ("7", "sshd"), "50023": ("8", "sshd")}, False))
    monkeypatch.setattr(probe, "family", lambda: ({"1000"}, {("192.0.2.7", 50022)}))
    assert probe.watch(0.0, 0.2)[0] == [["10.1.0.10", "192.0.2.7", 22, False, "sshd", 1]]


def test_the_peer_of_our_session_is_told_by_what_is_above_us() -> None:
    """An ancestor has it in its environment, as sshd puts it there."""
    source = (files("releve.adapters.survey.probes") / "sockets.py").read_text(encoding="utf-8")
    above = {"PATH": "/usr/bin:/bin", "SSH_CONNECTION": "192.0.2.7 50022 10.1.0.10 22"}
    done = subprocess.run(
        ["sh", "-c", "env -u SSH_CONNECTION python3 -I -; true"],
        input=f"{source}\nprint(('192.0.2.7', 50022) in family()[1])\n",
        env=above,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"
