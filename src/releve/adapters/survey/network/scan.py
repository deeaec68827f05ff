"""Looks at a declared network, a block of addresses at a time, with nmap on the machine that audits.

The program is a child of ours: when we are interrupted, or killed, it goes too (`run` sees to that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, collapse_addresses, ip_network
from typing import Protocol, cast

from releve.adapters.survey.network.commands import (
    BLOCK,
    Method,
    asked,
    blocks,
    discovery,
    nmap,
    ports,
    route,
    timing,
)
from releve.adapters.survey.network.parse import Answer, parse
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.inventory import AuditSpec, Network
from releve.domain.ports import Completed
from releve.domain.seen import Neighbour, Scan

_FLOOR = 120.0  # seconds for any block: the timeouts of a route that nobody answers on
_ROUTE = 10.0  # seconds
_PACKETS = 3  # an address or a port is asked once and twice again at most


class Runs(Protocol):
    """Runs a program to its end, here: `Host.run` of this machine. Raises `Unreachable`."""

    def __call__(self, argv: Sequence[str], *, timeout: float) -> Completed: ...  # noqa: D102


@dataclass(slots=True)
class _Sum:
    """What the blocks gave so far."""

    neighbours: list[Neighbour] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    seconds: float = 0.0
    addresses: int = 0
    up: int = 0

    def add(self, answer: Answer) -> None:
        self.neighbours += answer.neighbours
        self.gaps += answer.gaps
        self.seconds += answer.seconds or 0.0
        if answer.whole:
            self.addresses += answer.addresses or 0
        self.up += len(answer.neighbours)


def scan(
    network: Network,
    spec: AuditSpec,
    *,
    run: Runs,
    may: Callable[[], bool] = lambda: True,
) -> Found:
    """`Neighbour` facts and one `Scan`; a gap for every block that could not be looked at to its end.

    `may` is asked before each block: once it says no, what is left is a gap.
    Packets are made by hand where we have the right, and by connect() otherwise: `Scan.timing` states which.
    `Scan.addresses` counts those of whole blocks only. Raises `Refused` for what the plan does not let be looked at.
    """
    everything = blocks(network)
    found, method = _Sum(), Method.SYN
    for number, block in enumerate(everything):
        if not may():
            found.gaps += _too_late(everything[number:])
            break
        answer, method = _block(network, block, spec, method, run)
        found.add(answer)
        if any(gap.code == "command-missing" for gap in answer.gaps):
            return Found((), (Gap("command-missing", "le programme nmap n'est pas installé"),))
    if method is Method.CONNECT and asked(ports(spec), Method.SYN)[1]:
        found.gaps.append(
            Gap("udp-not-asked", "les ports UDP demandés n'ont pas été vus : il faut être root", "udp")
        )
    if found.addresses and not found.neighbours:
        sentence = (
            f"aucune des {found.addresses} adresses n'a répondu : rien n'y vit, ou rien n'en revient ici"
        )
        found.gaps.append(Gap("network-silent", sentence, network.range))
    how = " ".join((*timing(spec, method), *discovery(method)))
    fact = Scan(network.id, ports(spec), how, round(found.seconds, 2), found.addresses, found.up)
    if not found.addresses and not found.neighbours:
        return Found((), tuple(found.gaps))
    return Found((*found.neighbours, fact), tuple(found.gaps))


def _too_late(left: Sequence[str]) -> Iterator[Gap]:
    """The ranges that were left when the hours ended, each by its own name: what is in them may well be alive."""
    parts = cast("list[IPv4Network]", [ip_network(block) for block in left])  # or all of them IPv6
    for part in collapse_addresses(parts):
        sentence = f"l'heure permise est passée : {part.num_addresses} adresses n'ont pas été regardées"
        yield Gap("window-closed", sentence, str(part))


def _block(network: Network, block: str, spec: AuditSpec, method: Method, run: Runs) -> tuple[Answer, Method]:
    """The answer for one block, and how packets could be made: the next block need not try again."""
    argv = nmap(network, block, spec, method)  # the guard is in it
    if method is Method.CONNECT and (gap := _unrouted(block, run)):
        return Answer(gaps=[gap]), method
    try:
        done = run(argv, timeout=patience(spec))
    except ReleveError as error:
        code = "command-missing" if error.code == "program-missing" else error.code
        return Answer(gaps=[Gap(code, error.sentence, block)]), method
    if method is Method.SYN and done.code > 0:
        # It has several sentences for "you may not make packets" (raw socket, capture, device). Whatever it
        # was, connections need no right; if they fail too, that is the failure that is told.
        return _block(network, block, spec, Method.CONNECT, run)
    return parse(done.stdout, network=network.id, block=block), method


def _unrouted(block: str, run: Runs) -> Gap | None:
    """Why no packet can leave for `block`. By connect(), nmap calls "down" what it had no route to ask."""
    try:
        done = run(route(block), timeout=_ROUTE)
    except ReleveError as error:
        return Gap("route-unknown", f"impossible de savoir si une route y mène : {error.sentence}", block)
    return Gap("network-unrouted", "aucune route d'ici vers ces adresses", block) if done.code else None


def patience(spec: AuditSpec) -> float:
    """Seconds that a block may take: every port of every address asked three times, at the plan's rate."""
    tcp, udp = asked(ports(spec), Method.SYN)
    count = sum(_width(word) for word in f"{tcp},{udp}".split(",") if word)
    return _FLOOR + BLOCK * _PACKETS * (count + 9) / spec.rate * 2


def _width(word: str) -> int:
    low, dash, high = word.partition("-")
    if not dash:
        return 1
    return max(1, int(high or 65_535) - int(low or 1) + 1)
