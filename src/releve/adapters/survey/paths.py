"""The way to a machine: round trips, what is lost, how fast bytes come, and by which gateways it goes out."""

from __future__ import annotations

import json
import math
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from releve.adapters.survey.telling import text
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.plan import HostSpec, SshSpec
from releve.domain.ports import Completed, Host
from releve.domain.seen import Fact, Gateway, Path

COUNT = 20  # packets: a loss of one in twenty is where a voice begins to break
INTERVAL = 0.2  # seconds between two: the least that anybody but root may ask of ping
_WAIT = 1  # seconds for one answer: a site that answers later is no site to work with
_FIRST = 256 * 1024  # bytes: two seconds of the slowest line (1 Mb/s)
_MOST = 16 * 2**20  # bytes; a line of 1 Gb/s gives them in a seventh of a second
_SECONDS = 2.0  # of the line for ourselves, at most
_READ_LIMIT = 60.0


class Runs(Protocol):
    """Runs a program to its end, on the machine that audits: `Host.run`. Raises `Unreachable`."""

    def __call__(self, argv: Sequence[str], *, timeout: float) -> Completed: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Trips:
    """Round trips in ms, in the order in which they came, and how many were sent."""

    sent: int
    times: tuple[float, ...]


def path(host: Host, spec: HostSpec, *, here: str, run: Runs, count: int = COUNT) -> Found:
    """`Gateway` facts of machine `spec`, and the `Path` to it when it is reached through SSH.

    `here` names the machine that audits, `run` runs programs there. Without ping, or the right to it, the
    time of a TCP connection to the SSH port stands for a round trip, and a gap says so. Nothing is raised
    for what is not seen. A machine that answers to nothing has a `Path` with everything lost.
    """
    facts: list[Fact] = []
    gaps: list[Gap] = []
    if spec.ssh is not None:
        trips, trouble = _trips(spec.ssh, run, count)
        gaps += trouble
        if trips is not None:
            rate, why = throughput(host) if trips.times else (None, _unheard(spec))
            gaps += [why] if why else []
            facts.append(_path(here, spec.id, trips, rate))
    out = gateways(host, spec.id)
    return Found((*facts, *out.facts), (*gaps, *out.gaps))


def _unheard(spec: HostSpec) -> Gap:
    return Gap("path-silent", f"{spec.id} n'a répondu à aucun paquet : débit non mesuré", "débit")


def _path(here: str, target: str, trips: Trips, rate: float | None) -> Path:
    lost = 1 - len(trips.times) / trips.sent
    ranked = sorted(trips.times)
    return Path(here, target, trips.sent, round(lost, 4), _rank(ranked, 0.5), _rank(ranked, 0.95), rate)


def _rank(ranked: Sequence[float], share: float) -> float | None:
    """The smallest that `share` of them do not exceed (nearest rank)."""
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else None


def ping(address: str, count: int) -> list[str]:
    """The command line; names are not looked up backwards."""
    return ["ping", "-n", "-c", str(count), "-i", f"{INTERVAL:g}", "-W", str(_WAIT), "--", address]


def trips_of(printed: bytes) -> Trips | None:
    """What ping (iputils, BusyBox) printed; None when it is something else. Pure. Doubles count once."""
    told = printed.decode("utf-8", "replace")
    sent = re.search(r"^(\d{1,9}) packets transmitted, ", told, re.MULTILINE)
    if sent is None or not int(sent[1]):
        return None
    times: dict[str, float] = {}
    for found in re.finditer(r"(?:icmp_|\b)seq=(\d+) .*?\btime=(\d+(?:\.\d+)?) ms(?! \(DUP)", told):
        times.setdefault(found[1], float(found[2]))
    return Trips(int(sent[1]), tuple(times.values())[: int(sent[1])])


def _trips(ssh: SshSpec, run: Runs, count: int) -> tuple[Trips | None, list[Gap]]:
    limit = count * (INTERVAL + _WAIT) + 10
    try:
        done = run(ping(ssh.address, count), timeout=limit)
    except ReleveError as error:
        if error.code not in {"program-missing", "program-denied"}:
            return None, [Gap(error.code, error.sentence, "ping")]
        why = Gap(
            "command-missing", "le programme ping n'est pas installé : mesuré par connexions SSH", "ping"
        )
        return connections(ssh.address, ssh.port, count), [why]
    trips = trips_of(done.stdout)
    if trips is not None:
        return trips, []
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    why = Gap("ping-failed", f"ping a échoué ({said[-1] if said else done.code}) : mesuré par SSH", "ping")
    return connections(ssh.address, ssh.port, count), [why]


