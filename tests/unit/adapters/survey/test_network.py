"""What is asked of nmap, and what is made of its answers, however broken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.adapters.survey.network import scan
from releve.adapters.survey.network.commands import PORTS, Method, asked, blocks, nmap, spared
from releve.adapters.survey.network.parse import parse
from releve.adapters.survey.network.scan import patience
from releve.domain.bounds import guard
from releve.domain.errors import Refused, Unreachable
from releve.domain.inventory import AuditSpec, Network
from releve.domain.ports import Completed
from releve.domain.seen import Neighbour, Scan, Service

LAN = Network("bureau", "Bureau", "siege", "10.1.0.0/24")
PRIVATE = Network("invites", "Invités", "siege", "10.2.0.0/24", audit=False)
SPEC = AuditSpec()

HEAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<nmaprun scanner="nmap" version="7.93">
"""
PRINTER = b"""<host><status state="up" reason="arp-response"/>
<address addr="10.1.0.9" addrtype="ipv4"/><address addr="02:00:00:00:00:09" addrtype="mac" vendor="Fictive"/>
<ports><extraports state="closed" count="2"/>
<port protocol="tcp" portid="9100"><state state="open"/><service name="jetdirect" method="table"/></port>
<port protocol="tcp" portid="80"><state state="filtered"/></port></ports></host>
"""
SLOW = b"""<host timedout="true"><status state="up"/><address addr="10.1.0.10" addrtype="ipv4"/></host>
"""
END = b"""<runstats><finished elapsed="2.50" exit="success"/><hosts up="1" down="61" total="62"/></runstats>
</nmaprun>
"""


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("10.3.0.0/26", "address-not-declared"),
        ("10.1.0.0/23", "address-not-declared"),
        ("10.1.0.5/24", "address-not-declared"),
        ("0.0.0.0/0", "address-not-declared"),
        ("::/0", "address-not-declared"),
        ("-iL /etc/passwd", "address-not-declared"),
        ("exemple.invalid", "address-not-declared"),
        ("10.2.0.7", "network-not-audited"),
    ],
)
def test_only_declared_addresses_are_ever_asked_for(wanted: str, code: str) -> None:
    """Whatever is not whole inside a network that may be looked at is refused, with its reason."""
    with pytest.raises(Refused) as caught:
        guard(wanted, (LAN, PRIVATE))
    assert caught.value.code == code
    with pytest.raises(Refused):
        nmap(LAN if code == "address-not-declared" else PRIVATE, wanted, SPEC, Method.SYN)


def test_a_network_that_may_not_be_audited_starts_no_program() -> None:
    """The refusal comes before anything runs."""

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        raise AssertionError(argv)

    with pytest.raises(Refused, match="interdit"):
        scan(PRIVATE, SPEC, run=run)


def test_a_range_wider_than_a_plan_may_declare_is_refused() -> None:
    """65,536 addresses at most, as in the plan."""
    with pytest.raises(Refused) as caught:
        guard("10.0.0.0/8", (Network("tout", "Tout", "siege", "10.0.0.0/8"),))
    assert caught.value.code == "range-too-wide"


@given(st.integers(min_value=16, max_value=32), st.integers(min_value=0, max_value=2**32 - 1))
def test_blocks_are_the_network_itself(bits: int, seed: int) -> None:
    """Every address of a network is in one block and no more, none is outside, and none is over 64 addresses."""
    from ipaddress import ip_network

    whole = ip_network((seed, bits), strict=False)
    parts = [ip_network(block) for block in blocks(Network("n", "n", "s", str(whole)))]
    assert sum(part.num_addresses for part in parts) == whole.num_addresses
    assert all(part.num_addresses <= 64 and part.subnet_of(whole) for part in parts)  # type: ignore[arg-type]
    assert len(set(parts)) == len(parts)


