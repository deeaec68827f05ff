"""What each key that the audit reads in the plan means, in French. A key without its sentence stops `make docs`."""

from __future__ import annotations

from docs.keys import table
from releve.cycle.plan.blocks import Block
from releve.cycle.plan.inventory import (
    AuditBlock,
    CopyBlock,
    EquipmentBlock,
    FlowBlock,
    HoldingBlock,
    LinkBlock,
    NetworkBlock,
    SnmpBlock,
    SocketBlock,
    SupplierBlock,
)

SECTIONS: tuple[tuple[str, type[Block], dict[str, str]], ...] = (
    (
        "networks",
        NetworkBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "site": "site du plan",
            "range": "plage d'adresses : 10.1.0.0/24 ; 65 536 adresses au plus ; publique, elle est remarquée : l'audit l'interrogerait",
            "country": "pays où sont ses machines : FR, DE…",
            "audit": "false : ne jamais le regarder, ni ce qui s'y trouve",
        },
    ),
    (
        "links",
        LinkBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "site": "site d'où il part",
            "to": "site où il arrive, ou internet",
            "operator": "opérateur",
            "path": "par où il passe : deux liens de même chemin tombent sous la même pelleteuse",
            "behind": "ce qui le relie au reste ; plusieurs : l'un suffit",
        },
    ),
    (
        "equipment",
        EquipmentBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "kind": "genre",
            "site": "site du plan",
            "address": "adresse IP",
            "snmp": "comment l'interroger",
            "behind": "ce qui le relie au reste (équipement, machine, lien) ; plusieurs : l'un suffit",
            "ups": "onduleur qui l'alimente",
            "function": "ce que lui seul fait (badgeuse, clé de banque…)",
            "spare": "true : un autre est prêt et essayé",
            "nut": "onduleur : son nom chez NUT, onduleur@10.1.0.9",
            "system": "son système, lu à l'écran, quand l'audit ne peut pas y entrer : Windows 10 22H2, DSM 7.2",
        },
    ),
    (
        "equipment: snmp",
        SnmpBlock,
        {
            "version": "« 2c » (communauté, en clair) ou « 3 » (compte, chiffré)",
            "port": "port UDP ; 161",
            "community": "secret de la version 2c",
            "user": "compte de la version 3",
            "auth": "secret d'authentification (SHA)",
            "privacy": "secret de chiffrement (AES-128)",
        },
    ),
    (
        "sockets",
        SocketBlock,
        {
            "label": "ce qui est écrit sur la prise",
            "site": "site du plan",
            "room": "pièce",
            "equipment": "équipement ou machine où finit son câble",
            "port": "nom du port de cet appareil, comme il le dit",
            "public": "true : en zone ouverte au public",
        },
    ),
    (
        "suppliers",
        SupplierBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "provides": "ce qu'il fournit",
            "country": "pays de ses machines",
            "addresses": "ses adresses ou plages",
            "applications": "applications du plan qui dépendent de lui",
            "contract_until": "fin du contrat",
            "sla": "délais écrits au contrat : GTI, GTR, plage de service",
            "exit": "comment les données sont rendues",
            "failure": "ce que le contrat prévoit s'il défaille (CSP R1111-11, 10°)",
            "hosts_health": "true : il héberge des données de santé",
            "hds_number": "numéro de son certificat HDS",
            "hds_until": "fin de ce certificat",
        },
    ),
    (
        "flows",
        FlowBlock,
        {
            "from": "machine, équipement, réseau, site, fournisseur ou internet",
            "to": "de même : qui répond",
            "port": "port de celui qui répond, ou any",
            "purpose": "à quoi il sert ; sans lui, l'échange compte encore comme non déclaré",
        },
    ),
    (
        "holdings",
        HoldingBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "engine": "genre",
            "host": "machine du plan qui les tient",
            "path": "dossier",
            "port": "base : son port sur cette machine",
            "socket": "base : sa prise Unix, sinon son port",
            "user": "base : compte",
            "password": "base : où est son mot de passe",
            "kind": "ce que c'est",
            "sensitivity": "classe",
            "copies": "leurs copies",
        },
    ),
    (
        "holdings: copies",
        CopyBlock,
        {
            "site": "site où est la copie",
            "host": "machine qui la tient ; sans elle, personne ne peut la regarder",
            "path": "dossier",
            "offline": "true : hors réseau, ou que personne ne peut effacer",
        },
    ),
    (
        "audit",
        AuditBlock,
        {
            "window": "calendrier du plan aux heures duquel les réseaux peuvent être balayés",
            "rate": "paquets par seconde, au plus",
            "at_once": "regards menés ensemble, au plus",
            "ports": "ports demandés, à la façon de nmap (22,80,8000-8010) ; sinon la liste de l'audit",
            "watch": "temps pendant lequel les connexions de chaque machine sont observées",
            "read_rate": "octets lus par seconde, au plus, pour chercher les données personnelles ; 0 : sans borne",
        },
    ),
)


def page(notice: str) -> str:
    """The reference of the sections that the audit reads."""
    lines = [
        f"{notice}# Ce que l'audit lit dans le plan, clé par clé",
        "",
        "Toutes ces rubriques sont facultatives : ce qui n'est pas déclaré n'est pas regardé. Une machine (`hosts:`) prend aussi",
        "`kind`, `addresses`, `behind`, `ups`, `function` et `spare`, qui disent la même chose que pour un équipement.",
        "",
    ]
    for title, model, said in SECTIONS:
        lines += table(title, model, said)
    return "\n".join(lines)
