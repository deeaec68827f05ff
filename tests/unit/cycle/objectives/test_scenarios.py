"""The twenty scenarios: each hits something that exists, and none carries a frequency."""

from __future__ import annotations

from pathlib import Path

import pytest

from releve.cycle.objectives.flow import graph
from releve.cycle.objectives.read import read_objectives
from releve.cycle.objectives.scenarios import Damage, Scenario, scenarios
from releve.cycle.plan.catalogue import catalogue
from releve.cycle.plan.load import read_plan

EXAMPLE = Path(__file__).parents[4] / "examples/quarante"
PLAN = read_plan(str(EXAMPLE / "plan.yaml"))
STOOD = graph(PLAN, read_objectives(EXAMPLE / "objectifs.yaml", (), PLAN)[0])


def test_there_are_twenty_with_codes_of_their_own() -> None:
    """S01 to S20, in order."""
    assert list(scenarios()) == [f"S{number:02}" for number in range(1, 21)]


@pytest.mark.parametrize("scenario", scenarios().values(), ids=lambda item: item.code)
def test_what_a_scenario_hits_exists(scenario: Scenario) -> None:
    """Each target is an application of the catalogue, and each is in the example."""
    codes = set(catalogue().entries)
    assert set(scenario.targets) <= codes
    hit = scenario.hit(STOOD.needs)
    assert {node.upper() for node in hit} == set(scenario.targets)
    applications = {item.id for item in PLAN.applications}
    assert STOOD.touched(hit) & applications


def test_a_scenario_of_nothing_known_hits_nothing() -> None:
    """A plan without any of the targets is not guessed at."""
    assert scenarios()["S01"].hit(["dui", "mail"]) == ()
    assert scenarios()["S01"].hit(["Elec"]) == ("Elec",)


def test_what_a_healthy_copy_cannot_undo_is_marked() -> None:
    """Data that were harmed were copied with the harm: no replica is safe, and only there."""
    lost = {item.code for item in scenarios().values() if not item.replica_safe}
    harmed = (Damage.DATA, Damage.ALL)
    assert lost == {item.code for item in scenarios().values() if item.damage in harmed}


def test_what_somebody_means_is_told_apart() -> None:
    """Theft, ransomware and stolen accounts may call for a complaint; a flood does not."""
    assert {item.code for item in scenarios().values() if item.malicious} == {"S09", "S10", "S11"}