@pytest.mark.parametrize("method", list(Method))
def test_nothing_intrusive_is_ever_asked(method: Method) -> None:
    """Names are not looked up, the rate is the plan's, and no script, version or system detection is asked."""
    argv = nmap(LAN, "10.1.0.0/26", AuditSpec(rate=40), method)
    assert argv[argv.index("--max-rate") + 1] == "40"
    assert {"-n", "-oX", "-T3", "--host-timeout"} <= set(argv)
    assert argv[-1] == "10.1.0.0/26"
    assert not {"-sC", "-sV", "-O", "-A", "--script", "-Pn", "-f", "-D"} & set(argv)
    assert ("--unprivileged" in argv) == (method is Method.CONNECT)


def test_addresses_that_wake_everybody_are_left_out() -> None:
    """The network's own address and its broadcast are never sent to; a pair of addresses has neither."""
    argv = nmap(LAN, "10.1.0.192/26", SPEC, Method.SYN)
    assert argv[argv.index("--exclude") + 1] == "10.1.0.0,10.1.0.255"
    assert spared(Network("n", "n", "s", "10.1.0.0/31")) == ()


def test_udp_is_asked_only_where_packets_may_be_made() -> None:
    """The plan's notation is nmap's; without the right, what is UDP is not asked, and a gap says it."""
    assert asked("22,U:53,161,T:80", Method.SYN) == ("22,80", "53,161")
    assert asked("22,U:53,161,T:80", Method.CONNECT) == ("22,80", "")
    alone = nmap(LAN, "10.1.0.0/26", AuditSpec(ports="U:161"), Method.CONNECT)
    assert "-sn" in alone
    assert "-p" not in alone
    found = scan(LAN, AuditSpec(ports="22,U:161"), run=_Refusing(HEAD + PRINTER + END))
    assert "udp-not-asked" in {gap.code for gap in found.gaps}


def test_the_default_ports_are_whole_numbers_once_each() -> None:
    """The list is what it says: no port twice, all of them real."""
    listed = [int(word) for word in PORTS.split(",")]
    assert len(set(listed)) == len(listed)
    assert all(0 < port < 65_536 for port in listed)
    assert patience(AuditSpec(rate=10)) > patience(AuditSpec(rate=300)) > 120


def test_an_answer_gives_who_lives_and_what_is_open() -> None:
    """Only open ports are services; the maker's name is kept with the hardware address."""
    answer = parse(HEAD + PRINTER + END, network="bureau", block="10.1.0.0/26")
    service = Service("tcp", 9100, "jetdirect")
    assert answer.neighbours == [Neighbour("bureau", "10.1.0.9", "02:00:00:00:00:09", "Fictive", (service,))]
    assert (answer.whole, answer.seconds, answer.addresses, answer.gaps) == (True, 2.5, 62, [])


@pytest.mark.parametrize("said", [b"inf", b"nan", b"", b"vite"])
def test_a_length_that_is_no_number_of_seconds_is_none(said: bytes) -> None:
    """Who lives is kept; how long it took is not known."""
    answer = parse(HEAD + PRINTER + END.replace(b"2.50", said), network="bureau", block="10.1.0.0/26")
    assert (len(answer.neighbours), answer.seconds) == (1, None)


def test_a_document_cut_at_any_byte_gives_what_was_whole_and_says_so() -> None:
    """No cut raises, none loses a host that was whole, and none passes for a scan that ended."""
    whole = HEAD + PRINTER + END
    for cut in range(len(whole) - len(b"</nmaprun>\n")):
        answer = parse(whole[:cut], network="bureau", block="10.1.0.0/26")
        assert answer.gaps, cut
        assert len(answer.neighbours) == (cut >= len(HEAD + PRINTER) - 1)
        assert all(gap.what == "10.1.0.0/26" for gap in answer.gaps)


@settings(deadline=None)  # the first one loads the parser
@given(st.binary(max_size=300))
def test_garbage_is_a_gap(raw: bytes) -> None:
    """Bytes that are not nmap's answer never raise and never mean "nobody"."""
    answer = parse(raw, network="bureau", block="10.1.0.0/26")
    assert not answer.whole
    assert {gap.code for gap in answer.gaps} <= {"nmap-garbage", "nmap-truncated"}
    assert len(answer.gaps) == 1


