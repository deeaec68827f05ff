"""The plan, as a value: what an association declares. Built by `cycle.plan`, read by everyone.

Everything here is declared, nothing is observed. `need` is what the users of an application ask,
`commitment` what the technician or the supplier promises; what was measured lives elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from enum import StrEnum
from typing import TypeVar

from releve.domain.calendars import Calendar
from releve.domain.inventory import NOTHING_DECLARED, Device, Inventory
from releve.domain.secret import SecretRef
from releve.domain.units import Span


class SiteRole(StrEnum):
    """What a site is for."""

    PRIMARY = "primary"
    RELIEF = "relief"


class DataKind(StrEnum):
    """What the data is about; decides which law applies."""

    HEALTH = "health"
    ACCOUNTING = "accounting"
    HR = "hr"
    BANK = "bank"
    ACCOUNTS = "accounts"
    MAIL = "mail"
    OFFICE = "office"
    CONFIGURATION = "configuration"
    OTHER = "other"


class Sensitivity(StrEnum):
    """Class of a data set. Critical: replicated off-site in real time; sensitive, standard: daily."""

    CRITICAL = "critical"
    SENSITIVE = "sensitive"
    STANDARD = "standard"


class ProtectionMode(StrEnum):
    """How a data set reaches the relief site."""

    REALTIME = "realtime"
    DAILY = "daily"


class Transport(StrEnum):
    """What carries the replication between two machines."""

    TLS = "tls"
    SSH = "ssh"  # an OpenSSH tunnel kept by the host's service manager
    LOCAL = "local"  # both servers on one machine: nothing crosses a network
    CLEAR = "clear"


class Reach(StrEnum):
    """How we act on a host."""

    LOCAL = "local"
    SSH = "ssh"


class Manager(StrEnum):
    """Who owns a server process on its host."""

    SYSTEMD = "systemd"
    PG_CTLCLUSTER = "pg_ctlcluster"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Association:
    """Whose plan this is. `finess` is the legal-entity number (FINESS EJ) or empty."""

    name: str
    finess: str = ""


@dataclass(frozen=True, slots=True)
class HdsCertificate:
    """Certificate of a third party that hosts health data (code de la santé publique, L1111-8)."""

    number: str
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """The resident process of a site: `host:port` the other site asks, and where it keeps its state."""

    listen: str
    state: str
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A place with machines. `third_party` is the name of the company that hosts it, or empty."""

    id: str
    name: str
    role: SiteRole
    address: str = ""
    third_party: str = ""
    hds: HdsCertificate | None = None
    worker: WorkerSpec | None = None


