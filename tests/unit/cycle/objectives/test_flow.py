"""Needs flow down, promises flow up, and what does not meet is a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from releve.cycle.objectives.contradictions import Contradiction, availability, contradictions
from releve.cycle.objectives.flow import graph, mended, required
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.priority import class_of, ranked
from releve.domain.objectives import (
    Component,
    ComponentKind,
    Objectives,
    Recovery,
    Settled,
    Supplier,
    SupplierPromise,
)
from releve.domain.plan import Plan
from releve.domain.units import Span, parse_span
from tests.fakes.objectives import HOME, OFFICE_PLACE, SCALE, objectives, statement
from tests.fakes.plans import application, plan

CARE = application("medic", needs=("dui",), rto="2 h", moved=False)
RECORD = application("dui", needs=("net",), data=("dossiers",), rto="4 h")
NETWORK = application("net", rto="8 h", moved=False)
SERVER = Component("baie", "Baie", ComponentKind.STORAGE, ("dossiers",), (), parse_span("3 h"))
FIBRE = Component("fibre", "Fibre", ComponentKind.LINK, ("net",))


def estate(
    *, said: Objectives | None = None, components: tuple[Component, ...] = (SERVER, FIBRE)
) -> tuple[Plan, Objectives]:
    """Three applications in a row on one data set, a store and a link."""
    given = said or objectives(statement("medic", step=4), statement("dui", step=5), statement("net", step=6))
    return plan((CARE, RECORD, NETWORK)), replace(
        given,
        components=components,
        recoveries=(
            Recovery("medic", Span(), Span(600.0), Span(600.0)),
            Recovery("dui", parse_span("15 min"), Span(300.0), Span(600.0)),
        ),
    )


def asked(the_plan: Plan, said: Objectives) -> dict[str, float | None]:
    """By node, the seconds within which it must be back."""
    stood = graph(the_plan, said)
    return {
        node: need.seconds for node, need in required(stood, needs(the_plan, said, SCALE, year=2026)).items()
    }


def clashes(the_plan: Plan, said: Objectives) -> list[Contradiction]:
    """Everything that does not meet."""
    found = needs(the_plan, said, SCALE, year=2026)
    stood = graph(the_plan, said)
    return list(contradictions(the_plan, said, stood, required(stood, found), found, year=2026))


def test_each_thing_is_due_before_what_stands_on_it_minus_its_own_time() -> None:
    """Two hours for care, minus its twenty minutes, minus the record's thirty, all the way down."""
    due = asked(*estate())
    assert due["medic"] == 2 * 3600
    assert due["dui"] == 2 * 3600 - 1200
    assert due["net"] == due["dui"] - 1800
    assert due["dossiers"] == due["baie"] == due["fibre"] == due["net"]


def test_a_resource_takes_the_strictest_of_what_it_carries_and_says_which() -> None:
    """The way from the most pressing application down to the store is kept, and every other reason too."""
    the_plan, said = estate()
    need = required(graph(the_plan, said), needs(the_plan, said, SCALE, year=2026))["baie"]
    assert need.through == ("medic", "dui", "dossiers", "baie")
    assert [reason.because for reason in need.why] == ["medic", "dui"]


def test_time_that_is_all_used_is_zero_and_never_less() -> None:
    """A need that is shorter than what comes above it asks the bottom to be back at once."""
    the_plan, said = estate(said=objectives(statement("medic", step=1)))
    assert asked(the_plan, said)["net"] == 0


def test_what_nothing_needs_is_asked_for_by_nothing() -> None:
    """A component that carries nothing has no due time, which is not a due time of zero."""
    the_plan, said = estate(components=(SERVER, FIBRE, Component("seul", "Seul", ComponentKind.SERVER)))
    assert asked(the_plan, said)["seul"] is None


def test_the_machines_of_the_primary_site_are_under_what_they_run() -> None:
    """The plan's own hosts are nodes: the record and its data stand on the primary server."""
    the_plan, said = estate()
    stood = graph(the_plan, said)
    assert "srv-principal" in stood.needs["dui"]
    assert "srv-principal" in stood.needs["dossiers"]
    assert "srv-secours" not in stood.needs
    assert stood.touched(["srv-principal"]) == {"srv-principal", "dossiers", "dui", "medic"}


