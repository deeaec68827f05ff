"""What stops when one thing fails: the dependency graph of a plan, and its single points of failure. Pure.

A thing stands when each of its needs stands; a need stands when one of its alternatives does. So a graph is,
for each node, a tuple of needs, and a need is a set of nodes of which one suffices. What stands is the least
fixed point (nothing holds itself up), and a node k stops a node n exactly when n does not stand without k.

In a graph where each node has one need those are its dominators (Prosser, 1959): every way from the ground to
n goes through k. With several needs a node is stopped by what stops any of them:

    stops(n) = {n} ∪ ⋃ over needs ⋂ over alternatives stops(alternative)     (greatest solution)

which one pass over the nodes in the order in which they stand up solves, circles aside. The property test
takes each node away in turn and looks again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from releve.domain.inventory import INTERNET
from releve.domain.plan import Application, Plan, SiteRole

N = TypeVar("N", bound=tuple[str, ...])
Needs = Mapping[N, Sequence[Collection[N]]]
Node = tuple[str, ...]


def standing(needs: Needs[N], without: N | None = None) -> list[N]:
    """The nodes that stand, each after what holds it up. `without`: a node that has failed.

    An alternative that is no node of the graph stands: nothing is known of it.
    """
    users: dict[N, list[tuple[N, int]]] = {}
    left: dict[N, set[int]] = {}
    ready: deque[N] = deque()
    for node, groups in needs.items():
        left[node] = {
            number for number, group in enumerate(groups) if all(item in needs for item in group) and group
        }
        for number in left[node]:
            for item in groups[number]:
                users.setdefault(item, []).append((node, number))
        if not left[node] and node != without:
            ready.append(node)
    done: list[N] = []
    while ready:
        node = ready.popleft()
        done.append(node)
        for user, number in users.get(node, ()):
            if number in left[user]:
                left[user].remove(number)
                if not left[user] and user != without:
                    ready.append(user)
    return done


def stoppers(needs: Needs[N]) -> dict[N, frozenset[N]]:
    """For every node that stands, the nodes that stop it when they fail alone; itself included."""
    order = standing(needs)
    number = {node: index for index, node in enumerate(order)}
    everything = (1 << len(order)) - 1
    stops = [everything] * len(order)
    changed = True
    while changed:
        changed = False
        for index, node in enumerate(order):
            found = 1 << index
            for group in needs[node]:
                if any(item not in needs for item in group) or not group:
                    continue
                common = everything
                for item in group:
                    # what does not stand anyway is no alternative
                    common &= stops[number[item]] if item in number else everything
                found |= common
            if found != stops[index]:
                stops[index], changed = found, True
    return {node: frozenset(order[bit] for bit in _bits(stops[index])) for node, index in number.items()}


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def untied(needs: Needs[N]) -> tuple[dict[N, tuple[frozenset[N], ...]], tuple[tuple[N, ...], ...]]:
    """The graph without the circles that nothing outside holds up, and those circles.

    "The switch is behind the router, and the router behind the switch" says that they are joined, not which
    one needs the other: both would never stand. Such an edge is left out, and the circle is told.
    """
    free = {node: tuple(frozenset(group) for group in groups) for node, groups in needs.items()}
    circles: list[tuple[N, ...]] = []
    while True:
        stands = set(standing(free))
        stuck = sorted(node for node in free if node not in stands)
        if not stuck:
            return free, tuple(circles)
        way: list[N] = []
        node = stuck[0]
        while node not in way:
            way.append(node)
            node = _next(free, stands, node)
        circle = way[way.index(node) :]
        circles.append(tuple(sorted(circle)))
        for here, there in zip(circle, [*circle[1:], circle[0]], strict=True):
            free[here] = tuple(
                kept
                for kept in (group - {there} if not group & stands else group for group in free[here])
                if kept
            )


def _next(needs: Mapping[N, tuple[frozenset[N], ...]], stands: set[N], node: N) -> N:
    return next(
        min(group)
        for group in needs[node]
        if group and all(item in needs for item in group) and not group & stands
    )


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """A thing that alone takes applications or sites with it. Identifiers, in the order of the plan.

    `stops`: applications that stay stopped until it is back. `switches`: applications that stop where they
    are and whose relief instance does without it. `isolates`: sites that lose every declared way out.
    """

    thing: str
    stops: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    isolates: tuple[str, ...] = ()


def single_points(plan: Plan) -> tuple[SinglePoint, ...]:
    """Every machine, piece of equipment, link and supplier that alone stops something, in the order of the plan."""
    needs, _circles = untied(dependencies(plan))
    found = stoppers(needs)
    owned = plan.inventory
    things = [
        ("thing", item.id) for section in (plan.hosts, owned.equipment, owned.links) for item in section
    ]
    things += [("supplier", item.id) for item in owned.suppliers]
    points = []
    for thing in things:
        now = [item.id for item in plan.applications if thing in found.get(("now", item.id), ())]
        ever = [item.id for item in plan.applications if thing in found.get(("ever", item.id), ())]
        cut = [site.id for site in plan.sites if thing in found.get(("site", site.id), ())]
        if now or ever or cut:
            moved = tuple(item for item in now if item not in ever)
            points.append(SinglePoint(thing[1], tuple(ever), moved, tuple(cut)))
    return tuple(points)


def circles(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Things that the plan puts behind one another in a circle with no way out."""
    _free, found = untied(dependencies(plan))
    return tuple(tuple(node[-1] for node in circle) for circle in found)


