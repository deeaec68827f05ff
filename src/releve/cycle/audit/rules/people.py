"""HUM and LOC: people and places, as the plan holds them. What only they can say is in the checklist."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.estate import Estate
from releve.cycle.audit.rule import Rule, Severity, Weakness
from releve.cycle.audit.rules import sources as src
from releve.cycle.audit.rules.evidence import names
from releve.domain.units import say_count


def _alone(estate: Estate) -> Iterator[Weakness]:
    everybody = tuple(item.id for item in estate.plan.contacts)
    for question, approval in estate.plan.approvals.items():
        who = approval.who or everybody
        if len(who) <= approval.people:
            named = {item.id: item.name for item in estate.plan.contacts}
            people = " et ".join(named.get(item, item) for item in who)
            wanted = say_count(approval.people, "personne")
            yield Weakness(
                question,
                f"la décision « {question} » demande {wanted}, et nul autre que {people} ne peut la prendre",
            )


def _no_phone(estate: Estate) -> Iterator[Weakness]:
    for item in estate.plan.contacts:
        if not item.phone:
            yield Weakness(item.id, f"{item.name} n'a pas de numéro de téléphone au plan")


def _one_owner(estate: Estate) -> Iterator[Weakness]:
    if len(estate.plan.contacts) == 1:
        only = estate.plan.contacts[0]
        owned = tuple(item.id for item in estate.plan.applications)
        what = f", pour {names(estate, owned)}" if owned else ""
        yield Weakness(only.id, f"{only.name} est la seule personne du plan{what}")


def _nothing_without(estate: Estate) -> Iterator[Weakness]:
    for item in estate.plan.applications:
        if not item.without_it:
            yield Weakness(item.id, f"rien ne dit comment travailler sans {item.name}")


def _same_place(estate: Estate) -> Iterator[Weakness]:
    by_address: dict[str, list[str]] = {}
    for site in estate.plan.sites:
        if site.address:
            by_address.setdefault(" ".join(site.address.casefold().replace(",", " ").split()), []).append(
                site.id
            )
    for sites in by_address.values():
        if len(sites) > 1:
            yield Weakness(sites[0], f"{names(estate, sites)} sont à la même adresse", sites[0])


RULES = (
    Rule(
        "HUM-01",
        Severity.MAJOR,
        "une décision n'a pas de suppléant",
        "la personne est absente, injoignable ou touchée elle-même, et la bascule attend",
        (src.HAS_314, src.PLAN_BLEU),
        "ajoutez quelqu'un à « who », et faites-lui faire l'exercice",
        _alone,
    ),
    Rule(
        "HUM-02",
        Severity.MAJOR,
        "une personne du plan ne peut pas être appelée",
        "la messagerie est arrêtée : il ne reste que le téléphone",
        (src.RECYF_PRINTED, src.HAS_314),
        "notez son numéro au plan et réimprimez la liste",
        _no_phone,
    ),
    Rule(
        "HUM-03",
        Severity.MAJOR,
        "le plan repose sur une seule personne",
        "elle est en congé, malade, ou partie : personne d'autre ne sait",
        (src.HAS_314, src.CERT_SANTE),
        "formez une deuxième personne et nommez-la au plan",
        _one_owner,
    ),
    Rule(
        "HUM-04",
        Severity.MAJOR,
        "rien ne dit comment travailler sans une application",
        "les équipes inventent, et la ressaisie prend des semaines",
        (src.HAS_314, src.CARE_BCP, src.PLAN_BLEU),
        "écrivez le mode dégradé avec ceux qui s'en servent (« without_it ») et imprimez-le",
        _nothing_without,
    ),
    Rule(
        "LOC-01",
        Severity.CRITICAL,
        "le secours est au même endroit que ce qu'il doit secourir",
        "un incendie, une inondation ou une coupure prennent les deux",
        (src.PGSSI_COPY, src.RGPD_32_C, src.CASES_ROOM),
        "mettez le secours dans un autre bâtiment, sur une autre rue et un autre poste électrique",
        _same_place,
    ),
)
