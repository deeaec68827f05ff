"""SEN: personal and health data where they should not be, or less protected than they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.copies import copied
from releve.cycle.audit.rules.evidence import Held, device_of, held
from releve.domain.audit import Topic
from releve.domain.inventory import Device
from releve.domain.plan import DataKind, Sensitivity
from releve.domain.seen import Documents, Reading, Sensitive
from releve.domain.units import say_count

CATEGORY_FR: Mapping[str, str] = {
    "nir": "numéros de sécurité sociale",
    "ins": "identités nationales de santé",
    "health": "mots de santé",
    "iban": "coordonnées bancaires",
}
# Where each category is at home: payroll holds NIR and IBAN, and the health record NIR, INS and health.
_AT_HOME: Mapping[str, frozenset[str]] = {
    "nir": frozenset({"health", "hr", "accounting"}),
    "ins": frozenset({"health"}),
    "health": frozenset({"health"}),
}
# Documents below which nothing is said (values of ours): numbers are checked by their key, words are not.
_ENOUGH: Mapping[str, int] = {"nir": 1, "ins": 1, "iban": 1, "health": 5}


def _by_category(estate: Estate, subject: str, categories: frozenset[str]) -> dict[str, int]:
    """Documents by category at a place, those that count."""
    found: dict[str, int] = {}
    for fact in estate.all(Sensitive):
        if fact.subject == subject and fact.category in categories:
            found[fact.category] = found.get(fact.category, 0) + fact.documents
    return {name: count for name, count in found.items() if count >= _ENOUGH[name]}


def _say(found: Mapping[str, int]) -> str:
    return ", ".join(
        f"{CATEGORY_FR[name]} dans {say_count(found[name], 'document')}"
        for name in CATEGORY_FR
        if name in found
    )


def _misplaced(estate: Estate) -> Iterator[Weakness]:
    for item in held(estate):
        strange = frozenset(name for name, kinds in _AT_HOME.items() if item.kind not in kinds)
        found = _by_category(estate, item.id, strange)
        if found:
            look = estate.look(Topic.SENSITIVE, item.id)
            yield Weakness(
                item.id,
                f"{item.name} est déclaré « {item.kind} » et contient : {_say(found)}",
                item.site,
                seen=look.at if look else None,
            )


def on_workstations(estate: Estate) -> Iterator[Sensitive]:
    """One fact a workstation on which personal data that count were read."""
    for subject in dict.fromkeys(fact.subject for fact in estate.all(Sensitive)):
        if device_of(estate, subject) is Device.WORKSTATION and _by_category(
            estate, subject, frozenset(CATEGORY_FR)
        ):
            yield next(fact for fact in estate.all(Sensitive) if fact.subject == subject)


def _workstation(estate: Estate) -> Iterator[Weakness]:
    for fact in on_workstations(estate):
        found = _by_category(estate, fact.subject, frozenset(CATEGORY_FR))
        files = sum(
            tally.files for one in estate.all(Documents) if one.host == fact.subject for tally in one.kinds
        )
        among = f" (parmi {say_count(files, 'document gardé', 'documents gardés')} là)" if files else ""
        yield Weakness(
            fact.subject,
            f"{estate.name_of(fact.subject)} garde : {_say(found)}{among}",
            estate.site_of(fact.subject),
            seen=estate.seen_at(fact),
        )


def _standard(estate: Estate) -> Iterator[Weakness]:
    for item in held(estate):
        if item.kind == DataKind.HEALTH.value and item.sensitivity == Sensitivity.STANDARD.value:
            yield Weakness(
                item.id, f"{item.name} contient des données de santé et est classé « standard »", item.site
            )


def _health_unprotected(estate: Estate) -> Iterator[Weakness]:
    for item in held(estate):
        # One that has no copy at all is named for that (COP-01).
        if not item.protected and item.kind == DataKind.HEALTH.value and _known_copied(estate, item):
            yield Weakness(
                item.id,
                f"{item.name} contient des données de santé et aucune bascule ni restauration n'est prévue pour elles",
                item.site,
            )


def _known_copied(estate: Estate, item: Held) -> bool:
    return not estate.looked(Topic.COPIES, item.id) or copied(estate, item.id)


RULES = (
    Rule(
        "SEN-01",
        Severity.MAJOR,
        "des données de santé ou des numéros de sécurité sociale là où le plan n'en déclare pas",
        "ce lieu n'a pas les droits d'accès, ni la copie, que ces données demandent ; s'il fuit, la CNIL doit"
        " le savoir en trois jours",
        (src.RGPD_32_B, src.RGPD_33, src.CSP_HDS),
        "déplacez ces documents, ou déclarez le lieu pour ce qu'il est et protégez-le de même",
        _misplaced,
        (Topic.SENSITIVE,),
        reads=(Reading,),
    ),
    Rule(
        "SEN-02",
        Severity.CRITICAL,
        "des données personnelles sont gardées sur un poste",
        "un poste se vole ou se perd : c'est une violation à notifier, et ces données ne sont dans aucune copie",
        (src.RGPD_32_B, src.RGPD_33, src.CNIL_17),
        "déplacez-les sur un partage protégé, puis effacez-les du poste ; chiffrez le disque",
        _workstation,
        (Topic.SENSITIVE,),
        reads=(Reading,),
    ),
    Rule(
        "SEN-03",
        Severity.MINOR,
        "des données de santé sont classées comme les autres",
        "leur copie peut alors avoir un jour de retard",
        (src.RGPD_32_B, src.MSS_CONTINU),
        "classez-les « critical », ou « sensitive » si un jour de perte est admis, et dites pourquoi",
        _standard,
    ),
    Rule(
        "SEN-04",
        Severity.MAJOR,
        "des données de santé ne sont pas dans le plan de reprise",
        "on sait qu'elles existent, et personne n'a écrit comment les faire revenir",
        (src.RGPD_32_C, src.HAS_314, src.MSS_CONTINU),
        "faites-en un ensemble de données du plan (« data_sets »), avec sa copie au secours et son coffre",
        _health_unprotected,
    ),
)