def dependencies(plan: Plan) -> dict[Node, tuple[frozenset[Node], ...]]:
    """The graph of a plan.

    thing     a machine, a piece of equipment, a link: one of its `behind`, and its UPS
    supplier  on nothing: what holds it up is not ours to know
    site      its ways out: one of the links that touch it
    now       an application where it runs today: its machine, those of its data, what it needs
    run       one of its instances, with the data of that site where there are some
    ever      the application, wherever it can run: one of its instances, and what it needs

    An application without instances runs at its suppliers: each of those that name it, and one link to the
    internet, of any site. Without instance nor supplier nothing is known of it: it needs what it names.
    """
    owned = plan.inventory
    needs: dict[Node, tuple[frozenset[Node], ...]] = {}
    for host in plan.hosts:
        needs["thing", host.id] = _needs(host.behind, (host.ups,) if host.ups else ())
    for item in owned.equipment:
        needs["thing", item.id] = _needs(item.behind, (item.ups,) if item.ups else ())
    for link in owned.links:
        needs["thing", link.id] = _needs(link.behind)
    for supplier in owned.suppliers:
        needs["supplier", supplier.id] = ()
    for site in plan.sites:
        ways = [link.id for link in owned.links if site.id in {link.site, link.to}]
        if ways:
            needs["site", site.id] = _needs(ways)
    for application in plan.applications:
        needs.update(_application(plan, application))
    return needs


def _needs(*groups: Sequence[str]) -> tuple[frozenset[Node], ...]:
    return tuple(frozenset(("thing", name) for name in group) for group in groups if group)


def _application(plan: Plan, item: Application) -> Iterator[tuple[Node, tuple[frozenset[Node], ...]]]:
    data = [plan.data_set(name) for name in item.data]
    if item.ends:
        first = primary_site(plan, item)
        here = _needs((item.ends[first].host,), *((one.ends[one.primary_site].host,) for one in data))
        for site, end in item.ends.items():
            groups = [
                (one.ends[site].host,) if site in one.ends else tuple(each.host for each in one.ends.values())
                for one in data
            ]
            yield ("run", item.id, site), _needs((end.host,), *groups)
        anywhere: tuple[frozenset[Node], ...] = (frozenset(("run", item.id, site) for site in item.ends),)
    else:
        here = _supplied(plan, item) + _needs(*((one.ends[one.primary_site].host,) for one in data))
        anywhere = _supplied(plan, item) + _needs(
            *(tuple(each.host for each in one.ends.values()) for one in data)
        )
    yield ("now", item.id), here + tuple(frozenset({("now", name)}) for name in item.needs)
    yield ("ever", item.id), anywhere + tuple(frozenset({("ever", name)}) for name in item.needs)


def _supplied(plan: Plan, item: Application) -> tuple[frozenset[Node], ...]:
    suppliers = [one.id for one in plan.inventory.suppliers if item.id in one.applications]
    if not suppliers:
        return ()
    links = [link.id for link in plan.inventory.links if link.to == INTERNET]
    return tuple(frozenset({("supplier", name)}) for name in suppliers) + _needs(links)


def primary_site(plan: Plan, item: Application) -> str:
    """The site where an application with instances runs when all is well."""
    return next(
        (site for site in item.ends if plan.site(site).role is SiteRole.PRIMARY), next(iter(item.ends))
    )
