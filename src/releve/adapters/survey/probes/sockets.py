"""Who listens on a machine, and who talks to whom: its sockets, seen several times over a while. Read-only.

Sent as source to `python3 -I -` with a last line `main({...})`; one JSON document comes back. The audit's own
conversations are left out, and those alone: the sockets held by this probe's ancestors (the SSH session that
carries it), by the other children of its parent (the SSH clients of the machine that looks), and the one that
the SSH_CONNECTION of an ancestor names. What talks to itself (loopback, own address) is left out too.

Asked: seconds (0: listen only), every (seconds between two looks).
"""

# ruff: noqa: PTH115, PTH123, PTH208 - plain paths, and pathlib costs a tenth of the start

from __future__ import annotations

import ipaddress
import json
import os
import struct
import time
from typing import Any, NamedTuple

# States of include/net/tcp_states.h of a conversation that somebody still holds: ESTABLISHED, FIN_WAIT1, FIN_WAIT2,
# CLOSE_WAIT, LAST_ACK, CLOSING. One that nobody holds any more (inode 0, TIME_WAIT) is left out: nobody could tell
# whether it was the audit's own.
_TALKED = frozenset({"01", "04", "05", "08", "09", "0B"})
_ORPHAN = "0"
_ANYONE = ("0.0.0.0", "::")  # noqa: S104 - read, not bound
_LISTENS = "0A"
_BOUND = "07"  # of UDP: waits for anybody
_EPHEMERAL = 32_768  # first port that Linux gives to a client, unless it is told otherwise


class Socket(NamedTuple):
    """One line of /proc/net/tcp or of its likes."""

    state: str
    local: str
    port: int
    peer: str
    peer_port: int
    inode: str


def address_of(text: str) -> tuple[str, int]:
    """(address, port) of a field such as 0100007F:0016; an IPv4 address within IPv6 is given as IPv4."""
    packed, _, port = text.partition(":")
    words = [int(packed[at : at + 8], 16) for at in range(0, len(packed), 8)]
    raw = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))  # words are in the machine's order
    mapped = getattr(raw, "ipv4_mapped", None)
    return str(mapped or raw), int(port, 16)


def sockets_of(text: str) -> list[Socket]:
    """The lines of /proc/net/{tcp,tcp6,udp,udp6}, without the first; those that nobody understands are left out."""
    found = []
    for line in text.splitlines()[1:]:
        row = line.split()
        try:
            found.append(Socket(row[3], *address_of(row[1]), *address_of(row[2]), row[9]))
        except (ValueError, IndexError, struct.error):
            continue
    return found


def table(protocol: str) -> list[Socket]:
    """The sockets of a protocol in this network; none where the kernel has no such protocol."""
    found = []
    for family in ("", "6"):
        try:
            with open(f"/proc/net/{protocol}{family}", encoding="ascii") as file:
                found += sockets_of(file.read())
        except FileNotFoundError:
            continue
    return found


def number(pid: str, place: int) -> str:
    """A field of /proc/PID/stat after the name: 0 the state, 1 the parent."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[place]


def parent_of(pid: str) -> str:
    """Its parent; "0" when it has gone."""
    try:
        return number(pid, 1)
    except (OSError, IndexError):
        return "0"


def owners() -> tuple[dict[str, tuple[str, str]], bool]:
    """Socket inode -> (process, program), as far as we may know; and whether some was hidden from us."""
    found: dict[str, tuple[str, str]] = {}
    hidden = False
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
            for handle in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{handle}")
                except FileNotFoundError:
                    continue
                if target.startswith("socket:["):
                    found.setdefault(target[8:-1], (pid, name))
        except PermissionError:
            hidden = True
        except OSError:
            continue  # it ended while we looked
    return found, hidden


def family() -> tuple[set[str], set[tuple[str, int]]]:
    """Processes whose sockets are the audit's own, and (address, port) of the peers of their SSH sessions."""
    above, pid = [], parent_of("self")
    while pid not in ("0", "1"):
        above.append(pid)
        pid = parent_of(pid)
    peers = set()
    for one in above:
        try:
            with open(f"/proc/{one}/environ", "rb") as file:
                words = [
                    line[15:] for line in file.read().split(b"\0") if line.startswith(b"SSH_CONNECTION=")
                ]
            peers |= {(part[0], int(part[1])) for part in (word.decode("ascii").split() for word in words)}
        except (OSError, ValueError, IndexError):
            continue  # another account's, or not such a line
    beside = set()
    if above:
        beside = {pid for pid in filter(str.isdigit, os.listdir("/proc")) if parent_of(pid) == above[0]}
    return {*above, *beside, str(os.getpid())}, peers


def outgoing(one: Socket, listening: set[tuple[str, int]]) -> bool:
    """Whether the far end is the server: nobody listens here on that port, nor seems to have."""
    anyone = {(own, one.port) for own in (one.local, *_ANYONE)}
    return not (listening & anyone) and not (one.port < _EPHEMERAL <= one.peer_port)


