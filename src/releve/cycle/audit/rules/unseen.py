"""VU: what was not looked at, or what the plan does not say. Nothing is fine that was not seen."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.errands import TOPIC_FR
from releve.cycle.audit.estate import Estate, brought
from releve.cycle.audit.graph import circles
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.copies import TOLD, on_word
from releve.cycle.audit.rules.evidence import held, names, once
from releve.cycle.audit.rules.health import healthless
from releve.cycle.audit.rules.links import links_of
from releve.domain.audit import Gap, Topic
from releve.domain.bounds import unseeable
from releve.domain.inventory import Device
from releve.domain.seen import Agent, Ups
from releve.domain.units import say_count


def _gaps(estate: Estate, *, whole: bool) -> Iterator[Weakness]:
    """Each gap once: those of one part of one look are one weakness, with all their reasons.

    What a machine that could not be looked at hides for that very reason stands with it, under its key.
    """
    found: dict[str, list[tuple[Topic, str, str, Gap]]] = {}
    hidden: dict[str, list[str]] = {}
    down = _down(estate)
    holder = {item.id: item.host for item in held(estate)}
    for topic, subject, site, gap in estate.gaps():
        if gap.code == TOLD and on_word(estate, subject):
            continue  # the only copy: COP-10 says so
        look = estate.look(topic, subject)
        host = holder.get(subject, subject)
        if topic not in _APART and down.get(host) == gap.code:
            whose = f" ({estate.name_of(subject)})" if host != subject else ""
            hidden.setdefault(f"{Topic.MACHINE}:{host}", []).append(TOPIC_FR[topic] + whose)
            continue
        blind = look is None or not brought(look)  # no part was seen
        if whole is not blind:
            continue
        key = f"{topic}:{subject}" + (f":{gap.what}" if gap.what else "")
        found.setdefault(key, []).append((topic, subject, site, gap))
    for key, gaps in found.items():
        topic, subject, site, gap = gaps[0]
        why = " ; ".join(dict.fromkeys(item[3].sentence for item in gaps))
        part = f" ({gap.what})" if gap.what else ""
        look = estate.look(topic, subject)
        too = ", ".join(dict.fromkeys(hidden.get(key, ())))
        yield Weakness(
            key,
            f"{TOPIC_FR[topic]}, {estate.name_of(subject)}{part} : {why}"
            + (f" ; pour la même raison : {too}" if too else ""),
            site,
            seen=look.at if look else None,
        )


# The look that speaks for its machine; and copies, which lie elsewhere and whose loss nobody accepts with a machine.
_APART = frozenset({Topic.MACHINE, Topic.COPIES})


def _down(estate: Estate) -> dict[str, str]:
    """The machines that a look reached in vain, and the code of why."""
    return {
        look.errand.subject: gap.code
        for look in estate.looks
        if look.errand.topic is Topic.MACHINE and not brought(look)
        for gap in look.gaps
        if not gap.what
    }


def _blind(estate: Estate) -> Iterator[Weakness]:
    yield from _gaps(estate, whole=True)


def _partly(estate: Estate) -> Iterator[Weakness]:
    yield from _gaps(estate, whole=False)


@once
def _made_up(estate: Estate) -> Iterator[Weakness]:
    facts: tuple[Agent | Ups, ...] = (*estate.all(Agent), *estate.all(Ups))
    for fact in facts:
        if fact.simulated:
            yield Weakness(
                fact.device,
                f"{estate.name_of(fact.device)} dit lui-même que ses mesures sont simulées",
                estate.site_of(fact.device),
                seen=estate.seen_at(fact),
            )


def _nowhere(estate: Estate) -> Iterator[Weakness]:
    supplied = {name for item in estate.plan.inventory.suppliers for name in item.applications}
    for item in estate.plan.applications:
        if not item.ends and not item.data and not item.needs and item.id not in supplied:
            yield Weakness(
                item.id, f"le plan ne dit ni où tourne {item.name}, ni de quoi elle dépend, ni qui la fournit"
            )


def _no_network(estate: Estate) -> Iterator[Weakness]:
    known = {item.site for item in estate.plan.inventory.networks}
    for site in estate.plan.sites:
        if site.id not in known and not site.third_party:
            yield Weakness(
                site.id, f"aucun réseau de « {site.name} » n'est déclaré : rien n'y a été cherché", site.id
            )


def _no_link(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        if not links_of(estate, site.id) and not site.third_party:
            yield Weakness(
                site.id,
                f"aucun lien de « {site.name} » n'est déclaré : on ne sait s'il en a un second",
                site.id,
            )


def _bare_links(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        links = links_of(estate, site.id)
        bare = [item.id for item in links if not item.path or not item.operator]
        if len(links) > 1 and bare:
            yield Weakness(
                site.id,
                f"à {site.name}, le plan ne dit pas le chemin ou l'opérateur de « {names(estate, bare)} »",
                site.id,
            )


def _forbidden(estate: Estate) -> Iterator[Weakness]:
    for item in estate.plan.inventory.networks:
        if not item.audit:
            there = sorted(unseeable(estate.plan, (item,)))
            standing = f", et ce qui s'y trouve : {names(estate, there)}" if there else ""
            yield Weakness(
                item.id, f"le plan interdit de regarder {item.name} ({item.range}){standing}", item.site
            )


def _circles(estate: Estate) -> Iterator[Weakness]:
    for circle in circles(estate.plan):
        yield Weakness(
            circle[0],
            f"{names(estate, circle)} sont l'un derrière l'autre au plan : on ne sait lequel porte les autres",
            estate.site_of(circle[0]),
        )


def _loose_hosts(estate: Estate) -> Iterator[Weakness]:
    serving = {end.host for item in estate.plan.applications for end in item.ends.values()}
    serving |= {end.host for item in estate.plan.data_sets for end in item.ends.values()}
    wired = {item.site for item in estate.plan.inventory.equipment if item.kind is not Device.UPS}
    for site in estate.plan.sites:
        bare = [
            host.id
            for host in estate.plan.hosts
            if host.site == site.id and host.id in serving and not host.behind and host.site in wired
        ]
        if bare:
            yield Weakness(
                site.id,
                f"à {site.name}, le plan ne dit pas derrière quoi {'est' if len(bare) == 1 else 'sont'} {names(estate, bare)} :"
                " l'effet d'une panne du réseau n'est pas connu",
                site.id,
            )


def _unasked(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        silent = [
            item.id
            for item in estate.plan.inventory.equipment
            if item.site == site.id and item.kind is Device.SWITCH and item.snmp is None
        ]
        if silent:
            yield Weakness(
                site.id,
                f"à {site.name}, les ports de « {names(estate, silent)} » ne sont pas regardés : aucun accès SNMP au plan",
                site.id,
            )


def _addressless(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        bare = [
            item.id
            for item in estate.plan.inventory.equipment
            if item.site == site.id and item.kind is not Device.UPS and not item.address
        ]
        if bare:
            yield Weakness(
                site.id,
                f"à {site.name}, {say_count(len(bare), 'appareil')} sans adresse au plan : {names(estate, bare)}"
                " ; leur présence n'est pas vérifiée",
                site.id,
            )


def _healthless(estate: Estate) -> Iterator[Weakness]:
    bare = healthless(estate)
    for site in estate.plan.sites:
        there = [host for host in bare if estate.site_of(host) == site.id]
        if there:
            yield Weakness(
                site.id,
                f"à {site.name}, la santé des disques de {names(estate, there)} est chez l'hyperviseur ou l'hôte : non vue",
                site.id,
            )


_MAP = (src.HYGIENE_4, src.CERT_SANTE)
RULES = (
    Rule(
        "VU-01",
        Severity.MAJOR,
        "quelque chose n'a pas pu être regardé",
        "ce qui n'a pas été vu n'est pas en bon état pour autant",
        (src.RGPD_32_D, src.CERT_SANTE),
        "donnez à l'audit le moyen de regarder (droit, adresse, programme), puis relancez-le",
        _blind,
    ),
    Rule(
        "VU-02",
        Severity.MINOR,
        "quelque chose n'a été vu qu'en partie",
        "le reste n'est pas en bon état pour autant",
        (src.RGPD_32_D, src.CERT_SANTE),
        "donnez à l'audit le moyen de regarder le reste, puis relancez-le",
        _partly,
    ),
    Rule(
        "VU-03",
        Severity.MINOR,
        "des mesures sont simulées",
        "elles ne disent rien d'un vrai câble ni d'une vraie batterie",
        (src.RGPD_32_D,),
        "n'en tirez rien : c'est un laboratoire, ou un agent mal réglé",
        _made_up,
        (Topic.PORTS, Topic.UPS),
        either=True,
    ),
    Rule(
        "VU-04",
        Severity.MINOR,
        "le plan ne dit pas de quoi dépend une application",
        "on ne peut pas dire ce qui l'arrête, ni ce qu'il faut rétablir avant elle",
        (*_MAP, src.CARE_BCP),
        "dites où elle tourne (« primary »), ses données, ou le fournisseur qui la fournit",
        _nowhere,
    ),
    Rule(
        "VU-05",
        Severity.MINOR,
        "aucun réseau d'un site n'est déclaré",
        "rien n'y a été cherché : un appareil inconnu peut s'y trouver",
        _MAP,
        "déclarez ses plages d'adresses (« networks »)",
        _no_network,
    ),
    Rule(
        "VU-06",
        Severity.MINOR,
        "aucun lien d'un site n'est déclaré",
        "on ne peut pas dire ce qui l'isole",
        _MAP,
        "déclarez ses liens (« links ») : opérateur, chemin, ce qu'il y a derrière",
        _no_link,
    ),
    Rule(
        "VU-07",
        Severity.MINOR,
        "le chemin ou l'opérateur d'un lien n'est pas connu",
        "deux liens qui passent par le même fourreau tombent ensemble, et l'on ne peut pas le voir",
        _MAP,
        "demandez à l'opérateur par où passe le lien ; notez « path » et « operator »",
        _bare_links,
    ),
    Rule(
        "VU-08",
        Severity.MINOR,
        "un réseau ne se regarde pas",
        "le plan l'interdit à l'audit : ce qui s'y trouve n'est pas connu",
        _MAP,
        "faites-le regarder par qui en a le droit, ou levez l'interdiction (« audit »)",
        _forbidden,
    ),
    Rule(
        "VU-09",
        Severity.MINOR,
        "le plan tourne en rond",
        "deux appareils disent chacun dépendre de l'autre : ce qui arrête l'ensemble ne se calcule pas",
        (src.HYGIENE_4,),
        "« behind » va vers la sortie : gardez celui des deux sens qui mène au lien",
        _circles,
    ),
    Rule(
        "VU-10",
        Severity.MINOR,
        "le plan ne dit pas derrière quoi est un serveur",
        "le commutateur ou le routeur qui l'arrêterait n'est pas connu",
        _MAP,
        "notez « behind » : le commutateur, puis le routeur derrière lui ; plusieurs valent l'un ou l'autre",
        _loose_hosts,
    ),
    Rule(
        "VU-11",
        Severity.MINOR,
        "un commutateur n'est pas interrogé",
        "les câbles et les prises en défaut ne se voient que chez lui",
        (src.PGSSI_CABLING, src.HYGIENE_4),
        "ouvrez SNMP en lecture (version 3 si possible) et notez « snmp » dans le plan",
        _unasked,
    ),
    Rule(
        "VU-12",
        Severity.MINOR,
        "des appareils n'ont pas d'adresse au plan",
        "l'audit ne peut pas dire s'ils sont encore là",
        _MAP,
        "notez leur adresse, ou retirez-les du plan",
        _addressless,
    ),
    Rule(
        "VU-14",
        Severity.MINOR,
        "la santé de disques ne se voit pas d'où l'audit regarde",
        "une machine virtuelle ou un conteneur ne sait rien des disques qui le portent : ils peuvent lâcher sans prévenir",
        (src.RGPD_32_D, src.CERT_SANTE),
        "mettez au plan la machine qui les porte, avec smartctl (paquet smartmontools), ou acceptez ce point si elle est surveillée",
        _healthless,
        (Topic.MACHINE,),
    ),
)
