"""What comes back, and how: a scenario on the dependency graph -> the jobs of the recovery. Pure.

Three kinds of return, never mixed up:
- what Relève switches: the tasks of the runbook that `recover` derived (`app.py` hands them over);
- what was lost and is declared in `recoveries`: restore its data at the relief's throughput, put it in,
  start it, let a person check it;
- what only stopped because something below did: it is back when that is.

A loss of whose return nobody declared anything stays unknown, with all that stands on it: a supplier's
promise is a commitment and may not stand in for a duration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from releve.cycle.objectives.flow import Graph, NodeKind
from releve.cycle.objectives.history import History
from releve.cycle.objectives.scenarios import Damage, Scenario
from releve.domain.objectives import Objectives, Recovery, Relief
from releve.domain.plan import Application, DataSet, Plan, ProtectionMode
from releve.domain.runbook import Runbook, Task
from releve.domain.units import Span
from releve.domain.work import Basis, Job, Pool, Spread

DETECT, DECIDE = "detect", "decide"
PEOPLE, PROCESSORS, MEMORY, RESTORES, LINK = "people", "processors", "memory", "restores", "link"
MEMORY_UNIT = 10**9  # memory is handed out by whole Go
# Nothing measured, nothing declared: what a first plan assumes of human time (proposed, shown as assumed).
DETECTION = Spread(300.0, 900.0, 3600.0)
DECISION = Spread(300.0, 1200.0, 3600.0)
_UNHARMED = (Damage.NONE, Damage.ABSENCE)  # nothing is lost: it only stops
_BY_ITSELF = (Damage.NONE, Damage.MACHINE)  # what a battery or a second link makes good
ASSUMED_LOW, ASSUMED_HIGH = (
    0.7,
    2.0,
)  # a declared duration is a middle: a tenth below, a tenth beyond (proposed)


class Way(StrEnum):
    """How something comes back."""

    SWITCH = "switch"
    RESTORE = "restore"
    ITSELF = "itself"  # nobody has to do anything
    MOOT = "moot"  # it has no sense away from its site, which is lost: it comes back with the site, not with the relief
    FOLLOWS = "follows"  # it only waits for what it stands on
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Work:
    """The jobs of one disaster. `ways`: how each touched node comes back. `unknown`: why a node cannot be told.

    `last`: for each node that comes back, the job whose end is its return.
    """

    jobs: tuple[Job, ...]
    pools: tuple[Pool, ...]
    ways: Mapping[str, Way]
    last: Mapping[str, str]
    unknown: Mapping[str, str]


def pools_of(relief: Relief) -> tuple[Pool, ...]:
    """What the relief's jobs share."""
    pools = [
        Pool(PEOPLE, "personnes", relief.people),
        Pool(PROCESSORS, "processeurs", relief.processors),
        Pool(MEMORY, "mémoire (Go)", relief.memory // MEMORY_UNIT),
        Pool(RESTORES, "restaurations à la fois", relief.restores),
    ]
    if relief.link:
        pools.append(
            Pool(LINK, "restaurations que le lien porte à la fois", int(relief.link // restore_rate(relief)))
        )
    return tuple(pools)


def restore_rate(relief: Relief) -> float:
    """Bytes a second of one restore: what the disks give, or the link when it is slower."""
    return min(relief.throughput, relief.link) if relief.link else relief.throughput


def work(
    plan: Plan,
    objectives: Objectives,
    stood: Graph,
    hit: Iterable[str],
    scenario: Scenario,
    relief: Relief,
    known: History,
    runbook: Runbook | None = None,
) -> Work:
    """The jobs that bring back everything that `hit` (node ids) takes down.

    `runbook`: what Relève would do (a switch to the relief); None: it switches nothing here.
    """
    return _Builder(plan, objectives, stood, tuple(hit), scenario, relief, known, runbook).build()


class _Builder:
    """Adds the jobs of one disaster, what is needed first."""

    def __init__(
        self,
        plan: Plan,
        objectives: Objectives,
        stood: Graph,
        hit: tuple[str, ...],
        scenario: Scenario,
        relief: Relief,
        known: History,
        runbook: Runbook | None,
    ) -> None:
        self._plan = plan
        self._stood = stood
        self._hit = frozenset(hit)
        self._scenario = scenario
        self._relief = relief
        self._known = known
        self._runbook = runbook if scenario.replica_safe and scenario.damage not in _UNHARMED else None
        self._recoveries = {item.application: item for item in objectives.recoveries}
        self._components = {item.id: item for item in objectives.components}
        self._automatic = {
            **{item.application: item.automatic for item in objectives.recoveries},
            **{item.id: item.automatic for item in objectives.components},
        }
        self._applications = {item.id: item for item in plan.applications}
        self._data = {item.id: item for item in plan.data_sets}
        self._jobs: dict[str, Job] = {}
        self._ways: dict[str, Way] = {}
        self._last: dict[str, str] = {}
        self._unknown: dict[str, str] = {}
        self._switched = (
            frozenset(task.subject for task in self._runbook.tasks) if self._runbook else frozenset()
        )

    def build(self) -> Work:
        touched = self._stood.touched(self._hit | self._held)
        self._human()
        if self._runbook is not None and touched & self._switched:
            self._switch(self._runbook)
        for node in self._stood.order():
            if node in touched and node not in self._ways:
                self._bring_back(node)
        self._wait_below()
        self._unknown_above()
        lost = self._unknown.keys()
        return Work(
            tuple(self._jobs.values()),
            pools_of(self._relief),
            self._ways,
            {node: last for node, last in self._last.items() if node not in lost},
            self._unknown,
        )

    def _human(self) -> None:
        relief = self._relief
        detection = self._known.detection or _said(relief.detection) or DETECTION
        decision = self._known.decision or _said(relief.decision) or DECISION
        self._add(Job(DETECT, "", "S'apercevoir de la panne", detection))
        self._add(Job(DECIDE, "", "Décider", decision, {PEOPLE: 1} if relief.people else {}, after=(DETECT,)))

    def _switch(self, runbook: Runbook) -> None:
        """The runbook's own tasks, with what they took before. Whoever answers a question keeps no technician busy."""
        for task in runbook.tasks:
            after = task.after or (DECIDE,)
            self._add(
                Job(
                    task.id,
                    task.subject if task.subject in self._applications else "",
                    task.title,
                    self._taken(task),
                    after=after,
                )
            )
        for node in self._switched:
            self._ways[node] = Way.SWITCH
            self._last[node] = [task.id for task in runbook.tasks if task.subject == node][-1]

    def _wait_below(self) -> None:
        """What Relève switches opens after what it needs and Relève does not switch; unknown below, unknown above.

        What has no sense away from the lost site is not waited for: the relief has its own power and network.
        """
        for node in self._stood.order():
            if self._ways.get(node) is not Way.SWITCH or node not in self._applications:
                continue
            below = [
                name
                for name in self._applications[node].needs
                if self._ways.get(name, Way.MOOT) not in {Way.MOOT, Way.SWITCH}
            ]
            lost = [name for name in below if name in self._unknown]
            if lost:
                self._give_up(node, f"« {self._stood.names[lost[0]]} » ne peut pas être estimé")
            waited = tuple(self._last[name] for name in below if name in self._last)
            opening = self._jobs[self._last[node]]
            self._add(replace(opening, after=(*opening.after, *waited)))

    def _unknown_above(self) -> None:
        """What stands on something that Relève switches and that became unknown is unknown too.

        Its jobs stay: they take their part of what all share.
        """
        for node in self._stood.order():
            if self._ways.get(node, Way.MOOT) in {Way.MOOT, Way.UNKNOWN, Way.SWITCH}:
                continue
            lost = [name for name in self._stood.needs[node] if name in self._unknown]
            if lost:
                self._give_up(node, f"« {self._stood.names[lost[0]]} » ne peut pas être estimé")

    def _taken(self, task: Task) -> Spread:
        measured = self._known.tasks.get(f"{task.kind}:{task.subject}")
        return measured or assumed(task.duration)

    def _bring_back(self, node: str) -> None:
        recovery = self._recoveries.get(node)
        if self._scenario.damage is Damage.ABSENCE and node in self._hit:
            self._give_up(node, "il dépend du retour de la personne, dont personne ne connaît la date")
            return
        if self._scenario.damage is Damage.SITE and recovery is not None and recovery.local:
            self._ways[node], self._last[node] = Way.MOOT, DECIDE
            return
        below = [name for name in self._stood.needs[node] if name in self._ways]
        lost = [name for name in below if name in self._unknown]
        if lost:
            self._give_up(node, f"« {self._stood.names[lost[0]]} » ne peut pas être estimé")
            return
        after = tuple(self._last[name] for name in below) or (DECIDE,)
        automatic = self._automatic.get(node)
        relieved = self._scenario.damage is Damage.SITE and self._stood.kinds[node] is NodeKind.COMPONENT
        if (
            node not in self._damaged or relieved
        ):  # of a lost site the relief stands in for machines and links
            self._follow(node, after)
        elif automatic is not None and self._scenario.damage in _BY_ITSELF:
            self._by_itself(node, automatic, below)
        elif self._stood.kinds[node] is NodeKind.DATA:
            self._restore_data(self._data[node], after)
        elif node in self._applications:
            self._restore(self._applications[node], after)
        elif node in self._components and (rebuild := self._components[node].rebuild) is not None:
            self._machine(node, rebuild, after)
        else:
            self._give_up(node, "rien n'est déclaré de sa remise en état (rebuild)")

    @property
    def _damaged(self) -> frozenset[str]:
        """What must be put back, and does not only wait."""
        return self._lost | self._held

    @cached_property
    def _held(self) -> frozenset[str]:
        """The data that went with what was lost: they stand below it, and it is not back without them."""
        if self._scenario.damage in _UNHARMED:
            return frozenset()
        if self._scenario.damage is Damage.DATA:
            return self._stood.below(self._hit) & self._data.keys()
        return frozenset(
            name for node in self._lost & self._applications.keys() for name in self._applications[node].data
        )

    @cached_property
    def _lost(self) -> frozenset[str]:
        """What is hit; of a lost site or machine, all that it carried."""
        if self._scenario.damage in {*_UNHARMED, Damage.DATA}:
            return self._hit
        return frozenset(
            node
            for node in self._stood.touched(self._hit)
            if node in self._hit
            or node in self._recoveries
            or node in self._data
            or self._hit.intersection(self._stood.needs[node])
        )

    def _follow(self, node: str, after: tuple[str, ...]) -> None:
        key = f"back:{node}"
        self._add(
            Job(
                key,
                self._served(node),
                f"Retour de « {self._stood.names[node]} »",
                Spread(0.0, 0.0, 0.0),
                after=after,
            )
        )
        self._ways[node], self._last[node] = Way.FOLLOWS, key

    def _by_itself(self, node: str, seconds: Span, below: list[str]) -> None:
        """Nobody has to notice nor decide: it waits for nothing but what it stands on."""
        key = f"auto:{node}"
        after = tuple(self._last[name] for name in below)
        self._add(
            Job(
                key,
                self._served(node),
                f"« {self._stood.names[node]} » reprend seul",
                assumed(seconds.seconds),
                after=after,
            )
        )
        self._ways[node], self._last[node] = Way.ITSELF, key

    def _machine(self, node: str, rebuild: Span, after: tuple[str, ...]) -> None:
        key = f"rebuild:{node}"
        demands = {PEOPLE: 1} if self._components[node].machine else {}
        self._add(
            Job(
                key,
                self._served(node),
                f"Remettre « {self._stood.names[node]} »",
                assumed(rebuild.seconds),
                demands,
                after=after,
            )
        )
        self._ways[node], self._last[node] = Way.RESTORE, key

    def _restore_data(self, data: DataSet, after: tuple[str, ...]) -> None:
        """A data set that is put back by itself: its volume is the application's to declare."""
        if self._scenario.replica_safe and data.protection.mode is ProtectionMode.REALTIME:
            self._follow(data.id, after)
            return
        users = [item for item in self._plan.applications if data.id in item.data]
        volumes = [self._recoveries[item.id].volume for item in users if item.id in self._recoveries]
        known = [volume for volume in volumes if volume is not None]
        if not known:
            self._give_up(data.id, "son volume n'est pas déclaré (recoveries: volume)")
            return
        self._load(data.id, max(known), after)

    def _load(self, node: str, volume: int, after: tuple[str, ...]) -> None:
        rate = (
            self._relief.throughput
            if not self._relief.link
            else min(self._relief.throughput, self._relief.link)
        )
        key = f"restore:{node}"
        self._add(
            Job(
                key,
                self._served(node),
                f"Restaurer « {self._stood.names[node]} »",
                assumed(volume / rate),
                {RESTORES: 1, LINK: 1} if self._relief.link else {RESTORES: 1},
                after=after,
            )
        )
        self._ways[node], self._last[node] = Way.RESTORE, key

    def _restore(self, application: Application, after: tuple[str, ...]) -> None:
        recovery = self._recoveries.get(application.id)
        if recovery is None:
            self._give_up(application.id, "rien n'est déclaré de sa remise en service (recoveries)")
            return
        if not application.data and recovery.volume and self._scenario.damage is not Damage.NONE:
            self._load(application.id, recovery.volume, after)
            after = (self._last[application.id],)
        self._ways[application.id] = Way.RESTORE
        name = application.name
        people = {PEOPLE: 1}
        steps: tuple[tuple[str, str, Span, dict[str, int], dict[str, int]], ...] = (
            ("install", f"Installer « {name} »", recovery.install, people, {}),
            (
                "start",
                f"Démarrer « {name} »",
                recovery.start,
                {PROCESSORS: recovery.processors},
                {MEMORY: -(-recovery.memory // MEMORY_UNIT)} if recovery.memory else {},
            ),
            ("check", f"Vérifier « {name} »", recovery.check, people, {}),
        )
        for step, title, span, demands, keeps in steps:
            if step == "install" and (not span.seconds or self._scenario.damage is Damage.NONE):
                continue  # what only stopped is still installed
            key = f"{step}:{application.id}"
            self._add(Job(key, application.id, title, assumed(span.seconds), demands, keeps, after))
            after = (key,)
        self._last[application.id] = after[0]

    def _served(self, node: str) -> str:
        return node if node in self._applications else ""

    def _give_up(self, node: str, why: str) -> None:
        self._ways[node] = Way.UNKNOWN
        self._unknown[node] = why

    def _add(self, job: Job) -> None:
        self._jobs[job.id] = job


def assumed(seconds: float) -> Spread:
    """A declared duration as a spread: it is the middle, and nobody measured it."""
    return Spread(seconds * ASSUMED_LOW, seconds, seconds * ASSUMED_HIGH)


def _said(spans: tuple[Span, Span, Span] | None) -> Spread | None:
    if spans is None:
        return None
    low, middle, high = (span.seconds for span in spans)
    return Spread(low, middle, high, Basis.ASSUMED)


__all__ = ["DECIDE", "DETECT", "Recovery", "Way", "Work", "assumed", "pools_of", "work"]
