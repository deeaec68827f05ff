"""What one failure stops, against the plainest reading of the same words: take it away and look again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.audit.graph import standing, stoppers, untied

Node = tuple[str]
Needs = Mapping[Node, Sequence[frozenset[Node]]]


@st.composite
def graphs(draw: st.DrawFn, *, most_needs: int = 3) -> Needs:
    """Up to eight nodes, each with a few needs of one to three alternatives; circles and unknown names included."""
    nodes = [(letter,) for letter in "abcdefgh"[: draw(st.integers(1, 8))]]
    names = st.sampled_from([*nodes, ("elsewhere",)])
    needs = st.lists(st.frozensets(names, min_size=1, max_size=3), max_size=most_needs)
    return {node: tuple(draw(needs)) for node in nodes}


def plainly(needs: Needs, without: Node | None) -> set[Node]:
    """What stands: begin with nothing, and let stand whatever has all its needs, until nothing changes."""
    up: set[Node] = set()
    while True:
        more = {
            node
            for node, groups in needs.items()
            if node != without
            and all(any(item in up or item not in needs for item in group) for group in groups)
        }
        if more == up:
            return up
        up = more


@given(graphs())
def test_what_stands_is_the_least_that_holds_itself_up(needs: Needs) -> None:
    """The order in which nodes stand up has each of them once, and never in a circle."""
    order = standing(needs)
    assert len(order) == len(set(order))
    assert set(order) == plainly(needs, None)


@given(graphs())
def test_a_single_failure_stops_what_the_plain_reading_says(needs: Needs) -> None:
    """For every node, those that stop it alone are exactly those without which it does not stand."""
    found = stoppers(needs)
    up = plainly(needs, None)
    assert found.keys() == up
    without = {node: plainly(needs, node) for node in needs}
    for node in up:
        assert found[node] == {other for other in up if node not in without[other]}, node


@given(graphs(most_needs=1))
def test_with_one_need_a_node_they_are_the_dominators_of_the_flow_graph(needs: Needs) -> None:
    """The general computation gives what a library of graphs gives where the problem is a plain graph."""
    flow = nx.DiGraph()
    flow.add_node("ground")
    for node, groups in needs.items():
        if not groups:
            flow.add_edge("ground", node)
        for item in groups[0] if groups else ():
            flow.add_edge(item if item in needs else "ground", node)
    above = dict(nx.immediate_dominators(flow, "ground"))
    found = stoppers(needs)
    for node, stops in found.items():
        chain, here = set(), node
        while here != "ground":
            chain.add(here)
            here = above[here]
        assert stops == chain


@settings(max_examples=60)
@given(graphs())
def test_an_untied_graph_stands_whole_and_loses_only_circles(needs: Needs) -> None:
    """After the circles are left out every node stands; where nothing was tied nothing changes."""
    free, circles = untied(needs)
    assert plainly(free, None) == set(needs)
    if plainly(needs, None) == set(needs):
        assert circles == ()
        assert {node: set(groups) for node, groups in free.items()} == {
            node: set(groups) for node, groups in needs.items()
        }
    for circle in circles:
        assert set(circle) <= set(needs)
