"""Who accepted which gap, and what it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from releve.cycle.objectives.choice.arbitration import (
    Arbitration,
    ArbitrationBlock,
    arbitrated,
    build_arbitration,
    judge_arbitrations,
    say_arbitration,
)
from releve.cycle.objectives.choice.conflict import Conflict
from releve.cycle.objectives.choice.show import choice_text, choice_value
from releve.cycle.objectives.choice.solve import Choice, choose
from releve.cycle.objectives.choice.wishes import Objective
from tests.choices import DAY, HOUR, PRICES, application, data, rpo, rto

TODAY = date(2026, 11, 26)
WRITTEN: dict[str, Any] = {
    "subject": "paie",
    "objective": "rto",
    "wanted": "10 min",
    "accepted": "4 h",
    "who": "Mme Directrice (fictive)",
    "why": "une paie peut attendre une demi-journée",
    "decided_on": "2026-09-01",
    "until": "2027-09-01",
    "loss_per_hour": "120",
}


def _block(**change: Any) -> ArbitrationBlock:
    return ArbitrationBlock.model_validate(WRITTEN | change)


def _decision(**change: Any) -> Arbitration:
    return build_arbitration(_block(**change))


def _codes(*blocks: ArbitrationBlock, today: date | None = TODAY) -> list[tuple[tuple[str | int, ...], str]]:
    found = judge_arbitrations(blocks, frozenset({"paie"}), today)
    return [(finding.path, finding.code) for finding in found]


def test_a_decision_is_read() -> None:
    """Seconds, cents, days, and the loss that keeping the wish would have avoided."""
    found = _decision()
    assert (found.wanted, found.accepted, found.loss_per_hour) == (600, 4 * HOUR, 120_00)
    assert found.avoided_loss == 120_00 * (4 * HOUR - 600) // HOUR == 460_00
    assert replace(found, loss_per_hour=None).avoided_loss is None
    assert "4 h accepté au lieu de 10 min par Mme Directrice" in say_arbitration(found)
    assert "jusqu'au 01/09/2027" in say_arbitration(found)


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"subject": "pay"}, ("subject",), "subject-unknown"),
        ({"accepted": "5 min"}, ("accepted",), "arbitration-no-gap"),
        ({"accepted": "10 min"}, ("accepted",), "arbitration-no-gap"),
        ({"why": ""}, (), "arbitration-no-reason"),
        ({"until": "2026-08-31"}, ("until",), "arbitration-dates"),
        ({"until": "2026-11-25"}, ("until",), "arbitration-expired"),
        ({"decided_on": "2026-11-27"}, ("decided_on",), "arbitration-future"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(change: dict[str, Any], place: tuple, code: str) -> None:
    """Each fault alone, and none in the decision as written."""
    assert _codes(_block(**change)) == [((0, *place), code)]
    assert _codes(_block()) == []


def test_two_decisions_on_one_objective_are_named() -> None:
    """One of them is out of date; another objective of the same application is another matter."""
    assert _codes(_block(), _block()) == [((1,), "arbitration-twice")]
    assert _codes(_block(), _block(objective="rpo")) == []


def test_without_a_day_no_date_is_judged() -> None:
    """Reading a file again later says the same."""
    assert _codes(_block(until="2026-11-25"), today=None) == []


def test_a_person_and_a_price_are_asked() -> None:
    """Nobody and a negative cost are refused as they are read."""
    with pytest.raises(ValidationError) as caught:
        _block(who="", initial=-1)
    assert {error["type"] for error in caught.value.errors()} == {"string_too_short", "price-negative"}


def test_a_decision_holds_from_its_day_to_its_last() -> None:
    """Both days included, and not one more."""
    found = _decision()
    days = [date(2026, 8, 31), date(2026, 9, 1), date(2027, 9, 1), date(2027, 9, 2)]
    assert [found.in_force(day) for day in days] == [False, True, True, False]


def test_a_stricter_wish_than_the_one_weighed_stays_whole() -> None:
    """The decision was about 10 min; 5 min is a new question. Another objective is left alone."""
    wishes = [rto("paie", 300), rpo("paie", 600)]
    assert arbitrated(wishes, [_decision()], TODAY) == (wishes, {})
    loosened, reasons = arbitrated([rto("paie", 900)], [_decision()], TODAY)
    assert [wish.seconds for wish in loosened] == [4 * HOUR]
    assert reasons["rto-paie"] == (rto("paie", 900), _decision())


def test_a_wish_is_never_made_stricter() -> None:
    """Where the wish asks less than what was accepted, the wish stands."""
    wishes = [rto("paie", DAY)]
    assert arbitrated(wishes, [_decision()], TODAY) == (wishes, {})


def test_the_last_decision_counts() -> None:
    """Of two in force, the one decided last."""
    later = _decision(accepted="2 h", decided_on="2026-10-01")
    loosened, _ = arbitrated([rto("paie", 600)], [later, _decision()], TODAY)
    assert loosened[0].seconds == 2 * HOUR


def test_an_arbitration_makes_a_choice_possible_until_its_date() -> None:
    """Ten minutes are out of reach; four accepted hours are bought, said so, and asked again once expired."""
    subjects, wishes = [data("d"), application("paie", "d")], [rto("paie", 600)]
    assert isinstance(choose(subjects, wishes, PRICES), Conflict)
    found = choose(subjects, wishes, PRICES, arbitrations=[_decision()], today=TODAY)
    assert isinstance(found, Choice)
    (kept,) = found.kept
    assert (kept.wish.seconds, kept.instead_of) == (4 * HOUR, rto("paie", 600))
    assert 600 < kept.obtained <= 4 * HOUR
    text = choice_text(found)
    assert "arbitrage : arrêt de 4 h accepté au lieu de 10 min" in text
    assert "(besoin : 10 min) : ne tiendrait que l’écart accepté" in text
    assert "dont 1 écart accepté" in text
    value = choice_value(found)["objectives"][0]["arbitration"]
    assert (value["wanted_seconds"], value["accepted_seconds"], value["until"]) == (
        600,
        4 * HOUR,
        "2027-09-01",
    )
    late = choose(subjects, wishes, PRICES, arbitrations=[_decision()], today=date(2027, 9, 2))
    assert isinstance(late, Conflict)


def test_an_objective_is_a_known_word() -> None:
    """Only a delay or a loss can be arbitrated."""
    assert _block().objective is Objective.RTO
    with pytest.raises(ValidationError):
        _block(objective="cost")
