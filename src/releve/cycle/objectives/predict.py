"""Will it hold? Every scenario, at any instant of the year: finish times, and the chance to keep each need. Pure.

For one scenario: the jobs that bring everything back (`recovery`), their timetable under the relief's means
(`prediction.schedule`), and thousands of outages that replay its order (`prediction.simulate`) with other
durations, at other instants: people may have to come, and a need in opening hours runs out later at night.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.cycle.objectives.choice.arbitration import Arbitration
from releve.cycle.objectives.due import DueTable
from releve.cycle.objectives.flow import Graph
from releve.cycle.objectives.gaps import gaps
from releve.cycle.objectives.history import History
from releve.cycle.objectives.need import Need
from releve.cycle.objectives.prediction.schedule import Timetable, schedule
from releve.cycle.objectives.prediction.simulate import Draws, Outlook, Rows, simulate
from releve.cycle.objectives.recovery import DECIDE, PEOPLE, Way, Work, work
from releve.cycle.objectives.scenarios import Scenario, Which
from releve.domain.errors import BadInput
from releve.domain.objectives import Component, Objectives, Relief
from releve.domain.plan import Plan
from releve.domain.runbook import Runbook
from releve.domain.work import SEED, Basis, Due

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Seconds = NDArray[float64]

DRAWS = 10_000  # simulated disasters, over all scenarios
EFFORT = 0.05  # of the scheduler, a scenario: twenty of them stay below a second for forty applications
USUAL = 1_009  # instants of the year at which the order of the recovery is made: a prime, so that no hour is missed
YEARS = range(
    2019, 2090
)  # of disasters: school holidays are known from 2018 to 2100, a delay may run ten years


@dataclass(frozen=True, slots=True)
class Situation:
    """What every prediction of one association starts from. `runbook`: what Relève would do at the loss of the site.

    `arbitrations`: what somebody accepted; it changes no need and no chance, and is said beside them.
    """

    plan: Plan
    objectives: Objectives
    relief: Relief
    needs: tuple[Need, ...]
    stood: Graph
    known: History
    runbook: Runbook | None = None
    arbitrations: tuple[Arbitration, ...] = ()

    def accepted(self, applications: Iterable[str], day: date) -> tuple[Arbitration, ...]:
        """The gaps in force on a day, of some applications: each once."""
        shown = set(applications)
        found = gaps((need for need in self.needs if need.application in shown), self.arbitrations, day)
        return tuple(dict.fromkeys(found.values()))

    @property
    def weights(self) -> Mapping[str, float]:
        """By establishment, its share of the activity."""
        return {place.id: place.weight for place in self.objectives.establishments}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One scenario. `outlook` None: nothing of it can be estimated (`work.unknown` says why, or `refused`).

    `outlook`: its losses are those of one disaster; `per_year` says how often, None: nobody said.
    `assumed`: the share of the jobs whose duration nobody measured. `refused`: the relief cannot hold it.
    """

    scenario: Scenario
    hit: tuple[str, ...]
    work: Work
    timetable: Timetable | None
    outlook: Outlook | None
    assumed: float
    per_year: float | None
    refused: str = ""


def known_year(year: int) -> None:
    """Raises BadInput (`year-unknown`) for a year whose holidays, and those of the ten that follow, nobody knows."""
    if year not in YEARS:
        raise BadInput(
            "year-unknown",
            f"les jours fériés et les vacances de {year} ne sont pas connus",
            hint=f"une année de {YEARS.start} à {YEARS.stop - 1}",
        )


def instants(year: int, count: int, timezone: str, seed: int) -> Seconds:
    """POSIX seconds of `count` outages, anywhere in the year with the same chance. Raises BadInput as `known_year` does."""
    import numpy as np

    known_year(year)
    zone = ZoneInfo(timezone)
    first = datetime(year, 1, 1, tzinfo=zone).timestamp()
    last = datetime(year + 1, 1, 1, tzinfo=zone).timestamp()
    return np.random.default_rng(seed).uniform(first, last, count)


