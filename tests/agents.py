"""An SNMP agent of the tests' own (v2c, on 127.0.0.1): says what it is told to, sense or not.

`Agent(rows)` serves a table of (dotted number -> pyasn1 value, or a function of the number of the reading, from
1: a reading begins when the uptime is asked for). `Loop`, `Endless` and `Noise` misbehave as broken devices do.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v2c

from releve.domain.inventory import Device, Equipment, Snmp, SnmpVersion
from releve.domain.secret import SecretRef

Rows = Mapping[str, Any]
Oid = tuple[int, ...]
COMMUNITY = "essai"
UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)


def device(port: int, name: str = "sw-essai") -> Equipment:
    """The plan's word for an agent on 127.0.0.1."""
    spec = Snmp(SnmpVersion.V2C, port, SecretRef("env", "COMMUNITY"))
    return Equipment(name, name, Device.SWITCH, "essai", "127.0.0.1", spec)


def text(words: str) -> Any:
    """Words, as an agent sends them."""
    return v2c.OctetString(words.encode())


def number(value: int) -> Any:
    """A code, as an agent sends it."""
    return v2c.Integer32(value)


def counter(value: int) -> Any:
    """A counter of 32 bits, as an agent sends it."""
    return v2c.Counter32(value)


class Agent:
    """Answers from its rows, in the order of their numbers."""

    def __init__(self, rows: Rows | None = None) -> None:
        self.rows = {tuple(map(int, name.split("."))): value for name, value in (rows or {}).items()}
        self.asked = 0
        self.reading = 0

    def get(self, oid: Oid) -> Any:
        value = self.rows.get(oid)
        return v2c.NoSuchObject("") if value is None else value(self.reading) if callable(value) else value

    def after(self, oid: Oid) -> tuple[Oid, Any]:
        nexts = [name for name in self.rows if name > oid]
        return (min(nexts), self.get(min(nexts))) if nexts else (oid, v2c.EndOfMibView(""))

    def raw(self, datagram: bytes) -> bytes | None:
        """The answer to a datagram; None: no answer."""
        message, _ = decoder.decode(datagram, asn1Spec=v2c.Message())
        if bytes(v2c.apiMessage.get_community(message)) != COMMUNITY.encode():
            return None
        asked = v2c.apiMessage.get_pdu(message)
        answer = v2c.apiMessage.get_response(message)
        said = v2c.apiMessage.get_pdu(answer)
        names = [tuple(name) for name, _ in v2c.apiPDU.get_varbinds(asked)]
        if asked.isSameTypeWith(v2c.GetBulkRequestPDU()):
            bound, oid = [], names[0]
            for _ in range(int(v2c.apiBulkPDU.get_max_repetitions(asked))):
                oid, value = self.after(oid)
                bound.append((oid, value))
        else:
            self.reading += names == [UPTIME]
            bound = [(name, self.get(name)) for name in names]
        v2c.apiPDU.set_varbinds(said, [(v2c.ObjectIdentifier(name), value) for name, value in bound])
        return encoder.encode(answer)


class Lossy(Agent):
    """The link loses three datagrams in a row, in the middle of a reading."""

    def raw(self, datagram: bytes) -> bytes | None:
        return None if 20 <= self.asked < 23 else super().raw(datagram)


class Loop(Agent):
    """Goes back to the row that it has just given."""

    def after(self, oid: Oid) -> tuple[Oid, Any]:
        following, value = super().after(oid)
        return (oid, number(1)) if oid in self.rows else (following, value)


class Endless(Agent):
    """Has always one row more."""

    def after(self, oid: Oid) -> tuple[Oid, Any]:
        more = (*oid[:10], oid[10] + 1) if len(oid) > 10 else (*oid, *(1 for _ in range(11 - len(oid))))
        return more, number(1)


class Noise(Agent):
    """Answers, with bytes that mean nothing."""

    def raw(self, datagram: bytes) -> bytes:
        return os.urandom(60)