@dataclass(frozen=True, slots=True)
class SshSpec:
    """How OpenSSH reaches a host. `known_hosts` is a file: host keys are always checked."""

    address: str
    port: int
    user: str
    key: str
    known_hosts: str
    connect_timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A machine. `root`, when given, must exist for the host to count as reachable (demo estates).

    What the audit reads, as in `Equipment`: `addresses` it answers at, `behind`, `ups`, `function`, `spare`.
    """

    id: str
    site: str
    reach: Reach
    ssh: SshSpec | None = None
    root: str = ""
    kind: Device = Device.SERVER
    addresses: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    ups: str = ""
    function: str = ""
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or a duty. `id` is what decisions are signed with."""

    id: str
    name: str
    role: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How a process is started and stopped by its own manager.

    `systemd`: `unit`. `pg_ctlcluster`: `version` and `cluster`. `command`: three argv lists;
    `status` exits 0 when running, 3 when stopped, anything else is unknown.
    """

    manager: Manager
    unit: str = ""
    version: str = ""
    cluster: str = ""
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerEnd:
    """One end of a protected data set: a database server on a host.

    `address`/`port`: as the worker and the other end reach it. `database`: the one that holds our
    bookkeeping tables. `admin`: superuser. `tls_root`: CA file when the transport is TLS.
    `os_user`: owner of `data_dir`. `bin_dir`: programs of the server.
    """

    host: str
    address: str
    port: int
    data_dir: str
    bin_dir: str
    service: ServiceSpec
    database: str = "postgres"
    os_user: str = "postgres"
    admin_user: str = "postgres"
    admin_password: SecretRef | None = None
    replication_user: str = "postgres"
    replication_password: SecretRef | None = None
    upstream_address: str = ""  # where the OTHER end finds this one, when a tunnel stands between
    upstream_port: int = 0
    tls_root: str = ""
    socket_dir: str = ""

    @property
    def place(self) -> str:
        """The folder that holds its data, on its host."""
        return self.data_dir


@dataclass(frozen=True, slots=True)
class ShareEnd:
    """One end of a protected share: a folder on a host. `state`: what its keeper remembers, same host."""

    host: str
    path: str
    state: str

    @property
    def place(self) -> str:
        """The folder that holds its data, on its host."""
        return self.path


End = ServerEnd | ShareEnd


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """How one site reaches a vault: its address there, and where the key is."""

    address: str
    key: SecretRef


@dataclass(frozen=True, slots=True)
class VaultSpec:
    """An encrypted store of snapshots, and how each site reaches it."""

    id: str
    name: str
    places: Mapping[str, VaultPlace]  # site id -> place


@dataclass(frozen=True, slots=True)
class ReliefLost:
    """What the primary does when the relief is lost: wait, or go on alone after a delay (seconds)."""

    wait: bool = False
    degrade_after: float = 30.0


@dataclass(frozen=True, slots=True)
class Protection:
    """How a data set is protected, and what that protection promises (`rpo`, wall clock)."""

    mode: ProtectionMode
    rpo: Span
    on_relief_lost: ReliefLost = ReliefLost()
    slot_limit: int = 2 * 10**9  # bytes of WAL kept for an absent relief; beyond, the slot is given up
    transport: Transport = Transport.TLS
    daily_at: time = time(2, 0)  # local to the relief's clock; nights are quiet (proposed)

    @property
    def synchronous(self) -> bool:
        """True when an acknowledged write must already stand on the relief."""
        return self.mode is ProtectionMode.REALTIME and self.rpo.seconds == 0


@dataclass(frozen=True, slots=True)
class DataSet:
    """Data that moves as one: an engine, its kind, its protection, its two ends."""

    id: str
    name: str
    engine: str
    kind: DataKind
    sensitivity: Sensitivity
    protection: Protection
    primary_site: str
    relief_site: str
    ends: Mapping[str, End]  # site id -> end
    vault: Mapping[str, VaultPlace] = field(default_factory=dict)  # site id -> place; empty: no vault
    excludes: tuple[str, ...] = ()  # patterns of names that a share leaves out

    @property
    def shared(self) -> bool:
        """Whether it is a share of files: a folder is closed where a server is stopped."""
        return isinstance(self.ends[self.primary_site], ShareEnd)

    def other(self, site: str) -> str:
        """The site at the other end."""
        return self.relief_site if site == self.primary_site else self.primary_site

    def held_at(self, holders: Mapping[str, str]) -> str:
        """The site that holds it: what `holders` says when that is one of its ends, else its primary."""
        site = holders.get(self.id, self.primary_site)
        return site if site in self.ends else self.primary_site

    def seen_from(self, site: str) -> DataSet:
        """The same, as a process on `site` reaches it: the far server through its SSH tunnel, if any.

        So that an administrator's session takes the tunnel too, and not only the replication.
        """
        if self.protection.transport is not Transport.SSH:
            return self
        ends = {
            name: end
            if name == site or not isinstance(end, ServerEnd) or not end.upstream_address
            else replace(end, address=end.upstream_address, port=end.upstream_port or end.port)
            for name, end in self.ends.items()
        }
        return replace(self, ends=ends)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A question to a running application: an HTTP path and the status expected."""

    path: str
    expect: int = 200
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class GateSpec:
    """What lets users in on a site. `file`: the instance answers only while the file exists."""

    kind: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class AppEnd:
    """One instance of an application. `warm`: it may run, closed, while its database cannot be written."""

    host: str
    url: str
    service: ServiceSpec
    gate: GateSpec | None = None
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What users say (need) or what is promised (commitment): time without, data lost."""

    rto: Span
    rpo: Span
    calendar: str = ""  # calendar id; empty = around the clock


@dataclass(frozen=True, slots=True)
class Application:
    """What people use. `needs` are other applications, `data` are data sets.

    `ends` is empty for an application that is declared but not (yet) switched by Relève.
    """

    id: str
    name: str
    owner: str
    need: Tolerance
    commitment: Tolerance | None = None
    needs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    health: tuple[HealthCheck, ...] = ()
    without_it: str = ""
    do_not: tuple[str, ...] = ()
    ends: Mapping[str, AppEnd] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approval:
    """Who may answer a question, how many people it takes, and how long they have (seconds)."""

    people: int = 1
    who: tuple[str, ...] = ()  # contact ids; empty = anyone of the plan's contacts
    deadline: float = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. `fingerprint` is the SHA-256 (hex) of the text that it was read from."""

    association: Association
    sites: tuple[Site, ...]
    hosts: tuple[HostSpec, ...]
    contacts: tuple[Contact, ...]
    applications: tuple[Application, ...]
    data_sets: tuple[DataSet, ...]
    calendars: Mapping[str, Calendar]
    approvals: Mapping[str, Approval]
    vaults: tuple[VaultSpec, ...] = ()
    source: str = ""
    fingerprint: str = ""
    inventory: Inventory = NOTHING_DECLARED

    @property
    def timezone(self) -> str:
        """The zone in which its people read a clock: that of its first calendar (IANA name)."""
        return next((item.timezone for item in self.calendars.values()), "Europe/Paris")

    def site(self, site_id: str) -> Site:
        """The site of that id. Raises KeyError."""
        return _by_id(self.sites, site_id)

    def host(self, host_id: str) -> HostSpec:
        """The host of that id. Raises KeyError."""
        return _by_id(self.hosts, host_id)

    def application(self, application_id: str) -> Application:
        """The application of that id. Raises KeyError."""
        return _by_id(self.applications, application_id)

    def data_set(self, data_set_id: str) -> DataSet:
        """The data set of that id. Raises KeyError."""
        return _by_id(self.data_sets, data_set_id)

    def approval(self, question: str) -> Approval:
        """Who answers `question` ("fence", "accept-loss", "open"…); one person of the plan by default."""
        return self.approvals.get(question, Approval())


_Item = TypeVar("_Item", Site, HostSpec, Contact, Application, DataSet)


def _by_id(items: tuple[_Item, ...], wanted: str) -> _Item:
    for item in items:
        if item.id == wanted:
            return item
    raise KeyError(wanted)
