"""What each key of the objectives file, of a file of answers and of the price list means, in French.

A key without its sentence stops `make docs`: the page can not lag behind the schema.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from releve.cycle.objectives.choice.arbitration import ArbitrationBlock
from releve.cycle.objectives.choice.prices import OfferBlock, PricesBlock
from releve.cycle.objectives.schema import (
    AnswerBlock,
    ComponentBlock,
    DataBlock,
    EstablishmentBlock,
    InPeriodBlock,
    PeriodBlock,
    PromiseBlock,
    RateBlock,
    RecoveryBlock,
    ReliefBlock,
    SettledBlock,
    SpreadBlock,
    SupplierBlock,
    ThresholdBlock,
)
from releve.cycle.plan.blocks import Block

SECTIONS: tuple[tuple[str, type[Block], dict[str, str]], ...] = (
    (
        "establishments",
        EstablishmentBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "calendar": "calendrier du plan : ses heures d'ouverture ; absent, jour et nuit",
            "weight": "part de l'activité (places, budget)",
            "applications": "celles dont il se sert ; absent, toutes",
        },
    ),
    (
        "periods",
        PeriodBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "when": "« du 18 au 5 », « du 1 janvier au 30 avril », « du 2026-12-20 au 2027-01-05 »",
        },
    ),
    (
        "scale",
        ThresholdBlock,
        {
            "criterion": "SECU, ACCOMP, FIN, JUR, IMAGE ou SOCIAL",
            "weight": "son poids dans la règle pondérée",
            "unacceptable": "le niveau (1 à 4) à partir duquel un arrêt ne peut pas durer",
        },
    ),
    (
        "settled",
        SettledBlock,
        {
            "application": "application du plan",
            "establishment": "établissement ; absent, partout",
            "rto": "le délai arrêté",
            "by": "qui tranche (une fonction)",
            "on": "quand",
            "why": "pourquoi",
        },
    ),
    (
        "components",
        ComponentBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "kind": "ce que c'est",
            "carries": "applications et jeux de données qu'il porte",
            "needs": "autres composants dont il a besoin",
            "rebuild": "le temps de le remettre en état ; absent, inconnu",
            "automatic": "quelque chose prend le relais seul en ce temps",
        },
    ),
    (
        "suppliers",
        SupplierBlock,
        {"id": "identifiant", "name": "nom", "promises": "ses engagements (ci-dessous)"},
    ),
    (
        "suppliers: promises",
        PromiseBlock,
        {
            "on": "application ou composant",
            "respond": "GTI : délai d'intervention",
            "restore": "GTR : délai de rétablissement",
            "calendar": "plage de service : un calendrier du plan ; absent, jour et nuit",
            "availability": "taux de disponibilité, en %",
            "loss": "données que le fournisseur peut perdre",
            "excludes": "ce que le contrat exclut",
        },
    ),
    (
        "relief",
        ReliefBlock,
        {
            "processors": "processeurs du secours",
            "memory": "mémoire",
            "restores": "restaurations à la fois",
            "throughput": "débit d'une restauration, par seconde",
            "link": "débit du lien que les restaurations traversent, par seconde",
            "people": "personnes qui remettent en service, au moins une",
            "calendar": "leurs heures",
            "on_call": "temps pour venir hors de ces heures ; absent, personne ne vient",
            "detection": "temps pour s'apercevoir d'une panne, tant que rien n'est mesuré",
            "decision": "temps pour décider, tant que rien n'est mesuré",
        },
    ),
    (
        "relief: detection, decision",
        SpreadBlock,
        {
            "p10": "un cas sur dix est plus court",
            "p50": "un cas sur deux",
            "p90": "neuf cas sur dix",
        },
    ),
    (
        "recoveries",
        RecoveryBlock,
        {
            "application": "application du plan",
            "install": "l'installer (une personne)",
            "start": "la démarrer ; 5 min proposées",
            "check": "vérifier qu'elle marche (une personne) ; 10 min proposées",
            "memory": "mémoire qu'elle garde",
            "processors": "processeurs pendant le démarrage",
            "volume": "données à restaurer",
            "hourly_cost": "ce que coûte une heure sans elle",
            "automatic": "elle reprend seule en ce temps quand une machine tombe",
            "local": "oui : elle n'a pas de sens hors de son site (électricité, appel malade)",
            "kind": "genre de ses données, si le plan ne les déclare pas",
            "sensitivity": "leur classe",
        },
    ),
    (
        "scenarios",
        RateBlock,
        {"scenario": "S01 à S20", "per_year": "combien par an", "who": "qui le dit"},
    ),
    (
        "prices",
        PricesBlock,
        {
            "currency": "monnaie, trois lettres",
            "years": "durée sur laquelle un achat est pesé ; 5 ans proposés",
            "reaction": "détection et décision, ajoutées à chaque délai",
            "source": "d'où viennent les prix",
            "as_of": "leur date",
            "offers": "les protections (ci-dessous)",
        },
    ),
    (
        "prices: offers",
        OfferBlock,
        {
            "id": "identifiant",
            "name": "nom",
            "kind": "ce que c'est",
            "serves": "ce qu'elle protège ; d'ordinaire déduit de kind",
            "initial": "prix à l'achat",
            "yearly": "prix par an",
            "per_gb_yearly": "prix par Go et par an",
            "rpo": "ce qu'une copie peut perdre",
            "rto": "temps pour en revenir",
            "throughput": "débit de restauration, en Mo/s : s'ajoute au temps selon le volume",
            "site": "site où elle se trouve",
            "third_party": "société chez qui elle se trouve",
            "hds": "cette société est certifiée pour les données de santé",
            "offline": "hors ligne : une attaque ne l'atteint pas",
            "immutable": "rien ne peut la modifier",
            "medium": "support",
            "shared": "payée une fois, combien que s'en servent",
            "per": "ce par quoi elle se paie",
            "requires": "autres protections qu'elle suppose",
            "only": "réservée à ces applications ou données",
            "capacity_gb": "ce qu'une unité porte, en Go",
            "capacity_applications": "ce qu'une unité porte, en applications",
        },
    ),
    (
        "arbitrations",
        ArbitrationBlock,
        {
            "subject": "application ou jeu de données",
            "objective": "rto ou rpo",
            "wanted": "ce qui était demandé",
            "accepted": "ce qui est accepté",
            "who": "qui l'accepte",
            "why": "pourquoi",
            "decided_on": "quand",
            "until": "jusqu'à quand ; ensuite le besoin revient entier",
            "initial": "ce que tenir le besoin aurait coûté à l'achat",
            "yearly": "… et par an",
            "obtained": "ce que cela aurait donné",
            "loss_per_hour": "ce que coûte une heure d'écart",
            "decision": "les mots de la décision",
        },
    ),
)
ANSWERS: tuple[tuple[str, type[Block], dict[str, str]], ...] = (
    (
        "answers",
        AnswerBlock,
        {
            "application": "application du plan",
            "establishment": "établissement",
            "by": "qui répond (une fonction)",
            "on": "quand",
            "why": "ce qui arrive quand ce n'est plus acceptable",
            "impact": "par critère, dix niveaux : SECU: 1 1 2 2 3 3 3 4 4 4",
            "in_period": "la même chose pendant une période critique",
            "copes_for": "combien de temps on peut travailler sans, sur papier",
            "data": "ce qui est saisi",
        },
    ),
    (
        "answers: in_period",
        InPeriodBlock,
        {"period": "période du fichier d'objectifs", "impact": "comme ci-dessus"},
    ),
    (
        "answers: data",
        DataBlock,
        {
            "kinds": "ce que c'est",
            "entries_per_day": "saisies par jour",
            "retype_hours": "heures pour ressaisir une journée ; obligatoire quand `paper` est oui, inutile sinon",
            "paper": "oui si l'on peut ressaisir à partir de quelque chose",
            "volume": "volume des données",
        },
    ),
)


def page(notice: str) -> str:
    """The reference of the three kinds of file."""
    lines = [
        f"{notice}# Le fichier d'objectifs et les réponses, clé par clé",
        "",
        "`version: 1` en tête de chaque fichier. Une durée s'écrit 30 min, 4 h, 8 h ouvrées, 2 j ouvrés ; une taille, 40 Go ; un",
        "nombre à virgule, 0.5. `retype_budget:` (objectifs) : le temps de ressaisie admis après une panne, 2 h proposées.",
        "",
        "## objectifs.yaml",
        "",
    ]
    for title, model, said in SECTIONS:
        lines += table(title, model, said)
    lines += ["## reponses/*.yaml", ""]
    for title, model, said in ANSWERS:
        lines += table(title, model, said)
    return "\n".join(lines)


def table(title: str, model: type[Block], said: dict[str, str]) -> Iterator[str]:
    """The lines of one section. Raises `KeyError` for a key without its sentence, or a sentence without its key."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if fields.keys() != said.keys():
        raise KeyError(f"{title}: {sorted(fields.keys() ^ said.keys())} has no sentence, or is no key")
    yield from (f"### {title}", "", "| clé | | |", "|---|---|---|")
    for name, field in fields.items():
        words = _choices(field.annotation)
        among = f" ({', '.join(words)})" if words else ""
        yield f"| `{name}` | {'obligatoire' if field.is_required() else ''} | {said[name]}{among} |"
    yield ""


def _choices(annotation: Any) -> list[str]:
    """The words of an enumeration, wherever it stands in the annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(item.value) for item in annotation]
    return [word for inner in typing.get_args(annotation) for word in _choices(inner)]
