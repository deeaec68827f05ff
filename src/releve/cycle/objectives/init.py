"""A first objectives file from a plan: what is known is written, what must be said is a comment. Pure."""

from __future__ import annotations

import json

from releve.domain.periods import PROPOSED, PROPOSED_AS_OF, TO_CHECK, say_rule
from releve.domain.plan import Plan


def first_objectives(plan: Plan) -> str:
    """The text of a first objectives file. Nothing in it is invented: no price, no frequency, no duration."""
    calendar = next(iter(plan.calendars), "bureau")
    hours = f", calendar: {calendar}" if plan.calendars else ""
    name = json.dumps(plan.association.name, ensure_ascii=False)
    applications = "\n".join(
        f"#  - {{application: {item.id}, install: 1 h, start: 5 min, check: 10 min, volume: 40 Go}}"
        for item in plan.applications[:3]
    )
    periods = "\n".join(
        f"{'#' if index else ''}  - {{id: {item.id}, name: {json.dumps(item.name, ensure_ascii=False)}, "
        f'when: "{say_rule(item.rule)}"}} # {item.source}'
        for index, item in enumerate(PROPOSED)
    )
    return f"""\
# Les objectifs de {plan.association.name} : ce que disent ceux qui se servent des applications, ce que
# promettent les fournisseurs, de quoi dispose le secours, ce que coûtent les protections.
# Les réponses elles-mêmes vont dans le dossier « reponses » : releve objectives ask APPLICATION --by "…"
# Vérifier : releve objectives check    Lire : releve objectives show
version: 1

# Les lieux où l'on s'en sert. « calendar » : leurs heures d'ouverture (celui du plan) ; sans lui, jour et
# nuit. « weight » : leur part de l'activité (places, ou budget). « applications » : sans cette ligne, toutes.
establishments:
  - {{id: etablissement-1, name: {name}, weight: 1}}
#  - {{id: siege, name: "Siège"{hours}, weight: 1, applications: [{", ".join(item.id for item in plan.applications[:2])}]}}

# Les moments où l'arrêt serait plus grave. Propositions du {PROPOSED_AS_OF:%d/%m/%Y}, {TO_CHECK} ; retirez les « # » qu'il faut.
periods:
{periods}

# Ce que vous changez de l'échelle proposée (poids d'un critère, niveau inacceptable).
# scale:
#  - {{criterion: FIN, weight: 2, unacceptable: 3}}

# Les délais tranchés par un responsable, là où les réponses se contredisent.
# settled:
#  - {{application: dui, rto: 4 h, by: "directrice", on: 2026-10-20, why: "…"}}

# Ce qui porte les applications : serveurs, liens, stockages. « rebuild » : pour le remettre en état.
# components:
#  - {{id: srv-dui, name: "Serveur du dossier", kind: server, carries: [dui], rebuild: 4 h}}

# Ce que promettent les fournisseurs : GTI (respond), GTR (restore), plage (calendar), taux (availability).
# suppliers:
#  - id: editeur
#    name: "Éditeur"
#    promises:
#      - {{on: dui, respond: 2 h ouvrées, restore: 8 h ouvrées, calendar: {calendar}, availability: 99.5}}

# De quoi dispose le secours pour tout remettre en route.
# relief: {{processors: 8, memory: 64 Go, restores: 2, throughput: 100 Mo, link: 50 Mo, people: 1{hours}, on_call: 1 h}}

# Ce qu'il faut pour remettre en service ce que Relève ne bascule pas.
# recoveries:
{applications}

# À quelle fréquence vous attendez chaque scénario ; aucune n'est publiée pour le secteur.
# scenarios:
#  - {{scenario: S03, per_year: 0.2, who: "technicien"}}
"""