def to_itself(one: Socket) -> bool:
    """A conversation that never leaves the machine."""
    return one.local == one.peer or ipaddress.ip_address(one.local).is_loopback


def watch(seconds: float, every: float) -> tuple[list[list[Any]], bool]:
    """[local, peer, port of the server, outgoing, program, conversations] seen during `seconds`."""
    until = time.monotonic() + seconds
    seen: dict[Socket, str] = {}  # without state nor inode -> program
    ours: set[Socket] = set()
    listening: set[tuple[str, int]] = set()
    met = {_ORPHAN}  # sockets whose holder was looked for: that is what costs
    doubted: set[str] = (
        set()
    )  # without a holder that we find: the kernel's own, hidden from us, or just closed
    hidden = False
    while True:
        lines = table("tcp")
        listening |= {(one.local, one.port) for one in lines if one.state == _LISTENS}
        fresh = [one for one in lines if one.state in _TALKED and one.inode not in met and not to_itself(one)]
        known, some = owners() if fresh else ({}, False)
        own, peers = family() if fresh else (set(), set())
        hidden |= some
        for one in fresh:
            if one.inode not in known and one.inode not in doubted:
                doubted.add(one.inode)  # it counts if it is still there at the next look
                continue
            met.add(one.inode)
            key = one._replace(state="", inode="")
            process, program = known.get(one.inode, ("", ""))
            if process in own or (one.peer, one.peer_port) in peers:
                ours.add(key)
            seen[key] = program or seen.get(key, "")
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(every, left))
    return gathered({key: name for key, name in seen.items() if key not in ours}, listening), hidden


def gathered(seen: dict[Socket, str], listening: set[tuple[str, int]]) -> list[list[Any]]:
    """One line a flow. A conversation whose program went unseen joins the only one known of its flow."""
    flows: dict[tuple[str, str, int, bool], dict[str, int]] = {}
    for one, program in seen.items():
        out = outgoing(one, listening)
        counts = flows.setdefault((one.local, one.peer, one.peer_port if out else one.port, out), {})
        counts[program] = counts.get(program, 0) + 1
    for counts in flows.values():
        if len(counts) == 2 and "" in counts:
            unknown = counts.pop("")
            counts[next(iter(counts))] += unknown
    return [[*flow, program, times] for flow, counts in flows.items() for program, times in counts.items()]


def listeners() -> tuple[list[list[Any]], bool]:
    """[protocol, address, port, program] of what waits for others; and whether some program was hidden."""
    known, hidden = owners()
    found = {
        (protocol, one.local, one.port): known.get(one.inode, ("", ""))[1]
        for protocol, state in (("tcp", _LISTENS), ("udp", _BOUND))
        for one in table(protocol)
        if one.state == state and (protocol == "tcp" or one.peer_port == 0)
    }
    return [[*where, program] for where, program in sorted(found.items())], hidden


def addresses(pid: str) -> frozenset[str]:
    """Addresses of the network in which a process lives, loopback left out; none when it ended or may not be asked.

    /proc/PID/net/fib_trie marks its own IPv4 addresses by a line "/32 host LOCAL" under each; if_inet6 has the
    others, with a scope of 10 for loopback (include/net/ipv6.h).
    """
    found = set()
    last = ""
    for line in lines_of(f"/proc/{pid}/net/fib_trie"):
        if line.endswith("/32 host LOCAL") and not last.startswith("127."):
            found.add(last)
        last = line.rpartition(" ")[2]
    rows = map(str.split, lines_of(f"/proc/{pid}/net/if_inet6"))
    return frozenset(found | {row[0] for row in rows if row[3] != "10"})


def lines_of(path: str) -> list[str]:
    """The lines of a file of the kernel; none when it is not there or closed to us."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()
    except OSError:
        return []


def apart() -> int:
    """How many other networks the machine has, with an address: its containers', whose sockets are not in our tables.

    Told apart by their addresses, which any account may read: two that have the same ones count for one.
    """
    everyone = {addresses(pid) for pid in filter(str.isdigit, os.listdir("/proc"))}
    return len(everyone - {addresses("self"), frozenset()})


def main(asked: dict[str, Any]) -> None:
    """Look; print what was found."""
    seconds = float(asked.get("seconds", 0.0))
    waiting, hidden = listeners()
    flows: list[list[Any]] = []
    others = 0
    if seconds > 0:
        flows, hidden = watch(seconds, float(asked.get("every", 0.2)))
        others = apart()
    told = {
        "listening": waiting,
        "flows": flows,
        "hidden": hidden,
        "apart": others,
        "root": os.geteuid() == 0,
    }
    print(json.dumps(told))  # noqa: T201 - this is the answer
