"""The plan of the laboratory, as it is written. The people are fictional.

Healthy unless a fault amends it: everything that is there is declared, everything has its second, every
contract says what it must.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.estate import COPIES, LOCKED, POST, SITES, address_of
from lab.faults import Fault
from lab.keys import DATABASE_USER, SNMP_USER

_HEAD = "# Plan du laboratoire, écrit par « python -m lab ». Tout y est fictif ; les adresses n'existent que dedans.\n"
_TERM = timedelta(days=900)  # contracts of the laboratory run that long from the day it is started
_SITE_NAMES = {"siege": "Siège", "foyer": "Foyer"}
_ADDRESSES = {"siege": "1 rue Fictive, Ville-Haute", "foyer": "8 chemin Fictif, Ville-Basse"}
_BOX_UPS = {  # at the head office the two ways out do not stop together; the home has a third
    "siege": "onduleur-4g-siege",
    "foyer": "onduleur-foyer",
}
_ROOMS = {"siege": "A", "foyer": "B"}


def write_plan(folder: Path, faults: Sequence[Fault]) -> Path:
    """`plan.yaml` in `folder`, amended by the faults; its path. The keys that it names are in `folder`/keys."""
    lines = healthy(folder, date.today())  # noqa: DTZ011 - a day of the wall, as people write contracts
    for fault in faults:
        if fault.amends is not None:
            fault.amends(lines)
    yaml, text = YAML(), io.StringIO()
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda _value: True  # a plan is read by people: no anchors
    yaml.dump(lines, text)
    path = folder / "plan.yaml"
    path.write_text(_HEAD + text.getvalue(), encoding="utf-8")
    path.chmod(0o600)
    return path


def healthy(folder: Path, today: date) -> dict[str, Any]:
    """The plan without fault."""
    return {
        "version": 1,
        "association": {"name": "Association fictive Les Tilleuls"},
        "calendars": [_calendar()],
        "sites": [_site("siege", "primary", folder), _site("foyer", "relief", folder)],
        "hosts": _hosts(folder / "keys"),
        "contacts": [
            {"id": "directrice", "name": "Directrice", "role": "décide", "phone": "00 00 00 00 01"},
            {"id": "technicien", "name": "Technicien", "role": "répare", "phone": "00 00 00 00 02"},
            {"id": "suppleant", "name": "Technicien suppléant", "role": "répare", "phone": "00 00 00 00 03"},
        ],
        "networks": [
            {
                "id": f"reseau-{site}",
                "name": f"Réseau du {_SITE_NAMES[site].lower()}",
                "site": site,
                "range": f"{net}.0/24",
                "country": "FR",
            }
            for site, net in SITES.items()
        ],
        "links": [link for site in SITES for link in _links(site)],
        "equipment": [item for site in SITES for item in _equipment(site, folder / "keys")],
        "sockets": [socket for site in SITES for socket in _sockets(site)],
        "suppliers": _suppliers(today + _TERM),
        "flows": _flows(),
        "holdings": _holdings(folder / "keys"),
        "applications": _applications(),
        "approvals": {
            "fence": {"people": 1, "who": ["directrice", "technicien", "suppleant"], "deadline": "1 h"},
            "accept-loss": {"people": 2, "who": ["directrice", "technicien", "suppleant"], "deadline": "1 h"},
        },
        "audit": {"rate": 2000, "at_once": 6, "watch": "6 s"},
    }


def _calendar() -> dict[str, Any]:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return {"id": "toujours", "timezone": "Europe/Paris", "open": {day: ["00:00-24:00"] for day in days}}


def _site(site: str, role: str, folder: Path) -> dict[str, Any]:
    host = "srv-dossiers" if site == "siege" else POST
    state = folder / "state"
    return {
        "id": site,
        "name": _SITE_NAMES[site],
        "role": role,
        "address": _ADDRESSES[site],
        "worker": {
            "listen": f"{address_of(host)}:7401",
            "state": str(state),
            "secret": f"file:{folder / 'keys' / 'database'}",
        },
    }


def _hosts(keys: Path) -> list[dict[str, Any]]:
    def host(name: str, site: str, **more: object) -> dict[str, Any]:
        address = address_of(name)
        reached = {
            "reach": "ssh",
            "ssh": {
                "address": address,
                "user": "root",
                "key": str(keys / "client"),
                "known_hosts": str(keys / "known_hosts"),
                "connect_timeout": "5 s",
            },
        }
        return {
            "id": name,
            "site": site,
            **({"reach": "local"} if name == POST else reached),
            "addresses": [address],
            "behind": [f"sw-{site}"],
            "ups": f"onduleur-{site}",
            "spare": True,
            **more,
        }

    return [
        host(POST, "foyer"),
        host("srv-dossiers", "siege"),
        host("srv-gestion", "siege"),
        host("poste-accueil", "siege", kind="workstation", ups=""),
        host("poste-foyer", "foyer", kind="workstation", ups=""),
    ]


def _links(site: str) -> list[dict[str, Any]]:
    name, other = _SITE_NAMES[site], "foyer" if site == "siege" else "siege"
    fibre = {
        "id": f"{site}-fibre",
        "name": f"Fibre du {name.lower()}",
        "site": site,
        "to": "internet",
        "operator": "Opérateur fictif Un",
        "path": f"fibre enterrée, rue nord du {name.lower()}",
        "behind": ["routeur-" + site],
    }
    radio = {
        "id": f"{site}-4g",
        "name": f"4G du {name.lower()}",
        "site": site,
        "to": "internet",
        "operator": "Opérateur fictif Deux",
        "path": f"antenne sur le toit du {name.lower()}",
        "behind": [f"box-4g-{site}"],
    }
    between = {
        "id": "siege-foyer",
        "name": "Lien privé siège-foyer",
        "site": site,
        "to": other,
        "operator": "Opérateur fictif Un",
        "path": "fibre louée, route sud",
        "behind": ["routeur-" + site],
    }
    return [fibre, radio, *([between] if site == "siege" else [])]


def _equipment(site: str, keys: Path) -> list[dict[str, Any]]:
    net, name = SITES[site], _SITE_NAMES[site].lower()
    snmp = {
        "version": "3",
        "user": SNMP_USER,
        "auth": f"file:{keys / 'snmp-auth'}",
        "privacy": f"file:{keys / 'snmp-privacy'}",
    }
    ups = {"ups": f"onduleur-{site}"}
    return [
        {
            "id": f"sw-{site}",
            "name": f"Commutateur du {name}",
            "kind": "switch",
            "site": site,
            "address": f"{net}.2",
            "snmp": snmp,
            "spare": True,
            **ups,
        },
        {
            "id": f"routeur-{site}",
            "name": f"Routeur du {name}",
            "kind": "router",
            "site": site,
            "address": f"{net}.1",
            "spare": True,
            **ups,
        },
        {
            "id": f"box-4g-{site}",
            "name": f"Boîtier 4G du {name}",
            "kind": "router",
            "site": site,
            "address": f"{net}.6",
            "spare": True,
            "ups": _BOX_UPS[site],
        },
        _ups(f"onduleur-{site}", f"Onduleur du {name}", site, f"{net}.5"),
        *([_ups(_BOX_UPS[site], "Onduleur de la 4G", site, f"{net}.7")] if site == "siege" else []),
    ]


def _ups(name: str, title: str, site: str, address: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": title,
        "kind": "ups",
        "site": site,
        "address": address,
        "nut": name,
        "spare": True,
    }


def _sockets(site: str) -> list[dict[str, Any]]:
    letter = _ROOMS[site]
    rooms = {
        "siege": ("local technique", "baie", "baie", "accueil", "baie", "baie", "baie", "salle de réunion"),
        "foyer": ("local technique", "baie", "bureau", "baie", "baie"),
    }[site]
    labels = [f"{letter}-{number:02}" for number in range(1, len(rooms) + 1)]
    if site == "siege":
        labels[2] = "A-12"  # the one whose cable is bad: its number is not its port's
    return [
        {"label": label, "site": site, "room": room, "equipment": f"sw-{site}", "port": f"port{number}"}
        for number, (label, room) in enumerate(zip(labels, rooms, strict=True), 1)
    ]


def _suppliers(until: date) -> list[dict[str, Any]]:
    def supplier(name: str, title: str, provides: str, address: str, **more: object) -> dict[str, Any]:
        return {
            "id": name,
            "name": title,
            "provides": provides,
            "country": "FR",
            "addresses": [address],
            "contract_until": until,
            "sla": "24 h sur 24, GTI 1 h, GTR 4 h",
            "exit": "données rendues en CSV et PDF sous 30 jours",
            "failure": "données déposées chez un tiers, reprise sous 5 jours",
            **more,
        }

    return [
        supplier("operateur-un", "Opérateur fictif Un", "accès fibre et lien privé", "192.0.2.0/28"),
        supplier("operateur-deux", "Opérateur fictif Deux", "accès 4G", "192.0.2.16/28"),
        supplier(
            "editeur",
            "Éditeur fictif",
            "logiciels des usagers et de la paie",
            "192.0.2.32/28",
            applications=["usagers", "paie", "partages"],
        ),
    ]


def _flows() -> list[dict[str, Any]]:
    def flow(source: str, to: str, port: int, purpose: str) -> dict[str, Any]:
        return {"from": source, "to": to, "port": port, "purpose": purpose}

    told = []
    for site in SITES:
        told += [
            flow(site, "srv-dossiers", 445, "partage de fichiers"),
            flow(site, "srv-dossiers", 5432, "logiciel des usagers"),
            flow(site, "srv-gestion", 3306, "logiciel de paie"),
            flow(site, POST, 445, "partage de fichiers au secours"),
            flow(site, f"onduleur-{site}", 3493, "état de l'onduleur"),
            flow(POST, site, 22, "administration et audit"),
            flow(POST, f"sw-{site}", 161, "compteurs du commutateur"),
        ]
    told += [flow(POST, name, 3493, "état de l'onduleur") for name in ("onduleur-siege", _BOX_UPS["siege"])]
    told += [
        flow("srv-dossiers", POST, 4789, "réseau privé"),
        flow(POST, "srv-dossiers", 4789, "réseau privé"),
    ]
    return told


def _holdings(keys: Path) -> list[dict[str, Any]]:
    def copies(name: str) -> list[dict[str, Any]]:
        there = {"site": "foyer", "host": POST}
        return [
            {**there, "path": f"{COPIES}/{name}"},
            {**there, "path": f"{LOCKED}/{name}", "offline": True},
        ]

    return [
        {
            "id": "partage",
            "name": "Partage des équipes",
            "engine": "files",
            "host": "srv-dossiers",
            "path": "/srv/partage",
            "kind": "office",
            "copies": copies("partage"),
        },
        {
            "id": "usagers",
            "name": "Base des usagers",
            "engine": "postgresql",
            "host": "srv-dossiers",
            "port": 5432,
            "user": DATABASE_USER,
            "password": f"file:{keys / 'database'}",
            "copies": copies("usagers"),
        },
        {
            "id": "paie",
            "name": "Base de la paie",
            "engine": "mariadb",
            "host": "srv-gestion",
            "socket": "/run/mysqld/mysqld.sock",
            "copies": copies("paie"),
        },
    ]


def _applications() -> list[dict[str, Any]]:
    def application(name: str, title: str, host: str, port: int, program: str) -> dict[str, Any]:
        def end(where: str) -> dict[str, Any]:
            asked = ["pgrep", "-x", program]
            return {
                "host": where,
                "url": f"tcp://{address_of(where)}:{port}",
                "service": {"manager": "command", "start": ["true"], "stop": ["true"], "status": asked},
            }

        return {
            "id": name,
            "name": title,
            "owner": "directrice",
            "tolerance": {"rto": "8 h", "rpo": "1 j"},
            "commitment": {"rto": "4 h", "rpo": "1 j"},
            "without_it": "Cahier de secours et fiches imprimées chaque semaine",
            "do_not": ["Enregistrer des documents sur un poste"],
            "primary": end(host),
            "relief": end(POST),
        }

    return [
        application("partages", "Dossiers partagés", "srv-dossiers", 445, "smbd"),
        application("usagers", "Logiciel des usagers", "srv-dossiers", 5432, "postgres"),
        application("paie", "Logiciel de paie", "srv-gestion", 3306, "mariadbd"),
    ]
