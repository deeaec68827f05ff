"""What was seen, as tables: the inventory that an audit makes. Pure. An empty cell was not seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.exchanges import UNKNOWN_COUNTRY, Exchange, declared, exchanges, written
from releve.cycle.audit.rules.copies import HOW_FR, RESTORED_FR
from releve.cycle.audit.rules.health import AFAR, healthless
from releve.cycle.plan.grid import Row, folded, grid
from releve.domain.audit import RESTORED, Answer, Topic
from releve.domain.seen import (
    TWIN,
    Agent,
    Base,
    Clock,
    Connection,
    Copy,
    Disk,
    Documents,
    Fact,
    Files,
    Gateway,
    Listening,
    Lldp,
    Neighbour,
    Path,
    Port,
    Reading,
    Restored,
    Scan,
    Sensitive,
    System,
    Unit,
    Updates,
    Ups,
)
from releve.domain.terminal import printable
from releve.domain.units import say_bytes, say_count, say_seconds

_WORDS: Mapping[str, str] = {  # kinds of files, ages, categories: the words of `seen`, in French
    "office": "bureautique",
    "pdf": "PDF",
    "picture": "images",
    "mail": "courriels",
    "text": "textes",
    "video": "vidéos",
    "sound": "sons",
    "archive": "archives",
    "database": "bases",
    "machine": "machines virtuelles",
    "program": "programmes",
    "none": "sans extension",
    "other": "autres",
    "30d": "moins de 30 jours",
    "1y": "moins d'un an",
    "3y": "1 à 3 ans",
    "5y": "3 à 5 ans",
    "10y": "5 à 10 ans",
    "older": "plus de 10 ans",
    "nir": "numéro de sécurité sociale (NIR)",
    "ins": "identité de santé (INS)",
    "iban": "compte bancaire (IBAN)",
    "finess": "établissement (FINESS)",
    "rpps": "professionnel (RPPS)",
    "phone": "téléphone",
    "email": "adresse électronique",
    "health": "mots de santé",
    "full": "intégral",
    "half": "semi",
    "running": "en marche",
    "failed": "en échec",
    "exited": "terminé",
    "auto-restart": "attend d'être relancé",
    "passed": "bonne",
}
_LIMITS_FR = (
    "TCP seulement : l'UDP ne se voit pas ainsi, et un échange très bref a pu passer entre deux regards."
)
_NOTHING = " : aucune donnée personnelle ou de santé n'y a été trouvée"
_RATE = re.compile(r"--max-rate (\d+)")


@dataclass(frozen=True, slots=True)
class _Table:
    """How the facts of one kind are drawn."""

    kind: type[Fact]
    topic: Topic
    title: str
    heads: Row
    cells: Callable[[Any, Estate], Row | list[Row]]  # several rows where one fact holds several things
    right: frozenset[int] = frozenset()


def tables(estate: Estate, topics: frozenset[Topic], *, width: int) -> Iterator[str]:
    """One text a table that holds something, in the order in which an audit is read; gaps last."""
    for table in TABLES:
        rows = list(_rows(table, estate)) if table.topic in topics else []
        if rows:
            note = _NOTHING if table.kind is Reading and not any(estate.all(Sensitive)) else ""
            title = folded(table.title + note, width)
            yield f"{title}\n{grid(table.heads, rows, right=table.right, width=width)}"
    if Topic.CONNECTIONS in topics:
        yield from _exchanges(estate, width)
    gaps = [gap for gap in estate.gaps() if gap[0] in topics]
    if gaps:
        rows = [_shown((topic.value, subject, gap.what, gap.sentence)) for topic, subject, _site, gap in gaps]
        yield f"Ce qui n'a pas été vu\n{grid(('sujet', 'quoi', 'partie', 'pourquoi'), rows, width=width)}"


def _rows(table: _Table, estate: Estate) -> Iterator[Row]:
    for fact in estate.all(table.kind):
        cells = table.cells(fact, estate)
        yield from (_shown(row) for row in (cells if isinstance(cells, list) else [cells]))
    if table.kind is Restored:
        yield from (_shown(_by_hand(said)) for said in told(estate))


def told(estate: Estate) -> tuple[Answer, ...]:
    """The last restoration of each data that somebody says to have made by hand, or tried."""
    return tuple(said for (question, _subject), said in estate.answers.items() if question == RESTORED)


def _by_hand(said: Answer) -> Row:
    label = f" : {said.label}" if said.label else ""
    how = "à la main" if said.good else "à la main, a échoué"
    return said.subject, f"{said.on:%d/%m/%Y}", f"{how}, dit {said.by}{label}"


def _shown(row: Row) -> Row:
    """The name of a file or a program may hold anything: nothing of it reaches the terminal as an order."""
    return tuple(printable(cell) for cell in row)


def fact_value(fact: Any) -> object:
    """A fact, or anything in it, as JSON takes it."""
    if is_dataclass(fact) and not isinstance(fact, type):
        return {item.name: fact_value(getattr(fact, item.name)) for item in fields(fact)}
    if isinstance(fact, tuple):
        return [fact_value(item) for item in fact]
    if isinstance(fact, Mapping):
        return dict(fact)
    return fact.isoformat() if isinstance(fact, datetime) else fact


def _exchanges(estate: Estate, width: int) -> Iterator[str]:
    rows = [
        (
            exchange.source.name,
            exchange.to.name,
            str(exchange.port),
            exchange.program,
            _country(exchange),
            _standing(estate, exchange) + (", sort du site" if exchange.crosses else ""),
        )
        for exchange in exchanges(estate)
    ]
    if rows:
        heads = ("de", "vers", "port", "programme", "pays", "au plan")
        printed = [_shown(row) for row in rows]
        table = grid(heads, printed, right=frozenset({2}), width=width)
        yield f"Qui parle à qui\n{table}\n{folded(_LIMITS_FR, width)}"


def _standing(estate: Estate, exchange: Exchange) -> str:
    if declared(estate, exchange):
        return "déclaré"
    return "déclaré sans but" if written(estate, exchange) else "non déclaré"


def _country(exchange: Exchange) -> str:
    """That of the end which is outside; else of the one that was asked."""
    for end in (exchange.to, exchange.source):
        if end.outside:
            return end.country or UNKNOWN_COUNTRY
    return exchange.to.country


def _day(at: datetime | None, estate: Estate) -> str:
    return "" if at is None else f"{at.astimezone(ZoneInfo(estate.plan.timezone)):%d/%m/%Y %H:%M}"


def _size(count: float | None) -> str:
    return "" if count is None else say_bytes(int(count))


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:g}{unit}".replace(".", ",")


def _seconds(value: float, *, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''}.3f} s".replace(".", ",")


def _asked(ports: str) -> str:
    """How many ports nmap's notation names: "T:22,80-89" is eleven."""
    total = 0
    for part in ports.split(","):
        first, dash, last = part.rpartition(":")[2].partition("-")
        total += int(last or 65535) - int(first or 1) + 1 if dash and (first + last).isdecimal() else 1
    return say_count(total, "port", "ports")


