"""Answers -> what may be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releve.cycle.objectives.loss import class_bound, losable
from releve.domain.objectives import RETYPE_BUDGET, DataAnswer
from releve.domain.plan import Sensitivity
from releve.domain.units import Span

DATA = DataAnswer("transmissions", 400, 8.0, paper=True)


def test_what_cannot_be_typed_again_may_not_be_lost() -> None:
    """Without paper nothing may be lost, however little is typed."""
    assert losable(replace(DATA, paper=False, retype_hours=0.1), RETYPE_BUDGET).span == Span()


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [(1.0, 86_400.0), (8.0, 4 * 3600.0), (13.0, 3600.0), (300.0, 0.0), (0.0, 7 * 86_400.0)],
)
def test_the_time_to_type_again_bounds_the_loss(hours: float, seconds: float) -> None:
    """Two hours of typing: the longest loss of the ladder that they make good."""
    assert losable(replace(DATA, retype_hours=hours), RETYPE_BUDGET).span == Span(seconds)


def test_the_association_s_own_budget_is_taken() -> None:
    """Twice the time that people may spend gives a longer loss."""
    assert losable(replace(DATA, retype_hours=13.0), Span(4 * 7200.0)).span == Span(4 * 3600.0)


def test_nothing_typed_is_not_nothing_known() -> None:
    """No entry a day gives a daily copy; no answer gives nothing, and says so."""
    assert losable(replace(DATA, entries=0), RETYPE_BUDGET).span == Span(86_400.0)
    unsaid = losable(None, RETYPE_BUDGET)
    assert unsaid.span is None
    assert "rien n'a été dit" in unsaid.why


def test_the_reason_carries_the_figures() -> None:
    """A director reads the pace, the quantity and the budget."""
    assert losable(DATA, RETYPE_BUDGET).why == (
        "transmissions : 8 h pour ressaisir un jour (400 saisies), 2 h de ressaisie admise"
    )


def test_the_class_of_the_data_has_its_own_bound() -> None:
    """Critical data at most fifteen minutes, the rest a day, both off the site."""
    assert class_bound(Sensitivity.CRITICAL).span == Span(900.0)
    assert class_bound(Sensitivity.STANDARD).span == Span(86_400.0)