def _usual(situation: Situation, year: int) -> DueTable:
    """Outages evenly spread over the year, for the order of the recovery: they are no draw, so no seed changes it."""
    import numpy as np

    zone = ZoneInfo(situation.plan.timezone)
    first, last = (datetime(one, 1, 1, tzinfo=zone).timestamp() for one in (year, year + 1))
    at: Seconds = first + (np.arange(USUAL, dtype=np.float64) + 0.5) * ((last - first) / USUAL)
    return _table(situation, at)


def _table(situation: Situation, at: Seconds) -> DueTable:
    return DueTable(at, situation.plan.calendars, situation.objectives.periods, situation.plan.timezone)


def struck(situation: Situation, scenario: Scenario) -> tuple[Scenario, tuple[str, ...]]:
    """What a scenario hits first, and the scenario named after it when that is a declared component.

    Of several servers one fails, and which is not known: the worst stands for all, that on which most activity
    stands, then the longest to put back. So one disaster has one name, and a chance is never too good.
    """
    kinds = (item for item in situation.objectives.components if item.kind in scenario.kinds)
    worst = sorted(
        ((_burden(situation, item), item.id) for item in kinds), key=lambda one: one[0], reverse=True
    )
    found = [(burden, node) for burden, node in worst if burden[0]]
    usual = scenario.hit(situation.stood.needs)
    if not found:
        return scenario, usual
    nodes = [node for _burden, node in (found if scenario.which is Which.ALL else found[:1])]
    if scenario.which is not Which.ALL:
        scenario = replace(scenario, name=f"{scenario.name} : {situation.stood.names[nodes[0]]}")
    if scenario.which is Which.WORST:
        return scenario, tuple(nodes)
    carried = situation.stood.touched(nodes)  # it comes back with what it stands on
    return scenario, (*(node for node in usual if node not in carried), *nodes)


def _burden(situation: Situation, component: Component) -> tuple[float, bool, float]:
    """How bad the loss of a component is: the activity that stops, whether nothing takes over, seconds to put it back."""
    stopped, shares = situation.stood.touched([component.id]), situation.weights
    activity = sum(shares[need.establishment] for need in situation.needs if need.application in stopped)
    rebuild = component.rebuild.seconds if component.rebuild is not None else 0.0
    return activity, component.automatic is None, rebuild


def predict(
    situation: Situation,
    scenario: Scenario,
    hit: Sequence[str],
    at: Seconds,
    *,
    seed: int = SEED,
    limit: float = EFFORT,
    decided: bool = False,
    usual: DueTable | None = None,
) -> Prediction:
    """One scenario that hits `hit`, at the instants `at` (POSIX seconds, one a draw).

    `usual`: the outages for which the order of the recovery is made (None: those of the draws); `seed` is that of the
    draws alone. `decided`: the returns are also counted from the decision (`Outlook.after`).
    `limit`: the scheduler's, deterministic (no clock is read). Raises BadInput (`relief-too-small`)
    when the relief cannot hold what must come back.
    """
    todo = _todo(situation, scenario, hit)
    rate = _rate(situation, scenario)
    back = {job.application for job in todo.jobs if job.application}
    if not back:
        return Prediction(scenario, tuple(hit), todo, None, None, 1.0, rate)
    table = _table(situation, at)
    usual = usual or table
    columns = list(dict.fromkeys(job.application for job in todo.jobs))
    import numpy as np

    middle = _middle(situation, columns, usual)
    release = _release(situation.relief, table)
    timetable = schedule(
        todo.jobs,
        todo.pools,
        middle,
        release={name: float(np.median(when)) for name, when in _release(situation.relief, usual).items()},
        seed=SEED,
        limit=limit,
    )
    outlook = simulate(
        todo.jobs,
        todo.pools,
        middle,
        timetable.order,
        Draws(
            len(at), due=Rows(_dues(situation, columns, table)), release=release
        ),  # losses of one disaster: how often is another figure
        hourly=_hourly(situation.objectives),
        seed=seed,
        after=DECIDE if decided else "",
    )
    assumed = [job for job in todo.jobs if job.seconds.p90 and job.seconds.basis is Basis.ASSUMED]
    timed = [job for job in todo.jobs if job.seconds.p90]
    return Prediction(scenario, tuple(hit), todo, timetable, outlook, len(assumed) / max(len(timed), 1), rate)


