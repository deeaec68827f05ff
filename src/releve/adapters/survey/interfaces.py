"""What a Linux machine's network interfaces count, and who is at the other end of their cables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from releve.adapters.survey.asking import answered, unclear
from releve.adapters.survey.telling import text
from releve.domain.audit import Found, Gap
from releve.domain.errors import ReleveError
from releve.domain.plan import HostSpec
from releve.domain.ports import Host
from releve.domain.seen import Lldp, Port

PROBE = "interfaces"
_LIMIT = 20.0  # seconds beyond the pause: reading /sys takes milliseconds
_MEGA = 10**6  # the kernel counts speeds in Mb/s
_LONGEST = 64  # characters of a name; the kernel's own limit is 15

_SUMS: Mapping[str, tuple[str, ...]] = {
    "packets": ("rx_packets", "tx_packets"),
    "crc": ("rx_crc_errors",),
    "frame": ("rx_frame_errors",),
    "length": ("rx_length_errors",),
    "late": ("tx_window_errors",),  # where Linux counts late collisions (its statistics documentation)
    "collisions": ("collisions",),
    "errors": ("rx_errors", "tx_errors"),
    # rx_dropped also counts the frames that nobody here asked for (LLDP, another protocol): no fault of a cable
    "discards": ("rx_missed_errors", "rx_fifo_errors", "tx_dropped"),
    "changes": ("carrier_changes",),
}


def interfaces(host: Host, spec: HostSpec, pause: float) -> Found:
    """`Port` facts of machine `spec`, and `Lldp` where lldpd runs. Never raises for what is not seen.

    `pause`: seconds between the two readings; 0 reads once. The kernel's counters are never kept back:
    what did not grow did not happen meanwhile.
    """
    told = answered(host, PROBE, {"pause": pause}, what="interfaces", timeout=pause + _LIMIT)
    if isinstance(told, Gap):
        return Found((), (told,))
    found = ports(spec.id, told)
    near = neighbours(host, spec)
    return Found((*found.facts, *near.facts), (*found.gaps, *near.gaps))


def ports(device: str, told: Mapping[str, Any]) -> Found:
    """What the probe printed, as facts. Pure; what does not fit becomes a gap."""
    faces, first, second = told.get("faces"), told.get("first"), told.get("second")
    seconds = told.get("seconds")
    if not isinstance(faces, dict) or not isinstance(first, dict) or not isinstance(seconds, int | float):
        return Found((), (unclear(device, "interfaces"),))
    if told.get("failed") or not faces:
        return Found(
            (), (Gap("interfaces-unseen", f"aucune carte réseau visible sur {device}", "interfaces"),)
        )
    later = second if isinstance(second, dict) else {}
    facts, gaps = [], []
    for name, face in faces.items():
        counts = first.get(name)
        if not isinstance(face, dict) or not isinstance(counts, dict):
            gaps.append(unclear(device, text(name)[:_LONGEST]))
            continue
        again = later.get(name)
        facts.append(_port(device, name, face, counts, again if isinstance(again, dict) else None, seconds))
    return Found(tuple(facts), tuple(gaps))


def _port(
    device: str,
    name: str,
    face: Mapping[str, Any],
    first: Mapping[str, Any],
    second: Mapping[str, Any] | None,
    seconds: float,
) -> Port:
    # "unknown" is what drivers say that have no link to speak of (tun): the carrier then decides
    up = face.get("state") == "up" or (face.get("state") == "unknown" and face.get("carrier") == 1)
    speed, ability = _positive(face.get("speed")), _positive(face.get("ability"))
    duplex = face.get("duplex")
    latest = first if second is None else second
    sums = {word: _sum(latest, parts) for word, parts in _SUMS.items()}
    return Port(
        device,
        text(name)[:_LONGEST],
        up,
        text(str(face.get("alias") or "")),
        speed * _MEGA if speed and up else None,
        ability * _MEGA if ability else None,
        duplex if up and duplex in {"full", "half"} else "",
        seconds=round(seconds, 3) if second is not None else 0.0,
        grown={} if second is None else _grown(first, second),
        **sums,
    )


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _count(counts: Mapping[str, Any], part: str) -> int | None:
    value = counts.get(part)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _sum(counts: Mapping[str, Any], parts: tuple[str, ...]) -> int | None:
    known = [value for part in parts if (value := _count(counts, part)) is not None]
    return sum(known) if known else None


def _grown(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, int]:
    grown = {}
    for word, parts in _SUMS.items():
        before, after = _sum(first, parts), _sum(second, parts)
        if before is not None and after is not None and after > before:
            grown[word] = after - before
    return grown


def neighbours(host: Host, spec: HostSpec) -> Found:
    """What lldpd heard on each cable. A machine without lldpd hears nothing: that is no gap."""
    try:
        done = host.run(["lldpcli", "-f", "json0", "show", "neighbors"], timeout=10.0)
    except ReleveError as error:
        if error.code == "program-missing":
            return Found()
        return Found((), (Gap(error.code, error.sentence, "lldp"),))
    if done.code:
        return Found((), (Gap("lldp-silent", "lldpd est installé et ne répond pas", "lldp"),))
    heard = lldp(spec.id, done.stdout)
    return Found((), (unclear(spec.id, "lldp"),)) if heard is None else Found(heard)


def lldp(device: str, raw: bytes) -> tuple[Lldp, ...] | None:
    """What `lldpcli -f json0 show neighbors` printed, as facts; None when it is something else. Pure."""
    try:
        told = json.loads(raw)
        seen = []
        for part in told["lldp"]:
            for cable in part.get("interface", ()):
                chassis, port = cable["chassis"][0], cable["port"][0]
                name = _first(chassis, "name") or _first(chassis, "id")
                far = _first(port, "descr") or _first(port, "id")
                seen.append(Lldp(device, text(str(cable["name"]))[:_LONGEST], name, far))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    return tuple(seen)


def _first(part: Mapping[str, Any], word: str) -> str:
    values = part.get(word) or [{}]
    return text(str(values[0].get("value", "")))