def _pace(timing: str) -> str:
    found = _RATE.search(timing)
    return f"{found[1]} paquets/s" if found else ""


def _version(base: Base) -> str:
    """The engine and its number, without what the distribution adds to it."""
    return f"{base.engine} {re.split(r'[ -]', base.version, maxsplit=1)[0]}".strip()


def _how(copy: Copy) -> str:
    return HOW_FR.get(copy.how, copy.how) + (", hors ligne" if copy.offline else "")


def _yes(value: bool | None) -> str:  # noqa: FBT001 (the figure itself)
    return "" if value is None else "oui" if value else "non"


def _speed(bits: int) -> str:
    return _number(bits / 10**9, " Gbit/s") if bits >= 10**9 else _number(bits / 10**6, " Mbit/s")


def _tallies(items: Sequence[Any]) -> str:
    """The tallies that count something, in French."""
    return ", ".join(
        f"{_WORDS.get(item.name, item.name)} {item.files} ({say_bytes(item.bytes)})"
        for item in items
        if item.files
    )


_COUNTERS: Mapping[str, str] = {
    "crc": "CRC",
    "frame": "mal formées",
    "length": "de mauvaise longueur",
    "late": "collisions tardives",
    "collisions": "collisions",
    "errors": "erreurs",
    "discards": "jetées",
    "changes": "changements d'état",
}


def _health(fact: Disk, estate: Estate) -> str:
    if fact.health:
        return _WORDS.get(fact.health, fact.health)
    if fact.kind.partition(".")[0] in AFAR:
        return "chez son serveur, non vue"
    return "chez l'hyperviseur, non vue" if fact.host in healthless(estate) else "non vue"


def _largest(fact: Files) -> list[Row]:
    """The heaviest files, a row a sort. Ledgers of before hold a folder there, which may bear a person's name."""
    sizes: dict[str, list[int]] = {}
    for one in fact.largest:
        sizes.setdefault(_WORDS.get(one.name, ""), []).append(one.bytes)
    return [
        (fact.subject, sort, str(len(found)), _size(sum(found)), _size(max(found)))
        for sort, found in sizes.items()
    ]


