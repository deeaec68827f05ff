"""What the ledger remembers -> durations with their spread. Pure: records in, values out.

A task's time goes from the moment when it could begin (the last of its predecessors ended) to its end, so
that what the orchestration adds is in it. A spread needs at least three measures to be read off them;
below, it is opened by half and by two around what was seen (a proposal of ours), and its count says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles

from releve.domain.incident import Incident
from releve.domain.protection import LossKind
from releve.domain.runbook import Direction, RunRecord, TaskKind, TaskState
from releve.domain.work import Basis, Spread

ENOUGH = 3  # measures below which percentiles cannot be read off them
KEPT = 30  # measures of one task that count: older ones were of another machine


@dataclass(frozen=True, slots=True)
class History:
    """What was measured. `tasks`: by "kind:subject", of switches; the two others are human time.

    `detection`: from the outage to its declaration; `decision`: from there to the run.
    """

    tasks: Mapping[str, Spread]
    detection: Spread | None = None
    decision: Spread | None = None


def history(runs: Iterable[RunRecord], incidents: Iterable[Incident]) -> History:
    """The spreads of every task of the switches, and of the two human delays. Newest records count first."""
    known = {incident.id: incident for incident in incidents}
    seen: dict[str, list[float]] = {}
    detection: list[float] = []
    decision: list[float] = []
    counted: set[str] = set()
    switches = [run for run in runs if run.runbook.direction is Direction.SWITCH]
    first: dict[str, datetime] = {}  # a run that was stopped and begun again was decided once
    for run in switches:
        first[run.runbook.incident] = min(run.started_at, first.get(run.runbook.incident, run.started_at))
    for run in sorted(switches, key=lambda record: record.started_at, reverse=True):
        for name, seconds in _tasks(run):
            seen.setdefault(name, []).append(seconds)
        incident = known.get(run.runbook.incident)
        if incident is not None and incident.id not in counted:
            counted.add(incident.id)
            detection.append(max(0.0, (incident.declared_at - incident.began_at).total_seconds()))
            decision.append(max(0.0, (first[incident.id] - incident.declared_at).total_seconds()))
    return History(
        {name: spread_of(values[:KEPT]) for name, values in seen.items()},
        spread_of(detection[:KEPT]) if detection else None,
        spread_of(decision[:KEPT]) if decision else None,
    )


@dataclass(frozen=True, slots=True)
class Lost:
    """What a switch lost of one data set, as its record proves it: age in seconds of the oldest write that may be missing.

    0: a proof that nothing was. `at_most`: only a bound is known.
    """

    seconds: float
    incident: str
    reason: str
    at_most: bool = False


def lost(runs: Iterable[RunRecord], incidents: Iterable[Incident]) -> Mapping[str, Lost]:
    """By data set, the last switch that could tell; what nobody could bound is left out, it was not measured."""
    known = {incident.id: incident for incident in incidents}
    found: dict[str, Lost] = {}
    for run in sorted(runs, key=lambda record: record.started_at):
        incident = known.get(run.runbook.incident)
        if run.runbook.direction is not Direction.SWITCH or incident is None:
            continue
        for task in run.runbook.tasks:
            if task.kind is TaskKind.ASSESS:
                outcome = run.record(task.id).outcome
                said = _lost(outcome.facts if outcome else {}, incident)
                if said is not None:
                    found[task.subject] = said
    return found


def _lost(facts: Mapping[str, object], incident: Incident) -> Lost | None:
    said = facts.get("loss")
    if not isinstance(said, Mapping):
        return None
    reason = str(said.get("reason", ""))
    if said.get("kind") == LossKind.NONE:
        return Lost(0.0, incident.id, reason)
    since = said.get("since")
    if said.get("kind") == LossKind.BOUNDED and isinstance(since, str):
        age = (incident.began_at - datetime.fromisoformat(since)).total_seconds()
        return Lost(max(0.0, age), incident.id, reason, at_most=True)
    return None


def spread_of(values: list[float]) -> Spread:
    """The spread of at least one measure, in seconds."""
    if len(values) < ENOUGH:
        middle = sum(values) / len(values)
        return Spread(min(values) / 2, middle, max(values) * 2, Basis.MEASURED, len(values))
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(tenths[0], tenths[4], tenths[8], Basis.MEASURED, len(values))


def _tasks(run: RunRecord) -> Iterable[tuple[str, float]]:
    """(kind:subject, seconds) of the tasks of one run that were carried to their end.

    One that was skipped counts for the little that it took: how often a question need not be put to a person
    is a part of how long a switch lasts. Left out, it fell back on the assumed time of a person: the switch
    of the demo, measured at 0.8 s, was predicted at 890 s.
    """
    ended = {record.task: record.ended_at for record in run.tasks}
    for task in run.runbook.tasks:
        record = run.record(task.id)
        if record.ended_at is None or record.state not in {TaskState.DONE, TaskState.SKIPPED}:
            continue
        before: list[datetime] = [run.started_at]
        before += [at for name in task.after if (at := ended.get(name)) is not None]
        yield f"{task.kind}:{task.subject}", max(0.0, (record.ended_at - max(before)).total_seconds())
