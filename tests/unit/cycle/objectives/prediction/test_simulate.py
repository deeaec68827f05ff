"""Simulated disasters: what each application is given, and what nothing is known of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import releve.cycle.objectives.prediction.simulate as simulate_module
from releve.cycle.objectives.prediction.durations import Law
from releve.cycle.objectives.prediction.problem import Need, problem
from releve.cycle.objectives.prediction.schedule import schedule
from releve.cycle.objectives.prediction.simulate import Draws, Rows, _take, replay, simulate, wilson
from releve.domain.errors import BadInput
from releve.domain.work import Due, Job, Pool, Spread
from tests.timetables import faults, sure

LINK = [Pool("link", "lien", 1)]
TWO = [Job(name, name, name, sure(100), {"link": 1}) for name in ("x", "y")]
DUES = [Due("x", 100), Due("y", 150, 2)]


@pytest.mark.parametrize(
    "spread",
    [
        Spread(10, 20, 90),
        Spread(3, 3, 4),
        Spread(5, 5, 5),
        Spread(0, 20, 90),
        Spread(0, 0, 7),
        Spread(0, 0, 0),
    ],
)
def test_a_drawn_duration_has_the_percentiles_that_were_given(spread: Spread) -> None:
    """At the normal law's own 10th, 50th and 90th percentiles stand those of the spread; it rises; it is ≥ 0."""
    z90 = np.float32(1.2815516)
    law = Law([spread])
    points = law.seconds(0, np.array([-z90, 0, z90], dtype=np.float32))
    assert points == pytest.approx([spread.p10, spread.p50, spread.p90], rel=1e-5, abs=1e-5)
    wide = law.seconds(0, np.linspace(-6, 6, 999, dtype=np.float32))
    assert (np.diff(wide) >= -1e-6 * wide[:-1]).all()
    assert wide.min() >= 0


def test_a_list_is_replayed_by_priority() -> None:
    """One stream: the first of the list first, and the figures are those of the arithmetic."""
    found = simulate(TWO, LINK, DUES, ["y", "x"], Draws(40), hourly={"x": 36.0})
    x, y = found.applications
    assert (y.p10, y.p50, y.p90, y.kept) == (100, 100, 100, 1.0)
    assert (x.p50, x.kept, x.touched) == (200, 0.0, 40)
    assert (found.broken, found.lateness) == (1.0, 100.0)
    assert x.loss == pytest.approx(2.0)  # 200 s at 36 an hour, one disaster a year
    assert y.loss is None
    assert (found.loss, found.loss_error) == (pytest.approx(2.0), pytest.approx(0.0))


def test_an_application_that_no_draw_touches_is_unknown() -> None:
    """Never 100 %: nothing was tried. What it would have waited for does not hold it back either."""
    touched = Rows([[True, False]] * 10)
    x, y = simulate(TWO, LINK, DUES, ["y", "x"], Draws(10, touched), hourly={"y": 1}).applications
    assert (x.p50, x.kept) == (100, 1.0)
    assert (y.touched, y.kept, y.low, y.high, y.p10, y.p50, y.p90, y.loss) == (0, *[None] * 7)


def test_without_a_due_there_is_no_probability() -> None:
    """An application that nobody waits for has percentiles, and no RTO to keep or to break."""
    found = simulate(TWO, LINK, DUES[:1], ["x", "y"], Draws(10))
    assert (found.applications[1].kept, found.applications[1].p50) == (None, 200)
    assert found.broken == 0


def test_scenarios_arrivals_dues_and_importance_are_those_of_each_draw() -> None:
    """Three draws, by hand: half the estate, people late at night, an RTO in business hours, a month's end."""
    draws = Draws(
        4,
        touched=Rows([[True, True], [False, True]], [0, 1, 0, 1]),
        due=Rows([[100, 100], [250, 250]], [0, 0, 1, 1]),
        importance=Rows([[1, 1], [1, 10]], [0, 0, 0, 1]),
        release={"link": [0, 0, 50, 400]},
        per_year=2.0,
    )
    found = simulate(TWO, LINK, [], ["x", "y"], draws, hourly={"x": 3600, "y": 3600})
    x, y = found.applications
    # x: 100 (due 100), 150 (due 250); y: 200 late, 100 kept, 250 kept, 500 late
    assert (x.touched, x.kept, x.p10, x.p90) == (2, 1.0, 100, 150)
    assert (y.touched, y.kept, y.p10, y.p50, y.p90) == (4, 0.5, 100, 200, 500)
    assert x.loss == pytest.approx((100 + 150) / 4 * 2)
    assert y.loss == pytest.approx((200 + 100 + 250 + 500 * 10) / 4 * 2)
    assert found.loss == pytest.approx(x.loss + y.loss)
    assert found.broken == 0.5


def _estate() -> tuple[list[Job], list[Pool], list[Due]]:
    jobs: list[Job] = []
    for index in range(12):
        name, last = f"a{index}", (f"s{index - 5}",) if index >= 5 else ()
        jobs += [
            Job(f"r{index}", name, "", Spread(50, 100 + index, 300), {"link": 1 + index % 2}),
            Job(f"s{index}", name, "", Spread(5, 10, 30), {"cpu": 1}, {"memory": 2}, (f"r{index}", *last)),
        ]
    pools = [Pool("link", "", 3), Pool("cpu", "", 2), Pool("memory", "", 24)]
    return jobs, pools, [Due(f"a{index}", 60.0 * index + 200) for index in range(12)]


