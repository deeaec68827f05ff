"""What `check` gathers: contradictions with their place, gaps that are accepted, what to look at."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from releve.cycle.objectives.check import Checked, checked
from releve.cycle.objectives.contradictions import Contradiction
from releve.cycle.objectives.read import judge_objectives
from releve.cycle.objectives.scale import proposed_scale
from releve.cycle.objectives.show.check import TITLES, check_text, check_value
from releve.cycle.plan.load import read_plan
from releve.domain.errors import PlanError

EXAMPLE = Path(__file__).parents[4] / "examples" / "quarante"
TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def written() -> str:
    """The objectives file of the example."""
    return (EXAMPLE / "objectifs.yaml").read_text()


def check(folder: Path, text: str, *, answers: bool = True) -> Checked:
    """The check of the example with another objectives file."""
    file = folder / "objectifs.yaml"
    file.write_text(text)
    plan = read_plan(str(EXAMPLE / "plan.yaml"))
    given = sorted((EXAMPLE / "reponses").glob("*.yaml")) if answers else []
    judgement = judge_objectives(file, given, plan, today=TODAY)
    if judgement.objectives is None:
        raise PlanError(judgement.faults)
    return checked(plan, judgement.objectives, judgement, "objectifs.yaml", proposed_scale(), TODAY)


def of_code(found: Checked, code: str) -> list[Contradiction]:
    """The contradictions of one code."""
    return [clash.found for clash in found.clashes if clash.found.code == code]


def test_every_contradiction_points_at_what_somebody_wrote(tmp_path: Path, written: str) -> None:
    """The line holds the application, the component or the promise that it speaks of."""
    found = check(tmp_path, written)
    lines = written.splitlines()
    assert found.clashes
    for clash in found.clashes:
        assert clash.place is not None, clash.found
        assert clash.place.line > 0, clash.found
        if clash.place.file == "objectifs.yaml":
            assert re.search(rf"\b{clash.found.node}\b", lines[clash.place.line - 1]), clash.found


def test_an_accepted_gap_is_asked_no_more_and_stays_on_the_screen(tmp_path: Path, written: str) -> None:
    """Half an hour to restart the nurse call is too long for five minutes, until somebody accepts it."""
    before = check(tmp_path, written)
    accepted = written + (
        "  - {subject: appel, objective: rto, wanted: 5 min, accepted: 1 h, who: directrice, "
        'why: "rondes renforcées", decided_on: 2026-11-01, until: 2027-01-31}\n'
    )
    after = check(tmp_path, accepted)
    assert "appel" in [item.node for item in of_code(before, "no-time-left")]
    assert "appel" not in [item.node for item in of_code(after, "no-time-left")]
    assert len(after.accepted) == len(before.accepted) + 1
    assert "rondes renforcées" in check_text(after)
    assert after.needs == before.needs


def test_an_acceptance_that_nobody_asks_for_is_to_look_at(tmp_path: Path, written: str) -> None:
    """With its line; and it forbids nothing."""
    odd = written.replace("    wanted: 4 h\n    accepted: 24 h", "    wanted: 5 min\n    accepted: 10 min")
    assert odd != written
    found = check(tmp_path, odd)
    (remark,) = [item for item in found.remarks if item.code == "arbitration-unasked"]
    assert "subject: teleg" in odd.splitlines()[remark.line - 1]


def test_prices_that_count_nothing_for_the_reaction_are_to_look_at(tmp_path: Path, written: str) -> None:
    """The relief declares 35 minutes; written as 0, somebody has thought of it."""
    silent = check(tmp_path, written.replace("  reaction: 0\n", ""))
    (remark,) = [item for item in silent.remarks if item.code == "reaction-missing"]
    assert "35 min" in remark.sentence
    assert not [item for item in check(tmp_path, written).remarks if item.code == "reaction-missing"]


def test_the_gravest_comes_first_and_each_code_once(tmp_path: Path, written: str) -> None:
    """A hint that all cases share is said once; the counts are those of the JSON."""
    found = check(tmp_path, written)
    text = check_text(found)
    at = [text.index(f"\n{code}: ") for code in TITLES if f"\n{code}: " in text]
    assert at == sorted(at)
    assert len(at) >= 6
    grave = sum(clash.found.grave for clash in found.clashes)
    assert f"{grave} contradictions" in text.splitlines()[1]
    assert len(check_value(found)["contradictions"]) == len(found.clashes)


def test_every_code_of_a_contradiction_has_its_title() -> None:
    """A new code without one could not be shown."""
    source = Path(__file__).parents[4] / "src/releve/cycle/objectives/contradictions.py"
    assert set(re.findall(r'Contradiction\(\s*"([a-z-]+)"', source.read_text())) == set(TITLES)


def test_without_an_answer_the_headline_says_where_the_needs_come_from(tmp_path: Path, written: str) -> None:
    """No "0 réponse, 88 besoins"."""
    unsettled = re.sub(r"(?ms)^settled:.*?(?=^\S)", "", written)
    text = check_text(check(tmp_path, unsettled, answers=False))
    assert "tous repris du plan : personne n'a encore répondu" in text.splitlines()[0]


def test_what_takes_over_by_itself_counts_in_place_of_the_rebuild(tmp_path: Path, written: str) -> None:
    """A second fibre that takes over in ten seconds is not eight hours of repair."""
    doubled = written.replace("rebuild: 8 h}", "rebuild: 8 h, automatic: 10 s}", 1)
    assert doubled != written
    before = next(item for item in of_code(check(tmp_path, written), "no-time-left") if item.node == "fibre")
    after = [item for item in of_code(check(tmp_path, doubled), "no-time-left") if item.node == "fibre"]
    assert "8 h" in before.sentence
    assert all("10 s" in item.sentence for item in after)


def test_a_value_without_a_mark_is_said_of_the_whole_file(tmp_path: Path, written: str) -> None:
    """An answer of the ledger has no line."""
    found = check(tmp_path, written)
    clash = next(item for item in found.clashes if item.place is not None)
    whole = replace(found, clashes=(replace(clash, place=None),))
    assert check_value(whole)["contradictions"][0]["line"] is None
