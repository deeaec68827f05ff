"""What an association owns, and what joins it: networks, links, equipment, sockets, suppliers, flows.

Declared in the plan, read by the audit. Nothing here is observed: what was seen is in `seen.py`. All of it
is optional; a plan that declares no network is a plan of which no network is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from releve.domain.secret import SecretRef

INTERNET = "internet"  # what a link or a flow names when it leaves every site
TO_SAY = "À préciser"  # how the name of a thing begins while nobody has said what it is


# Each connection is looked up in each range: reading the same few texts again took nine tenths of judging an audit
# of 60 establishments.
_range = lru_cache(maxsize=4096)(ip_network)
_address = lru_cache(maxsize=65_536)(ip_address)


class Device(StrEnum):
    """What a piece of equipment is."""

    SWITCH = "switch"
    ROUTER = "router"
    FIREWALL = "firewall"
    ACCESS_POINT = "access-point"
    UPS = "ups"
    NAS = "nas"
    PRINTER = "printer"
    PHONE = "phone"
    WORKSTATION = "workstation"
    SERVER = "server"
    OTHER = "other"


class SnmpVersion(StrEnum):
    """How an agent is asked: by a community in clear, or by an account."""

    V2C = "2c"
    V3 = "3"


@dataclass(frozen=True, slots=True)
class Snmp:
    """How an SNMP agent is asked. `community`: v2c. The account and its two secrets: v3 (SHA and AES-128)."""

    version: SnmpVersion
    port: int = 161
    community: SecretRef | None = None
    user: str = ""
    auth: SecretRef | None = None
    privacy: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A range of addresses at a site. `audit`: whether it may be looked at. `country`: ISO 3166 (two letters)."""

    id: str
    name: str
    site: str
    range: str
    country: str = ""
    audit: bool = True

    @property
    def addresses(self) -> IPv4Network | IPv6Network:
        """The range, as a value."""
        return _range(self.range)

    def holds(self, address: str) -> bool:
        """Whether `address` is one of its own; False for what is no address."""
        try:
            return _address(address) in self.addresses
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """What leaves a site: towards another one or INTERNET. Two links of one `path` fall under one digger.

    `behind`: as in `Equipment`.
    """

    id: str
    name: str
    site: str
    to: str
    operator: str = ""
    path: str = ""
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Equipment:
    """A thing on the network that Relève does not act on: only asked, or only declared.

    `behind`: what joins it to the rest (equipment, machines, links). Several are alternatives: one of them
    suffices. What needs two things one after the other is written as a chain: the switch is behind the
    router, the router behind the link. `ups`: which UPS feeds it, and without which it stops. `function`:
    what only it does. `spare`: somebody says that another one is ready. `nut`: the name of a UPS at its NUT
    server. `system`: what runs on it, as somebody read it there ("Windows 10 22H2", "DSM 7.2").
    """

    id: str
    name: str
    kind: Device
    site: str
    address: str = ""
    snmp: Snmp | None = None
    behind: tuple[str, ...] = ()
    ups: str = ""
    function: str = ""
    spare: bool = False
    nut: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Socket:
    """A wall socket (RJ45). `label` is what is written on it; `equipment` and `port` where its cable ends.

    `port` is the name of the interface as its equipment (or machine) says it.
    """

    label: str
    site: str
    room: str = ""
    equipment: str = ""
    port: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who provides something. `country`: of its machines. `addresses`: its ranges. `sla`: GTI, GTR and hours.

    `hds_until`: end of its certificate of health-data host, when it hosts health data. `exit`: how data are
    given back at the end. `failure`: what its contract says of its own failure (CSP R1111-11, 10°).
    """

    id: str
    name: str
    provides: str = ""
    country: str = ""
    addresses: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    contract_until: date | None = None
    sla: str = ""
    exit: str = ""
    failure: str = ""
    hosts_health: bool = False
    hds_number: str = ""
    hds_until: date | None = None

    def holds(self, address: str) -> bool:
        """Whether `address` is in one of its ranges; False for what is no address."""
        try:
            wanted = _address(address)
        except ValueError:
            return False
        return any(wanted in _range(item) for item in self.addresses)


@dataclass(frozen=True, slots=True)
class Flow:
    """Who may talk to whom: identifiers of machines, equipment, networks, sites, suppliers, or INTERNET.

    `port`: the TCP or UDP port of the server at `to`; 0 stands for any.
    """

    source: str
    to: str
    port: int
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class CopyPlace:
    """Where somebody says that a copy is: a folder of a machine, or a place that nobody can look at.

    `offline`: not reachable from the network, or not erasable (ANSSI, hygiène 37).
    """

    site: str
    host: str = ""
    path: str = ""
    offline: bool = False


class HoldingKind(StrEnum):
    """What sort of data was found."""

    FILES = "files"
    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class Holding:
    """Data that exist and that Relève does not (yet) protect: a folder or a database of a machine.

    `kind` of data and `sensitivity` are words of the plan (`DataKind`, `Sensitivity`). `password` and `user`:
    of a database; `socket`: its Unix socket on that machine, empty for 127.0.0.1 and `port`.
    """

    id: str
    name: str
    engine: HoldingKind
    host: str
    path: str = ""
    port: int = 0
    socket: str = ""
    user: str = ""
    password: SecretRef | None = None
    kind: str = "other"
    sensitivity: str = "standard"
    copies: tuple[CopyPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditSpec:
    """How gently it is looked at. `window`: the calendar in whose hours networks may be scanned; empty, any.

    `rate`: nmap packets a second at most; `at_once`: looks made together; `ports`: nmap's notation, empty for
    the audit's own list; `watch`: seconds during which connections are seen on each machine;
    `read_rate`: bytes a second at most when files are read for what they hold; 0 for no limit.
    """

    window: str = ""
    rate: int = 300
    at_once: int = 4
    ports: str = ""
    watch: float = 10.0
    read_rate: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything of this page, as a plan declares it."""

    networks: tuple[Network, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    sockets: tuple[Socket, ...] = ()
    suppliers: tuple[Supplier, ...] = ()
    flows: tuple[Flow, ...] = ()
    holdings: tuple[Holding, ...] = ()
    audit: AuditSpec = AuditSpec()


NOTHING_DECLARED = Inventory()
