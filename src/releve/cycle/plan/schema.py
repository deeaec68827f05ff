"""The plan as it is written: one model a kind of block, unknown keys refused.

`TITLE` names the block in the sentences that a person reads. The models only judge a block by
itself; what needs two blocks (references, promises, sites) is in `rules/`.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from releve.cycle.plan.blocks import Block
from releve.cycle.plan.fields import (
    Day,
    Duration,
    FilePath,
    Id,
    Moment,
    Name,
    Port,
    Seconds,
    Secret,
    Size,
    Slot,
    Text,
    WallDuration,
    wrong,
)
from releve.cycle.plan.inventory import INVENTORY, Address
from releve.domain.inventory import Device
from releve.domain.plan import (
    DataKind,
    Manager,
    ProtectionMode,
    Reach,
    Sensitivity,
    SiteRole,
    Transport,
)


class AssociationBlock(Block):
    """Whose plan it is."""

    TITLE = "l'association"
    name: Name
    finess: Annotated[str, Field(pattern=r"^([0-9][0-9AB][0-9]{7})?$")] = ""


class OpenBlock(Block):
    """Opening hours, by day."""

    TITLE = "les horaires d'un calendrier"
    mon: list[Slot] = []
    tue: list[Slot] = []
    wed: list[Slot] = []
    thu: list[Slot] = []
    fri: list[Slot] = []
    sat: list[Slot] = []
    sun: list[Slot] = []


class ClosureBlock(Block):
    """Days of closure, both included."""

    TITLE = "une fermeture"
    first: Annotated[Day, Field(alias="from")]
    last: Annotated[Day, Field(alias="to")]
    name: Text = ""


class CalendarBlock(Block):
    """A calendar of business hours."""

    TITLE = "un calendrier"
    id: Id
    timezone: Name = "Europe/Paris"
    holidays: Text = ""
    open: OpenBlock
    closed: list[ClosureBlock] = []
    school: Text = ""


class HdsBlock(Block):
    """A certificate of health-data host."""

    TITLE = "un certificat HDS"
    number: Name
    valid_until: date | None = None


class WorkerBlock(Block):
    """The resident process of a site."""

    TITLE = "le processus résident d'un site"
    listen: Name
    state: FilePath
    secret: Secret | None = None


class SiteBlock(Block):
    """A place with machines."""

    TITLE = "un site"
    id: Id
    name: Name
    role: SiteRole
    address: Text = ""
    hosted_by: Text = ""
    hds: HdsBlock | None = None
    worker: WorkerBlock | None = None


class SshBlock(Block):
    """How OpenSSH reaches a machine."""

    TITLE = "l'accès ssh d'une machine"
    address: Name
    port: Port = 22
    user: Name
    key: FilePath
    known_hosts: FilePath
    connect_timeout: Seconds = 5.0


class HostBlock(Block):
    """A machine."""

    TITLE = "une machine"
    id: Id
    site: Name
    reach: Reach
    ssh: SshBlock | None = None
    root: Text = ""
    kind: Device = Device.SERVER
    addresses: list[Address] = []
    behind: list[Name] = []
    ups: Text = ""
    function: Text = ""
    spare: bool = False

    @model_validator(mode="after")
    def _ssh_when_asked(self) -> Self:
        if self.reach is Reach.SSH and self.ssh is None:
            raise wrong(
                "ssh-missing",
                f"la machine « {self.id} » est atteinte par ssh mais le bloc « ssh » manque",
                "ajoutez ssh: {address: …, user: …, key: …, known_hosts: …}",
            )
        if self.reach is Reach.LOCAL and self.ssh is not None:
            raise wrong(
                "ssh-unused",
                f"la machine « {self.id} » est locale et porte pourtant un bloc « ssh »",
                "écrivez reach: ssh, ou supprimez le bloc",
            )
        return self


class ContactBlock(Block):
    """A person or a duty."""

    TITLE = "un contact"
    id: Id
    name: Name
    role: Text = ""
    phone: Text = ""
    email: Text = ""


class ServiceBlock(Block):
    """How a process is started and stopped by its own manager."""

    TITLE = "un service"
    manager: Manager
    unit: Text = ""
    version: Text = ""
    cluster: Text = ""
    start: list[Name] = []
    stop: list[Name] = []
    status: list[Name] = []

    @model_validator(mode="after")
    def _what_its_manager_needs(self) -> Self:
        wanted = {
            Manager.SYSTEMD: ("unit",),
            Manager.PG_CTLCLUSTER: ("version", "cluster"),
            Manager.COMMAND: ("start", "stop", "status"),
        }[self.manager]
        missing = [key for key in wanted if not getattr(self, key)]
        if missing:
            raise wrong(
                "service-incomplete",
                f"le service géré par {self.manager} n'a pas « {' », « '.join(missing)} »",
                "systemd : unit ; pg_ctlcluster : version et cluster ; command : start, stop et status (listes)",
            )
        useless = sorted(self.model_fields_set - {"manager", *wanted})
        if useless:
            raise wrong(
                "service-useless",
                f"« {' », « '.join(useless)} » n'a pas d'effet sur un service géré par {self.manager}",
                "supprimez-le, ou changez « manager »",
            )
        return self


class LoginBlock(Block):
    """A database role and where its password is."""

    TITLE = "un compte de base de données"
    user: Name
    password: Secret | None = None


class UpstreamBlock(Block):
    """Where the other end finds this server, when a tunnel stands between."""

    TITLE = "une entrée de tunnel"
    address: Name
    port: Port


class EndBlock(Block):
    """One end of a protected data set."""

    TITLE = "une extrémité d'un jeu de données"
    host: Name
    address: Name
    port: Port
    data_dir: FilePath
    bin_dir: FilePath
    service: ServiceBlock
    database: Name = "postgres"
    os_user: Name = "postgres"
    socket_dir: Text = ""
    tls_root: Text = ""
    admin: LoginBlock = LoginBlock(user="postgres")
    replication: LoginBlock = LoginBlock(user="postgres")
    upstream: UpstreamBlock | None = None


class ReliefLostBlock(Block):
    """What the primary does when the relief is lost."""

    TITLE = "on_relief_lost"
    wait: bool = False
    degrade_after: Seconds = 30.0

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.wait and "degrade_after" in self.model_fields_set:
            raise wrong(
                "relief-lost",
                "attendre (wait) et continuer seul (degrade_after) s'excluent",
                "gardez l'un des deux",
            )
        return self


def _wait_word(value: Any) -> Any:
    return {"wait": True} if value == "wait" else value


class ProtectionBlock(Block):
    """How a data set is protected, and what that promises."""

    TITLE = "la protection d'un jeu de données"
    mode: ProtectionMode
    rpo: WallDuration
    on_relief_lost: Annotated[ReliefLostBlock, BeforeValidator(_wait_word)] = ReliefLostBlock()
    slot_limit: Size = 2 * 10**9
    transport: Transport = Transport.TLS
    at: Moment = time(2, 0)


class DataSetBlock(Block):
    """Data that moves as one: a database on two servers."""

    TITLE = "un jeu de données"
    id: Id
    name: Name
    engine: Text
    kind: DataKind
    sensitivity: Sensitivity
    protection: ProtectionBlock
    primary: EndBlock
    relief: EndBlock
    vault: Text = ""


class ShareEndBlock(Block):
    """One end of a protected share."""

    TITLE = "une extrémité d'un partage"
    host: Name
    path: FilePath


class ShareProtectionBlock(Block):
    """How a share is protected, and what that promises."""

    TITLE = "la protection d'un partage"
    mode: ProtectionMode
    rpo: WallDuration
    at: Moment = time(2, 0)


class ShareBlock(Block):
    """A folder of files that moves as one: captured into a vault, followed by a copy."""

    TITLE = "un partage de fichiers"
    id: Id
    name: Name
    engine: Literal["files"]
    kind: DataKind
    sensitivity: Sensitivity
    vault: Name
    protection: ShareProtectionBlock
    primary: ShareEndBlock
    relief: ShareEndBlock
    exclude: list[Name] = []


class VaultPlaceBlock(Block):
    """How a site reaches a vault."""

    TITLE = "l'accès d'un site à un coffre"
    site: Name
    address: Annotated[str, Field(min_length=1, max_length=1000)]
    key: Secret


class VaultBlock(Block):
    """An encrypted store."""

    TITLE = "un coffre"
    id: Id
    name: Name
    places: list[VaultPlaceBlock]


class HealthBlock(Block):
    """A question to a running application."""

    TITLE = "un contrôle de bon fonctionnement"
    path: Annotated[str, Field(pattern=r"^/", max_length=500)]
    expect: Annotated[int, Field(ge=100, le=599)] = 200
    timeout: Seconds = 5.0


class GateBlock(Block):
    """What lets users in on a site."""

    TITLE = "une porte d'accès"
    kind: Literal["file"]
    path: FilePath


class AppEndBlock(Block):
    """One instance of an application."""

    TITLE = "une instance d'application"
    host: Name
    url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+|tcp://[^/\s]+:[0-9]{1,5}/?$)", max_length=500)]
    service: ServiceBlock
    gate: GateBlock | None = None
    warm: bool = False


class ToleranceBlock(Block):
    """What users ask, or what is promised. `rpo` may be absent where there is nothing to lose."""

    TITLE = "une tolérance"
    rto: Duration
    rpo: WallDuration | None = None
    calendar: Text = ""


class ApplicationBlock(Block):
    """What people use."""

    TITLE = "une application"
    id: Id
    name: Name
    owner: Text
    needs: list[Name] = []
    data: list[Name] = []
    tolerance: ToleranceBlock
    commitment: ToleranceBlock | None = None
    health: list[HealthBlock] = []
    without_it: Text = ""
    do_not: list[Annotated[str, Field(min_length=1, max_length=1000)]] = []
    primary: AppEndBlock | None = None
    relief: AppEndBlock | None = None


class ApprovalBlock(Block):
    """Who may answer a question."""

    TITLE = "une approbation"
    people: Annotated[int, Field(ge=1, le=20)] = 1
    who: list[Name] = []
    deadline: Seconds = 3600.0


LISTS: dict[str, type[Block]] = {
    "calendars": CalendarBlock,
    "sites": SiteBlock,
    "hosts": HostBlock,
    "contacts": ContactBlock,
    "vaults": VaultBlock,
    "data_sets": DataSetBlock,
    "applications": ApplicationBlock,
    **INVENTORY,
}
ENGINES: dict[str, type[Block]] = {"files": ShareBlock}  # an engine whose data sets are written otherwise
SECTIONS = ("version", "association", *LISTS, "approvals", "audit")
REQUIRED = ("version", "association", "sites", "contacts", "applications")
