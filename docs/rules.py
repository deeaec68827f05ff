"""The page of the audit's rules, its questions and its dates of end of support, in French, from the code."""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.audit.checklist import QUESTIONS, About
from releve.cycle.audit.errands import TOPIC_FR
from releve.cycle.audit.rule import SEVERITY_FR, Rule
from releve.cycle.audit.rules import RULES
from releve.cycle.audit.support import Support, systems
from releve.domain.units import say_seconds

FAMILIES = {
    "RES": "Réseaux et liens",
    "CAB": "Câbles, prises et ports",
    "POS": "Machines",
    "ALI": "Alimentation",
    "DON": "Données stockées",
    "SEN": "Données personnelles et de santé",
    "ECH": "Échanges",
    "COP": "Copies",
    "FOU": "Fournisseurs",
    "HUM": "Personnes",
    "LOC": "Lieux",
    "VU": "Ce qui n'a pas été vu, ou que le plan ne dit pas",
    "QUE": "Ce que répondent les personnes",
}
ABOUT_FR = {
    About.ASSOCIATION: "à l'association",
    About.SITE: "pour chaque site",
    About.SUPPLIER: "pour chaque fournisseur",
    About.APPLICATION: "pour chaque application",
}
HEAD = """# Règles de l'audit

Chaque point faible a un code, qui ne change pas d'un audit à l'autre : c'est lui que l'on accepte (`releve audit accept`) et que
l'on suit. Une règle ne parle que de ce qui a été regardé ; ce qui ne l'a pas été est un point faible à son tour (VU-01, VU-02).
Une règle à qui il a manqué un regard et qui n'a rien trouvé est dite « non vérifiée ».

Les sources sont les textes tels que Relève les a compris. « Constat technique » : aucun texte ne fixe ce seuil, il est de Relève,
et sa raison est à côté du chiffre, dans le code.

## Ce qu'une panne arrête

RES-13, POS-09, ALI-08 et FOU-07 calculent ce qu'une seule panne arrête, sur le graphe du plan.

- `behind` dit ce qui relie une machine, un équipement ou un lien au reste. **Plusieurs noms valent l'un ou l'autre** : un seul
  suffit. Ce qui a besoin de deux choses l'une après l'autre s'écrit en chaîne : le commutateur est derrière le routeur, le
  routeur derrière le lien.
- `ups` est nécessaire en plus : l'onduleur en panne arrête ce qu'il porte.
- Une application demande sa machine, les machines de ses données et les applications de `needs`. Ce qui arrête son instance
  principale et que son secours n'attend pas est une **bascule**, pas un arrêt : cela n'est pas un point faible.
- Une application sans instance est celle de ses fournisseurs : il lui faut chacun d'eux, et un lien vers l'internet, de
  n'importe quel site. Sans instance ni fournisseur, ni données, ni `needs`, rien n'est connu d'elle (VU-04).
- Un site est isolé quand tous ses liens déclarés tombent ensemble. Quelles personnes de quel site se servent de quelle
  application n'est pas au plan : une coupure de site est dite comme telle.
"""


def page(notice: str) -> str:
    """The whole page."""
    counts = f"{len(RULES)} règles, dont {len(QUESTIONS)} nées des questions.\n"
    blocks = [f"{notice}{HEAD}", counts]
    for family, title in FAMILIES.items():
        rules = [rule for rule in RULES if rule.code.partition("-")[0] == family]
        blocks += [f"## {title}\n", *(_rule(rule) for rule in rules if family != "QUE")]
    blocks += [*_questions(), "## Fins de support\n", *_support()]
    return "\n".join(blocks)


def _rule(rule: Rule) -> str:
    looks = [TOPIC_FR[topic] for topic in rule.topics]
    if rule.compares:
        looks += [f"un audit d'avant, vieux d'au moins {say_seconds(rule.apart.total_seconds())}"]
    return "\n".join(
        [
            f"### {rule.code}\n",
            f"**{SEVERITY_FR[rule.severity]}** : {rule.title}\n",
            f"- pourquoi : {rule.why}",
            f"- remède : {rule.mend}",
            f"- regards nécessaires : {(' ou ' if rule.either else ' ; ').join(looks) if looks else 'aucun, le plan suffit'}",
            f"- sources : {' ; '.join(rule.sources)}",
            "",
        ]
    )


def _questions() -> Iterator[str]:
    """One row a question: its rule names a "no"; no answer is VU-13."""
    known = {rule.code: rule for rule in RULES}
    yield "« Oui » est la bonne réponse ; « non » est un point faible, pas de réponse aussi (VU-13). Une réponse vaut un temps.\n"
    for about, title in ABOUT_FR.items():
        yield f"### Posées {title}\n"
        yield "| code | question | gravité d'un « non » | vaut | pourquoi | remède | sources |\n|---|---|---|---|---|---|---|"
        for item in QUESTIONS:
            if item.about is about:
                rule = known[item.code]
                yield (
                    f"| {item.code} | {item.text} | {SEVERITY_FR[rule.severity]} | {item.days} j | {rule.why} | {rule.mend} |"
                    f" {' ; '.join(rule.sources)} |"
                )
        yield ""


def _support() -> Iterator[str]:
    """The dated list, with where each date was read."""
    yield "Dernier jour des corrections de sécurité gratuites. Un système qui n'y est pas est dit inconnu (POS-03).\n"
    yield "Les dates ont été lues dans des transcriptions, une source par famille ; la page de l'éditeur fait foi.\n"
    yield "| famille | page de l'éditeur | lu dans | le |\n|---|---|---|---|"
    for item in {item.os: item for item in systems().values()}.values():
        yield f"| {item.os} | <{item.source}> | {item.by} | {item.read} |"
    yield "\n| système | fin | remarque |\n|---|---|---|"
    for item in systems().values():
        yield f"| {item.name} | {item.until} | {_note(item)} |"
    yield ""


def _note(item: Support) -> str:
    return item.note.replace("recall", "de mémoire, à vérifier", 1)
