"""What an audit saw: one value a fact, dated by the look that made it. Observed, never declared, never derived.

Only counts, sizes, dates and places: no content of a file, no value of a row, no password ever enters here.
A figure that nobody could read is None (or an empty text) and never 0: "not seen" is not "none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

# -- the network ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """An open port: what nmap says of it. `product` is empty when it was not asked."""

    protocol: str  # tcp, udp
    port: int
    name: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An address that answered on `network`."""

    network: str
    address: str
    mac: str = ""
    vendor: str = ""
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """How a network was looked at: `ports` and `timing` as given to nmap, `seconds` as nmap counts them."""

    network: str
    ports: str
    timing: str
    seconds: float
    addresses: int
    up: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """A way out that a machine uses: its default routes."""

    host: str
    address: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """The way from one machine to another site: round trips in ms, share lost (0 to 1), bytes a second."""

    source: str
    target: str  # a machine
    sent: int
    lost: float
    p50: float | None = None
    p95: float | None = None
    throughput: float | None = None


# -- cabling -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Port:
    """An interface of a machine or a piece of equipment, and its counters since it counts.

    `speed` in bit/s; `ability` the best it can do, when it says so; `duplex` "full", "half" or empty.
    `changes`: times its carrier went or came. `seconds`: how long the second reading came after the first,
    0 when it was read once; `grown`: the counters that grew meanwhile, by name. `changed`: seconds since its
    carrier last came or went, where only that is told (SNMP).
    """

    device: str
    name: str
    up: bool
    alias: str = ""
    speed: int | None = None
    ability: int | None = None
    duplex: str = ""
    packets: int | None = None
    crc: int | None = None
    frame: int | None = None
    length: int | None = None
    late: int | None = None
    collisions: int | None = None
    errors: int | None = None
    discards: int | None = None
    changes: int | None = None
    seconds: float = 0.0
    grown: Mapping[str, int] = field(default_factory=dict)
    changed: float | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """What an SNMP agent says of itself. `simulated`: it says that its counters are made up (a laboratory)."""

    device: str
    description: str
    name: str = ""
    uptime: float | None = None  # seconds
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Lldp:
    """What a device says is at the other end of its cable."""

    device: str
    port: str
    neighbour: str
    neighbour_port: str = ""


# -- machines ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class System:
    """The system of a machine: `os` and `version` as /etc/os-release says (ID, VERSION_ID).

    `addresses`: its own, loopback and link-local ones left out.
    """

    host: str
    name: str
    os: str
    version: str
    pretty: str = ""
    kernel: str = ""
    started: datetime | None = None
    memory: int | None = None  # bytes
    memory_free: int | None = None
    swap_used: int | None = None
    processors: int | None = None
    programs: int | None = None  # packages installed
    virtual: bool | None = None
    manager: str = ""  # systemd, or what else process 1 is
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted file system, bytes. `health`: what smartctl says, empty when it was not asked."""

    host: str
    mount: str
    kind: str
    size: int
    free: int
    inodes: int | None = None
    inodes_free: int | None = None
    health: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service of a machine. `state`: running, failed, exited…; `enabled` None when nobody can tell."""

    host: str
    name: str
    state: str
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that waits for others. `program` is empty when we have no right to know."""

    host: str
    protocol: str
    address: str
    port: int
    program: str = ""


@dataclass(frozen=True, slots=True)
class Updates:
    """What the package manager would install, as its own lists know it; `asked`: age of those lists."""

    host: str
    pending: int
    security: int | None = None
    lists_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a clock is from ours, seconds (ahead is positive), give or take `margin`."""

    host: str
    offset: float
    margin: float
    synchronised: bool | None = None


@dataclass(frozen=True, slots=True)
class Ups:
    """A UPS as NUT sees it. `status` in NUT's letters (OL, OB, LB, RB…), charge in %, runtime in seconds."""

    device: str
    status: str
    charge: float | None = None
    runtime: float | None = None
    battery_date: str = ""
    model: str = ""
    simulated: bool = False


# -- data ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """So many files, so many bytes."""

    name: str
    files: int
    bytes: int


TWIN = 2**20  # bytes: below, two files of one size are chance more often than copies


