"""Plan and needs -> what is to be protected and what is asked for it, with who asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from releve.cycle.objectives.buying import PLAN_SAYS, left_out, origin, subjects, wishes
from releve.cycle.objectives.choice.wishes import Loss, Subject, SubjectKind, Wish
from releve.cycle.objectives.need import Need, needs
from releve.domain.objectives import (
    Component,
    ComponentKind,
    DataAnswer,
    Objectives,
    Recovery,
    Relief,
    Settled,
)
from releve.domain.plan import DataKind, Plan, Sensitivity
from releve.domain.units import Span, parse_span
from tests.choices import PRICES
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE, objectives, statement
from tests.fakes.plans import application, data_set, plan, share

GO = 10**9
PLAN = plan(
    (
        application("dui", needs=("elec",), data=("dossiers",)),
        application("ged", data=("dossiers", "documents")),
        application("mail", moved=False),
        application("elec", moved=False),
        application("libre", moved=False),
    ),
    (data_set(), share(), share("oublie")),
)
RECOVERIES = (
    Recovery("dui", volume=60 * GO),
    Recovery("ged", volume=80 * GO),
    Recovery("mail", volume=120 * GO, kind=DataKind.MAIL, sensitivity=Sensitivity.SENSITIVE),
    Recovery("elec", local=True),
)
SAID = replace(objectives(), recoveries=RECOVERIES)
PAPER = DataAnswer("soins", 400, 6.25, paper=True)
NOTHING = DataAnswer("écritures", 10, 1.0, paper=False)


def by_id(found: tuple[Subject, ...]) -> Mapping[str, Subject]:
    """Subjects by id, each once."""
    assert len({item.id for item in found}) == len(found)
    return {item.id: item for item in found}


def asked(said: Objectives, the_plan: Plan = PLAN) -> tuple[dict[str, Wish], tuple[Need, ...]]:
    """The wishes by id, and the needs that they come from."""
    found = needs(the_plan, said, SCALE, year=2026)
    return {wish.id: wish for wish in wishes(the_plan, said, found, subjects(the_plan, said))}, found


def test_shared_data_have_the_largest_volume_and_what_nobody_uses_none() -> None:
    """Two applications declare the same data: the larger counts once; data that nobody uses weigh nothing."""
    found = by_id(subjects(PLAN, SAID))
    assert found["dossiers"].volume == 80 * GO
    assert found["oublie"].volume == 0
    assert found["dui"].uses == ("dossiers",)


def test_a_volume_without_a_data_set_becomes_one() -> None:
    """With the kind and the sensitivity that its recovery says, at the primary site."""
    found = by_id(subjects(PLAN, SAID))
    implied = found["mail-donnees"]
    assert (implied.kind, implied.volume, implied.data, implied.sensitivity, implied.site) == (
        SubjectKind.DATA_SET,
        120 * GO,
        DataKind.MAIL,
        Sensitivity.SENSITIVE,
        "principal",
    )
    assert found["mail"].uses == ("mail-donnees",)
    assert found["libre"].uses == ()


def test_the_name_of_implied_data_is_never_one_of_the_plan() -> None:
    """The plan has its own "mail-donnees": both are there, under two names."""
    other = replace(PLAN, data_sets=(*PLAN.data_sets, share("mail-donnees")))
    found = by_id(subjects(other, SAID))
    (used,) = found["mail"].uses
    assert used != "mail-donnees"
    assert found[used].volume == 120 * GO


def test_what_is_local_is_not_needed_elsewhere_and_must_only_survive_a_machine() -> None:
    """The relief has its own power: what is moved does not wait for that of the lost site."""
    assert by_id(subjects(PLAN, SAID))["dui"].needs == ()
    found, _needs = asked(SAID)
    assert found["elec:rto"].loss is Loss.MACHINE
    assert found["dui:rto"].loss is Loss.SITE


def test_without_data_there_is_no_wish_on_their_loss_and_without_a_user_none_at_all() -> None:
    """An application that holds nothing loses nothing; one that nobody uses is asked nothing."""
    home = replace(HOME, applications=("dui", "libre"))
    found, _needs = asked(replace(SAID, establishments=(home,)))
    assert set(found) == {"dui:rto", "dui:rpo", "libre:rto"}


def test_opening_hours_ask_for_the_shortest_length_on_the_clock() -> None:
    """Four hours of an office may be four hours of clock: a purchase must hold then too."""
    office = objectives(statement(establishment="siege"), places=(OFFICE_PLACE,))
    found, _needs = asked(replace(office, recoveries=RECOVERIES))
    assert found["dui:rto"].seconds == 4 * 3600


def test_the_strictest_establishment_counts_and_says_so() -> None:
    """Two establishments: the shorter outage is asked, in the name of who said it and where."""
    said = objectives(
        statement(step=6),
        statement(establishment="siege", by="comptable", step=4),
        places=(HOME, replace(OFFICE_PLACE, calendar="")),
    )
    found, known = asked(replace(said, recoveries=RECOVERIES))
    assert found["dui:rto"].said_by.startswith("comptable (siege)")
    assert found["dui:rto"].source == "reponses.yaml:3"
    assert found["dui:rto"].seconds == min(
        need.least.total_seconds() for need in known if need.application == "dui"
    )


def test_a_loss_is_asked_by_who_said_it_and_not_by_who_knows_the_outage() -> None:
    """The nurse cannot do without it, the accountant can lose nothing: each wish names its own."""
    said = objectives(
        statement(step=2, data=PAPER), statement(by="comptable", step=8, data=NOTHING, why="aucun papier")
    )
    found, known = asked(said)
    assert found["dui:rpo"].seconds == 0
    assert found["dui:rpo"].said_by.startswith("comptable")
    assert found["dui:rto"].said_by.startswith("infirmière")
    source = origin(found["dui:rpo"], known, said)
    assert source is said.statements[1]


def test_who_settles_an_outage_settles_no_loss() -> None:
    """The director settled the outage; the loss stays what its answer says."""
    settled = Settled("dui", "", parse_span("2 h"), "directrice", date(2026, 10, 20), "assez")
    said = replace(objectives(statement(data=NOTHING)), settled=(settled,))
    found, known = asked(said)
    assert found["dui:rto"].said_by == "directrice (ehpad)"
    assert origin(found["dui:rto"], known, said) is settled
    assert found["dui:rpo"].said_by.startswith("infirmière")


def test_the_class_of_the_data_says_so_when_it_asks_more_than_people() -> None:
    """Critical data: 15 minutes, and nobody's name on it."""
    said = objectives(statement(data=PAPER))
    found, known = asked(said)
    assert found["dui:rpo"].seconds == 900
    assert found["dui:rpo"].said_by == ""
    assert "données critiques" in found["dui:rpo"].source
    assert origin(found["dui:rpo"], known, said) is None