def promise(**changes: object) -> Supplier:
    """A supplier with one promise on the link."""
    return Supplier("op", "Opérateur", (replace(SupplierPromise("fibre", calendar="bureau"), **changes),))  # type: ignore[arg-type]


def test_a_restore_time_is_judged_on_the_clock_with_its_service_hours() -> None:
    """A promise of "4 h" in office hours is a weekend on the clock: too slow for a need of an hour."""
    the_plan, said = estate()
    (first, *_rest) = clashes(the_plan, replace(said, suppliers=(promise(restore=parse_span("4 h")),)))
    assert first.code == "promise-too-slow"
    assert "4 h, jusqu'à" in first.sentence
    assert "il faut 1 h 10 min (« MEDIC » et 2 autres)" in first.sentence
    assert first.grave


def test_a_restore_time_that_holds_is_no_finding() -> None:
    """Round the clock and within the need: nothing is said of it."""
    the_plan, said = estate()
    found = clashes(the_plan, replace(said, suppliers=(promise(restore=parse_span("10 min"), calendar=""),)))
    assert not [item for item in found if item.node == "fibre"]


def test_a_rate_or_a_response_time_is_no_restore_time() -> None:
    """GTI and rate alone: the missing promise is named, and the rate is turned into hours."""
    the_plan, said = estate()
    found = clashes(
        the_plan, replace(said, suppliers=(promise(respond=parse_span("2 h"), availability=99.5),))
    )
    missing = next(item for item in found if item.code == "no-restore-promise")
    assert "répondre en 2 h" in missing.sentence
    assert "99,5 %, soit 3 h 39 min d'arrêt par mois" in missing.sentence


@pytest.mark.parametrize(("percent", "minutes"), [(99.5, 219.0), (99.9, 43.8), (99.95, 21.9)])
def test_a_rate_is_turned_into_hours_a_month(percent: float, minutes: float) -> None:
    """Known figures: 99.5 % lets a month of 730 h stop for 3 h 39."""
    assert availability(percent).month.total_seconds() / 60 == pytest.approx(minutes)


def test_applications_held_up_by_one_promise_are_one_finding() -> None:
    """Three applications above one link: one line, with the most pressing first."""
    the_plan, said = estate()
    found = clashes(the_plan, replace(said, suppliers=(promise(restore=parse_span("8 h"), calendar=""),)))
    (way,) = [item for item in found if item.code == "way-up-too-slow"]
    assert way.node == "fibre"
    assert "retient 3 applications : « NET » (il faut 1 h 10 min" in way.sentence


def test_a_supplier_that_may_lose_more_than_people_can_is_named() -> None:
    """A day lost by the supplier of data of which nothing may be lost."""
    from releve.domain.objectives import DataAnswer

    the_plan, said = estate(said=objectives(statement("dui", data=DataAnswer("soins", 10, 1.0, paper=False))))
    supplier = Supplier(
        "ed", "Éditeur", (SupplierPromise("dui", restore=Span(60.0), loss=parse_span("24 h")),)
    )
    codes = [item.code for item in clashes(the_plan, replace(said, suppliers=(supplier,)))]
    assert "promise-loses-more" in codes


def test_the_plan_s_own_need_must_be_what_people_said() -> None:
    """The plan writes eight hours for the network, people say four: named, with what to write."""
    the_plan, said = estate(said=objectives(statement("net", step=5)))
    (differs,) = [item for item in clashes(the_plan, said) if item.code == "need-differs"]
    assert "le plan écrit 8 h" in differs.sentence
    assert differs.hint == "dans le plan : tolerance: {rto: 4 h}"


