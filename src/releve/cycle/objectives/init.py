"""A first objectives file from a plan: what is known is written, what must be said is a comment. Pure."""

from __future__ import annotations

import json

from releve.domain.periods import PROPOSED, PROPOSED_AS_OF, TO_CHECK, say_rule
from releve.domain.plan import Plan, SiteRole


def first_objectives(plan: Plan) -> str:
    """The text of a first objectives file. Nothing in it is invented; the figures of its comments are examples."""
    calendar = "bureau" if "bureau" in plan.calendars else next(iter(plan.calendars), "")
    hours = f", calendar: {calendar}" if calendar else ""
    staffed = f"\n#  calendar: {calendar}" if calendar else ""
    promised = "respond: 2 h ouvrées, restore: 8 h ouvrées" if calendar else "respond: 2 h, restore: 8 h"
    one = next((item.id for item in plan.applications if item.data), _first(plan))
    relief = next((site.id for site in plan.sites if site.role is SiteRole.RELIEF), "secours")
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
#  - {{application: {one}, rto: 4 h, by: "directrice", on: 2026-10-20, why: "…"}}

# Ce qui porte les applications : serveurs, liens, stockages. « rebuild » : pour le remettre en état.
# components:
#  - {{id: machine-{one}, name: "Serveur qui porte « {one} »", kind: server, carries: [{one}], rebuild: 4 h}}

# Ce que promettent les fournisseurs : GTI (respond), GTR (restore), plage (calendar), taux (availability).
# suppliers:
#  - id: editeur
#    name: "Éditeur"
#    promises:
#      - {{on: {one}, {promised}{hours}, availability: 99.5}}

# De quoi dispose le secours pour tout remettre en route. « detection », « decision » : le temps de s'apercevoir
# de la panne, puis de décider la bascule ; un cas sur dix prend moins que p10, un sur deux p50, neuf sur dix p90.
# relief:
#  processors: 8
#  memory: 64 Go
#  restores: 2
#  throughput: 100 Mo
#  link: 50 Mo
#  people: 1{staffed}
#  on_call: 1 h
#  detection: {{p10: 2 min, p50: 10 min, p90: 1 h}}
#  decision: {{p10: 10 min, p50: 30 min, p90: 2 h}}

# Ce qu'il faut pour remettre en service ce que Relève ne bascule pas.
# recoveries:
{applications}

# À quelle fréquence vous attendez chaque scénario ; aucune n'est publiée pour le secteur.
# scenarios:
#  - {{scenario: S03, per_year: 0.2, who: "technicien"}}

# Ce que l'on peut acheter, d'après vos devis (euros : « initial » une fois, « yearly » par an). Les montants
# ci-dessous sont des exemples : remplacez-les. « requires » : ce qu'il faut aussi acheter.
# prices:
#  source: "devis à demander"
#  offers:
#    - {{id: serveur-secours, name: "Serveur au secours", kind: relief-server, initial: 6000, yearly: 900, shared: true, site: {relief}}}
#    - {{id: tiede, name: "Machine prête au secours", kind: warm, rto: 30 min, initial: 400, yearly: 250, site: {relief}, requires: [serveur-secours]}}
#    - {{id: copie, name: "Copie de chaque heure au secours", kind: hourly, rpo: 1 h, rto: 10 min, throughput: 100, initial: 50, yearly: 90, site: {relief}}}

# Les écarts que quelqu'un accepte : ce qui est demandé, ce qui est accepté, qui, pourquoi, jusqu'à quand.
# arbitrations:
#  - {{subject: {one}, objective: rto, wanted: 4 h, accepted: 8 h, who: "directrice", why: "…", decided_on: 2026-10-20, until: 2027-10-20}}
"""


def _first(plan: Plan) -> str:
    return plan.applications[0].id if plan.applications else "dui"