@dataclass(frozen=True, slots=True)
class Files:
    """What a folder holds. `subject`: data set, holding, or machine (its documents).

    `kinds` by sort of document, `ages` by last change. `largest`: the heaviest files, each by its sort:
    folders below `place` are called after people. `twins`: files whose size another
    one has too (at least `TWIN` bytes), `twin_bytes` what all but one of each size weigh. `unopened`: never
    read since they were written; None where the file system keeps no access time. `access`: what it does with
    them: kept, relatime, noatime, unknown, touched (our own reading marks them). `unread`: folders that we could not enter. `whole`: False when the
    look ended before its end (time, share gone); then the figures are "at least" and compare with no other.
    """

    subject: str
    host: str
    place: str
    files: int
    folders: int
    bytes: int
    kinds: tuple[Tally, ...] = ()
    ages: tuple[Tally, ...] = ()
    largest: tuple[Tally, ...] = ()
    twins: int = 0
    twin_bytes: int = 0
    unopened: Tally | None = None
    unread: int = 0
    newest: datetime | None = None
    oldest: datetime | None = None
    access: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents kept on a machine, outside what the plan declares: counts by kind, never a name."""

    host: str
    place: str
    kinds: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A database as its server describes it. Bytes; `written` bytes a second between two looks."""

    subject: str
    host: str
    engine: str
    name: str
    version: str
    bytes: int
    tables: int
    rows: int | None = None
    written: float | None = None
    replicas: int | None = None
    archiving: bool | None = None
    archived_at: datetime | None = None
    archive_failures: int | None = None  # 0 when the last try succeeded


@dataclass(frozen=True, slots=True)
class Sensitive:
    """How many documents of a place hold something of a category, and how many times. Never what.

    `category`: nir, ins, iban, finess, rpps, phone, email, health.
    """

    subject: str
    place: str
    category: str
    documents: int
    hits: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a place was read for what it holds: documents, bytes, and those that could not be."""

    subject: str
    place: str
    documents: int
    bytes: int
    skipped: int
    broken: int
    seconds: float


# -- exchanges -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connection:
    """An established connection seen on `host`. `outgoing`: the far end is the server, at `port`."""

    host: str
    protocol: str
    local: str
    peer: str
    port: int
    outgoing: bool
    times: int
    program: str = ""


# -- copies --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a data set or holding, as it was found. `how`: hot, vault, folder, declared.

    `at`: instant of what it holds; None when the copy exists and nobody can date it. `offline`: as declared.
    """

    subject: str
    how: str
    site: str
    place: str = ""
    found: bool | None = None
    at: datetime | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """The last time that a data set was really brought back: a switch, a trial, a restoration."""

    subject: str
    at: datetime
    how: str


Fact = (
    Neighbour
    | Scan
    | Gateway
    | Path
    | Port
    | Agent
    | Lldp
    | System
    | Disk
    | Unit
    | Listening
    | Updates
    | Clock
    | Ups
    | Files
    | Documents
    | Base
    | Sensitive
    | Reading
    | Connection
    | Copy
    | Restored
)
KINDS: Mapping[str, type[Fact]] = MappingProxyType(
    {
        kind.__name__.lower(): kind
        for kind in (
            Neighbour,
            Scan,
            Gateway,
            Path,
            Port,
            Agent,
            Lldp,
            System,
            Disk,
            Unit,
            Listening,
            Updates,
            Clock,
            Ups,
            Files,
            Documents,
            Base,
            Sensitive,
            Reading,
            Connection,
            Copy,
            Restored,
        )
    }
)


def kind_of(fact: Fact) -> str:
    """The stable name under which a fact is kept."""
    return type(fact).__name__.lower()


__all__ = [
    "KINDS",
    "TWIN",
    "Agent",
    "Base",
    "Clock",
    "Connection",
    "Copy",
    "Disk",
    "Documents",
    "Fact",
    "Files",
    "Gateway",
    "Listening",
    "Lldp",
    "Neighbour",
    "Path",
    "Port",
    "Reading",
    "Restored",
    "Scan",
    "Sensitive",
    "Service",
    "System",
    "Tally",
    "Unit",
    "Updates",
    "Ups",
    "kind_of",
]
