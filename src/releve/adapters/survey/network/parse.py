"""What nmap answered (its XML), as facts. Pure. A document that breaks off gives what was whole before.

An address that nmap gave up on, a document cut short, an answer that is no document at all: each is a gap,
for "nobody lives there" may only be said by a scan that reached its end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from releve.domain.audit import Gap
from releve.domain.seen import Neighbour, Service

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST = 64 * 2**20  # bytes; 64 addresses with all their ports make less than a tenth of it


@dataclass(slots=True)
class Answer:
    """One call of nmap. `whole`: it reached its end; `seconds`, `addresses` and `up` are its own counts."""

    neighbours: list[Neighbour] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    whole: bool = False
    seconds: float | None = None
    addresses: int | None = None
    up: int | None = None
    skipped: int = 0  # addresses that no packet could leave for
    failure: str = ""


def parse(raw: bytes, *, network: str, block: str) -> Answer:
    """The answer about `block` of `network` (an id). Never raises for what it reads."""
    answer = Answer()
    if len(raw) > LARGEST:
        answer.gaps.append(Gap("nmap-garbage", f"nmap a répondu {len(raw)} octets, plus que possible", block))
        return answer
    broken = False
    try:
        for element in _elements(raw):
            _take(element, answer, network)
    except (ValueError, SyntaxError):  # ParseError is a SyntaxError; refused entities are ValueErrors
        broken = True
    answer.gaps += _shortcomings(answer, raw, block, broken=broken)
    return answer


def _shortcomings(answer: Answer, raw: bytes, block: str, *, broken: bool) -> Iterator[Gap]:
    if answer.skipped:
        yield Gap("network-unrouted", f"aucune route d'ici vers {answer.skipped} adresses", block)
    if answer.failure:
        yield Gap("nmap-failed", f"nmap a échoué : {answer.failure}", block)
    elif not answer.whole and (answer.neighbours or b"<nmaprun" in raw[:4096]):
        yield Gap("nmap-truncated", "la réponse de nmap s'interrompt : la suite n'a pas été vue", block)
    elif not answer.whole or broken:
        yield Gap("nmap-garbage", "nmap n'a pas répondu dans son format", block)


def _elements(raw: bytes) -> Iterator[Element]:
    """Each host and each end, as soon as it is whole; no entity, no file from outside is ever followed."""
    from defusedxml.ElementTree import iterparse

    for _, element in iterparse(BytesIO(raw), events=("end",), forbid_dtd=False, forbid_external=True):
        if element.tag in {"host", "runstats", "target"}:
            yield element
            element.clear()


def _take(element: Element, answer: Answer, network: str) -> None:
    if element.tag == "runstats":
        _end(element, answer)
        return
    if element.tag == "target":
        answer.skipped += element.get("status") == "skipped"
        return
    status = element.find("status")
    if status is None or status.get("state") != "up":
        return
    addresses = {one.get("addrtype", ""): one for one in element.findall("address")}
    ip = addresses.get("ipv4", addresses.get("ipv6"))
    if ip is None or not ip.get("addr"):
        answer.gaps.append(Gap("nmap-garbage", "nmap décrit une machine sans adresse", network))
        return
    address = ip.get("addr", "")
    mac = addresses.get("mac")
    if element.get("timedout") == "true":
        answer.gaps.append(
            Gap("address-timeout", "cette adresse vit mais répond trop lentement : ports non vus", address)
        )
    answer.neighbours.append(
        Neighbour(
            network,
            address,
            mac.get("addr", "") if mac is not None else "",
            mac.get("vendor", "") if mac is not None else "",
            tuple(_services(element)),
        )
    )


def _services(host: Element) -> Iterator[Service]:
    for port in host.iterfind("ports/port"):
        state = port.find("state")
        number = _whole(port.get("portid"))
        if state is None or state.get("state") != "open" or number is None or not 0 < number < 65_536:
            continue
        named = port.find("service")
        name = named.get("name", "") if named is not None else ""
        yield Service(port.get("protocol", "tcp"), number, name, "")


def _end(element: Element, answer: Answer) -> None:
    finished, hosts = element.find("finished"), element.find("hosts")
    if finished is None or hosts is None:
        return
    answer.whole = finished.get("exit") == "success"
    answer.failure = "" if answer.whole else finished.get("errormsg", "")[:200]
    try:
        seconds = float(finished.get("elapsed", ""))
    except ValueError:
        seconds = math.nan
    answer.seconds = seconds if math.isfinite(seconds) else None
    answer.addresses, answer.up = _whole(hosts.get("total")), _whole(hosts.get("up"))


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None