def test_a_component_that_takes_longer_than_it_has_is_named() -> None:
    """The store takes three hours of the hour and ten minutes that it has."""
    (late,) = [item for item in clashes(*estate()) if item.code == "no-time-left"]
    assert late.node == "baie"


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (0.0, "P0"),
        (7200.0, "P0"),
        (7201.0, "P1"),
        (28_800.0, "P1"),
        (259_200.0, "P2"),
        (259_201.0, "P3"),
        (None, "P3"),
    ],
)
def test_classes_have_their_bounds(seconds: float | None, name: str) -> None:
    """Two hours, eight hours, three days; what nothing asks for comes last."""
    assert class_of(seconds) == name


def test_the_restart_order_puts_what_is_needed_first_then_the_most_pressing() -> None:
    """Every node comes after all that it stands on, and each line says why."""
    the_plan, said = estate()
    stood = graph(the_plan, said)
    found = needs(the_plan, said, SCALE, year=2026)
    ranks = ranked(stood, required(stood, found), found, said)
    place = {rank.node: rank.place for rank in ranks}
    assert all(place[below] < place[node] for node, under in stood.needs.items() for below in under)
    assert sorted(place.values()) == list(range(1, len(stood.needs) + 1))
    why = {rank.node: rank.why for rank in ranks}
    assert why["medic"] == "ceux qui s'en servent le demandent ; après dui"
    assert why["net"].startswith("MEDIC l'attend : medic → dui → net")


def test_a_rank_that_rests_on_the_plan_alone_says_so() -> None:
    """Where nobody answered the line carries the doubt."""
    the_plan, said = estate(said=objectives())
    stood = graph(the_plan, said)
    found = needs(the_plan, said, SCALE, year=2026)
    assert all(
        "valeur du plan" in rank.why
        for rank in ranked(stood, required(stood, found), found, said)
        if rank.seconds
    )


def test_a_rate_says_how_long_one_outage_may_last_whether_or_not_a_restore_time_is_promised() -> None:
    """99.5 % lets an hour's need be missed by one outage; what to ask for depends on what was given."""
    the_plan, said = estate()
    for restore, hint in ((None, "demandez une GTR"), (parse_span("10 min"), "c'est la GTR qui compte")):
        found = clashes(
            the_plan, replace(said, suppliers=(promise(restore=restore, calendar="", availability=99.5),))
        )
        (rate,) = [item for item in found if item.code == "rate-too-low"]
        assert rate.hint == f"un taux ne borne aucun arrêt : {hint}"
        assert not rate.grave


def test_of_two_promises_on_one_thing_the_slower_counts_whatever_their_order() -> None:
    """The way up does not depend on which supplier was written last."""
    the_plan, said = estate()
    slow, fast = (promise(restore=parse_span(text), calendar="") for text in ("8 h", "1 min"))
    fast = replace(fast, id="op2", name="Autre")
    ways = [
        [item.sentence for item in clashes(the_plan, replace(said, suppliers=order)) if item.code == "way-up-too-slow"]
        for order in ((slow, fast), (fast, slow))
    ]  # fmt: skip
    assert ways[0] == ways[1]
    assert "retient 3 applications" in ways[0][0]


def test_a_missing_promise_names_the_thing_and_not_its_id() -> None:
    """A director reads names."""
    the_plan, said = estate()
    (missing,) = [
        item
        for item in clashes(the_plan, replace(said, suppliers=(promise(respond=parse_span("2 h")),)))
        if item.code == "no-restore-promise"
    ]
    assert "pour « Fibre »" in missing.sentence


def test_the_plan_s_value_is_not_called_what_people_said() -> None:
    """Nobody answered: the plan admits no loss, and the sentence says that it is the plan."""
    the_plan, said = estate(said=objectives())
    supplier = Supplier("ed", "Éditeur", (SupplierPromise("dui", restore=Span(60.0), loss=parse_span("24 h")),))  # fmt: skip
    (less,) = [
        item
        for item in clashes(the_plan, replace(said, suppliers=(supplier,)))
        if item.code == "promise-loses-more"
    ]
    assert less.sentence == "Éditeur peut perdre 1 j de « DUI » ; le plan n'en admet aucune"


