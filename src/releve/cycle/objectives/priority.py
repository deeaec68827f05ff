"""Needs -> restart classes P0 to P3 and the order of restart, each line with its reason. Pure.

Four classes as in ANSSI's crisis self-assessment (restart priorities P0 to P3, question 11.1); the bounds
in hours are proposals of ours, in line with the tiers of recovery (2 h warm standby, 8 h restore on ready
hardware, 3 days restore after purchase).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from releve.cycle.objectives.flow import Graph, NodeKind, Required
from releve.cycle.objectives.need import Need
from releve.domain.objectives import Objectives

BOUNDS: tuple[tuple[str, float], ...] = (("P0", 2 * 3600.0), ("P1", 8 * 3600.0), ("P2", 3 * 86_400.0))
LAST = "P3"


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a node stands in the restart. `place`: 1 is the first; `why`: a sentence in French."""

    place: int
    node: str
    name: str
    kind: NodeKind
    priority: str
    seconds: float | None
    weight: float
    why: str


def class_of(seconds: float | None) -> str:
    """The class of what must be back in that time on the clock; None: nothing asks for it."""
    if seconds is None:
        return LAST
    return next((name for name, bound in BOUNDS if seconds <= bound), LAST)


def ranked(
    stood: Graph, asked: Mapping[str, Required], needs: Iterable[Need], objectives: Objectives
) -> tuple[Rank, ...]:
    """Every node in restart order: what is needed first, then by class, delay, and people concerned."""
    weights = {place.id: place.weight for place in objectives.establishments}
    concerned: dict[str, float] = {}
    unsaid: set[str] = set(stood.needs)
    for need in needs:
        concerned[need.application] = concerned.get(need.application, 0.0) + weights[need.establishment]
        if need.answered or need.settled:
            unsaid.discard(need.application)
    carried = {
        node: max((concerned.get(item, 0.0) for item in _origins(asked[node])), default=0.0)
        for node in stood.needs
    }

    def key(node: str) -> tuple[float, float, str]:
        seconds = asked[node].seconds
        return (float("inf") if seconds is None else seconds, -carried[node], node)

    sorter = TopologicalSorter(stood.needs)
    sorter.prepare()
    ready: list[str] = []
    order: list[str] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        ready.sort(key=key)
        node = ready.pop(0)
        order.append(node)
        sorter.done(node)
    return tuple(
        Rank(
            place,
            node,
            stood.names[node],
            stood.kinds[node],
            class_of(asked[node].seconds),
            asked[node].seconds,
            carried[node],
            _why(stood, asked[node], unsaid),
        )
        for place, node in enumerate(order, start=1)
    )


def _origins(need: Required) -> tuple[str, ...]:
    return tuple(reason.because for reason in need.why)


def _why(stood: Graph, need: Required, unsaid: set[str]) -> str:
    if need.seconds is None:
        return "rien de ce qui est déclaré n'en dépend"
    strictest = need.why[0].because
    if strictest == need.node:
        first = (
            "valeur du plan : personne n'a répondu"
            if strictest in unsaid
            else "ceux qui s'en servent le demandent"
        )
    else:
        doubt = " (valeur du plan : personne n'a répondu)" if strictest in unsaid else ""
        first = f"{stood.names[strictest]} l'attend{doubt} : {' → '.join(need.through)}"
    below = stood.needs[need.node]
    return first + (f" ; après {', '.join(below)}" if below else "")