def test_entities_are_not_unfolded() -> None:
    """A document that defines entities (a bomb) is refused, and says nothing."""
    bomb = b'<!DOCTYPE n [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><nmaprun><host>&b;</host></nmaprun>'
    answer = parse(bomb, network="bureau", block="10.1.0.0/26")
    assert answer.neighbours == []
    assert answer.gaps


def test_an_address_that_nmap_gave_up_on_is_named() -> None:
    """It lives, and its ports were not seen: both are said."""
    answer = parse(HEAD + SLOW + END, network="bureau", block="10.1.0.0/26")
    assert [one.address for one in answer.neighbours] == ["10.1.0.10"]
    assert [(gap.code, gap.what) for gap in answer.gaps] == [("address-timeout", "10.1.0.10")]


class _Refusing:
    """An nmap where packets may not be made: SYN is refused, connect() answers."""

    def __init__(self, answer: bytes, *, routed: bool = True) -> None:
        self.answer, self.routed = answer, routed
        self.argvs: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], *, timeout: float) -> Completed:
        assert timeout > 0
        self.argvs.append(argv)
        if argv[0] == "ip":
            return Completed(0 if self.routed else 2, b"", b"")
        if "-sS" in argv:
            return Completed(1, HEAD, b"Couldn't open a raw socket. Error: Operation not permitted (1)\n")
        return Completed(0, self.answer, b"")


def test_without_the_right_to_make_packets_connections_do() -> None:
    """The first block tries, the others know; the fact states which way it was."""
    run = _Refusing(HEAD + PRINTER + END)
    found = scan(LAN, SPEC, run=run)
    assert sum("-sS" in argv for argv in run.argvs) == 1
    summary = found.facts[-1]
    assert isinstance(summary, Scan)
    assert summary.timing.startswith("--unprivileged -sT -T3")
    assert (summary.addresses, summary.up, summary.seconds, found.gaps) == (248, 4, 10.0, ())


def test_addresses_without_a_route_are_not_said_to_be_dead() -> None:
    """By connect(), nmap calls down what it could not even ask: that is a gap, and no scan took place."""
    found = scan(LAN, SPEC, run=_Refusing(HEAD + END, routed=False))
    assert found.facts == ()
    assert {gap.code for gap in found.gaps} == {"network-unrouted"}
    assert len(found.gaps) == 4


def test_a_network_where_nobody_answers_is_a_doubt() -> None:
    """An empty network and one that cannot be reached look alike from here."""
    empty = END.replace(b'up="1" down="61"', b'up="0" down="62"')
    found = scan(LAN, SPEC, run=lambda argv, timeout: Completed(0, HEAD + empty, b""))
    assert [gap.code for gap in found.gaps] == ["network-silent"]
    assert isinstance(found.facts[-1], Scan)


@pytest.mark.parametrize(("code", "count"), [("program-missing", 1), ("host-timeout", 4)])
def test_a_program_that_fails_is_a_gap(code: str, count: int) -> None:
    """Absent, it is said once for the whole network; a block out of time does not stop the others."""

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        raise Unreachable(code, "raison")

    found = scan(LAN, SPEC, run=run)
    assert found.facts == ()
    assert len(found.gaps) == count
    assert found.gaps[0].code == ("command-missing" if code == "program-missing" else code)


def test_a_scan_stops_at_the_end_of_its_hours() -> None:
    """What was looked at in time stays; nothing is sent after, and all that was left is said: a machine in it may be alive."""
    seen: list[str] = []

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        seen.append(argv[-1])
        return Completed(0, HEAD + PRINTER + END, b"")

    found = scan(LAN, SPEC, run=run, may=lambda: len(seen) < 2)
    assert seen == ["10.1.0.0/26", "10.1.0.64/26"]
    assert sum(isinstance(fact, Neighbour) for fact in found.facts) == 2
    assert [(gap.code, gap.what) for gap in found.gaps] == [("window-closed", "10.1.0.128/25")]
    assert "128 adresses" in found.gaps[0].sentence
