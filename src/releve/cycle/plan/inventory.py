"""What is owned and what joins it, as it is written: the blocks. Pure.

Beside `schema.py`, which holds what a switch needs: everything here serves the audit and may be absent.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from releve.cycle.plan.blocks import Block
from releve.cycle.plan.fields import Day, Id, Name, Port, Seconds, Secret, Text, quote, wrong
from releve.domain.inventory import (
    INTERNET,
    Device,
    HoldingKind,
    SnmpVersion,
)
from releve.domain.plan import DataKind, Sensitivity

WIDEST = (
    16  # bits: a declared IPv4 range of more than 65,536 addresses is not one network of an establishment
)

LAST_PORT = 65_535
PORTS_HINT = "écrivez par exemple 22,80,8000-8010 ou T:443,U:161"
_PORTS = re.compile(r"(?:[TU]:)?(?:([0-9]{0,9})-([0-9]{0,9})|([0-9]{1,9}))")


def _range(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise wrong(
            "range", f"« {quote(value)} » n'est pas une plage d'adresses", "écrivez par exemple 10.1.0.0/24"
        ) from error
    if network.max_prefixlen - network.prefixlen > WIDEST:
        raise wrong(
            "range-wide",
            f"« {quote(value)} » compte {network.num_addresses} adresses",
            "déclarez les réseaux un à un : 65 536 adresses au plus chacun",
        )
    return str(network)


def _address(value: str) -> str:
    if not value:
        return value
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise wrong("address", f"« {quote(value)} » n'est pas une adresse IP", "écrivez 10.1.0.2") from error


def _supplier_range(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise wrong(
            "range",
            f"« {quote(value)} » n'est ni une adresse IP ni une plage",
            "écrivez 192.0.2.10 ou 192.0.2.0/24",
        ) from error


def _ports(value: str) -> str:
    """Ports as nmap takes them: "22,80,8000-8010", with "T:" or "U:" before those of a protocol."""
    for part in value.split(",") if value else ():
        bounds = _PORTS.fullmatch(part)
        if bounds is None:
            said = (
                f"« {quote(part)} » n'est ni un port ni une plage de ports"
                if part
                else "une virgule est de trop"
            )
            raise wrong("ports", said, PORTS_HINT)
        first, last = int(bounds[3] or bounds[1] or 1), int(bounds[3] or bounds[2] or LAST_PORT)
        for number in (first, last):
            if not 1 <= number <= LAST_PORT:
                raise wrong("ports-number", f"le port {number} n'existe pas", f"de 1 à {LAST_PORT}")
        if first > last:
            raise wrong(
                "ports-order", f"« {quote(part)} » finit avant de commencer", f"écrivez {last}-{first}"
            )
    return value


def _port(value: Any) -> Any:
    return 0 if value == "any" else value


Ports = Annotated[str, Field(max_length=2000), AfterValidator(_ports)]
Range = Annotated[str, AfterValidator(_range)]
SupplierRange = Annotated[str, AfterValidator(_supplier_range)]
Address = Annotated[str, AfterValidator(_address)]
Country = Annotated[str, Field(pattern=r"^([A-Z]{2})?$")]


class NetworkBlock(Block):
    """A range of addresses at a site."""

    TITLE = "un réseau"
    id: Id
    name: Name
    site: Name
    range: Range
    country: Country = ""
    audit: bool = True


class LinkBlock(Block):
    """What leaves a site."""

    TITLE = "un lien"
    id: Id
    name: Name
    site: Name
    to: Name = INTERNET
    operator: Text = ""
    path: Text = ""
    behind: list[Name] = []


class SnmpBlock(Block):
    """How an SNMP agent is asked."""

    TITLE = "l'accès SNMP d'un équipement"
    version: SnmpVersion
    port: Port = 161
    community: Secret | None = None
    user: Text = ""
    auth: Secret | None = None
    privacy: Secret | None = None

    @model_validator(mode="after")
    def _what_its_version_needs(self) -> Self:
        if self.version is SnmpVersion.V2C and (self.community is None or self.user):
            raise wrong(
                "snmp", "SNMP 2c demande « community » et elle seule", "community: file:/etc/releve/snmp"
            )
        if self.version is SnmpVersion.V3 and (not self.user or self.community is not None):
            raise wrong("snmp", "SNMP 3 demande « user », et pas de « community »", "ajoutez auth et privacy")
        if self.privacy is not None and self.auth is None:
            raise wrong("snmp", "SNMP 3 ne chiffre pas sans authentifier", "ajoutez « auth »")
        return self


class EquipmentBlock(Block):
    """A thing on the network."""

    TITLE = "un équipement"
    id: Id
    name: Name
    kind: Device
    site: Name
    address: Address = ""
    snmp: SnmpBlock | None = None
    behind: list[Name] = []
    ups: Text = ""
    function: Text = ""
    spare: bool = False
    nut: Text = ""
    system: Text = ""

    @model_validator(mode="after")
    def _an_address_to_ask(self) -> Self:
        if self.snmp is not None and not self.address:
            raise wrong("address-missing", f"« {self.id} » est interrogé par SNMP et n'a pas d'adresse", "")
        return self


class SocketBlock(Block):
    """A wall socket."""

    TITLE = "une prise"
    label: Name
    site: Name
    room: Text = ""
    equipment: Text = ""
    port: Text = ""
    public: bool = False


class SupplierBlock(Block):
    """Who provides something."""

    TITLE = "un fournisseur"
    id: Id
    name: Name
    provides: Text = ""
    country: Country = ""
    addresses: list[SupplierRange] = []
    applications: list[Name] = []
    contract_until: Day | None = None
    sla: Text = ""
    exit: Text = ""
    failure: Text = ""
    hosts_health: bool = False
    hds_number: Text = ""
    hds_until: Day | None = None


class FlowBlock(Block):
    """Who may talk to whom."""

    TITLE = "un échange"
    source: Annotated[Name, Field(alias="from")]
    to: Name
    port: Annotated[int, BeforeValidator(_port), Field(ge=0, le=65_535)]
    purpose: Text = ""


class CopyBlock(Block):
    """Where a copy is said to be."""

    TITLE = "une copie"
    site: Name
    host: Text = ""
    path: Text = ""
    offline: bool = False


class HoldingBlock(Block):
    """Data that exist and are not (yet) protected by Relève."""

    TITLE = "des données repérées"
    id: Id
    name: Name
    engine: HoldingKind
    host: Name
    path: Text = ""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    socket: Text = ""
    user: Text = ""
    password: Secret | None = None
    kind: DataKind = DataKind.OTHER
    sensitivity: Sensitivity = Sensitivity.STANDARD
    copies: list[CopyBlock] = []

    @model_validator(mode="after")
    def _where_they_are(self) -> Self:
        if self.engine is HoldingKind.FILES and not self.path.startswith("/"):
            raise wrong("path", f"« {self.id} » : le chemin complet du dossier manque", "path: /srv/partage")
        return self


class AuditBlock(Block):
    """How gently it is looked at."""

    TITLE = "l'audit"
    window: Text = ""
    rate: Annotated[int, Field(ge=1, le=100_000)] = 300
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    ports: Ports = ""
    watch: Seconds = 10.0
    read_rate: Annotated[int, Field(ge=0)] = 50_000_000


INVENTORY: dict[str, type[Block]] = {
    "networks": NetworkBlock,
    "links": LinkBlock,
    "equipment": EquipmentBlock,
    "sockets": SocketBlock,
    "suppliers": SupplierBlock,
    "flows": FlowBlock,
    "holdings": HoldingBlock,
}
