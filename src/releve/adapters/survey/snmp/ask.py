"""Reads of an SNMP agent, bounded on every side: time, rows, and agents that walk in circles.

Values come back as whole numbers or bytes. What an agent sends is judged here and in `parse.py`: nothing it
says can make a read endless, or break the audit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from releve.adapters.survey.snmp.columns import Column
from releve.domain.audit import Gap
from releve.domain.inventory import Equipment, Snmp, SnmpVersion

TIMEOUT = 2.0  # seconds for one answer; a busy switch answers in tens of milliseconds
RETRIES = 3  # datagrams lost in a row: on a link that loses one in fifty each way, one retry failed now and then
ROWS = 4_096  # of one column: a stack of eight 52-port switches has a tenth of it with all its VLANs
AT_ONCE = 20  # rows an answer: about what fits in one datagram of 1,500 bytes
WHOLE = 60.0  # seconds for one reading of an agent

Value = int | bytes
Index = tuple[int, ...]
Table = dict[Index, Value]


class Silent(Exception):
    """The agent cannot be asked. `gap` says why."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.code)
        self.gap = gap


@dataclass(frozen=True, slots=True)
class Account:
    """The secrets of an agent, resolved: a community, or two passwords. Never shown."""

    community: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    privacy: str = field(default="", repr=False)


@dataclass(slots=True)
class Reading:
    """One reading. `at`: seconds of a monotonic clock, in its middle."""

    scalars: dict[str, Value] = field(default_factory=dict)
    columns: dict[Column, Table] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    at: float = 0.0


Ask = Callable[[str, int], Awaitable[list[tuple[Index, Value | None]]]]


async def read(
    device: Equipment, account: Account, scalars: Iterable[str], columns: Iterable[Column]
) -> Reading:
    """One reading. Raises `Silent` when the agent does not answer the very first question.

    What stops it later is a gap of the reading: a column that the agent refuses, or everything that comes
    after it has fallen silent.
    """
    agent = await _Agent.open(device, account)
    reading = Reading()
    begun = time.monotonic()
    try:
        async with asyncio.timeout(WHOLE):
            for oid in scalars:
                value = await agent.get(oid)
                if value is not None:
                    reading.scalars[oid] = value
            for column in columns:
                if not await _column(column, agent, reading):
                    break
    except TimeoutError:
        reading.gaps.append(Gap("snmp-slow", f"l'agent SNMP n'a pas tout dit en {WHOLE:g} s"))
    finally:
        agent.close()
    reading.at = (begun + time.monotonic()) / 2
    return reading


async def _column(column: Column, agent: _Agent, reading: Reading) -> bool:
    """Read one column; False when asking on is of no use: the agent has fallen silent, or makes rows up."""
    try:
        reading.columns[column], gap = await walk(column.value, agent.after)
    except Silent as silent:
        gap = silent.gap
    if gap is None:
        return True
    reading.gaps.append(Gap(gap.code, gap.sentence, column.name.lower()))
    if gap.code == "snmp-endless":
        reading.columns[column] = {}
    return gap.code not in {"snmp-silent", "snmp-endless"}


async def walk(root: str, ask: Ask) -> tuple[Table, Gap | None]:
    """Every row below `root`, and why they are not all of them.

    Stops where the agent leaves `root`, goes back or stands still ("snmp-loop"), or has given more rows
    than any device has ("snmp-endless").
    """
    base = _index(root)
    table: Table = {}
    last = base
    while True:
        answered = await ask(_dotted(last), AT_ONCE)
        if not answered:
            return table, None
        for oid, value in answered:
            if oid[: len(base)] != base or value is None:
                return table, None
            if oid <= last:
                return table, Gap("snmp-loop", "l'agent SNMP tourne en rond : la suite n'a pas été vue", root)
            last = oid
            table[oid[len(base) :]] = value
            if len(table) >= ROWS:
                return table, Gap("snmp-endless", f"l'agent SNMP donne plus de {ROWS} lignes", root)


def _index(dotted: str) -> Index:
    return tuple(int(word) for word in dotted.split("."))


def _dotted(index: Index) -> str:
    return ".".join(map(str, index))


