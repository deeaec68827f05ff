"""RES-01 to RES-05: who answers on the networks, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import device_of, once, things
from releve.domain.audit import Gap, Topic
from releve.domain.inventory import Device
from releve.domain.plan import ServerEnd
from releve.domain.seen import Neighbour, Service
from releve.domain.units import say_count

# Accounts and content cross in clear (IANA service names): FTP, telnet, rexec, rlogin, rsh.
CLEAR = {21: "FTP", 23: "telnet", 512: "rexec", 513: "rlogin", 514: "rsh"}
# A whole screen is handed over: RDP, VNC and its first displays.
SCREEN = {3389: "bureau à distance (RDP)"} | dict.fromkeys(range(5900, 5904), "écran partagé (VNC)")
NUT = 3493  # IANA: the port of a NUT server
DATABASES = {"postgresql": 5432, "mariadb": 3306}  # IANA


@once
def _unknown(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Neighbour):
        if estate.known_at(fact.address):
            continue
        maker = f" ({fact.vendor})" if fact.vendor else ""
        end = "ne dit pas encore ce que c'est" if estate.thing_at(fact.address) else "ne le dit pas"
        yield Weakness(
            fact.address,
            f"{fact.address}{maker} répond sur {estate.name_of(fact.network)} et le plan {end}",
            estate.site_of(fact.network),
            seen=estate.seen_at(fact),
        )


def _named(ports: dict[int, str], estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Neighbour):
        thing = estate.known_at(fact.address)
        for service in fact.services:
            if service.protocol == "tcp" and service.port in ports:
                yield Weakness(
                    f"{thing or fact.address}:{service.port}",
                    f"{estate.name_of(thing) if thing else fact.address} offre {ports[service.port]}"
                    f" (port {service.port})",
                    estate.site_of(fact.network),
                    seen=estate.seen_at(fact),
                )


@once
def _clear(estate: Estate) -> Iterator[Weakness]:
    yield from _named(CLEAR, estate)


@once
def _screen(estate: Estate) -> Iterator[Weakness]:
    yield from _named(SCREEN, estate)


def _undeclared(estate: Estate) -> Iterator[Weakness]:
    answered: dict[str, list[Neighbour]] = {}
    for fact in estate.all(Neighbour):
        answered.setdefault(estate.thing_at(fact.address), []).append(fact)
    for thing, facts in answered.items():
        if device_of(estate, thing) not in {Device.SERVER, Device.NAS}:
            continue
        known = offered(estate, thing)
        if known is None:
            continue
        extra = dict.fromkeys(
            _say(item)
            for fact in facts
            for item in fact.services
            if item.port not in known and item.port not in CLEAR and item.port not in SCREEN
        )
        if extra:
            yield Weakness(
                thing,
                f"{estate.name_of(thing)} offre {say_count(len(extra), 'service')} que rien ne déclare :"
                f" {', '.join(extra)}",
                estate.site_of(thing),
                seen=estate.seen_at(facts[0]),
            )


def _say(service: Service) -> str:
    return f"{service.port}/{service.protocol} {service.name}".rstrip()


def offered(estate: Estate, thing: str) -> set[int] | None:
    """The ports that the plan gives a reason for at a machine or equipment; None when a flow allows any."""
    plan, owned = estate.plan, estate.plan.inventory
    known: set[int] = set()
    for host in plan.hosts:
        if host.id == thing and host.ssh is not None:
            known.add(host.ssh.port)
    for item in owned.equipment:
        if item.id == thing and item.snmp is not None:
            known.add(item.snmp.port)
        if item.nut and _at(estate, item.nut.rpartition("@")[2]) == thing:
            known.add(NUT)
    for site in plan.sites:
        if site.id == estate.site_of(thing) and site.worker is not None:
            known |= _port(site.worker.listen)
    for data in plan.data_sets:
        known |= {end.port for end in data.ends.values() if end.host == thing and isinstance(end, ServerEnd)}
    for application in plan.applications:
        for at in application.ends.values():
            if at.host == thing:
                url = urlsplit(at.url)
                known.add(url.port or {"https": 443}.get(url.scheme, 80))
    for holding in owned.holdings:
        if holding.host == thing and holding.engine.value in DATABASES:
            known.add(holding.port or DATABASES[holding.engine.value])
    names = {thing, estate.site_of(thing)} | {
        network for network in (estate.network_at(item) for item in _addresses(estate, thing)) if network
    }
    for flow in owned.flows:
        if flow.to in names and flow.purpose:
            if not flow.port:
                return None
            known.add(flow.port)
    return known


def _at(estate: Estate, server: str) -> str:
    return estate.thing_at(server.rpartition(":")[0] or server)


def _port(listen: str) -> set[int]:
    port = listen.rpartition(":")[2]
    return {int(port)} if port.isdigit() else set()


def _addresses(estate: Estate, thing: str) -> tuple[str, ...]:
    for host in estate.plan.hosts:
        if host.id == thing:
            return tuple(dict.fromkeys((*host.addresses, *((host.ssh.address,) if host.ssh else ()))))
    return tuple(
        item.address for item in estate.plan.inventory.equipment if item.id == thing and item.address
    )


def _silent(estate: Estate) -> Iterator[Weakness]:
    alive = {estate.thing_at(fact.address) for fact in estate.all(Neighbour)}
    for item in things(estate):
        addresses = tuple(address for address in _addresses(estate, item.id) if estate.network_at(address))
        networks = {estate.network_at(address) for address in addresses}
        # One that answers by another way lives: it only keeps quiet on the network.
        if item.id in alive or not networks or estate.looked(Topic.MACHINE, item.id):
            continue
        if all(_would_be_seen(estate, network, addresses) for network in networks):
            look = estate.look(Topic.NETWORK, min(networks))
            yield Weakness(
                item.id,
                f"{estate.name_of(item.id)} est déclaré à {', '.join(addresses)} et n'y a pas répondu",
                item.site,
                seen=look.at if look else None,
            )


def _would_be_seen(estate: Estate, network: str, addresses: tuple[str, ...]) -> bool:
    """Whether that network was looked at, these addresses included: a gap elsewhere in it hides nothing here."""
    look = estate.look(Topic.NETWORK, network)
    return look is not None and not any(_hides(gap, addresses) for gap in look.gaps)


def _hides(gap: Gap, addresses: tuple[str, ...]) -> bool:
    """A gap of a range hides what is in it; one of the UDP ports hides ports; any other may hide anything."""
    try:
        part = ip_network(gap.what)
    except ValueError:
        return gap.what != "udp"
    return any(ip_address(address) in part for address in addresses)


RULES = (
    Rule(
        "RES-01",
        Severity.MAJOR,
        "un appareil inconnu répond sur le réseau",
        "ce que personne n'a déclaré n'est ni mis à jour, ni sauvegardé, ni remis en route après un sinistre ;"
        " ce peut être aussi l'appareil d'un intrus",
        (src.HYGIENE_4, src.CERT_SANTE, src.RGPD_32_B),
        "trouvez l'appareil ; dites ce que c'est dans le plan (« releve audit import » l'y propose) ou débranchez-le",
        _unknown,
        (Topic.NETWORK,),
        passing=True,
    ),
    Rule(
        "RES-02",
        Severity.MAJOR,
        "un service fait passer les mots de passe en clair",
        "qui écoute le réseau lit le mot de passe et prend la main sur l'appareil, copies comprises",
        (src.RGPD_32_B, src.HYGIENE_4),
        "coupez ce service ; prenez SSH, SFTP ou HTTPS à la place",
        _clear,
        (Topic.NETWORK,),
        passing=True,
    ),
    Rule(
        "RES-03",
        Severity.MAJOR,
        "un écran se prend à distance depuis tout le réseau",
        "c'est une des portes par lesquelles les rançongiciels passent d'une machine à l'autre",
        (src.RGPD_32_B, src.CERT_SANTE),
        "n'ouvrez ce service qu'aux postes d'administration, derrière un pare-feu ou un VPN",
        _screen,
        (Topic.NETWORK,),
        passing=True,
    ),
    Rule(
        "RES-04",
        Severity.MINOR,
        "un serveur offre un service que rien ne déclare",
        "un service que personne ne connaît n'est ni protégé ni rétabli, ou n'a rien à faire là",
        (src.HYGIENE_4, src.CERT_SANTE),
        "déclarez l'application, la base ou le flux qui s'en sert, ou arrêtez le service",
        _undeclared,
        (Topic.NETWORK,),
        passing=True,
    ),
    Rule(
        "RES-05",
        Severity.MAJOR,
        "un appareil déclaré n'a pas répondu",
        "le plan de reprise compte sur lui : il est éteint, en panne, déplacé, ou n'existe plus",
        (src.HYGIENE_4, src.CERT_SANTE),
        "allez le voir ; remettez-le en route, ou corrigez son adresse dans le plan, ou retirez-le",
        _silent,
        (Topic.NETWORK,),
    ),
)