def _todo(situation: Situation, scenario: Scenario, hit: Sequence[str]) -> Work:
    return work(
        situation.plan,
        situation.objectives,
        situation.stood,
        hit,
        scenario,
        situation.relief,
        situation.known,
        situation.runbook,
    )


def _rate(situation: Situation, scenario: Scenario) -> float | None:
    found = (item.per_year for item in situation.objectives.rates if item.scenario == scenario.code)
    return next(found, None)


def predict_all(
    situation: Situation,
    scenarios: Sequence[Scenario],
    *,
    year: int,
    draws: int = DRAWS,
    seed: int = SEED,
    limit: float = EFFORT,
) -> tuple[Prediction, ...]:
    """Every scenario that hits something of the plan, `draws` outages shared between them."""
    hits = [struck(situation, scenario) for scenario in scenarios]
    found = [(scenario, hit) for scenario, hit in hits if hit]
    each = max(1, draws // max(len(found), 1))
    known_year(year)
    usual = _usual(situation, year)
    return tuple(
        _or_refused(
            situation,
            scenario,
            hit,
            instants(year, each, situation.plan.timezone, seed + index),
            seed=seed + index,
            limit=limit,
            usual=usual,
        )
        for index, (scenario, hit) in enumerate(found)
    )


def _or_refused(
    situation: Situation,
    scenario: Scenario,
    hit: Sequence[str],
    at: Seconds,
    *,
    seed: int,
    limit: float,
    usual: DueTable,
) -> Prediction:
    """The prediction, or why the relief cannot hold what this scenario takes down: the others still count."""
    try:
        return predict(situation, scenario, hit, at, seed=seed, limit=limit, usual=usual)
    except BadInput as error:
        if error.code != "relief-too-small":
            raise
        todo = _todo(situation, scenario, hit)
        return Prediction(
            scenario,
            tuple(hit),
            todo,
            None,
            None,
            1.0,
            _rate(situation, scenario),
            f"{error.sentence} ; {error.hint}",
        )


def _middle(situation: Situation, columns: Sequence[str], table: DueTable) -> list[Due]:
    """What the order of the recovery aims at: of each application, the delay of one outage in two."""
    import numpy as np

    due, weights = _dues(situation, columns, table), _weights(situation)
    return [
        Due(name, float(np.median(due[:, index])), weights.get(name, 1.0))
        for index, name in enumerate(columns)
        if name and np.isfinite(due[:, index]).all()
    ]


def _dues(situation: Situation, columns: Sequence[str], table: DueTable) -> Seconds:
    """Draws × applications: the strictest of its establishments at that instant; inf where nothing is asked."""
    import numpy as np

    place = {name: index for index, name in enumerate(columns) if name}
    found = np.full((len(table.at), len(columns)), np.inf)
    for need in situation.needs:
        index = place.get(need.application)
        if index is not None:
            np.minimum(found[:, index], table.of(need), out=found[:, index])
    return found


def _weights(situation: Situation) -> dict[str, float]:
    """By application, the activity that waits for it: the sum of the weights of those who use it, at least a hundredth."""
    shares = situation.weights
    found: dict[str, float] = {}
    for need in situation.needs:
        found[need.application] = found.get(need.application, 0.0) + shares[need.establishment]
    return {name: max(weight, 0.01) for name, weight in found.items()}


def _release(relief: Relief, table: DueTable) -> dict[str, Seconds]:
    """When the relief's people are there: at once in their hours, else when they open or when the on-call comes."""
    import numpy as np

    if not relief.people or not relief.calendar:
        return {}
    wait = table.openings(relief.calendar).next_open(table.at) - table.at
    if relief.on_call is not None:
        wait = np.minimum(wait, relief.on_call.seconds)
    return {PEOPLE: wait}


def _hourly(objectives: Objectives) -> dict[str, float]:
    return {
        item.application: item.hourly_cost for item in objectives.recoveries if item.hourly_cost is not None
    }


def utc(seconds: float) -> datetime:
    """POSIX seconds as an aware instant."""
    return datetime.fromtimestamp(seconds, UTC)


__all__ = ["Prediction", "Situation", "Way", "instants", "known_year", "predict", "predict_all", "utc"]