def _port(fact: Port, estate: Estate) -> Row:
    counters = [f"{said} {value}" for name, said in _COUNTERS.items() if (value := getattr(fact, name))]
    state = "sans lien" if not fact.up else "en service" if fact.speed is None else _speed(fact.speed)
    socket = estate.socket_of(fact.device, fact.name)
    duplex = _WORDS.get(fact.duplex, fact.duplex)
    return fact.device, fact.name, socket, state, duplex, ", ".join(counters)


TABLES: tuple[_Table, ...] = (
    _Table(
        Scan,
        Topic.NETWORK,
        "Réseaux regardés",
        ("réseau", "adresses", "vivantes", "demandé", "au plus", "temps de nmap"),
        lambda f, _e: (
            f.network,
            str(f.addresses),
            str(f.up),
            _asked(f.ports),
            _pace(f.timing),
            say_seconds(f.seconds),
        ),
        frozenset({1, 2}),
    ),
    _Table(
        Neighbour,
        Topic.NETWORK,
        "Ce qui a répondu sur les réseaux",
        ("réseau", "adresse", "matériel", "services"),
        lambda f, _e: (
            f.network,
            f.address,
            f.vendor or f.mac,
            ", ".join(f"{item.port} {item.name}".strip() for item in f.services),
        ),
    ),
    _Table(
        Gateway,
        Topic.PATH,
        "Sorties des machines",
        ("machine", "passerelle", "interface"),
        lambda f, _e: (f.host, f.address, f.interface),
    ),
    _Table(
        Path,
        Topic.PATH,
        "Chemins vers les autres sites",
        ("de", "vers", "perdus", "aller-retour", "95 %", "débit"),
        lambda f, _e: (
            f.source,
            f.target,
            f"{f.lost * 100:.0f} % de {f.sent}",
            _number(f.p50, " ms"),
            _number(f.p95, " ms"),
            f"{_size(f.throughput)}/s" if f.throughput is not None else "",
        ),
        frozenset({2, 3, 4, 5}),
    ),
    _Table(
        Agent,
        Topic.PORTS,
        "Équipements qui répondent par SNMP",
        ("équipement", "nom", "ce qu'il dit de lui", "compteurs"),
        lambda f, _e: (f.device, f.name, f.description, "simulés" if f.simulated else "réels"),
    ),
    _Table(
        Port,
        Topic.PORTS,
        "Prises et interfaces",
        ("appareil", "port", "prise", "état", "duplex", "compteurs"),
        _port,
    ),
    _Table(
        Lldp,
        Topic.PORTS,
        "Ce que les appareils voient au bout du câble",
        ("appareil", "port", "voisin", "son port"),
        lambda f, _e: (f.device, f.port, f.neighbour, f.neighbour_port),
    ),
    _Table(
        System,
        Topic.MACHINE,
        "Machines",
        ("machine", "système", "noyau", "mémoire", "cœurs", "paquets", "démarrée le"),
        lambda f, e: (
            f.host,
            f.pretty or f"{f.os} {f.version}",
            f.kernel,
            _size(f.memory),
            _number(f.processors),
            _number(f.programs),
            _day(f.started, e),
        ),
        frozenset({3, 4, 5}),
    ),
    _Table(
        Disk,
        Topic.MACHINE,
        "Disques",
        ("machine", "montage", "genre", "taille", "libre", "santé"),
        lambda f, e: (f.host, f.mount, f.kind, _size(f.size), _size(f.free), _health(f, e)),
        frozenset({3, 4}),
    ),
    _Table(
        Unit,
        Topic.MACHINE,
        "Services",
        ("machine", "service", "état", "au démarrage"),
        lambda f, _e: (f.host, f.name, _WORDS.get(f.state, f.state), _yes(f.enabled)),
    ),
    _Table(
        Listening,
        Topic.MACHINE,
        "Ports à l'écoute",
        ("machine", "protocole", "adresse", "port", "programme"),
        lambda f, _e: (f.host, f.protocol, f.address, str(f.port), f.program),
        frozenset({3}),
    ),
    _Table(
        Updates,
        Topic.MACHINE,
        "Mises à jour en attente",
        ("machine", "en attente", "de sécurité", "listes du"),
        lambda f, e: (f.host, str(f.pending), _number(f.security), _day(f.lists_of, e)),
        frozenset({1, 2}),
    ),
    _Table(
        Clock,
        Topic.MACHINE,
        "Horloges",
        ("machine", "écart", "à plus ou moins", "synchronisée"),
        lambda f, _e: (f.host, _seconds(f.offset, sign=True), _seconds(f.margin), _yes(f.synchronised)),
        frozenset({1, 2}),
    ),
    _Table(
        Ups,
        Topic.UPS,
        "Onduleurs",
        ("onduleur", "état", "charge", "autonomie", "batterie du", "modèle", ""),
        lambda f, _e: (
            f.device,
            f.status,
            _number(f.charge, " %"),
            "" if f.runtime is None else say_seconds(f.runtime),
            f.battery_date,
            f.model,
            "simulé" if f.simulated else "",
        ),
        frozenset({2, 3}),
    ),
    _Table(
        Documents,
        Topic.DOCUMENTS,
        "Documents gardés sur les postes (bureautique, PDF, images, courriels)",
        ("poste", "sous", "combien"),
        lambda f, _e: (f.host, f.place, _tallies(f.kinds) or "aucun"),
    ),
    _Table(
        Files,
        Topic.FILES,
        "Fichiers",
        ("données", "machine", "dossier", "fichiers", "taille", "dernier"),
        lambda f, e: (
            f.subject,
            f.host,
            f.place,
            f"{'' if f.whole else 'au moins '}{f.files}",
            _size(f.bytes),
            _day(f.newest, e),
        ),
        frozenset({3, 4}),
    ),
    _Table(
        Files,
        Topic.FILES,
        f"Fichiers en double peut-être (d'au moins {TWIN // 2**20} Mio, et de même taille), ou que personne n'ouvre",
        ("données", "de même taille qu'un autre", "jamais ouverts"),
        lambda f, _e: (
            f.subject,
            f"{f.twins} ({_size(f.twin_bytes)})",
            "" if f.unopened is None else str(f.unopened.files),
        ),
        frozenset({1, 2}),
    ),
    _Table(
        Files,
        Topic.FILES,
        "Fichiers par sorte et par âge",
        ("données", "sortes", "dernier changement"),
        lambda f, _e: (f.subject, _tallies(f.kinds), _tallies(f.ages)),
    ),
    _Table(
        Files,
        Topic.FILES,
        "Les plus gros fichiers, par sorte (ni leur nom ni leur dossier n'est gardé : ils nomment souvent des personnes)",
        ("données", "sorte", "combien", "ensemble", "le plus gros"),
        lambda f, _e: _largest(f),
        frozenset({2, 3, 4}),
    ),
    _Table(
        Base,
        Topic.BASE,
        "Bases de données",
        ("données", "machine", "base", "moteur", "taille", "tables", "écrit"),
        lambda f, _e: (
            f.subject,
            f.host,
            f.name,
            _version(f),
            _size(f.bytes),
            str(f.tables),
            f"{_size(f.written)}/s" if f.written is not None else "",
        ),
        frozenset({4, 5, 6}),
    ),
    _Table(
        Base,
        Topic.BASE,
        "Ce que les bases envoient ailleurs",
        ("données", "base", "répliques", "archivage"),
        lambda f, _e: (f.subject, f.name, _number(f.replicas), _yes(f.archiving)),
        frozenset({2}),
    ),
    _Table(
        Sensitive,
        Topic.SENSITIVE,
        "Données personnelles et de santé : combien de documents, combien de fois",
        ("données", "où", "sorte", "documents", "fois"),
        lambda f, _e: (f.subject, f.place, _WORDS.get(f.category, f.category), str(f.documents), str(f.hits)),
        frozenset({3, 4}),
    ),
    _Table(
        Reading,
        Topic.SENSITIVE,
        "Ce qui a été lu pour y chercher des données personnelles ou de santé",
        ("données", "où", "documents", "taille", "laissés", "illisibles", "temps"),
        lambda f, _e: (
            f.subject,
            f.place,
            str(f.documents),
            _size(f.bytes),
            str(f.skipped),
            str(f.broken),
            say_seconds(f.seconds),
        ),
        frozenset({2, 3, 4, 5, 6}),
    ),
    _Table(
        Connection,
        Topic.CONNECTIONS,
        "Connexions vues sur chaque machine",
        ("machine", "sens", "pair", "port", "vues", "programme"),
        lambda f, _e: (
            f.host,
            "sortante" if f.outgoing else "entrante",
            f.peer,
            str(f.port),
            str(f.times),
            f.program,
        ),
        frozenset({3, 4}),
    ),
    _Table(
        Copy,
        Topic.COPIES,
        "Copies",
        ("données", "comment", "site", "où", "trouvée", "de quand"),
        lambda f, e: (f.subject, _how(f), f.site, f.place, _yes(f.found), _day(f.at, e)),
    ),
    _Table(
        Restored,
        Topic.COPIES,
        "Dernières restaurations",
        ("données", "le", "comment"),
        lambda f, e: (f.subject, _day(f.at, e), RESTORED_FR.get(f.how, f.how)),
    ),
)
