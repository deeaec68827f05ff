"""POS-01 to POS-10: systems, their updates, their age, and the functions that only one workstation holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.graph import single_points
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import day, names, once, things, today
from releve.cycle.audit.rules.links import effects
from releve.cycle.audit.rules.sensitivity import on_workstations
from releve.cycle.audit.support import Support, support_named, support_of
from releve.domain.audit import Topic
from releve.domain.seen import Documents, System, Updates
from releve.domain.units import say_bytes, say_count

NOTICE = timedelta(days=365)  # value of ours: a budget year, the time to replace a machine without haste
STALE = timedelta(days=7)  # value of ours: Debian and Ubuntu ask once a day, a week covers a closure
LONG = timedelta(days=365)  # value of ours: a kernel older than a year lacks every correction of that year
DOCUMENTS = 5  # value of ours: fewer are leftovers of a download, not documents that somebody keeps there


class _Runs(NamedTuple):
    """What a machine or a piece of equipment runs. `how`: "tourne sous", or that somebody declares it."""

    thing: str
    how: str
    system: str
    support: Support | None
    seen: datetime | None = None


def _systems(estate: Estate) -> Iterator[_Runs]:
    """Machines, as they say themselves; then equipment that nobody can ask, as the plan declares it."""
    for fact in estate.all(System):
        said = fact.pretty or f"{fact.os} {fact.version}".strip() or "un système qui ne dit pas son nom"
        yield _Runs(fact.host, "tourne sous", said, support_of(fact.os, fact.version), estate.seen_at(fact))
    for item in estate.plan.inventory.equipment:
        if item.system:
            yield _Runs(item.id, "est déclaré sous", item.system, support_named(item.system))


def _runs(estate: Estate, one: _Runs, rest: str) -> Weakness:
    name = one.support.name if one.support else one.system
    sentence = f"{estate.name_of(one.thing)} {one.how} {name}{rest}"
    return Weakness(one.thing, sentence, estate.site_of(one.thing), seen=one.seen)


@once
def _ended(estate: Estate) -> Iterator[Weakness]:
    for one in _systems(estate):
        if one.support is not None and one.support.until < today(estate):
            yield _runs(estate, one, f", qui n'est plus corrigé depuis le {day(one.support.until)}")


@once
def _ending(estate: Estate) -> Iterator[Weakness]:
    for one in _systems(estate):
        if one.support is not None and today(estate) <= one.support.until <= today(estate) + NOTICE:
            yield _runs(estate, one, f", qui ne sera plus corrigé après le {day(one.support.until)}")


@once
def _unknown(estate: Estate) -> Iterator[Weakness]:
    for one in _systems(estate):
        if one.support is None:
            yield _runs(estate, one, " : sa fin de support n'est pas connue de Relève")


@once
def _security(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Updates):
        if fact.security:
            yield Weakness(
                fact.host,
                f"{estate.name_of(fact.host)} attend {say_count(fact.security, 'mise à jour', 'mises à jour')} de sécurité",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


@once
def _unsorted(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Updates):
        if fact.security is None and fact.pending:
            yield Weakness(
                fact.host,
                f"{estate.name_of(fact.host)} attend {say_count(fact.pending, 'mise à jour', 'mises à jour')},"
                " sans dire lesquelles corrigent une faille",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


@once
def _stale(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(Updates):
        if fact.lists_of is not None and estate.seen_at(fact) - fact.lists_of > STALE:
            days = (estate.seen_at(fact) - fact.lists_of).days
            yield Weakness(
                fact.host,
                f"{estate.name_of(fact.host)} n'a pas demandé ses mises à jour depuis {days} j :"
                " ce qui manque n'est pas connu",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


@once
def _never_restarted(estate: Estate) -> Iterator[Weakness]:
    for fact in estate.all(System):
        if fact.started is not None and estate.seen_at(fact) - fact.started > LONG:
            days = (estate.seen_at(fact) - fact.started).days
            yield Weakness(
                fact.host,
                f"{estate.name_of(fact.host)} n'a pas redémarré depuis {days} j",
                estate.site_of(fact.host),
                seen=estate.seen_at(fact),
            )


def _alone(estate: Estate) -> Iterator[Weakness]:
    stopping = {point.thing for point in single_points(estate.plan) if point.stops}
    for item in things(estate):
        # One that stops applications is named for that, with which ones.
        if item.function and not item.spare and item.id not in stopping:
            yield Weakness(
                item.id,
                f"« {item.function} » ne se fait que sur {estate.name_of(item.id)}, et rien n'est prêt à le remplacer",
                item.site,
            )


def _single(estate: Estate) -> Iterator[Weakness]:
    hosts = {host.id for host in estate.plan.hosts}
    for point in single_points(estate.plan):
        if point.thing in hosts and point.stops:
            moved = f" ({names(estate, point.switches)} basculerait)" if point.switches else ""
            yield Weakness(
                point.thing,
                f"la panne de « {estate.name_of(point.thing)} » {effects(estate, point.stops)}{moved}",
                estate.site_of(point.thing),
                stops=point.stops,
            )


def _documents(estate: Estate) -> Iterator[Weakness]:
    graver = {fact.subject for fact in on_workstations(estate)}
    for host in dict.fromkeys(fact.host for fact in estate.all(Documents)):
        found = [fact for fact in estate.all(Documents) if fact.host == host]
        files = sum(tally.files for fact in found for tally in fact.kinds)
        weight = sum(tally.bytes for fact in found for tally in fact.kinds)
        if files >= DOCUMENTS and host not in graver:
            yield Weakness(
                host,
                f"{files} documents (bureautique, PDF, images, courriels ; {say_bytes(weight)}) sont gardés sur {estate.name_of(host)},"
                f" dans {say_count(len(found), 'dossier')}",
                estate.site_of(host),
                seen=estate.seen_at(found[0]),
            )


_MACHINE = (Topic.MACHINE,)
RULES = (
    Rule(
        "POS-01",
        Severity.CRITICAL,
        "un système n'est plus corrigé",
        "chaque faille découverte depuis reste ouverte ; c'est par là qu'entrent les rançongiciels",
        (src.RGPD_32_B, src.CERT_SANTE),
        "passez à une version suivie ; d'ici là, séparez la machine du reste du réseau",
        _ended,
        _MACHINE,
        reads=(System,),
    ),
    Rule(
        "POS-02",
        Severity.MINOR,
        "un système ne sera bientôt plus corrigé",
        "le remplacer demande un budget et des essais : mieux vaut s'y prendre avant",
        (src.RGPD_32_B,),
        "mettez le changement de version au programme de l'année",
        _ending,
        _MACHINE,
        reads=(System,),
    ),
    Rule(
        "POS-03",
        Severity.MINOR,
        "la fin de support d'un système n'est pas connue",
        "on ne peut pas dire s'il est encore corrigé : ce n'est pas la même chose que l'être",
        (src.RGPD_32_B,),
        "cherchez la date chez l'éditeur ; signalez-la pour qu'elle entre dans la liste de Relève",
        _unknown,
        _MACHINE,
        reads=(System,),
    ),
    Rule(
        "POS-04",
        Severity.MAJOR,
        "des mises à jour de sécurité attendent",
        "la faille est publique et la correction est là : il ne manque que de la poser",
        (src.RGPD_32_B, src.CERT_SANTE),
        "posez-les au prochain créneau d'arrêt ; rendez-les automatiques sur les postes",
        _security,
        _MACHINE,
        reads=(Updates,),
    ),
    Rule(
        "POS-05",
        Severity.MINOR,
        "des mises à jour attendent, dont on ne sait si elles corrigent une faille",
        "faute de le savoir, il faut les compter comme telles",
        (src.RGPD_32_B,),
        "posez-les au prochain créneau d'arrêt",
        _unsorted,
        _MACHINE,
        reads=(Updates,),
    ),
    Rule(
        "POS-06",
        Severity.MINOR,
        "une machine ne demande plus ses mises à jour",
        "elle paraît à jour parce que sa liste est vieille",
        (src.RGPD_32_B, src.OURS),
        "regardez pourquoi la demande échoue (réseau, adresse du dépôt, disque plein)",
        _stale,
        _MACHINE,
        reads=(Updates,),
    ),
    Rule(
        "POS-07",
        Severity.MINOR,
        "une machine n'a pas redémarré depuis plus d'un an",
        "les corrections du noyau ne servent qu'après un redémarrage, et personne ne sait si elle redémarrera",
        (src.RGPD_32_B, src.OURS),
        "redémarrez-la un jour calme, quelqu'un à côté",
        _never_restarted,
        _MACHINE,
        reads=(System,),
    ),
    Rule(
        "POS-08",
        Severity.MAJOR,
        "une fonction tient à un seul poste ou appareil, sans rechange",
        "clé, imprimante, badgeuse, logiciel de banque : l'appareil tombe, la fonction aussi",
        (src.HAS_314, src.MSS_CONTINU),
        "préparez un second appareil, essayez-le, et notez-le dans le plan (« spare: true »)",
        _alone,
    ),
    Rule(
        "POS-09",
        Severity.MAJOR,
        "une seule machine arrête des applications",
        "rien ne les fait tourner ailleurs : leur arrêt dure le temps de réparer la machine ou d'en trouver une autre",
        (src.CASES_SHARED, src.HAS_314, src.RGPD_32_C),
        "déclarez et préparez une instance de secours, sur l'autre site",
        _single,
    ),
    Rule(
        "POS-10",
        Severity.MAJOR,
        "des documents sont gardés sur un poste",
        "ils ne sont sur aucun partage, donc dans aucune copie : le poste volé ou chiffré, ils sont perdus",
        (src.CNIL_17, src.RGPD_32_B, src.HYGIENE_37),
        "déplacez-les sur un partage copié ; redirigez les dossiers du poste vers ce partage",
        _documents,
        (Topic.DOCUMENTS,),
    ),
)
