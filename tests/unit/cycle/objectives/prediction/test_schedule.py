"""Timetables: the best ones where everything can be tried, and what is said of them."""

from __future__ import annotations

import random

import pytest

from releve.cycle.objectives.prediction.problem import problem
from releve.cycle.objectives.prediction.schedule import makespan, schedule, timetable
from releve.domain.errors import BadInput
from releve.domain.work import Due, Job, Pool
from tests.timetables import everything, faults, sure

POOLS = [Pool("link", "lien", 2), Pool("people", "personnes", 1), Pool("memory", "mémoire", 6)]


def _instance(seed: int) -> tuple[list[Job], list[Due], dict[str, float]]:
    chance = random.Random(seed)
    jobs: list[Job] = []
    for index in range(6):
        demands = {
            pool: chance.randint(1, most)
            for pool, most in (("link", 2), ("people", 1))
            if chance.random() < 0.6
        }
        keeps = {"memory": 1} if chance.random() < 0.5 else {}
        after = tuple(one.id for one in jobs if chance.random() < 0.2)
        jobs.append(Job(f"j{index}", f"a{index // 2}", "", sure(chance.randint(0, 6)), demands, keeps, after))
    dues = [Due(f"a{one}", chance.randint(3, 15), chance.choice([0.5, 1, 3])) for one in range(3)]
    return jobs, dues, {"people": chance.randint(0, 4)}


@pytest.mark.parametrize("seed", range(12))
def test_a_small_timetable_is_the_best_of_all(seed: int) -> None:
    """Six jobs: nothing among all active timetables costs less, and the solver proves it."""
    jobs, dues, release = _instance(seed)
    found = schedule(jobs, POOLS, dues, release=release)
    assert faults(jobs, POOLS, found.start, found.end, release) == []
    work = problem(jobs, POOLS, dues, release)
    assert found.cost == min(work.cost(starts) for starts in everything(work)) / 100_000
    assert found.proven
    assert found.bound == found.cost
    assert found.gap == 0


def test_lateness_broken_and_cost_are_those_of_the_timetable() -> None:
    """Two hours of work for one stream, each due after one: the light one is late, by an hour."""
    jobs = [Job(name, name, name, sure(3600), {"link": 1}) for name in ("light", "heavy")]
    dues = [Due("light", 3600, 1), Due("heavy", 3600, 2)]
    found = schedule(jobs, [Pool("link", "lien", 1)], dues)
    assert found.finish == {"light": 7200, "heavy": 3600}
    assert found.order == ("heavy", "light")
    assert (found.lateness, found.broken) == (3600.0, 1)
    assert found.cost == 3600 + 14_400 + (7200 + 2 * 3600) / 1000


def test_what_is_not_late_still_comes_early() -> None:
    """Without any pressure, the short one first: the sum of finishes is the smallest."""
    jobs = [
        Job(name, name, name, sure(seconds), {"link": 1}) for name, seconds in (("long", 50), ("short", 5))
    ]
    found = schedule(jobs, [Pool("link", "lien", 1)], [Due("long", 1000), Due("short", 1000)])
    assert found.finish == {"short": 5, "long": 55}


def test_people_who_arrive_later_hold_back_only_what_needs_them() -> None:
    """A restore begins at once; the check waits for somebody."""
    jobs = [
        Job("restore", "a", "", sure(10), {"link": 1}),
        Job("check", "a", "", sure(5), {"people": 1}, after=("restore",)),
    ]
    found = schedule(jobs, POOLS, [], release={"people": 60})
    assert found.start == {"restore": 0, "check": 60}


def test_the_same_arguments_give_the_same_timetable() -> None:
    """A limit without a clock: two runs are equal to the last second, bound included."""
    jobs, dues = _crowd(20)
    assert schedule(jobs, CROWD, dues, seed=3) == schedule(jobs, CROWD, dues, seed=3)


def test_the_bound_is_never_above_the_cost_and_says_so() -> None:
    """A crowd beyond what the solver takes: a gap is shown, and nothing is said to be proven."""
    jobs, dues = _crowd(210)
    found = schedule(jobs, CROWD, dues, limit=0.05)
    assert faults(jobs, CROWD, found.start, found.end) == []
    assert 0 < found.bound < found.cost
    assert found.gap == pytest.approx(1 - found.bound / found.cost)
    assert found.gap < 0.4
    assert not found.proven


def test_a_timetable_made_elsewhere_is_counted_alike() -> None:
    """Our own starts, given back, cost the same."""
    jobs, dues = _crowd(10)
    ours = schedule(jobs, CROWD, dues)
    again = timetable(jobs, CROWD, dues, ours.start)
    assert (again.cost, again.lateness, again.broken) == (ours.cost, ours.lateness, ours.broken)


def test_a_relief_too_small_is_refused() -> None:
    """The fault of the problem reaches whoever asked for a timetable."""
    with pytest.raises(BadInput) as raised:
        schedule([Job("x", "a", "x", sure(1), {"link": 3})], POOLS, [])
    assert raised.value.code == "relief-too-small"


def test_nothing_to_do_is_done_at_once() -> None:
    """No job: an empty timetable that costs nothing."""
    found = schedule([], POOLS, [Due("a", 5)])
    assert (found.start, found.cost, found.proven) == ({}, 0, True)
    assert makespan([], POOLS).seconds == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_small_makespan_is_the_best_of_all(seed: int) -> None:
    """The other objective of the same model."""
    jobs, _, release = _instance(seed)
    work = problem(jobs, POOLS, (), release)
    found = makespan(jobs, POOLS, release=release)
    ends = [
        max(start + lasting for start, lasting in zip(starts, work.seconds, strict=True))
        for starts in everything(work)
    ]
    assert (found.seconds, found.bound, found.proven) == (min(ends), min(ends), True)


CROWD = [Pool("link", "lien", 3), Pool("people", "personnes", 2)]


def _crowd(applications: int) -> tuple[list[Job], list[Due]]:
    chance = random.Random(applications)
    jobs, dues = [], []
    for index in range(applications):
        name = f"a{index}"
        restore = Job(f"r{index}", name, "", sure(chance.randint(100, 4000)), {"link": 1})
        check = Job(f"c{index}", name, "", sure(chance.randint(60, 900)), {"people": 1}, after=(restore.id,))
        jobs += [restore, check]
        dues.append(Due(name, chance.randint(1000, 500 * applications), chance.choice([1, 2, 5])))
    return jobs, dues
