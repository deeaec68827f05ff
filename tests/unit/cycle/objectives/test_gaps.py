"""Accepted gaps: beside the need, never in its place; and acceptances that nothing asks for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from releve.cycle.objectives.choice.arbitration import Arbitration
from releve.cycle.objectives.choice.wishes import Objective
from releve.cycle.objectives.gaps import accepted_of, gaps, idle, tolerated
from releve.cycle.objectives.need import Need, needs
from releve.domain.units import Span, parse_span
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE, objectives, statement
from tests.fakes.plans import plan

TODAY = date(2026, 11, 1)
HOUR = 3600


def gap(
    wanted: int = 4, accepted: int = 8, *, subject: str = "dui", until: date = date(2027, 1, 1)
) -> Arbitration:
    """The directrice accepts some hours instead of others."""
    return Arbitration(
        subject,
        Objective.RTO,
        wanted * HOUR,
        accepted * HOUR,
        "directrice",
        "budget",
        date(2026, 10, 1),
        until,
    )


def asked(step: int = 5) -> tuple[Need, ...]:
    """The record is needed in four hours (step 5 of the ladder)."""
    return needs(plan(), objectives(statement(step=step)), SCALE, year=2026)


def test_a_gap_in_force_loosens_what_is_left_and_leaves_the_need() -> None:
    """Four hours are asked, eight accepted."""
    (need,) = asked()
    found = gaps([need], [gap()], TODAY)
    left = tolerated(need, found)
    assert (left.rto, left.least) == (Span(8 * HOUR), timedelta(hours=8))
    assert need.rto == parse_span("4 h")
    assert accepted_of(found, "dui", "ehpad") == (gap(),)


@pytest.mark.parametrize(
    ("arbitration", "why"),
    [
        (gap(until=date(2026, 10, 31)), "over since yesterday"),
        (gap(wanted=5), "the need became stricter than what was talked about"),
        (gap(wanted=1, accepted=4), "what is accepted is no longer than what is asked"),
        (gap(subject="mail"), "of another application"),
    ],
)
def test_what_does_not_speak_of_the_need_leaves_it_whole(arbitration: Arbitration, why: str) -> None:
    """Nothing is loosened."""
    (need,) = asked()
    found = gaps([need], [arbitration], TODAY)
    assert (dict(found), tolerated(need, found)) == ({}, need), why


def test_of_two_gaps_the_one_decided_last_counts() -> None:
    """The later decision replaces the earlier one."""
    later = Arbitration(
        "dui", Objective.RTO, HOUR, 6 * HOUR, "directrice", "x", date(2026, 10, 9), date(2027, 1, 1)
    )
    assert list(gaps(asked(), [later, gap()], TODAY).values()) == [later]


def test_a_gap_covers_each_establishment_on_its_own() -> None:
    """The strict one is covered and the loose one, which asks for more than is accepted, has nothing to accept."""
    said = objectives(
        statement(step=5), statement(establishment="siege", step=8), places=(HOME, OFFICE_PLACE)
    )
    found = gaps(needs(plan(), said, SCALE, year=2026), [gap()], TODAY)
    assert [key[1] for key in found] == ["ehpad"]


@pytest.mark.parametrize(
    ("arbitration", "words"),
    [
        (gap(wanted=1, accepted=4), "personne ne demande moins (le plus strict : 4 h)"),
        (gap(wanted=5), "il faut maintenant 4 h"),
        (gap(subject="dossiers"), "personne n'y demande rien"),
        (gap(wanted=2), "le plus strict demande maintenant 4 h"),
    ],
)
def test_an_acceptance_that_nothing_asks_for_is_said(arbitration: Arbitration, words: str) -> None:
    """Each with its reason; the one that fits, and one that is over, are silent."""
    over = gap(wanted=9, until=date(2026, 10, 2))
    (found,) = idle(asked(), [gap(), over, arbitration], TODAY)
    assert found.arbitration == arbitration
    assert words in found.sentence