def test_the_plan_s_own_value_is_nobody_s_word() -> None:
    """Nobody answered: it is said, for the outage and for the loss."""
    found, known = asked(SAID)
    assert found["dui:rto"].source == found["dui:rpo"].source == PLAN_SAYS
    assert origin(found["dui:rto"], known, SAID) is None


@pytest.mark.parametrize("retype", [Span(0.0), Span(7200.0)])
def test_any_budget_gives_wishes_of_whole_seconds_that_are_never_negative(retype: Span) -> None:
    """Whatever the budget to type again."""
    found, _needs = asked(replace(objectives(statement(data=PAPER)), retype_budget=retype))
    assert all(wish.seconds >= 0 for wish in found.values())


def test_what_the_choice_does_not_weigh_is_told() -> None:
    """Components, and a reaction that the relief declares longer than the prices count it; nothing else."""
    relief = Relief(
        4, 1, 1, 1.0, 1, detection=(Span(60), Span(300), Span(900)), decision=(Span(0), Span(600), Span(1))
    )
    said = replace(
        objectives(), relief=relief, components=(Component("baie", "Baie fictive", ComponentKind.STORAGE),)
    )
    first, second = left_out(said, replace(PRICES, reaction=0))
    assert "15 min une fois sur deux" in first
    assert "Baie fictive" in second
    assert left_out(objectives(), PRICES) == ()
    assert len(left_out(said, replace(PRICES, reaction=900))) == 1
