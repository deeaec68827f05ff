"""Cables, bridges, addresses and routes as lines for `ip -batch`. Pure; `run` hands them over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.estate import Node

_LIMIT = 20.0  # seconds
_BRIDGE = "br0"


def run(lines: Iterator[str]) -> None:
    """Hand the lines to one `ip`, in this network namespace. Raises RuntimeError with what it says."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        ["ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False, timeout=_LIMIT
    )
    if done.returncode:
        raise RuntimeError(f"ip: {done.stderr.strip()}")


def between(nodes: tuple[Node, ...], pids: Mapping[str, int]) -> Iterator[str]:
    """Every cable, each end made in its own namespace: no name is taken anywhere else."""
    for node in nodes:
        for cable in node.cables:
            near, far = pids[cable.switch], pids[node.name]
            yield f"link add name {cable.port} netns {near} type veth peer name {cable.device} netns {far}"


def inside(node: Node) -> Iterator[str]:
    """What a machine sets up of its own network."""
    yield "link set lo up"
    if node.is_switch:
        yield f"link add {_BRIDGE} type bridge"
        for port in node.ports:
            yield f"link set {port} master {_BRIDGE}"
            yield f"link set {port} up"
        yield f"address add {node.address}/24 dev {_BRIDGE}"
        yield f"link set {_BRIDGE} up"
    for cable in node.cables:
        yield f"address add {cable.address}/24 dev {cable.device}"
        yield f"link set {cable.device} up"
    if node.gateway:
        yield f"route add default via {node.gateway}"


def settle(node: Node) -> None:
    """Do it: no IPv6 (its questions to neighbours would be noise), forwarding where there are several cables."""
    settings = Path("/proc/sys/net")
    for where in ("all", "default"):
        switch = settings / "ipv6/conf" / where / "disable_ipv6"
        if switch.exists():  # a kernel without IPv6 has none to put out
            switch.write_text("1")
    if len(node.cables) > 1:
        (settings / "ipv4/ip_forward").write_text("1")
    run(inside(node))
