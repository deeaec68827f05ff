"""Two machines on one cable: network namespaces joined by a veth pair, which can be cut.

Use `pair()`; needs the features "root" and "netns". Nothing outside the two namespaces is touched,
so the addresses are always the same and several test runs can go at once. At the end every process
inside is killed and both namespaces are removed, whatever happened.

A cut is silent: a wrong link address is set for the neighbour, so that packets leave and nobody
takes them, as on a dead line. (`blackhole` routes make the sender fail at once, a link set down
removes its routes: both tell the programs too much.)
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_NOBODY = "02:00:00:00:00:fe"  # a link address that no device of the pair carries
_COUNT = itertools.count()


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Node:
    """One of the two machines. `device` is its end of the cable."""

    name: str
    address: str
    device: str

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside (same files, same processes, its own network)."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `argv` inside and wait. `options` go to `subprocess.run`; text, captured, unchecked, 30 s."""
        settings = {"capture_output": True, "text": True, "timeout": 30, **options}
        return subprocess.run(self.argv(argv), check=False, **settings)

    def start(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start `argv` inside. `ip netns exec` becomes the program: the pid is its own."""
        return subprocess.Popen(self.argv(argv), **options)

    def pids(self) -> list[int]:
        """Every process inside."""
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def kill_all(self) -> None:
        """SIGKILL to every process inside."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Pair:
    """Two machines and the state of the cable between them."""

    left: Node
    right: Node

    def other(self, node: Node) -> Node:
        """The machine at the other end."""
        return self.right if node == self.left else self.left

    def cut(self, *senders: Node) -> None:
        """Lose in silence everything that `senders` send (both machines when none is named)."""
        for node in senders or (self.left, self.right):
            there = self.other(node).address
            _ip(
                "-n",
                node.name,
                "neigh",
                "replace",
                there,
                "lladdr",
                _NOBODY,
                "dev",
                node.device,
                "nud",
                "permanent",
            )

    def mend(self) -> None:
        """Undo every cut, and plug the cable in again."""
        for node in (self.left, self.right):
            _ip("-n", node.name, "link", "set", node.device, "up")
            _ip("-n", node.name, "neigh", "flush", "dev", node.device, "nud", "all")

    def unplug(self) -> None:
        """Take the cable away: the machines notice (no carrier, no route)."""
        for node in (self.left, self.right):
            _ip("-n", node.name, "link", "set", node.device, "down")


@contextlib.contextmanager
def pair() -> Iterator[Pair]:
    """Two machines, 10.99.0.1 and 10.99.0.2, each with its loopback."""
    token = f"{os.getpid()}-{next(_COUNT)}-{secrets.token_hex(2)}"
    left = Node(f"releve-{token}-left", "10.99.0.1", "cable0")
    right = Node(f"releve-{token}-right", "10.99.0.2", "cable1")
    with contextlib.ExitStack() as stack:
        for node in (left, right):
            _ip("netns", "add", node.name)
            stack.callback(_ip, "netns", "delete", node.name)
            stack.callback(node.kill_all)
        # made inside, so that no name is taken in the machine's own network
        peer = ("peer", "name", right.device, "netns", right.name)
        _ip("-n", left.name, "link", "add", left.device, "type", "veth", *peer)
        for node in (left, right):
            _ip("-n", node.name, "address", "add", f"{node.address}/30", "dev", node.device)
            _ip("-n", node.name, "link", "set", node.device, "up")
            _ip("-n", node.name, "link", "set", "lo", "up")
        yield Pair(left, right)
