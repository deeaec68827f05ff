"""Answers -> how long one can do without: the threshold rule, and the weighted one beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.cycle.objectives.ask import curve_of
from releve.cycle.objectives.impact import bearable
from releve.cycle.objectives.scale import LEVELS, proposed_scale
from releve.domain.objectives import Threshold
from tests.fakes.objectives import SCALE, impact

CURVES = st.lists(st.integers(1, LEVELS), min_size=SCALE.steps, max_size=SCALE.steps).map(
    lambda levels: tuple(sorted(levels))
)
IMPACTS = st.fixed_dictionaries({criterion.code: CURVES for criterion in SCALE.criteria})


def test_the_last_step_before_the_unacceptable_counts() -> None:
    """Safety at level 3 from the sixth step on leaves the fifth: four hours."""
    found = bearable(impact(SECU=5), SCALE)
    assert found.threshold == 4
    assert [(item.criterion, item.level, item.step) for item in found.crossings] == [("SECU", 3, 5)]


def test_the_first_criterion_to_cross_counts_and_all_that_cross_then_are_named() -> None:
    """Two criteria at one step are both reasons; a later one is none."""
    found = bearable(impact(SECU=3, JUR=3, FIN=6), SCALE)
    assert found.threshold == 2
    assert {item.criterion for item in found.crossings} == {"SECU", "JUR"}


def test_unacceptable_at_once_leaves_no_step() -> None:
    """When the shortest outage is unacceptable no step is bearable: -1, never the shortest."""
    assert bearable(impact(SECU=0), SCALE).threshold == -1


def test_never_unacceptable_leaves_the_whole_ladder() -> None:
    """Without any crossing the longest step is bearable, and nothing is given as a reason."""
    found = bearable(impact(), SCALE)
    assert found.threshold == SCALE.steps - 1
    assert found.crossings == ()


def test_a_criterion_with_a_higher_threshold_bears_level_three() -> None:
    """Image is unacceptable at 4 only: a level 3 does not stop the clock."""
    answers = {**impact(), "IMAGE": (3,) * SCALE.steps}
    assert bearable(answers, SCALE).threshold == SCALE.steps - 1


def test_the_weighted_rule_gives_the_first_step_above_seventy_percent() -> None:
    """Ten of weight times four levels is 40: the limit is 28, and all criteria at 3 are 30."""
    answers = {criterion.code: (1, 1, 3, 3, 3, 3, 3, 3, 3, 3) for criterion in SCALE.criteria}
    found = bearable(answers, SCALE)
    assert found.limit == pytest.approx(28.0)
    assert found.sums[1:3] == (10.0, 30.0)
    assert found.weighted == 2


def test_one_grave_criterion_alone_sets_the_rules_apart() -> None:
    """Safety alone stops the threshold rule early and weighs 12 of 40: somebody must say why."""
    found = bearable(impact(SECU=1), SCALE)
    assert (found.threshold, found.weighted) == (0, SCALE.steps - 1)
    assert found.apart


def test_the_association_s_own_threshold_is_taken() -> None:
    """A criterion that the association holds unacceptable from level 2 crosses earlier."""
    stricter = proposed_scale().settled((Threshold("FIN", 5, 2),))
    answers = {**impact(), "FIN": (1, 1, 2, 2, 2, 2, 2, 3, 3, 4)}
    assert bearable(answers, SCALE).threshold == 6
    assert bearable(answers, stricter).threshold == 1
    assert stricter.criterion("FIN").proposed is False


@given(IMPACTS, st.sampled_from([criterion.code for criterion in SCALE.criteria]))
def test_a_graver_answer_never_lengthens_what_is_bearable(
    answers: dict[str, tuple[int, ...]], code: str
) -> None:
    """Raising every level of one criterion by one shortens both rules, or leaves them."""
    graver = {**answers, code: tuple(min(LEVELS, level + 1) for level in answers[code])}
    before, after = bearable(answers, SCALE), bearable(graver, SCALE)
    assert after.threshold <= before.threshold
    assert after.weighted <= before.weighted


@given(IMPACTS)
def test_nothing_is_unacceptable_up_to_the_step_given_and_something_is_at_the_next(
    answers: dict[str, tuple[int, ...]],
) -> None:
    """The rule is what its sentence says, whatever the curves."""
    found = bearable(answers, SCALE).threshold

    def unacceptable(step: int) -> bool:
        return any(answers[item.code][step] >= item.unacceptable for item in SCALE.criteria)

    assert not any(unacceptable(step) for step in range(found + 1))
    assert found == SCALE.steps - 1 or unacceptable(found + 1)


@given(st.lists(st.integers(0, SCALE.steps - 1), max_size=3).map(sorted))
def test_a_curve_made_of_onsets_never_falls(onsets: list[int]) -> None:
    """What the questionnaire builds is always a curve that the reader accepts."""
    padded = (*onsets, *[None] * (3 - len(onsets)))
    curve = curve_of(padded, SCALE.steps)
    assert list(curve) == sorted(curve)
    assert all(1 <= level <= LEVELS for level in curve)
    assert all(curve[onset] > (curve[onset - 1] if onset else 0) for onset in onsets)
