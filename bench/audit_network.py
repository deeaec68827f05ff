"""`python -m bench.audit_network`: a network of 254 addresses with 30 that live, and nmap alone beside.

cable    the audit's machine is on the network: nmap asks by ARP who lives.
router   it is behind a router: echoes and connections ask, and a dead address is told by silence or by the router.

In each: our whole scan (blocks of 64 addresses, default ports, default rate), nmap's own time in it as its XML
counts, and plain nmap with the same ports and its own defaults for everything else (as fast as it can), then held
to the same rate, in the same run. Everything lives in network namespaces of this program's own; nothing outside is sent a packet. Needs root and nmap.

Raw values go to bench/results/audit-network/.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import machine
from releve.adapters.hosts.local import LocalHost
from releve.adapters.survey.network import scan
from releve.adapters.survey.network.commands import PORTS
from releve.domain.inventory import AuditSpec, Network
from releve.domain.plan import HostSpec, Reach
from releve.domain.ports import Completed
from releve.domain.seen import Neighbour, Scan

RESULTS = Path(__file__).parent / "results" / "audit-network"
ROUNDS = 3
LIVING = tuple(range(8, 248, 8))  # the last byte of 30 addresses
LISTENERS = (22, 80, 443, 445, 3389, 5432, 9100)
TARGET = 60.0  # seconds
CABLE, ROUTER = "10.77.0.0/24", "10.78.0.0/24"
LISTEN = f"""
import socket, sys
kept = [socket.create_server(("0.0.0.0", port), backlog=4096) for port in {LISTENERS}]
print("ready", flush=True)
sys.stdin.read()
"""
Row = dict[str, Any]


def main() -> None:
    """Measure, print, write down."""
    rows: list[Row] = []
    with estate() as auditor:
        for turn in range(ROUNDS):
            for where, range_ in (("cable", CABLE), ("router", ROUTER)):
                held = ("--max-rate", str(AuditSpec().rate))
                for row in (ours(auditor, range_), plain(auditor, range_), plain(auditor, range_, *held)):
                    rows.append({"round": turn, "where": where, **row})
                    print(json.dumps(rows[-1]))
    at = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    spec = AuditSpec()
    asked = {"ports": PORTS, "count": PORTS.count(",") + 1, "rate": spec.rate, "living": len(LIVING)}
    whole = {"at": at.isoformat(), "machine": machine(), "target": TARGET, "asked": asked, "rows": rows}
    path = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    worst = max(row["seconds"] for row in rows if row["who"] == "releve")
    print(f"worst {worst} s, target {TARGET:g} s")
    sys.exit(0 if worst <= TARGET and all(row["found"] == len(LIVING) for row in rows) else 1)


def ours(auditor: str, range_: str) -> Row:
    """The whole scan, as the audit makes it."""
    host = LocalHost(HostSpec("mesure", "siege", Reach.LOCAL))

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        return host.run(["ip", "netns", "exec", auditor, *argv], timeout=timeout)

    begun = time.perf_counter()
    found = scan(Network("mesure", "Mesure", "siege", range_), AuditSpec(), run=run)
    taken = time.perf_counter() - begun
    living = [fact for fact in found.facts if isinstance(fact, Neighbour) and _lives(fact.address)]
    (summary,) = [fact for fact in found.facts if isinstance(fact, Scan)]
    return {
        "who": "releve",
        "seconds": round(taken, 2),
        "nmap_seconds": summary.seconds,
        "found": len(living),
        "services": sum(len(fact.services) for fact in living),
        "timing": summary.timing,
        "gaps": [gap.code for gap in found.gaps],
    }


def plain(auditor: str, range_: str, *options: str) -> Row:
    """One call of nmap, same ports, its own defaults but for `options`."""
    argv = ["ip", "netns", "exec", auditor, "nmap", "-n", "-oX", "-", *options, "-p", PORTS, range_]
    begun = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=600)
    taken = time.perf_counter() - begun
    elapsed = re.search(r'elapsed="([\d.]+)"', done.stdout)
    living = [
        one for one in re.findall(r'<address addr="([\d.]+)" addrtype="ipv4"', done.stdout) if _lives(one)
    ]
    return {
        "who": "nmap at our rate" if options else "nmap",
        "seconds": round(taken, 2),
        "nmap_seconds": float(elapsed[1]) if elapsed else None,
        "found": len(set(living)),
        "services": done.stdout.count('state="open"'),
        "timing": " ".join(("nmap's own", *options)),
    }


def _lives(address: str) -> bool:
    return int(address.rpartition(".")[2]) in LIVING


@contextlib.contextmanager
def estate() -> Iterator[str]:
    """The auditor's namespace, beside a network on its cable and another behind a router."""
    names = {part: f"releve-mesure-{os.getpid()}-{part}" for part in ("auditor", "router", "living")}
    with contextlib.ExitStack() as stack:
        for name in names.values():
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _cable(names["auditor"], names["living"], "c", ("10.77.0.254/24",), _addresses(CABLE))
        _cable(names["auditor"], names["router"], "d", ("10.79.0.1/30",), ("10.79.0.2/30",))
        _cable(names["router"], names["living"], "e", ("10.78.0.254/24",), _addresses(ROUTER))
        forward = ["ip", "netns", "exec", names["router"], "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]
        subprocess.run(forward, check=True)
        _ip("-n", names["auditor"], "route", "add", ROUTER, "via", "10.79.0.2")
        _ip("-n", names["living"], "route", "add", "10.79.0.0/30", "via", "10.78.0.254")
        argv = ["ip", "netns", "exec", names["living"], sys.executable, "-I", "-c", LISTEN]
        listening = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.callback(listening.communicate)
        stack.callback(listening.kill)
        if listening.stdout is None or listening.stdout.readline() != b"ready\n":
            raise RuntimeError("the listeners did not start")
        yield names["auditor"]


def _addresses(range_: str) -> tuple[str, ...]:
    return tuple(f"{range_.rpartition('.')[0]}.{last}/24" for last in LIVING)


def _cable(left: str, right: str, name: str, here: Sequence[str], there: Sequence[str]) -> None:
    _ip("-n", left, "link", "add", f"{name}0", "type", "veth", "peer", "name", f"{name}1", "netns", right)
    for node, device, addresses in ((left, f"{name}0", here), (right, f"{name}1", there)):
        for address in addresses:
            _ip("-n", node, "address", "add", address, "dev", device)
        _ip("-n", node, "link", "set", device, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


if __name__ == "__main__":
    main()
