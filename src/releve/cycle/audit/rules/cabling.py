"""CAB: what the counters of the interfaces say of cables, sockets and ports.

One cause at one port is named once. Half duplex makes collisions, so a half-duplex port is named for that
alone; a frame whose end is damaged is counted as "frame" too, so damaged frames are named for that alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import counted, device_of, grouped, number, once, percent
from releve.domain.audit import Topic
from releve.domain.inventory import Device
from releve.domain.seen import Agent, Lldp, Neighbour, Port, System
from releve.domain.units import say_seconds

# Value of ours: a sound cable loses less than one frame in ten million; a hundred times worse is a fault.
DAMAGED = 1e-5  # share of frames
FEW = 10  # frames; value of ours: below, one disturbance on one day explains them
DROPPED = 1e-3  # share of frames; value of ours: one in a thousand slows every TCP exchange that crosses
DROPPED_FEW = 100  # frames
CHANGES = 10  # value of ours: an installation and a few restarts
# Changes a day that nothing is wrong with (values of ours): a workstation is switched off in the evening, put
# to sleep at noon and changes its speed each time; a server hardly ever.
CHANGES_A_DAY = {True: 0.2, False: 6.0}
NOW = 2  # changes between two readings: it went and came while we looked
TOLD = 1  # where only the last change is told (SNMP), and it came between two readings


def place(estate: Estate, port: Port) -> str:
    """A port as a person finds it: the label of its socket first."""
    label = estate.socket_of(port.device, port.name)
    where = f"port {port.name} de {estate.name_of(port.device)}"
    return f"prise {label} ({where})" if label else where


def _found(estate: Estate, port: Port, sentence: str) -> Weakness:
    return Weakness(
        f"{port.device}:{port.name}",
        f"{place(estate, port)} : {sentence}",
        estate.site_of(port.device),
        seen=estate.seen_at(port),
    )


def _often(port: Port, count: int | None, name: str, share: float, few: int) -> bool:
    """Whether a counter is beyond `share` of the frames, or grew by `few` between the two readings."""
    if port.grown.get(name, 0) >= few:
        return True
    if count is None or count < few:
        return False
    return not port.packets or count / port.packets >= share


def _damaged(port: Port) -> bool:
    return _often(port, port.crc, "crc", DAMAGED, FEW)


def _said(count: int | None, port: Port, word: str) -> str:
    of = f" sur {grouped(port.packets)}" if port.packets and count and count <= port.packets else ""
    return counted(count or 0, word) + of


def _growth(port: Port, *counters: str) -> str:
    grown = sum(port.grown.get(name, 0) for name in counters)
    return f", dont {grown} en {number(port.seconds)} s" if grown and port.seconds else ""


@once
def _crc(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if _damaged(port):
            yield _found(estate, port, _said(port.crc, port, "trame abîmée") + _growth(port, "crc"))


@once
def _half(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if port.up and port.duplex == "half":
            speed = f" à {_speed(port.speed)}" if port.speed else ""
            hits = (port.collisions or 0) + (port.late or 0)
            more = f", {counted(hits, 'collision')}" if hits else ""
            yield _found(estate, port, f"marche à l'alternat (half duplex){speed}{more}")


@once
def _late(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if port.duplex != "half" and _often(port, port.late, "late", 0.0, FEW):
            yield _found(estate, port, _said(port.late, port, "collision tardive") + _growth(port, "late"))


@once
def _slowed(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if port.up and port.duplex != "half" and port.speed and port.ability and port.speed < port.ability:
            yield _found(estate, port, f"marche à {_speed(port.speed)} et sait faire {_speed(port.ability)}")


def _speed(bits: int) -> str:
    return f"{number(bits / 1e9)} Gbit/s" if bits >= 1_000_000_000 else f"{number(bits / 1e6)} Mbit/s"


@once
def _flapping(estate: Estate) -> Iterator[Weakness]:
    started = {
        fact.host: (estate.seen_at(fact) - fact.started).total_seconds()
        for fact in estate.all(System)
        if fact.started
    }
    started |= {fact.device: fact.uptime for fact in estate.all(Agent) if fact.uptime}
    for port in estate.all(Port):
        grown = port.grown.get("changes", 0)
        counted_for = started.get(port.device, 0.0)
        days = counted_for / 86_400
        usual = CHANGES + CHANGES_A_DAY[device_of(estate, port.device) is Device.SERVER] * days
        # Without the time since when it counts, only what happened while we looked can be judged.
        now = NOW if port.changed is None else TOLD
        if grown >= now or (days and port.changes is not None and port.changes > usual):
            yield _found(estate, port, _changes(port, counted_for))


def _changes(port: Port, counted_for: float) -> str:
    if port.changes is None:
        return f"la liaison a changé d'état pendant le regard, en {number(port.seconds)} s"
    since = f" en {say_seconds(counted_for)}" if counted_for else ""
    return f"la liaison a changé d'état {port.changes} fois{since}" + _growth(port, "changes")


@once
def _discards(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if _often(port, port.discards, "discards", DROPPED, DROPPED_FEW):
            share = f" ({percent((port.discards or 0) / port.packets)})" if port.packets else ""
            yield _found(
                estate,
                port,
                _said(port.discards, port, "trame jetée") + share + _growth(port, "discards"),
            )


@once
def _shape(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        if _damaged(port):
            continue
        bad = [
            (count, word)
            for count, name, word in (
                (port.frame, "frame", "trame mal formée"),
                (port.length, "length", "trame de mauvaise longueur"),
            )
            if _often(port, count, name, DAMAGED, FEW)
        ]
        if bad:
            said = ", ".join(counted(count or 0, word, _plural(word)) for count, word in bad)
            yield _found(estate, port, said + _growth(port, "frame", "length"))


def _plural(word: str) -> str:
    return word.replace("trame mal formée", "trames mal formées").replace("trame de", "trames de")


@once
def _errors(estate: Estate) -> Iterator[Weakness]:
    for port in estate.all(Port):
        detailed = any(count for count in (port.crc, port.frame, port.length, port.late))
        if not detailed and port.duplex != "half" and _often(port, port.errors, "errors", DAMAGED, FEW):
            yield _found(
                estate, port, _said(port.errors, port, "erreur") + _growth(port, "errors") + ", sans détail"
            )


@once
def _public(estate: Estate) -> Iterator[Weakness]:
    ports = {(port.device, port.name): port for port in estate.all(Port)}
    for socket in estate.plan.inventory.sockets:
        port = ports.get((socket.equipment, socket.port))
        if socket.public and port is not None and port.up:
            room = f" ({socket.room})" if socket.room else ""
            yield Weakness(
                f"{port.device}:{port.name}",
                f"la prise {socket.label}{room} est en zone publique et branchée au réseau"
                f" (port {port.name} de {estate.name_of(port.device)})",
                socket.site,
                seen=estate.seen_at(port),
            )


@once
def _neighbours(estate: Estate) -> Iterator[Weakness]:
    known = _known_names(estate)
    for fact in estate.all(Lldp):
        if fact.neighbour and not {_short(fact.neighbour), fact.neighbour.casefold()} & known:
            yield Weakness(
                f"{fact.device}:{fact.port}",
                f"« {fact.neighbour} » se dit branché au port {fact.port} de {estate.name_of(fact.device)}"
                " et le plan ne le déclare pas",
                estate.site_of(fact.device),
                seen=estate.seen_at(fact),
            )


def _known_names(estate: Estate) -> set[str]:
    """Every word under which a declared thing may name itself: identifier, name, host name, address, MAC."""
    known = {
        word.casefold()
        for item in estate.plan.inventory.equipment
        if not estate.unsaid(item.id)
        for word in (item.id, item.name, item.address)
    }
    known |= {word.casefold() for host in estate.plan.hosts for word in (host.id, *host.addresses)}
    known |= {_short(fact.name) for fact in estate.all(System)} | {
        _short(fact.name) for fact in estate.all(Agent)
    }
    known |= {fact.mac.casefold() for fact in estate.all(Neighbour) if estate.known_at(fact.address)}
    return known - {""}


def _short(name: str) -> str:
    """The first word of a host name; an address or a MAC has none shorter."""
    return (
        name.casefold()
        if name.replace(".", "").isdigit() or ":" in name
        else name.casefold().partition(".")[0]
    )


def _unlabelled(estate: Estate) -> Iterator[Weakness]:
    sockets = {(item.equipment, item.port) for item in estate.plan.inventory.sockets}
    between = {(fact.device, fact.port) for fact in estate.all(Lldp)}
    for item in estate.plan.inventory.equipment:
        if item.kind is not Device.SWITCH or not any(device == item.id for device, _port in sockets):
            continue  # without one socket declared there, nobody said that they are numbered
        bare = [
            port
            for port in estate.all(Port)
            if port.device == item.id and port.up and (port.device, port.name) not in sockets | between
        ]
        if bare:
            shown = ", ".join(port.name for port in bare[:8]) + ("…" if len(bare) > 8 else "")
            yield Weakness(
                item.id,
                f"{counted(len(bare), 'port branché', 'ports branchés')} de {item.name} sans prise au plan : {shown}",
                item.site,
                seen=estate.seen_at(bare[0]),
            )


_CABLE = (src.OURS, src.PGSSI_CABLING, src.RGPD_32_B)
_PORTS = (Topic.PORTS,)
RULES = (
    Rule(
        "CAB-01",
        Severity.MAJOR,
        "des trames arrivent abîmées",
        "un câble ou une prise en défaut : tout est renvoyé, lent, puis coupé sans prévenir",
        _CABLE,
        "changez le câble entre la prise et le poste, puis entre la prise et l'armoire ; regardez si le compte monte encore",
        _crc,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-02",
        Severity.MAJOR,
        "un port marche à l'alternat",
        "les deux bouts ne s'accordent pas : ils se coupent la parole et le débit s'effondre dès que l'on s'en sert",
        _CABLE,
        "mettez les deux bouts en négociation automatique ; si cela revient, changez le câble ou l'appareil",
        _half,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-03",
        Severity.MAJOR,
        "des collisions tardives sur un port qui n'en devrait pas avoir",
        "l'autre bout marche à l'alternat, ou le câble dépasse cent mètres",
        _CABLE,
        "réglez l'autre bout en négociation automatique ; mesurez la longueur du câble",
        _late,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-04",
        Severity.MINOR,
        "un port marche moins vite qu'il ne sait",
        "le plus souvent une paire coupée dans le câble ou la prise : le reste suivra",
        _CABLE,
        "changez le câble ; si le débit ne change pas, faites vérifier la prise",
        _slowed,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-05",
        Severity.MAJOR,
        "une liaison va et vient",
        "un faux contact : chaque coupure arrête ce qui passe, et une sauvegarde de nuit n'aboutit pas",
        _CABLE,
        "refaites le branchement aux deux bouts, changez le câble ; voyez si l'appareil se met en veille",
        _flapping,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-06",
        Severity.MINOR,
        "un port jette des trames",
        "le lien est trop étroit pour ce qui y passe, ou l'appareil n'arrive pas à suivre",
        _CABLE,
        "regardez ce qui passe aux heures pleines ; séparez les sauvegardes du reste, ou élargissez le lien",
        _discards,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-07",
        Severity.MAJOR,
        "des trames arrivent mal formées",
        "deux appareils n'ont pas le même réglage de taille, ou une carte réseau est en train de lâcher",
        _CABLE,
        "comparez le réglage de taille (MTU) aux deux bouts ; sinon changez la carte ou le port",
        _shape,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-08",
        Severity.MINOR,
        "un port compte des erreurs sans dire lesquelles",
        "l'appareil ne donne que le total : quelque chose s'y perd",
        _CABLE,
        "essayez un autre câble, puis un autre port ; regardez si le compte monte encore",
        _errors,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-09",
        Severity.MAJOR,
        "une prise en zone publique donne sur le réseau",
        "n'importe qui peut s'y brancher, sans être vu, et se trouver à l'intérieur",
        (src.HYGIENE_26, src.RGPD_32_B),
        "désactivez le port sur le commutateur, ou mettez-le sur un réseau à part sans accès au reste",
        _public,
        _PORTS,
        reads=(Port,),
    ),
    Rule(
        "CAB-10",
        Severity.MINOR,
        "un appareil du réseau s'annonce et le plan ne le connaît pas",
        "un commutateur ou une borne ajoutés par quelqu'un : le jour où il tombe, personne ne sait qu'il est là",
        (src.PGSSI_CABLING, src.HYGIENE_4),
        "trouvez-le au bout du câble ; déclarez-le, ou débranchez-le",
        _neighbours,
        _PORTS,
        reads=(Lldp,),
    ),
    Rule(
        "CAB-11",
        Severity.MINOR,
        "des ports branchés n'ont pas de prise au plan",
        "le jour d'une panne, il faut suivre le câble à la main",
        (src.PGSSI_CABLING,),
        "étiquetez la prise et notez-la dans le plan (« sockets ») avec son port",
        _unlabelled,
        _PORTS,
        reads=(Port,),
    ),
)
