"""What the network interfaces of a machine say of themselves, twice, so that growth is seen.

Sent as source to the machine that is asked: standard library only, Python 3.8 or later. It opens no network
connection and changes nothing. A file that cannot be read is a null in the answer, never a zero.
"""

# Sent over the wire as plain source; paths are the kernel's own, and pathlib would only cost time.
# ruff: noqa: PTH112, PTH118, PTH123, PTH208, T201

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
import struct
import time
from typing import Any

_ROOT = "/sys/class/net"
_ETHERNET = "1"  # ARPHRD_ETHER, include/uapi/linux/if_arp.h
_NOT_CABLES = ("bridge", "vlan", "bond", "wlan")  # DEVTYPE of uevent: no cable of their own
_COUNTERS = (
    "rx_packets",
    "tx_packets",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_length_errors",
    "tx_window_errors",
    "collisions",
    "rx_errors",
    "tx_errors",
    "rx_missed_errors",
    "rx_fifo_errors",
    "tx_dropped",
)
_SIOCETHTOOL = 0x8946
_GLINKSETTINGS = 0x4C
# Bits of the link modes (include/uapi/linux/ethtool.h) and what each is worth, Mb/s. A bit that is not here
# says nothing of a rate that offices have.
_MODES = {0: 10, 1: 10, 2: 100, 3: 100, 4: 1000, 5: 1000, 17: 1000, 41: 1000, 15: 2500, 47: 2500, 48: 5000}
_MODES.update({12: 10000, 18: 10000, 19: 10000, 20: 10000, 31: 25000, 32: 25000, 33: 25000})
_MODES.update(dict.fromkeys((42, 43, 44, 45, 46), 10000))


def main(asked: dict[str, Any]) -> None:
    """Print the two readings, `pause` seconds apart (one when it is 0)."""
    pause = float(asked.get("pause", 0))
    names, why = _names()
    first = {name: _reading(name) for name in names}
    begun = time.monotonic()
    second = None
    if pause > 0:
        time.sleep(pause)
        second = {name: _reading(name) for name in names}
    seconds = time.monotonic() - begun if second is not None else 0.0
    faces = {name: _face(name) for name in names}
    print(json.dumps({"faces": faces, "first": first, "second": second, "seconds": seconds, "failed": why}))


def _names() -> tuple[list[str], str]:
    """Interfaces that have a cable, or play at having one; and why there are none to be seen."""
    try:
        names = sorted(os.listdir(_ROOT))
    except OSError as error:
        return [], os.strerror(error.errno or 0)
    return [name for name in names if _is_cable(name)], ""


def _is_cable(name: str) -> bool:
    kind = _text(name, "type")
    traits = _text(name, "uevent") or ""
    if kind != _ETHERNET or any("DEVTYPE=" + other in traits.split() for other in _NOT_CABLES):
        return False
    return not os.path.isdir(os.path.join(_ROOT, name, "bonding"))


def _face(name: str) -> dict[str, Any]:
    """What it is: state, speed in Mb/s, duplex, the best rate that it can do in Mb/s."""
    return {
        "state": _text(name, "operstate"),
        "carrier": _number(name, "carrier"),
        "speed": _number(name, "speed"),
        "duplex": _text(name, "duplex"),
        "alias": _text(name, "ifalias"),
        "ability": _ability(name),
    }


def _reading(name: str) -> dict[str, int | None]:
    counts = {counter: _number(name, os.path.join("statistics", counter)) for counter in _COUNTERS}
    counts["carrier_changes"] = _number(name, "carrier_changes")
    return counts


def _text(name: str, part: str) -> str | None:
    try:
        with open(os.path.join(_ROOT, name, part), "rb") as file:
            return file.read(4096).decode("utf-8", "replace").strip()
    except OSError:  # a link that is down has no speed, an old kernel lacks a file
        return None


def _number(name: str, part: str) -> int | None:
    text = _text(name, part)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _ability(name: str) -> int | None:
    """The best of the rates that the card supports; None when its driver does not say."""
    try:
        words = -_link_modes(name, 0)[0]  # the first answer is how long the masks are, below zero
        if not 0 < words < 16:
            return None
        count, modes = _link_modes(name, words)
    except OSError:
        return None
    if count != words:
        return None
    rates = [rate for bit, rate in _MODES.items() if bit // 32 < words and modes[bit // 32] >> bit % 32 & 1]
    return max(rates) if rates else None


def _link_modes(name: str, words: int) -> tuple[int, tuple[int, ...]]:
    """How many words a mask has, and the mask of what is supported. Raises OSError."""
    head = struct.pack("=IIBBBBBBBbBBBB7I", _GLINKSETTINGS, *[0] * 8, words, *[0] * 11)
    answer = array.array("B", head + bytes(12 * words))
    address, _ = answer.buffer_info()
    request = struct.pack("@16sP", name.encode()[:15], address) + bytes(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle.fileno(), _SIOCETHTOOL, request)
    raw = answer.tobytes()
    return struct.unpack_from("=b", raw, 15)[0], struct.unpack_from(f"={words}I", raw, 48)
