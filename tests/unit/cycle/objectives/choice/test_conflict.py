"""Objectives that cannot all be kept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.choice import conflict as module
from releve.cycle.objectives.choice.conflict import Conflict, conflict, keepable, out_of_reach
from releve.cycle.objectives.choice.estate import estate
from releve.cycle.objectives.choice.prices import PriceList
from releve.cycle.objectives.choice.solve import Choice, choose
from releve.domain.plan import DataKind
from tests.choices import (
    CLOUD,
    DAY,
    GO,
    HOUR,
    LIVE,
    PRICES,
    SPARE,
    TAPE,
    application,
    data,
    invented,
    rpo,
    rto,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_none_of_a_conflict_can_be_dropped(seed: int) -> None:
    """Together they cannot be kept; without any one of them the others can."""
    home = estate(*invented(seed, wide=True))
    found = conflict(home)
    for core in found.cores if found else ():
        demands = [member.demand for member in core.members]
        assert not keepable(home, demands)
        for one in demands:
            assert keepable(home, [other for other in demands if other != one])


def test_a_delay_and_a_freshness_can_exclude_one_another() -> None:
    """The fresh copy is slow, the quick one is stale: both wishes are named, with who said them."""
    fresh = replace(LIVE, rto=DAY)
    found = choose(
        [data("d", volume=GO)],
        [rto("d", HOUR), rpo("d", 300)],
        PriceList((fresh, *(o for o in PRICES.offers if o.id != "live"))),
    )
    assert isinstance(found, Conflict)
    (core,) = found.cores
    assert {member.demand.id for member in core.members} == {"rto-d", "rpo-d"}
    assert {member.best for member in core.members} == {610, 60}
    assert any("Mme Fictive" in member.sentence for member in core.members)


def test_an_objective_out_of_reach_stands_alone() -> None:
    """Nothing offered does it: the conflict is that wish, with the best that can be had."""
    found = choose([data("d"), application("a", "d")], [rto("a", 60)], PRICES)
    assert isinstance(found, Conflict)
    assert [[(m.demand.id, m.best) for m in core.members] for core in found.cores] == [[("rto-a", 1500)]]


def test_a_rule_can_be_what_stands_in_the_way() -> None:
    """Health data in a cloud that is not certified: the rule and the wish are named together."""
    subjects = [data("d", data=DataKind.HEALTH)]
    prices = PriceList((CLOUD, TAPE))
    found = choose(subjects, [rpo("d", DAY)], prices, rules=("hds",))
    assert isinstance(found, Conflict)
    (core,) = found.cores
    assert {member.demand.id for member in core.members} == {"hds:d", "rpo-d"}
    assert isinstance(choose(subjects, [rpo("d", DAY)], prices, rules=()), Choice)


def test_what_an_application_asks_of_shared_data_weighs_on_another() -> None:
    """Two applications share data: the freshness asked by one and the delay asked by the other conflict."""
    fresh = replace(LIVE, rto=DAY)
    prices = PriceList((fresh, *(o for o in PRICES.offers if o.id != "live")))
    subjects = [data("d"), application("a", "d"), application("b", "d")]
    found = choose(subjects, [rto("a", 2 * HOUR), rpo("b", 300)], prices)
    assert isinstance(found, Conflict)
    assert {member.demand.id for member in found.cores[0].members} == {"rto-a", "rpo-b"}


def test_an_unreachable_objective_is_a_fault_of_its_file() -> None:
    """At the place where the wish is written, with the best that can be had; the others are left alone."""
    home = estate([data("d"), application("a", "d")], [rto("a", 60), rpo("d", DAY)], PRICES)
    (finding,) = out_of_reach(home, {"rto-a": ("wishes", 0, "rto"), "rpo-d": ("wishes", 1, "rpo")})
    assert (finding.path, finding.code) == (("wishes", 0, "rto"), "objective-unreachable")
    assert "25 min" in finding.hint
    nothing = estate([application("a")], [rto("a", 60)], PriceList((replace(SPARE, site="paris"),)))
    (finding,) = out_of_reach(nothing, lambda wish: (wish.id,))
    assert "rien de ce qui est proposé" in finding.hint


def test_many_conflicts_are_counted(monkeypatch) -> None:
    """Beyond what a person reads, they are only counted."""
    monkeypatch.setattr(module, "MOST_CORES", 2)
    subjects = [application(f"a{n}") for n in range(5)]
    home = estate(subjects, [rto(s.id, 1) for s in subjects], PRICES)
    found = conflict(home)
    assert found is not None
    assert (len(found.cores), found.more) == (2, 3)
