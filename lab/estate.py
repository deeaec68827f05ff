"""What the laboratory is made of: machines, the cables between them, and what runs on each. Pure.

    siege 10.71.1.0/24                               foyer 10.71.2.0/24
      srv-dossiers .10  Samba, PostgreSQL  ┐       ┌  secours     .10  Samba; the audit starts here
      srv-gestion  .11  MariaDB            │       │  poste-foyer .21
      poste-accueil .21                    ├ sw ─ routeur ─ sw ┤
      onduleur-siege .5  NUT               │       │  onduleur-foyer .5  NUT
      box-4g-siege .6, its own UPS .7      │       └  box-4g-foyer .6
      (an unknown machine .77, a fault)    ┘

The addresses exist in namespaces of the laboratory alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

POST = "secours"  # from where `releve audit` is run
SITES: Mapping[str, str] = {"siege": "10.71.1", "foyer": "10.71.2"}
ROUTER = "routeur"
OVERLAY = "10.71.9"  # the private network (VXLAN) between the file server and the relief
UNKNOWN = "inconnu"
COPIES, LOCKED = "/srv/copies", "/srv/verrou"  # of the relief: copies, and those that nobody can change


@dataclass(frozen=True, slots=True)
class Cable:
    """An end of a cable in a machine: its interface, its address, the switch and the port of the other end."""

    device: str
    address: str
    switch: str
    port: str


@dataclass(frozen=True, slots=True)
class Node:
    """A machine or an appliance. `services` are names of `lab.services`; `ports` those of a switch."""

    name: str
    site: str
    address: str
    cables: tuple[Cable, ...] = ()
    services: tuple[str, ...] = ()
    gateway: str = ""
    ports: tuple[str, ...] = ()
    folders: Mapping[str, int] = field(default_factory=dict)  # made up documents: folder -> how many

    @property
    def neighbourly(self) -> bool:
        """Whether it says who it is to the other end of its cables (LLDP), as switches and computers do."""
        return self.is_switch or "sshd" in self.services

    @property
    def is_switch(self) -> bool:
        """Whether its interfaces are ports of one bridge."""
        return bool(self.ports)


def _plugged(name: str, site: str, last: int, port: int, **more: object) -> Node:
    net = SITES[site]
    address = f"{net}.{last}"
    cable = Cable("eth0", address, f"sw-{site}", f"port{port}")
    return Node(name, site, address, (cable,), gateway=f"{net}.1", **more)  # type: ignore[arg-type]


def nodes(faults: frozenset[str] = frozenset()) -> tuple[Node, ...]:
    """Every machine; the unknown one when its fault is put in."""
    machines = [
        _plugged(
            "srv-dossiers",
            "siege",
            10,
            2,
            services=("sshd", "samba", "postgresql", "tunnel"),
            folders={"/srv/partage/dossiers": 40, "/srv/partage/modeles": 12},
        ),
        _plugged("srv-gestion", "siege", 11, 3, services=("sshd", "mariadb")),
        _plugged("poste-accueil", "siege", 21, 4, services=("sshd", "clients")),
        _plugged("onduleur-siege", "siege", 5, 5, services=("nut",)),
        _plugged("box-4g-siege", "siege", 6, 6),
        _plugged("onduleur-4g-siege", "siege", 7, 7, services=("nut",)),
        _plugged(
            POST,
            "foyer",
            10,
            2,
            services=("sshd", "samba", "tunnel", "lock"),
            folders={f"{COPIES}/{name}": 3 for name in ("partage", "usagers", "paie")}
            | {f"{LOCKED}/{name}": 3 for name in ("partage", "usagers", "paie")},
        ),
        _plugged("poste-foyer", "foyer", 21, 3, services=("sshd", "clients")),
        _plugged("onduleur-foyer", "foyer", 5, 4, services=("nut",)),
        _plugged("box-4g-foyer", "foyer", 6, 5),
    ]
    if UNKNOWN in faults:
        machines.append(_plugged("machine-inconnue", "siege", 77, 8, services=("page",)))
    router = Node(
        ROUTER,
        "siege",
        f"{SITES['siege']}.1",
        tuple(Cable(f"eth-{site}", f"{net}.1", f"sw-{site}", "port1") for site, net in SITES.items()),
    )
    plugged = (router, *machines)
    return (*(_switch(site, plugged) for site in SITES), *plugged)


def _switch(site: str, plugged: tuple[Node, ...]) -> Node:
    name, net = f"sw-{site}", SITES[site]
    ports = sorted(cable.port for node in plugged for cable in node.cables if cable.switch == name)
    return Node(name, site, f"{net}.2", services=("snmpd",), gateway=f"{net}.1", ports=tuple(ports))


def address_of(name: str) -> str:
    """The address of a machine that is always there. Raises StopIteration for another."""
    return next(node.address for node in nodes() if node.name == name)