class _Agent:
    """One agent, asked through pysnmp. Its engine is ours alone: pysnmp's are not to be shared by threads."""

    def __init__(self, engine: Any, credentials: Any, target: Any, address: str) -> None:
        self._parts = (engine, credentials, target)
        self._engine = engine
        self._address = address

    @classmethod
    async def open(cls, device: Equipment, account: Account) -> _Agent:
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch.asyncio import SnmpEngine, Udp6TransportTarget, UdpTransportTarget

        if device.snmp is None:
            raise Silent(Gap("snmp-undeclared", f"le plan ne dit pas comment interroger {device.id}"))
        engine = SnmpEngine()
        try:
            kind = UdpTransportTarget if ip_address(device.address).version == 4 else Udp6TransportTarget
            where = (device.address, device.snmp.port)
            target = await kind.create(where, timeout=TIMEOUT, retries=RETRIES)
            return cls(engine, _credentials(device.snmp, account), target, device.address)
        except (PySnmpError, ValueError, OSError) as error:
            engine.close_dispatcher()
            raise Silent(
                Gap("snmp-account", f"l'accès SNMP de {device.id} est inutilisable ({type(error).__name__})")
            ) from None

    def close(self) -> None:
        self._engine.close_dispatcher()

    async def get(self, oid: str) -> Value | None:
        from pysnmp.hlapi.v3arch.asyncio import get_cmd

        bound = await self._ask(get_cmd, (), oid)
        return bound[0][1] if bound and bound[0][0] == _index(oid) else None

    async def after(self, oid: str, count: int) -> list[tuple[Index, Value | None]]:
        from pysnmp.hlapi.v3arch.asyncio import bulk_cmd

        return await self._ask(bulk_cmd, (0, count), oid)

    async def _ask(self, command: Any, extra: tuple[int, ...], oid: str) -> list[tuple[Index, Value | None]]:
        from pyasn1.error import PyAsn1Error
        from pysnmp.error import PySnmpError
        from pysnmp.hlapi.v3arch.asyncio import ContextData, ObjectIdentity, ObjectType

        wanted = ObjectType(ObjectIdentity(oid))
        try:
            failure, status, _, bound = await command(
                *self._parts, ContextData(), *extra, wanted, lookupMib=False
            )
        except (PySnmpError, PyAsn1Error, ValueError, OSError) as error:
            sentence = f"l'agent SNMP répond de façon illisible ({type(error).__name__})"
            raise Silent(Gap("snmp-garbage", sentence, oid)) from None
        if failure is not None:
            raise Silent(_refusal(type(failure).__name__))
        if int(status):
            if str(status.prettyPrint()) == "noSuchName":
                return []
            raise Silent(
                Gap("snmp-refused", f"l'agent SNMP refuse de répondre ({status.prettyPrint()})", oid)
            )
        return [(tuple(name), _value(value)) for name, value in bound]


def _credentials(spec: Snmp, account: Account) -> Any:
    from pysnmp.hlapi.v3arch.asyncio import (
        USM_AUTH_HMAC96_SHA,
        USM_AUTH_NONE,
        USM_PRIV_CFB128_AES,
        USM_PRIV_NONE,
        CommunityData,
        UsmUserData,
    )

    if spec.version is SnmpVersion.V2C:
        return CommunityData(account.community, mpModel=1)  # noqa: S508 - what the plan declares
    return UsmUserData(
        spec.user,
        account.auth or None,
        account.privacy or None,
        authProtocol=USM_AUTH_HMAC96_SHA if account.auth else USM_AUTH_NONE,
        privProtocol=USM_PRIV_CFB128_AES if account.privacy else USM_PRIV_NONE,
    )


_REFUSALS = {
    "UnknownUserName": ("snmp-user", "l'agent SNMP ne connaît pas ce compte"),
    "WrongDigest": ("snmp-password", "l'agent SNMP refuse le mot de passe"),
    "AuthenticationFailure": ("snmp-password", "l'agent SNMP refuse le mot de passe"),
    "DecryptionError": ("snmp-password", "le mot de passe de chiffrement SNMP n'est pas le bon"),
    "UnsupportedSecurityLevel": ("snmp-level", "l'agent SNMP n'offre pas ce niveau de protection"),
}


_SILENCE = (
    "snmp-silent",
    "pas de réponse SNMP lisible : équipement éteint, SNMP fermé, ou secret faux (un agent se tait alors)",
)


def _refusal(name: str) -> Gap:
    return Gap(*_REFUSALS.get(name, _SILENCE))


def _value(value: Any) -> Value | None:
    """A number or bytes; None past the end of what the agent holds, or for what is neither."""
    from pyasn1.type import univ
    from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

    if isinstance(value, (EndOfMibView, NoSuchInstance, NoSuchObject)):
        return None
    if isinstance(value, univ.Integer):
        return int(value)
    if isinstance(value, univ.OctetString):
        return bytes(value)
    return b""  # an object identifier, a null: no column of ours has one
