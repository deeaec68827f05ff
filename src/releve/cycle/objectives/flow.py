"""Who stands on whom, and by when each must be back. Pure.

Needs flow down: a resource must be back by the strictest of those that it carries, minus the time that
each of them then takes for itself (BIA, ISO 22301 8.2: RTO of a resource = min over the applications that
need it, minus their own rebuild time; a shared resource takes the highest criticality of what it carries).
Lengths are the shortest on the clock (`Need.least`): what must hold whenever the outage begins is judged
on that one. Here one thing fails at a time: what takes over by itself (`automatic`) counts in place of the
rebuild; the loss of a whole site is for `predict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import TopologicalSorter

from releve.cycle.objectives.need import Need
from releve.domain.objectives import Objectives
from releve.domain.plan import Plan, SiteRole


class NodeKind(StrEnum):
    """What a node of the graph is."""

    APPLICATION = "application"
    DATA = "data"
    COMPONENT = "component"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the way down: `because` asks this node to be back by `seconds`."""

    because: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Required:
    """By when a node must be back, in clock seconds after the outage; None: nothing asks for it.

    `why`: the applications at the end of the way, the strictest first, each with what it asks of this
    node; `through`: the ids from the strictest application down to this node.
    """

    node: str
    kind: NodeKind
    name: str
    seconds: float | None
    why: tuple[Reason, ...]
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Who stands on whom: node -> what it needs. `names`, `kinds` and `own` (seconds to come back by itself) go by id."""

    needs: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    kinds: Mapping[str, NodeKind]
    own: Mapping[str, float]

    def order(self) -> tuple[str, ...]:
        """What is needed first. Raises graphlib.CycleError: the plan and the components were judged before."""
        return tuple(TopologicalSorter(self.needs).static_order())

    def touched(self, nodes: Iterable[str]) -> frozenset[str]:
        """The nodes and everything that stands on them."""
        above: dict[str, list[str]] = {}
        for node, needed in self.needs.items():
            for below in needed:
                above.setdefault(below, []).append(node)
        found: set[str] = set()
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending.extend(above.get(node, ()))
        return frozenset(found)

    def below(self, nodes: Iterable[str]) -> frozenset[str]:
        """The nodes and everything that they stand on."""
        found: set[str] = set()
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending.extend(self.needs.get(node, ()))
        return frozenset(found)


def graph(plan: Plan, objectives: Objectives) -> Graph:
    """The dependency graph: applications and data of the plan, its machines at the primary site, and the components."""
    below: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    kinds: dict[str, NodeKind] = {}
    own: dict[str, float] = {}
    recoveries = {item.application: item for item in objectives.recoveries}
    hosts = {host.id for host in plan.hosts if plan.site(host.site).role is SiteRole.PRIMARY}
    for host in sorted(hosts):
        below[host], names[host], kinds[host] = [], f"machine {host}", NodeKind.COMPONENT
    for application in plan.applications:
        below[application.id] = [
            *application.needs,
            *application.data,
            *(end.host for end in application.ends.values() if end.host in hosts),
        ]
        names[application.id], kinds[application.id] = application.name, NodeKind.APPLICATION
        recovery = recoveries.get(application.id)
        if recovery is not None:
            by_hand = recovery.install.seconds + recovery.start.seconds + recovery.check.seconds
            own[application.id] = by_hand if recovery.automatic is None else recovery.automatic.seconds
    for data in plan.data_sets:
        end = data.ends[data.primary_site]
        below[data.id] = [end.host] if end.host in hosts else []
        names[data.id], kinds[data.id] = data.name, NodeKind.DATA
    for component in objectives.components:
        key = component.id
        below.setdefault(key, []).extend(component.needs)
        names[key], kinds[key] = component.name, NodeKind.COMPONENT
        back = component.automatic or component.rebuild
        if back is not None:
            own[key] = back.seconds
        for carried in component.carries:
            if carried != key:
                below[carried].append(key)
    return Graph({node: tuple(dict.fromkeys(found)) for node, found in below.items()}, names, kinds, own)


def required(stood: Graph, needs: Iterable[Need]) -> Mapping[str, Required]:
    """By when each node must be back."""
    asked: dict[str, dict[str, float]] = {node: {} for node in stood.needs}
    path: dict[str, dict[str, tuple[str, ...]]] = {node: {} for node in stood.needs}
    for need in needs:
        before = asked[need.application].get(need.application)
        seconds = need.least.total_seconds()
        if before is None or seconds < before:
            asked[need.application][need.application] = seconds
            path[need.application][need.application] = (need.application,)
    for node in reversed(stood.order()):  # whoever needs comes before what is needed
        for below in stood.needs[node]:
            for origin, seconds in asked[node].items():
                left = max(0.0, seconds - stood.own.get(node, 0.0))
                if left < asked[below].get(origin, float("inf")):
                    asked[below][origin] = left
                    path[below][origin] = (*path[node][origin], below)
    return {node: _required(stood, node, asked[node], path[node]) for node in stood.needs}


def mended(stood: Graph, needs: Iterable[Need]) -> Graph:
    """The same graph, where what is too slow by itself takes no time.

    It has to be mended whatever stands below it: that is judged as if it were, so that a cause is not said
    again of everything that it stands on.
    """
    own = dict(stood.own)
    left: dict[str, float] = {}
    for need in needs:
        seconds = need.least.total_seconds()
        left[need.application] = min(seconds, left.get(need.application, seconds))
    for node in reversed(stood.order()):  # whoever needs comes before what is needed
        if node not in left:
            continue
        if own.get(node, 0.0) > left[node]:
            own[node] = 0.0
        after = left[node] - own.get(node, 0.0)
        for below in stood.needs[node]:
            left[below] = min(after, left.get(below, after))
    return replace(stood, own=own)


def _required(
    stood: Graph, node: str, asked: Mapping[str, float], path: Mapping[str, tuple[str, ...]]
) -> Required:
    why = tuple(
        Reason(origin, seconds)
        for origin, seconds in sorted(asked.items(), key=lambda item: (item[1], item[0]))
    )
    return Required(
        node,
        stood.kinds[node],
        stood.names[node],
        why[0].seconds if why else None,
        why,
        path[why[0].because] if why else (),
    )
