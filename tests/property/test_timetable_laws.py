"""Laws of timetables: no rule is ever broken, no bound is ever beaten, and a replay is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.prediction.bound import least_makespan, lower_bound
from releve.cycle.objectives.prediction.listing import by_start, parallel, serial
from releve.cycle.objectives.prediction.problem import Problem, problem
from releve.cycle.objectives.prediction.search import improve
from releve.cycle.objectives.prediction.simulate import GAPS, replay
from releve.cycle.objectives.prediction.solver import solve
from releve.domain.work import Due, Job, Pool
from tests.timetables import everything, faults, sure

unhurried = settings(deadline=None)
CAPACITY = {"link": 3, "people": 2, "memory": 9}
POOLS = [Pool(name, name, size) for name, size in CAPACITY.items()]


@st.composite
def recoveries(draw: st.DrawFn, most: int = 10) -> tuple[list[Job], Problem, dict[str, float]]:
    """Jobs of some applications, with everything a job can have, that fit the relief."""
    jobs: list[Job] = []
    for index in range(draw(st.integers(1, most))):
        demands = {
            name: draw(st.integers(1, CAPACITY[name])) for name in ("link", "people") if draw(st.booleans())
        }
        kept = draw(st.integers(0, 9 // most))
        demands |= {"memory": draw(st.integers(0, 9 // most))}
        after = tuple(
            {draw(st.sampled_from(jobs)).id for _ in range(draw(st.integers(0, 2)))} if jobs else ()
        )
        application = f"a{draw(st.integers(0, 3))}"
        jobs.append(
            Job(f"j{index}", application, "", sure(draw(st.integers(0, 6))), demands, {"memory": kept}, after)
        )
    names = dict.fromkeys(job.application for job in jobs)
    dues = [Due(name, draw(st.integers(0, 25)), draw(st.sampled_from([0.5, 1, 4]))) for name in names]
    release = {"people": float(draw(st.integers(0, 9)))}
    return jobs, problem(jobs, POOLS, dues, release), release


def _faults(
    jobs: Sequence[Job], starts: Sequence[float], lasting: Sequence[float], release: dict[str, float]
) -> list[str]:
    start = {job.id: at for job, at in zip(jobs, starts, strict=True)}
    end = {job.id: at + seconds for job, at, seconds in zip(jobs, starts, lasting, strict=True)}
    return faults(jobs, POOLS, start, end, release)


@unhurried
@given(recoveries(), st.randoms(use_true_random=False))
def test_no_list_breaks_a_rule(given_: tuple[list[Job], Problem, dict[str, float]], chance) -> None:
    """Predecessors, capacities and arrivals hold in both schemes, whatever the priorities."""
    jobs, work, release = given_
    keys = [(chance.random(), 0.0, job) for job in range(len(jobs))]
    starts = parallel(work, keys)
    assert _faults(jobs, starts, work.seconds, release) == []
    placed = serial(work, by_start(work, starts))
    assert _faults(jobs, placed, work.seconds, release) == []
    assert all(ours <= theirs for ours, theirs in zip(placed, starts, strict=True))


@unhurried
@given(recoveries(most=5))
def test_no_timetable_beats_the_bounds(given_: tuple[list[Job], Problem, dict[str, float]]) -> None:
    """Against everything that can be done: both bounds are below, and the search ends between."""
    jobs, work, release = given_
    tried = list(everything(work))
    best = min(work.cost(starts) for starts in tried)
    starts, cost = improve(work, 0.001, 0)
    assert _faults(jobs, starts, work.seconds, release) == []
    assert lower_bound(work) <= best <= cost == work.cost(starts)
    shortest = min(
        max(start + lasting for start, lasting in zip(one, work.seconds, strict=True)) for one in tried
    )
    assert least_makespan(work) <= shortest


@settings(deadline=None, max_examples=25)
@given(recoveries(most=5))
def test_what_the_solver_says_is_true(given_: tuple[list[Job], Problem, dict[str, float]]) -> None:
    """Its timetable breaks no rule, and what it calls proven is the best of all."""
    jobs, work, release = given_
    solved = solve(work, improve(work, 0.001, 0)[0], limit=1, seed=0)
    assert solved.starts is not None
    assert _faults(jobs, solved.starts, work.seconds, release) == []
    assert solved.proven
    best = min(work.cost(starts) for starts in everything(work))
    assert work.cost(solved.starts) == best == solved.bound


@unhurried
@given(recoveries(), st.integers(0, 2**32 - 1))
def test_a_replay_breaks_no_rule_in_any_draw(
    given_: tuple[list[Job], Problem, dict[str, float]], seed: int
) -> None:
    """Other durations, other arrivals, other applications: each draw is a timetable of its own."""
    jobs, work, _ = given_
    chance = np.random.default_rng(seed)
    order = by_start(work, parallel(work, [(chance.random(), 0.0, job) for job in range(len(jobs))]))
    lasting = chance.integers(0, 9, (len(jobs), 5)).astype(np.float32)
    touched = chance.random((len(work.applications), 5)) < chance.choice([0.3, 1.0])
    arrivals = chance.integers(0, 20, 5).astype(np.float32)
    ends = replay(work, order, lambda job: lasting[job], touched, {work.pools.index("people"): arrivals})
    for draw in range(5):
        done = [job for job, where in enumerate(work.application) if touched[where, draw]]
        start = {jobs[job].id: float(ends[job, draw] - lasting[job, draw]) for job in done}
        end = {jobs[job].id: float(ends[job, draw]) for job in done}
        assert faults(jobs, POOLS, start, end, {"people": float(arrivals[draw])}) == []
        listed = [job for job in order if job in done]
        assert _by_unit(work, listed, lasting[:, draw], float(arrivals[draw])) == end


def _by_unit(work: Problem, order: list[int], lasting, arrival: float) -> dict[str, float]:
    """The replay of one draw, unit by unit and gap by gap, as its description says it."""
    most = [sum(need.held for row in work.needs for need in row if need.pool == pool) for pool in range(3)]
    opens = [arrival if name == "people" else 0.0 for name in work.pools]
    units = [[at] * size for at, size in zip(opens, work.capacity, strict=True)]
    gaps = [[(0.0, 0.0, 0)] * GAPS for _ in units]
    ends: dict[int, float] = {}
    for job in order:
        needs, seconds = work.needs[job], float(lasting[job])
        ready = max((ends.get(one, 0.0) for one in work.before[job]), default=0.0)
        start = max([ready, *(sorted(units[need.pool])[need.held - 1] for need in needs)])
        if len(needs) == 1 and not needs[0].kept and most[needs[0].pool] > work.capacity[needs[0].pool]:
            held, mine = needs[0].held, gaps[needs[0].pool]
            fits = [
                (max(low, ready), index)
                for index, (low, high, size) in enumerate(mine)
                if size >= held and max(low, ready) + seconds <= high
            ]
            if fits and min(fits)[0] < start:
                at, index = min(fits)
                low, high, size = mine[index]
                left, right = (low, at, size), (at + seconds, high, size)
                mine[index] = left if at - low > high - at - seconds else right
                ends[job] = at + seconds
                continue
        ends[job] = start + seconds
        for need in needs:
            if most[need.pool] <= work.capacity[need.pool]:
                continue
            free = sorted(at for at in units[need.pool] if at <= start)
            busy = [at for at in units[need.pool] if at > start]
            mine = gaps[need.pool]
            lengths = [high - low for low, high, _ in mine]
            if start - free[-1] > min(lengths):
                mine[lengths.index(min(lengths))] = (free[-1], start, need.held)
            units[need.pool] = (
                free[: len(free) - need.held]
                + busy
                + [ends[job]] * (need.held - need.kept)
                + [float("inf")] * need.kept
            )
    return {work.jobs[job]: at for job, at in ends.items()}


@unhurried
@given(recoveries(), st.randoms(use_true_random=False))
def test_with_the_durations_of_the_timetable_nothing_is_later(
    given_: tuple[list[Job], Problem, dict[str, float]], chance
) -> None:
    """The replay of a timetable by start is that timetable, or better."""
    _, work, _ = given_
    starts = parallel(work, [(chance.random(), 0.0, job) for job in range(len(work.jobs))])
    touched = np.ones((len(work.applications), 1), dtype=np.bool_)
    lasting = np.array(work.seconds, dtype=np.float32)[:, None]
    ends = replay(work, by_start(work, starts), lambda job: lasting[job], touched, {})
    assert all(ends[job, 0] <= start + work.seconds[job] for job, start in enumerate(starts))


def test_costs_never_fall_with_time() -> None:
    """What the bounds rest on, around the due and far from it."""
    work = problem([Job("x", "a", "", sure(1))], [], [Due("a", 10, 3)])
    costs = [work.cost_of(0, finish) for finish in (0, 9, 10, 11, 12, 10**6)]
    assert all(left < right for left, right in pairwise(costs))
