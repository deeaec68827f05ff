"""Single points of failure of a plan: what stops, what only moves, which sites are cut off."""

from __future__ import annotations

from typing import Any

from releve.cycle.audit.graph import SinglePoint, circles, single_points
from tests.unit.cycle.audit.cases import estate


def points(change: dict[str, Any]) -> dict[str, SinglePoint]:
    """The single points of the healthy plan with one change, by thing."""
    return {point.thing: point for point in single_points(estate({"plan": change}).plan)}


def test_an_application_with_a_relief_switches_and_does_not_stop() -> None:
    """The failure of the primary's machine, or of what alone feeds it, is a switch and not an outage for good."""
    found = points({})
    assert found["srv1"].switches == ("dui",)
    assert found["ups1"].switches == ("dui",)
    assert not any(point.stops for name, point in found.items() if name != "editeur")


def test_the_relief_alone_stops_nothing() -> None:
    """What only the relief stands on is no single point of failure while the primary lives."""
    assert {"srv2", "sw3", "ups3"}.isdisjoint(points({}))


def test_several_things_behind_which_one_stands_are_alternatives() -> None:
    """Two switches, one suffices; a single one takes the machine with it; a chain needs each of its links."""
    assert "sw1" not in points({})
    assert points({"hosts": {"srv1": {"behind": ["sw1"]}}})["sw1"].switches == ("dui",)
    chain = points({"hosts": {"srv1": {"behind": ["sw1"]}}, "equipment": {"sw1": {"behind": ["rt1"]}}})
    assert chain["sw1"].switches == chain["rt1"].switches == ("dui",)


def test_an_application_stops_with_what_it_needs() -> None:
    """What stops an application stops those that need it, one after the other."""
    chain = {
        "agenda": {"name": "Agenda", "owner": "directrice", "tolerance": {"rto": "3 j"}, "needs": ["paie"]}
    }
    assert points({"applications": chain})["editeur"].stops == ("paie", "agenda")


def test_a_bought_application_needs_its_supplier_and_one_way_out_of_any_site() -> None:
    """The loss of one site's link does not stop what runs at a supplier; the loss of the only link of all does."""
    assert points({})["editeur"].stops == ("paie",)
    only = points({"links": {"radio1": None, "fibre2": None, "radio2": None}})
    assert only["fibre1"].stops == ("paie",)
    assert only["rt1"].stops == ("paie",)


def test_a_site_is_cut_off_by_what_all_its_links_stand_on() -> None:
    """Two links behind one router are one link; a link between sites is a way out of both."""
    assert points({"links": {"radio1": {"behind": ["rt1"]}}})["rt1"].isolates == ("siege",)
    between = points({"links": {"radio1": {"behind": ["rt1"]}, "radio2": {"to": "siege"}}})
    assert not any(point.isolates for point in between.values())


def test_a_circle_is_told_and_does_not_hide_the_rest() -> None:
    """Two switches each behind the other, and behind nothing else, are a circle; with another way out they are a ring."""
    assert circles(
        estate({"plan": {"equipment": {"sw1": {"behind": ["sw2"]}, "sw2": {"behind": ["sw1"]}}}}).plan
    ) == (("sw1", "sw2"),)
    ring = {"equipment": {"sw1": {"behind": ["sw2", "rt1"]}, "sw2": {"behind": ["sw1"]}}}
    assert circles(estate({"plan": ring}).plan) == ()
    assert points({**ring, "hosts": {"srv1": {"behind": ["sw2"]}}})["rt1"].switches == ("dui",)
