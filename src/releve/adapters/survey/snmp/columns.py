"""The columns that are read of an agent, by number. Pure data.

Sources: RFC 1213 and RFC 2863 (IF-MIB), RFC 3635 (EtherLike-MIB), RFC 4836 (MAU-MIB), IEEE 802.1AB (LLDP-MIB),
RFC 3418 (the system group).
"""

from __future__ import annotations

from enum import Enum

DESCRIPTION = "1.3.6.1.2.1.1.1.0"
UPTIME = "1.3.6.1.2.1.1.3.0"  # hundredths of a second
NAME = "1.3.6.1.2.1.1.5.0"

_IF = "1.3.6.1.2.1.2.2.1"
_IFX = "1.3.6.1.2.1.31.1.1.1"
_ETHER = "1.3.6.1.2.1.10.7.2.1"
_LLDP_LOCAL = "1.0.8802.1.1.2.1.3.7.1"
_LLDP_REMOTE = "1.0.8802.1.1.2.1.4.1.1"


class Column(Enum):
    """A column of a table; its rows end in the index of an interface, or of a neighbour."""

    DESCR = f"{_IF}.2"
    TYPE = f"{_IF}.3"
    SPEED = f"{_IF}.5"
    ADMIN = f"{_IF}.7"
    OPER = f"{_IF}.8"
    CHANGED = f"{_IF}.9"
    IN_PACKETS = f"{_IF}.11"
    IN_DISCARDS = f"{_IF}.13"
    IN_ERRORS = f"{_IF}.14"
    OUT_PACKETS = f"{_IF}.17"
    OUT_DISCARDS = f"{_IF}.19"
    OUT_ERRORS = f"{_IF}.20"
    IF_NAME = f"{_IFX}.1"
    IN_PACKETS_64 = f"{_IFX}.7"
    OUT_PACKETS_64 = f"{_IFX}.11"
    HIGH_SPEED = f"{_IFX}.15"
    ALIAS = f"{_IFX}.18"
    ALIGNMENT = f"{_ETHER}.2"
    FCS = f"{_ETHER}.3"
    ONE_COLLISION = f"{_ETHER}.4"
    MANY_COLLISIONS = f"{_ETHER}.5"
    LATE = f"{_ETHER}.8"
    TOO_LONG = f"{_ETHER}.13"
    DUPLEX = f"{_ETHER}.19"
    ABILITIES = "1.3.6.1.2.1.26.5.1.1.9"
    LOCAL_PORT_KIND = f"{_LLDP_LOCAL}.2"
    LOCAL_PORT = f"{_LLDP_LOCAL}.3"
    LOCAL_PORT_DESCR = f"{_LLDP_LOCAL}.4"
    REMOTE_CHASSIS_KIND = f"{_LLDP_REMOTE}.4"
    REMOTE_CHASSIS = f"{_LLDP_REMOTE}.5"
    REMOTE_PORT_KIND = f"{_LLDP_REMOTE}.6"
    REMOTE_PORT = f"{_LLDP_REMOTE}.7"
    REMOTE_NAME = f"{_LLDP_REMOTE}.9"


WHO = (
    Column.DESCR,
    Column.TYPE,
    Column.SPEED,
    Column.ADMIN,
    Column.OPER,
    Column.IF_NAME,
    Column.HIGH_SPEED,
    Column.ALIAS,
    Column.DUPLEX,
    Column.ABILITIES,
)
"""What a port is; read once."""

COUNTERS = (
    Column.CHANGED,
    Column.IN_PACKETS,
    Column.IN_DISCARDS,
    Column.IN_ERRORS,
    Column.OUT_PACKETS,
    Column.OUT_DISCARDS,
    Column.OUT_ERRORS,
    Column.IN_PACKETS_64,
    Column.OUT_PACKETS_64,
    Column.ALIGNMENT,
    Column.FCS,
    Column.ONE_COLLISION,
    Column.MANY_COLLISIONS,
    Column.LATE,
    Column.TOO_LONG,
)
"""What a port counts; read twice."""

ETHERNET_ERRORS = frozenset({Column.ALIGNMENT, Column.FCS, Column.LATE})

NEIGHBOURS = (
    Column.LOCAL_PORT_KIND,
    Column.LOCAL_PORT,
    Column.LOCAL_PORT_DESCR,
    Column.REMOTE_CHASSIS_KIND,
    Column.REMOTE_CHASSIS,
    Column.REMOTE_PORT_KIND,
    Column.REMOTE_PORT,
    Column.REMOTE_NAME,
)

ETHERNET_TYPES = frozenset({6, 26, 62, 69, 117})  # IANAifType: ethernetCsmacd and its older names

ABILITY_BITS = {1: 10, 2: 10, 3: 100, 4: 100, 5: 100, 6: 100, 7: 100, 12: 1000, 13: 1000, 14: 1000, 15: 1000}
"""Bits of ifMauAutoNegCapabilityBits (the first bit of the first byte is 0) and what each is worth, Mb/s."""

ABILITY_WORDS = (("TenGig", 10_000), ("GigabitEthernet", 1000), ("FastEthernet", 100))
"""Words by which a switch names its ports after what they can do, Mb/s; the first that fits."""
