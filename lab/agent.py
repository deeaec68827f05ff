"""The laboratory's own part of a switch's SNMP agent: the counters that no virtual cable has. Simulated.

CRC errors and late collisions have no cause on a virtual cable, so they are made up here, and the agent's
description says so. Run by snmpd as a `pass_persist` program (snmpd.conf(5)): lines come in, lines go out.
Standard library only: its source is copied into the switch. Numbers of columns: RFC 3635, dot3StatsTable.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

TREE = ".1.3.6.1.2.1.10.7"
COLUMNS = {"frame": 2, "crc": 3, "single": 4, "multiple": 5, "late": 8, "length": 13}
_INDEX, _DUPLEX, _FULL = 1, 19, 3
Key = tuple[int, ...]


def key_of(text: str) -> Key:
    """An OID as numbers. Raises ValueError."""
    return tuple(int(part) for part in text.strip().strip(".").split("."))


def table(
    ports: dict[str, int], rates: dict[str, dict[str, float]], seconds: float
) -> dict[Key, tuple[str, int]]:
    """Every value of the table, by OID. `rates`: what grows on a port, a second."""
    root = (*key_of(TREE), 2, 1)
    found: dict[Key, tuple[str, int]] = {}
    for name, index in ports.items():
        grows = rates.get(name, {})
        found[*root, _INDEX, index] = ("integer", index)
        for counter, column in COLUMNS.items():
            found[*root, column, index] = ("counter", int(grows.get(counter, 0.0) * seconds))
        found[*root, _DUPLEX, index] = ("integer", _FULL)
    return found


def answer(order: str, oid: str, values: dict[Key, tuple[str, int]]) -> list[str]:
    """The lines that snmpd expects for one question."""
    asked = key_of(oid)
    if order == "getnext":
        later = [key for key in values if key > asked]
        if not later:
            return ["NONE"]
        asked = min(later)
    if asked not in values:
        return ["NONE"]
    kind, value = values[asked]
    return ["." + ".".join(map(str, asked)), kind, str(value)]


def main() -> None:
    """Answer until nobody asks any more."""
    began = time.monotonic() - 30  # seconds: something has been counted by the first question
    rates = json.loads(Path("/etc/labo/counters.json").read_text(encoding="utf-8"))
    for line in sys.stdin:
        order = line.strip().lower()
        if order == "ping":
            lines = ["PONG"]
        elif order in {"get", "getnext"}:
            faces = Path("/sys/class/net").glob("port*/ifindex")
            ports = {face.parent.name: int(face.read_text(encoding="ascii")) for face in faces}
            lines = answer(order, sys.stdin.readline(), table(ports, rates, time.monotonic() - began))
        else:
            lines = ["NONE"]
        sys.stdout.write("".join(f"{text}\n" for text in lines))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