@pytest.mark.parametrize(
    ("written", "calendar", "office", "night", "place"),
    [
        (
            "8 h ouvrées",
            "bureau",
            6,
            7,
            "EHPAD fictif",
        ),  # 8 h ouvrées at the office; a day at night: may last four
        ("24 h", "", 4, 9, "Siège fictif"),  # two business hours are over before a day is
        ("4 h ouvrées", "bureau", 5, 9, ""),
        ("2 h ouvrées", "bureau", 7, 9, ""),
        ("4 h", "", 9, 6, ""),
    ],
)
def test_the_plan_s_need_is_held_to_every_establishment_on_both_clocks(
    written: str, calendar: str, office: int, night: int, place: str
) -> None:
    """At best and at worst: only then is the plan's need at least as strict as every answer."""
    the_plan = plan((application("net", rto=written, calendar=calendar, moved=False),), ())
    answers = (statement("net", "siege", step=office), statement("net", "ehpad", step=night))
    said = objectives(*answers, places=(HOME, OFFICE_PLACE))
    found = [item for item in clashes(the_plan, said) if item.code == "need-differs"]
    assert [f"({place})" in item.sentence for item in found] == ([True] if place else [])


def test_what_is_proposed_for_the_plan_can_be_read_there() -> None:
    """An hour and a half that was settled is proposed as the plan writes it."""
    the_plan, said = estate()
    settled = Settled("net", "", parse_span("90 min"), "directrice", date(2026, 10, 20), "x")
    (differs,) = [
        item for item in clashes(the_plan, replace(said, settled=(settled,))) if item.code == "need-differs"
    ]
    assert differs.hint == "dans le plan : tolerance: {rto: 90 min}"
    assert "besoin retenu : 1 h 30 min" in differs.sentence


@pytest.mark.parametrize(
    ("carries", "named"),
    [(("dossiers",), "Baie"), (("dui",), "Baie"), (("net",), "")],
    ids=["its data", "itself", "something else"],
)
def test_what_a_host_may_lose_is_held_against_those_whose_data_it_carries(
    carries: tuple[str, ...], named: str
) -> None:
    """A store of a supplier that may lose a day carries data of which nothing may be lost; a link carries none."""
    from releve.domain.objectives import DataAnswer

    store = replace(SERVER, carries=carries, rebuild=None)
    answer = statement("dui", data=DataAnswer("soins", 10, 1.0, paper=False))
    the_plan, said = estate(said=objectives(answer), components=(store,))
    supplier = Supplier("h", "Hébergeur", (SupplierPromise("baie", loss=parse_span("24 h")),))
    found = [
        item.sentence
        for item in clashes(the_plan, replace(said, suppliers=(supplier,)))
        if item.code == "promise-loses-more" and "ceux qui s'en servent" in item.sentence
    ]
    assert bool(found) is bool(named)
    assert all(
        item == "Hébergeur peut perdre 1 j de « Baie » ; ceux qui s'en servent n'en admettent aucune"
        for item in found
    )


def test_a_cause_is_not_said_again_of_what_it_stands_on() -> None:
    """The record takes longer than its need: the store below is judged as if that were mended."""
    slow = Recovery("dui", parse_span("9 h"), Span(), Span())
    quick = replace(SERVER, rebuild=parse_span("1 h"))
    the_plan, said = estate(said=objectives(statement("dui", step=5)), components=(quick, FIBRE))
    said = replace(said, recoveries=(slow,))
    found = needs(the_plan, said, SCALE, year=2026)
    stood = graph(the_plan, said)
    raw, freed = required(stood, found), required(mended(stood, found), found)
    assert (raw["baie"].seconds, freed["baie"].seconds) == (0.0, 2 * 3600.0)
    flagged = [
        item.node
        for item in contradictions(the_plan, said, stood, freed, found, year=2026)
        if item.code == "no-time-left"
    ]
    assert flagged == ["dui"]


def test_what_fits_still_takes_its_time() -> None:
    """Nothing too slow above: both readings are one."""
    the_plan, said = estate()
    found = needs(the_plan, said, SCALE, year=2026)
    stood = graph(the_plan, replace(said, components=(replace(SERVER, rebuild=Span(60.0)), FIBRE)))
    assert required(mended(stood, found), found) == required(stood, found)
