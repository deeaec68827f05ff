"""FOU: contracts and certificates, as the plan holds them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.graph import single_points
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import day, names, today
from releve.cycle.audit.rules.flows import EEA
from releve.domain.inventory import Supplier
from releve.domain.plan import DataKind

CERTIFICATE = timedelta(days=180)  # value of ours: time to find another host if it is not renewed
CONTRACT = timedelta(days=120)  # value of ours: three months' notice, and a month to decide


def _suppliers(estate: Estate) -> Iterator[Supplier]:
    yield from estate.plan.inventory.suppliers


def _needed(item: Supplier) -> bool:
    return bool(item.applications) or item.hosts_health


def _uncertified(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if item.hosts_health and not item.hds_number:
            yield Weakness(item.id, f"{item.name} héberge des données de santé sans certificat HDS au plan")


def _expired(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if item.hosts_health and item.hds_number and item.hds_until and item.hds_until < today(estate):
            yield Weakness(
                item.id, f"le certificat HDS de « {item.name} » est fini depuis le {day(item.hds_until)}"
            )


def _ending(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        until = item.hds_until
        if (
            item.hosts_health
            and item.hds_number
            and until
            and today(estate) <= until <= today(estate) + CERTIFICATE
        ):
            yield Weakness(item.id, f"le certificat HDS de « {item.name} » finit le {day(until)}")


def _undated(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if item.hosts_health and item.hds_number and item.hds_until is None:
            yield Weakness(item.id, f"le certificat HDS de « {item.name} » n'a pas de date de fin au plan")


def _no_sla(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if _needed(item) and not item.sla:
            yield Weakness(item.id, f"rien ne dit en combien de temps {item.name} intervient et rétablit")


def _no_exit(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if _needed(item) and not item.exit:
            yield Weakness(item.id, f"rien ne dit comment {item.name} rend les données à la fin")


def _no_failure(estate: Estate) -> Iterator[Weakness]:
    stops = {point.thing: point.stops for point in single_points(estate.plan)}
    for item in _suppliers(estate):
        alone = stops.get(item.id, ())
        if item.failure or not (item.hosts_health or alone):
            continue
        more = f", qui arrêterait {names(estate, alone)}" if alone else ""
        yield Weakness(item.id, f"rien n'est prévu pour la défaillance de « {item.name} »{more}", stops=alone)


def _far(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if item.hosts_health and item.country not in EEA:
            where = (
                f"hors de l'Espace économique européen ({item.country})"
                if item.country
                else "dans un pays inconnu"
            )
            yield Weakness(item.id, f"{item.name} héberge des données de santé {where}")


def _ended(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if item.contract_until and item.contract_until < today(estate):
            yield Weakness(
                item.id, f"le contrat de « {item.name} » est fini depuis le {day(item.contract_until)}"
            )


def _contract_ending(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        until = item.contract_until
        if until and today(estate) <= until <= today(estate) + CONTRACT:
            yield Weakness(item.id, f"le contrat de « {item.name} » finit le {day(until)}")


def _contract_unknown(estate: Estate) -> Iterator[Weakness]:
    for item in _suppliers(estate):
        if _needed(item) and item.contract_until is None:
            yield Weakness(item.id, f"la fin du contrat de « {item.name} » n'est pas au plan")


def _site_uncertified(estate: Estate) -> Iterator[Weakness]:
    for site in estate.plan.sites:
        health = [
            item.id for item in estate.plan.data_sets if item.kind is DataKind.HEALTH and site.id in item.ends
        ]
        if not site.third_party or not health:
            continue
        said = f"{site.third_party} héberge {names(estate, health)} à {site.name}"
        if site.hds is None:
            yield Weakness(site.id, f"{said} sans certificat HDS au plan", site.id)
        elif site.hds.valid_until is None:
            yield Weakness(site.id, f"{said} avec un certificat HDS sans date de fin", site.id)
        elif site.hds.valid_until < today(estate):
            yield Weakness(
                site.id, f"{said} avec un certificat HDS fini depuis le {day(site.hds.valid_until)}", site.id
            )


RULES = (
    Rule(
        "FOU-01",
        Severity.CRITICAL,
        "un fournisseur héberge des données de santé sans certificat",
        "la loi le demande à qui héberge pour autrui des données de santé, sauvegardes comprises",
        (src.CSP_HDS, src.HDS_DATES),
        "demandez le certificat HDS et son périmètre ; sans lui, changez d'hébergeur",
        _uncertified,
    ),
    Rule(
        "FOU-02",
        Severity.CRITICAL,
        "le certificat d'un hébergeur de données de santé est fini",
        "l'hébergement n'est plus régulier depuis cette date",
        (src.CSP_HDS, src.HDS_DATES),
        "demandez le certificat renouvelé, et notez sa date",
        _expired,
    ),
    Rule(
        "FOU-03",
        Severity.MINOR,
        "le certificat d'un hébergeur de données de santé finit bientôt",
        "s'il n'est pas renouvelé, déménager des données de santé prend des mois",
        (src.CSP_HDS, src.HDS_DATES),
        "demandez dès maintenant où en est le renouvellement",
        _ending,
    ),
    Rule(
        "FOU-04",
        Severity.MINOR,
        "un certificat d'hébergeur n'a pas de date de fin",
        "on ne saura pas qu'il est fini",
        (src.HDS_DATES,),
        "relevez la date sur le certificat et notez « hds_until »",
        _undated,
    ),
    Rule(
        "FOU-05",
        Severity.MAJOR,
        "le délai d'intervention d'un fournisseur n'est écrit nulle part",
        "le plan compte sur un délai que personne n'a promis",
        (src.HDS_SLA, src.CSP_CONTRACT, src.RGPD_28),
        "faites écrire les délais d'intervention et de rétablissement (GTI, GTR) et leurs horaires ; notez « sla »",
        _no_sla,
    ),
    Rule(
        "FOU-06",
        Severity.MAJOR,
        "un fournisseur n'a pas dit comment il rend les données",
        "à la fin du contrat, ou s'il disparaît, elles restent chez lui ou reviennent illisibles",
        (src.HDS_EXIT, src.CSP_CONTRACT, src.RGPD_28),
        "faites écrire le format, le délai et le prix du retour ; essayez un export ; notez « exit »",
        _no_exit,
    ),
    Rule(
        "FOU-07",
        Severity.MAJOR,
        "la défaillance d'un fournisseur n'est pas prévue",
        "une panne chez lui, sa faillite ou une attaque vous arrêtent sans que personne ait dit quoi faire",
        (src.CSP_FAILURE, src.HDS_FAILURE, src.OBSERVATORY),
        "faites écrire ce qu'il fait en cas de défaillance, préparez le mode dégradé ; notez « failure »",
        _no_failure,
    ),
    Rule(
        "FOU-08",
        Severity.CRITICAL,
        "des données de santé sont hébergées hors de l'Espace économique européen, ou l'on ne sait où",
        "le référentiel des hébergeurs ne l'admet pas",
        (src.HDS_EEA, src.HDS_THIRD),
        "demandez où sont les machines et les copies ; exigez l'Europe",
        _far,
    ),
    Rule(
        "FOU-09",
        Severity.MAJOR,
        "le contrat d'un fournisseur est fini",
        "rien ne l'oblige plus à intervenir",
        (src.RGPD_28, src.CSP_CONTRACT),
        "renouvelez-le, ou corrigez la date au plan s'il l'a été",
        _ended,
    ),
    Rule(
        "FOU-10",
        Severity.MINOR,
        "le contrat d'un fournisseur finit bientôt",
        "c'est maintenant que se négocient les délais et le retour des données",
        (src.RGPD_28,),
        "décidez de le renouveler ou de partir, et prévenez-le à temps",
        _contract_ending,
    ),
    Rule(
        "FOU-11",
        Severity.MINOR,
        "la fin du contrat d'un fournisseur n'est pas connue",
        "il peut être fini sans que personne ne l'ait vu",
        (src.RGPD_28,),
        "cherchez le contrat et notez « contract_until »",
        _contract_unknown,
    ),
    Rule(
        "FOU-12",
        Severity.CRITICAL,
        "un site tenu par un tiers garde des données de santé sans certificat valable",
        "l'hébergeur d'un secours est un hébergeur comme un autre",
        (src.CSP_HDS, src.HDS_DATES, src.PGSSI_OUT),
        "demandez-lui son certificat HDS et notez-le au site (« hds »)",
        _site_uncertified,
    ),
)