def test_the_same_seed_gives_the_same_bits_whatever_the_chunk() -> None:
    """1,100 draws in one go, or 250 at a time; another seed gives others."""
    jobs, pools, dues = _estate()
    order = schedule(jobs, pools, dues, limit=0.1).order
    chance = np.random.default_rng(1)
    draws = Draws(1100, Rows(chance.random((7, 12)) < 0.7, chance.integers(0, 7, 1100)), correlation=0.4)
    hourly = {"a3": 12.0, "a7": 1.0}

    def run(seed: int, chunk: int) -> Any:
        return simulate(jobs, pools, dues, order, draws, hourly=hourly, seed=seed, chunk=chunk)

    assert run(5, 250) == run(5, 1000) == run(5, 5000)
    assert run(5, 250) != run(6, 250)


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_pool_is_replayed_by_its_rules(seed: int) -> None:
    """A hundred streams and more, a part of them kept for good: no capacity is ever broken."""
    chance = np.random.default_rng(seed)
    jobs = [
        Job(
            f"j{index}",
            f"j{index}",
            "",
            sure(int(chance.integers(1, 60))),
            {"link": int(chance.integers(1, 40))},
            {"link": int(chance.integers(0, 2))} if index % 4 == 0 else {},
            tuple(
                f"j{one}" for one in chance.integers(0, max(index, 1), 1) if one < index and index % 3 == 0
            ),
        )
        for index in range(200)
    ]
    pools = [Pool("link", "lien", 120)]
    work = problem(jobs, pools)
    lasting = chance.integers(1, 60, (200, 4)).astype(np.float32)
    touched = chance.random((200, 4)) < 0.9
    ends = replay(work, list(work.order), lambda job: lasting[job], touched, {})
    for draw in range(4):
        start = {
            job.id: float(ends[index, draw] - lasting[index, draw])
            for index, job in enumerate(jobs)
            if touched[index, draw]
        }
        end = {job.id: float(ends[index, draw]) for index, job in enumerate(jobs) if touched[index, draw]}
        assert faults(jobs, pools, start, end) == []
        full = 120 * max(end.values())
        done = [index for index in range(200) if touched[index, draw]]
        busy = sum(lasting[one, draw] * jobs[one].demands["link"] for one in done)
        assert busy > 0.7 * full  # nor does it leave the pool empty


def test_what_a_job_does_not_change_of_a_wide_pool_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows outside of the window are those that the whole computation would give."""
    chance = np.random.default_rng(3)
    for kept in (0, 2):
        for _ in range(200):
            table = np.sort(chance.integers(0, 30, (80, 3)), axis=0).astype(np.float32)
            held = int(chance.integers(max(kept, 1), 20))
            start = np.maximum(table[held - 1], chance.integers(0, 31, 3)).astype(np.float32)
            end = start + chance.integers(0, 9, 3).astype(np.float32)
            found = []
            for wide in (64, 1000):
                monkeypatch.setattr(simulate_module, "WIDE", wide)
                found.append(table.copy())
                _take(found[-1], np.empty_like(table), Need(0, held, kept), start, end)
            assert (found[0] == found[1]).all()
            for draw in range(3):
                free = sorted(at for at in table[:, draw] if at <= start[draw])
                rest = free[: len(free) - held] + [at for at in table[:, draw] if at > start[draw]]
                whole = sorted(rest + [end[draw]] * (held - kept) + [np.inf] * kept)
                assert found[0][:, draw].tolist() == whole


def test_what_varies_together_spreads_the_whole() -> None:
    """Ten jobs one after the other: alike in a bad disaster, P90 of the whole is later, P50 of one is not."""
    jobs = [Job(f"j{index}", f"j{index}", "", Spread(50, 100, 200), {"link": 1}) for index in range(10)]
    order = [job.id for job in jobs]
    alone, together = (simulate(jobs, LINK, [], order, Draws(4000, correlation=rho)) for rho in (0.0, 1.0))
    assert together.applications[9].p90 > alone.applications[9].p90 * 1.2
    assert together.applications[0].p50 == pytest.approx(100, rel=0.05)
    assert together.applications[0].p90 == pytest.approx(200, rel=0.05)


def test_the_interval_of_a_probability_holds_it() -> None:
    """Wilson's: 9 of 10 gives 0.596 to 0.982 (the worked value), and 10 of 10 does not give certainty."""
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


@pytest.mark.parametrize(
    "draws",
    [
        Draws(0),
        Draws(2, correlation=1.1),
        Draws(2, Rows([[True]] * 2)),
        Draws(2, Rows([[True, True]])),
        Draws(2, Rows([[True, True]], [0, 1])),
        Draws(2, due=Rows([[-1.0, 2.0]] * 2)),
        Draws(2, importance=Rows([[float("nan"), 2.0]] * 2)),
        Draws(2, release={"people": [0, 0]}),
        Draws(2, release={"link": [0]}),
        Draws(2, release={"link": [0, float("inf")]}),
    ],
)
def test_draws_of_a_wrong_shape_or_value_are_refused(draws: Draws) -> None:
    """Said as a fault of the draws, not found in an array's traceback."""
    with pytest.raises(BadInput) as raised:
        simulate(TWO, LINK, DUES, ["x", "y"], draws)
    assert raised.value.code == "bad-draws"


@pytest.mark.parametrize("order", [["x"], ["x", "x"], ["x", "z"], ["x", "y", "y"], ["y", "x"]])
def test_a_list_that_is_not_the_work_is_refused(order: list[str]) -> None:
    """Every job once, predecessors first."""
    jobs = [TWO[0], Job("y", "y", "y", sure(100), after=("x",))]
    with pytest.raises(BadInput) as raised:
        simulate(jobs, LINK, DUES, order, Draws(2))
    assert raised.value.code == "bad-order"
