"""A choice and a conflict, as a person and as a program read them."""

from __future__ import annotations

import json
from dataclasses import replace

from releve.cycle.objectives.choice.conflict import Conflict
from releve.cycle.objectives.choice.reasons import reasons
from releve.cycle.objectives.choice.show import (
    choice_text,
    choice_value,
    conflict_text,
    conflict_value,
    proof,
)
from releve.cycle.objectives.choice.solve import Choice, choose
from tests.choices import HOUR, PRICES, application, data, rpo, rto

SUBJECTS = [data("d", name="dossiers"), application("a", "d", name="Paie")]


def _choice(reaction: int | None = 600) -> Choice:
    found = choose(SUBJECTS, [rto("a", 2 * HOUR), rpo("d", 300)], replace(PRICES, reaction=reaction))
    assert isinstance(found, Choice)
    return found


def test_a_choice_is_told_in_french() -> None:
    """What it costs, that it is proven, what each gets and shares, which objective holds by how much."""
    found = _choice()
    assert choice_text(found).splitlines() == [
        "Le choix le moins cher : 2 280 € sur 5 ans",
        "  à l'achat 1 505 €, puis 155 € par an",
        "  prouvé : rien de moins cher ne tient tous les objectifs des applications et toutes les règles",
        "  temps de détection et de décision : 10 min, compté une fois",
        "",
        "Pour chacun",
        "  dossiers",
        "    copie en temps réel (copie en temps réel) — 900 € sur 5 ans",
        "    bande (copie hors ligne) — 30 € sur 5 ans",
        "  Paie",
        "    secours tiède (secours tiède) — 350 € sur 5 ans",
        "",
        "Partagé",
        "  serveur de secours — 1 000 €, pour 1 utilisateur",
        "",
        "Ce que chacun obtiendrait (rien n'est prouvé avant un essai)",
        "  Paie : arrêt de 35 min au plus (besoin : 2 h) : tiendrait",
        "  dossiers : perte de 1 min au plus (besoin : 5 min) : tiendrait",
    ]
    assert "ne tient plus" in choice_text(found, reasons(found))


def test_a_reaction_that_nobody_declared_is_said() -> None:
    """A delay without the human part says that it has none."""
    assert "non déclaré" in choice_text(_choice(None))


def test_a_gap_is_told() -> None:
    """Not proven: how far from the best it can be, in part and in euros."""
    found = replace(_choice(), bound=_choice().total - 22_80)
    assert proof(found) == "à 1,00 % du mieux possible, prouvé : on n'économiserait jamais plus de 22,80 €"


def test_a_choice_is_a_value() -> None:
    """JSON: cents that add up, picks with their reasons, objectives with what they get."""
    found = _choice()
    value = json.loads(json.dumps(choice_value(found, reasons(found))))
    assert value["total_cents"] == sum(line["total_cents"] for line in value["lines"]) == found.total
    assert value["total_cents"] == value["initial_cents"] + value["years"] * value["yearly_cents"]
    assert all(item["why"] for item in value["protections"])
    assert [item["obtained_seconds"] for item in value["objectives"]] == [2100, 60]
    assert [line["users"] for line in value["lines"] if line["shared"]] == [["a"]]


def test_a_conflict_is_told_and_is_a_value() -> None:
    """The objective that cannot be kept, the best that can, and what to do; the same as JSON."""
    found = choose(SUBJECTS, [rto("a", 60)], PRICES)
    assert isinstance(found, Conflict)
    assert conflict_text(found).splitlines() == [
        "Aucun choix ne tient tous les objectifs.",
        "",
        "À lui seul, ceci ne peut pas être tenu :",
        "  Paie : repris en 1 min au plus (dit par Mme Fictive, entretien)",
        "    le mieux possible : 25 min",
        "",
        "conseil : changez un besoin, faites-le arbitrer, ou ajoutez une protection à la liste de prix",
    ]
    value = json.loads(json.dumps(conflict_value(found)))
    assert [(item["id"], item["kind"], item["best_seconds"]) for item in value["cores"][0]] == [
        ("rto-a", "wish", 1500)
    ]


def test_a_rule_that_fails_for_several_is_said_once() -> None:
    """Three data sets without any copy offered: each rule with its three names, not three times the rule."""
    several = [data(name, name=f"Données : {name}") for name in ("a", "b", "c")]
    found = choose(several, [], replace(PRICES, offers=()))
    assert isinstance(found, Conflict)
    lines = conflict_text(found).splitlines()
    rules = [line for line in lines if line.endswith(", pour :")]
    assert rules
    assert len(rules) == len(set(rules))
    for rule in rules:
        at = lines.index(rule)
        assert lines[at + 1 : at + 4] == ["    Données : a", "    Données : b", "    Données : c"]
    assert f"Chacun de ces {3 * len(rules)}, à lui seul, ne peut pas être tenu :" in lines


def test_what_a_choice_leaves_out_is_said_above_it() -> None:
    """Before what is bought, so that nobody reads more into "tous les objectifs"."""
    lines = choice_text(_choice(), notes=("rien n'est acheté pour les composants",)).splitlines()
    assert lines.index("  rien n'est acheté pour les composants") < lines.index("Pour chacun")