@contextmanager
def running(agent: Agent) -> Iterator[int]:
    """The agent, at work on 127.0.0.1: its port."""
    ended = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.bind(("127.0.0.1", 0))
        handle.settimeout(0.1)
        thread = threading.Thread(target=_serve, args=(agent, handle, ended.is_set))
        thread.start()
        try:
            yield handle.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def _serve(agent: Agent, handle: socket.socket, ended: Callable[[], bool]) -> None:
    while not ended():
        try:
            datagram, peer = handle.recvfrom(65_535)
        except TimeoutError:
            continue
        agent.asked += 1
        if (answer := agent.raw(datagram)) is not None:
            handle.sendto(answer, peer)


def switch(**over: Any) -> dict[str, Any]:
    """The rows of a small switch: port 1 at 1 Gb/s, port 2 a gigabit port that runs at 100 Mb/s half duplex.

    `over`: rows to change, by number.
    """
    rows: dict[str, Any] = {
        "1.3.6.1.2.1.1.1.0": text("Commutateur de laboratoire, compteurs simulés"),
        "1.3.6.1.2.1.1.3.0": lambda reading: v2c.TimeTicks(600_000 + 100 * reading),
        "1.3.6.1.2.1.1.5.0": text("sw-rdc"),
    }
    for index, (speed, duplex) in enumerate(((1000, 3), (100, 2)), start=1):
        rows |= {
            f"1.3.6.1.2.1.2.2.1.2.{index}": text(f"GigabitEthernet0/{index}"),
            f"1.3.6.1.2.1.2.2.1.3.{index}": number(6),
            f"1.3.6.1.2.1.2.2.1.5.{index}": v2c.Gauge32(speed * 10**6),
            f"1.3.6.1.2.1.2.2.1.7.{index}": number(1),
            f"1.3.6.1.2.1.2.2.1.8.{index}": number(1),
            f"1.3.6.1.2.1.2.2.1.9.{index}": v2c.TimeTicks(590_000),
            f"1.3.6.1.2.1.2.2.1.11.{index}": lambda reading: counter(10_000 + 500 * reading),
            f"1.3.6.1.2.1.2.2.1.13.{index}": counter(0),
            f"1.3.6.1.2.1.2.2.1.14.{index}": counter(0),
            f"1.3.6.1.2.1.31.1.1.1.1.{index}": text(f"Gi0/{index}"),
            f"1.3.6.1.2.1.31.1.1.1.18.{index}": text(f"prise A-{index}"),
            f"1.3.6.1.2.1.10.7.2.1.2.{index}": counter(0),
            f"1.3.6.1.2.1.10.7.2.1.3.{index}": counter(0),
            f"1.3.6.1.2.1.10.7.2.1.8.{index}": counter(0),
            f"1.3.6.1.2.1.10.7.2.1.13.{index}": counter(0),
            f"1.3.6.1.2.1.10.7.2.1.19.{index}": number(duplex),
        }
    rows["1.3.6.1.2.1.10.7.2.1.3.2"] = lambda reading: counter(120 + 7 * reading)
    rows["1.3.6.1.2.1.10.7.2.1.8.2"] = counter(9)
    rows |= {
        "1.0.8802.1.1.2.1.3.7.1.2.2": number(5),
        "1.0.8802.1.1.2.1.3.7.1.3.2": text("Gi0/2"),
        "1.0.8802.1.1.2.1.4.1.1.4.0.2.1": number(4),
        "1.0.8802.1.1.2.1.4.1.1.5.0.2.1": v2c.OctetString(bytes.fromhex("020000000042")),
        "1.0.8802.1.1.2.1.4.1.1.6.0.2.1": number(3),
        "1.0.8802.1.1.2.1.4.1.1.7.0.2.1": v2c.OctetString(bytes.fromhex("020000000043")),
        "1.0.8802.1.1.2.1.4.1.1.9.0.2.1": text("borne-etage"),
    }
    return {**rows, **over}