def connections(address: str, port: int, count: int) -> Trips:
    """The times that TCP connections to a port take: one round trip each, and a little."""
    times = []
    for turn in range(count):
        if turn:
            time.sleep(INTERVAL)
        begun = time.perf_counter()
        try:
            with socket.create_connection((address, port), timeout=_WAIT):
                times.append(round((time.perf_counter() - begun) * 1000, 3))
        except ConnectionRefusedError:  # a refusal has made the trip too
            times.append(round((time.perf_counter() - begun) * 1000, 3))
        except OSError:  # counted as lost: it is what a user would meet
            continue
    return Trips(count, tuple(times))


def throughput(host: Host) -> tuple[float | None, Gap | None]:
    """Bytes a second from `host` to here, through the connection that we have with it; or why not.

    A short read first says how long the real one may be: never more than two seconds of the line, nor
    than 16 MB. The time of a question without bytes is taken off.
    """
    try:
        idle = min(_read(host, 0), _read(host, 0))
        short = max(_read(host, _FIRST) - idle, 1e-4)
        size = int(min(_MOST, max(_FIRST, _FIRST / short * _SECONDS)))
        taken = short if size == _FIRST else max(_read(host, size) - idle, 1e-4)
    except ReleveError as error:
        return None, Gap(error.code, error.sentence, "débit")
    except _NotThatMany:
        return None, Gap("throughput-unclear", f"{host.id} n'a pas rendu les octets demandés", "débit")
    return round(size / taken), None


class _NotThatMany(Exception):
    """Other bytes came than were asked for."""


def _read(host: Host, size: int) -> float:
    begun = time.perf_counter()
    done = host.run(["head", "-c", str(size), "/dev/zero"], timeout=_READ_LIMIT)
    taken = time.perf_counter() - begun
    if done.code or len(done.stdout) != size:
        raise _NotThatMany
    return taken


def gateways(host: Host, device: str) -> Found:
    """The default routes of a machine, IPv4 and IPv6."""
    found: list[Gateway] = []
    try:
        for family in ("-4", "-6"):
            done = host.run(["ip", "-j", family, "route", "show", "default"], timeout=10.0)
            routes = routes_of(device, done.stdout) if done.code == 0 else None
            if routes is None:
                break
            found += routes
        else:
            return Found(tuple(found))
    except ReleveError as error:
        if error.code != "program-missing":
            return Found((), (Gap(error.code, error.sentence, "passerelles"),))
    return _from_the_kernel(host, device)


def _from_the_kernel(host: Host, device: str) -> Found:
    """Where `ip` is missing or old: IPv4 only."""
    try:
        table = host.read("/proc/net/route")
    except ReleveError as error:
        return Found((), (Gap(error.code, error.sentence, "passerelles"),))
    routes = kernel_routes(device, table) if table is not None else None
    if routes is None:
        return Found((), (Gap("gateways-unseen", f"les routes de {device} ne se lisent pas", "passerelles"),))
    return Found(tuple(routes))


def routes_of(device: str, raw: bytes) -> list[Gateway] | None:
    """What `ip -j route show default` printed; None when it is something else. Pure."""
    try:
        told = json.loads(raw or b"[]")
        every = [hop for route in told for hop in (route, *(route.get("nexthops") or ()))]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(told, list):
        return None
    hops = [hop for hop in every if isinstance(hop, dict)]
    return [
        Gateway(device, text(str(hop.get("gateway", ""))), text(str(hop.get("dev", ""))))
        for hop in hops
        if hop.get("gateway") or ("dev" in hop and hop.get("dst") == "default")
    ]


def kernel_routes(device: str, table: bytes) -> list[Gateway] | None:
    """Default routes of /proc/net/route (addresses in hexadecimal, lowest byte first); None when unclear. Pure."""
    lines = [line.split() for line in table.decode("ascii", "replace").splitlines()]
    if not lines or lines[0][:3] != ["Iface", "Destination", "Gateway"]:
        return None
    try:
        return [
            Gateway(device, str(IPv4Address(bytes.fromhex(line[2])[::-1])), line[0])
            for line in lines[1:]
            if line[1] == "00000000" and line[7] == "00000000"
        ]
    except (ValueError, IndexError):
        return None
