"""Laws of the objectives: for any answers, promises and calendars, what is derived keeps its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.objectives.compare import Band, band_of, compared
from releve.cycle.objectives.contradictions import contradictions
from releve.cycle.objectives.flow import graph, required
from releve.cycle.objectives.impact import bearable
from releve.cycle.objectives.loss import LADDER, losable
from releve.cycle.objectives.need import needs
from releve.cycle.objectives.priority import class_of, ranked
from releve.domain.calendars import Calendar, due_at, least_wall, worst_wall
from releve.domain.incident import Incident
from releve.domain.objectives import (
    Component,
    ComponentKind,
    DataAnswer,
    Establishment,
    Objectives,
    Recovery,
    Statement,
    Supplier,
    SupplierPromise,
)
from releve.domain.plan import Plan
from releve.domain.units import Clock, Span
from tests.fakes.objectives import SCALE, objectives, statement
from tests.fakes.plans import application, plan

NAMES = ("a0", "a1", "a2", "a3", "a4", "a5")
PLACES = (
    Establishment("jour", "Jour", "bureau", 20),
    Establishment("nuit", "Nuit", weight=80),
    Establishment("peu", "Peu", "bureau", 0, ("a1", "a2")),
)
CURVES = st.lists(st.integers(1, 4), min_size=SCALE.steps, max_size=SCALE.steps).map(sorted).map(tuple)
IMPACTS = st.fixed_dictionaries({item.code: CURVES for item in SCALE.criteria})
DATA = st.builds(
    DataAnswer, st.just("soins"), st.integers(0, 1000), st.floats(0, 100), st.booleans(), st.none()
)
STATEMENTS = st.builds(
    Statement,
    st.sampled_from(NAMES),
    st.sampled_from([place.id for place in PLACES]),
    st.sampled_from(["infirmière", "médecin", "cadre"]),
    st.just(datetime(2026, 10, 5, tzinfo=UTC).date()),
    st.sampled_from(["", "une raison"]),
    IMPACTS,
    data=st.none() | DATA,
)
SECONDS = st.integers(0, 3 * 86_400).map(float)
PROMISES = st.builds(
    SupplierPromise,
    st.sampled_from([*NAMES, "c0", "c1"]),
    st.none() | SECONDS.map(Span),
    st.none() | SECONDS.map(Span),
    st.sampled_from(["", "bureau"]),
    st.none() | st.floats(0.1, 100),
    st.none() | SECONDS.map(Span),
)


@st.composite
def houses(draw: st.DrawFn) -> tuple[Plan, Objectives]:
    """A plan of six applications that stand on one another, two components, and what people and suppliers say."""
    applications = tuple(
        application(
            name,
            needs=tuple(draw(st.sets(st.sampled_from(NAMES[:index]), max_size=2))) if index else (),
            data=("dossiers",) if draw(st.booleans()) else (),
            rto=draw(st.sampled_from(["15 min", "4 h", "3 j"])),
            moved=draw(st.booleans()),
        )
        for index, name in enumerate(NAMES)
    )
    said = Objectives(
        PLACES,
        statements=tuple({item.key: item for item in draw(st.lists(STATEMENTS, max_size=12))}.values()),
        components=(
            Component("c0", "C0", ComponentKind.SERVER, tuple(draw(st.sets(st.sampled_from(NAMES)))), ("c1",)),
            Component("c1", "C1", ComponentKind.LINK, tuple(draw(st.sets(st.sampled_from(NAMES)))), (), Span(draw(SECONDS))),
        ),
        suppliers=(Supplier("s", "S", tuple(draw(st.lists(PROMISES, max_size=4)))),),
        recoveries=tuple(
            Recovery(name, Span(draw(SECONDS))) for name in draw(st.sets(st.sampled_from(NAMES), max_size=3))
        ),
    )  # fmt: skip
    return plan(applications), said


@settings(max_examples=60, deadline=None)
@given(houses())
def test_what_is_asked_of_a_node_is_never_longer_than_any_need_above_it(
    house: tuple[Plan, Objectives],
) -> None:
    """The strictest of everything that stands on it bounds it, on the shortest clock; its way leads to it."""
    the_plan, said = house
    found = needs(the_plan, said, SCALE, year=2026)
    stood = graph(the_plan, said)
    asked = required(stood, found)
    least = {
        need.application: need.least.total_seconds() for need in sorted(found, key=lambda item: -item.least)
    }
    for node, need in asked.items():
        above = [least[name] for name in stood.touched([node]) if name in least]
        assert (need.seconds is None) == (not above)
        if need.seconds is None:
            continue
        assert 0 <= need.seconds <= min(above)
        assert need.through[0] == need.why[0].because
        assert need.through[-1] == node
        assert all(
            lower in stood.needs[upper] for upper, lower in zip(need.through, need.through[1:], strict=False)
        )
        assert all(asked[below].seconds <= need.seconds for below in stood.needs[node])  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(houses())
def test_the_restart_order_and_the_findings_hold_for_any_house(house: tuple[Plan, Objectives]) -> None:
    """Each node once, after all it needs, with the class of its delay; the findings are whole sentences, none twice."""
    the_plan, said = house
    found = needs(the_plan, said, SCALE, year=2026)
    stood = graph(the_plan, said)
    asked = required(stood, found)
    ranks = ranked(stood, asked, found, said)
    place = {rank.node: rank.place for rank in ranks}
    assert sorted(place) == sorted(stood.needs)
    assert all(place[below] < place[node] for node, under in stood.needs.items() for below in under)
    assert all(rank.priority == class_of(rank.seconds) for rank in ranks)
    clashes = contradictions(the_plan, said, stood, asked, found, year=2026)
    assert len(set(clashes)) == len(clashes)
    assert all(item.node in stood.needs and item.hint and item.source for item in clashes)
    assert not [item for item in clashes if item.sentence.endswith(".")]


@settings(max_examples=80, deadline=None)
@given(IMPACTS, st.integers(0, SCALE.steps - 1), st.sampled_from([item.code for item in SCALE.criteria]))
def test_a_graver_answer_never_gives_a_longer_delay(
    impact: dict[str, tuple[int, ...]], step: int, code: str
) -> None:
    """Raising one criterion from a step on shortens both rules or leaves them; the threshold is the last step before."""
    curve = impact[code]
    graver = {
        **impact,
        code: tuple(max(level, 4) if index >= step else level for index, level in enumerate(curve)),
    }
    before, after = bearable(impact, SCALE), bearable(graver, SCALE)
    assert after.threshold <= before.threshold
    assert after.weighted <= before.weighted
    reached = [
        index
        for index in range(SCALE.steps)
        if any(impact[item.code][index] >= item.unacceptable for item in SCALE.criteria)
    ]
    assert before.threshold == (min(reached) - 1 if reached else SCALE.steps - 1)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 1000), st.floats(0.01, 200), st.floats(1.0, 5.0), st.integers(0, 40_000))
def test_what_takes_longer_to_type_again_may_be_lost_less(
    entries: int, hours: float, more: float, budget: int
) -> None:
    """More hours a day, or a smaller budget, never allow a longer loss; what has no paper may not be lost at all."""
    span = Span(float(budget))
    easy = losable(DataAnswer("x", entries, hours, paper=True), span).span
    hard = losable(DataAnswer("x", entries, hours * more, paper=True), span).span
    poor = losable(DataAnswer("x", entries, hours, paper=True), Span(budget / 2)).span
    assert easy is not None
    assert hard is not None
    assert poor is not None
    assert hard.seconds <= easy.seconds
    assert poor.seconds <= easy.seconds
    assert easy in LADDER
    assert easy.seconds / 86_400 * hours <= budget / 3600
    assert losable(DataAnswer("x", entries, hours, paper=False), span).span == Span()


SLOTS = st.lists(st.integers(0, 23 * 4), min_size=2, max_size=4, unique=True).map(
    lambda quarters: tuple(
        (time(first // 4, first % 4 * 15), time(last // 4, last % 4 * 15))
        for first, last in zip(sorted(quarters)[::2], sorted(quarters)[1::2], strict=False)
    )
)
CALENDARS = st.builds(
    Calendar,
    st.just("x"),
    st.sampled_from(["Europe/Paris", "America/Cayenne", "UTC"]),
    st.dictionaries(st.integers(0, 6), SLOTS, min_size=1),
    st.sampled_from(["", "FR", "FR-57"]),
)


@settings(max_examples=60, deadline=None)
@given(
    CALENDARS,
    st.one_of(
        st.integers(1, 20 * 3600).map(lambda seconds: Span(float(seconds), Clock.BUSINESS)),
        st.integers(1, 5).map(lambda days: Span(0.0, Clock.BUSINESS, days)),
        st.integers(0, 90 * 86_400).map(lambda seconds: Span(float(seconds))),
    ),
    st.lists(st.integers(0, 365 * 86_400 - 1), min_size=1, max_size=20),
)
def test_any_outage_of_the_year_lasts_between_the_least_and_the_worst(
    calendar: Calendar, span: Span, shifts: list[int]
) -> None:
    """The two lengths shown beside a need in opening hours bound every start."""
    least, worst = least_wall(span, calendar, year=2026), worst_wall(span, calendar, year=2026)
    for shift in shifts:
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=shift)
        assert least <= due_at(start, span, calendar) - start <= worst


@settings(max_examples=80, deadline=None)
@given(st.floats(0, 1000, allow_nan=False), st.floats(0, 1000, allow_nan=False))
def test_a_worse_ratio_never_gets_a_better_band(one: float, other: float) -> None:
    """Bands are in order, 100 % is kept and anything above is not."""
    order = list(Band)
    low, high = sorted((one, other))
    assert order.index(band_of(low)) <= order.index(band_of(high))
    assert (band_of(one) in {Band.BROKEN, Band.FAR}) == (one > 1.0)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20 * 86_400), st.sampled_from([1, 3, 5, 7]))
def test_a_need_a_commitment_and_a_measure_never_stand_in_for_one_another(seconds: int, step: int) -> None:
    """The ratio is measure over need; without a measure there is none, whatever is promised."""
    the_plan, said = plan(), objectives(statement(step=step))
    found = needs(the_plan, said, SCALE, year=2026)
    began = datetime(2026, 6, 1, tzinfo=UTC)
    incident = Incident(
        "i", "principal", "x", "x", began, began, None, {"dui": began + timedelta(seconds=seconds)}
    )
    (silent,) = compared(the_plan, said, found, [], {}, began)
    assert (silent.measured, silent.ratio, silent.band) == (None, None, Band.NEVER)
    (line,) = compared(the_plan, said, found, [incident], {}, began)
    assert line.measured is not None
    assert line.measured.last == seconds
    assert line.ratio == seconds / found[0].rto.seconds
    assert line.need == silent.need == found[0].rto
    other = [replace(incident, restored={"mail": began})]
    assert compared(the_plan, said, found, other, {}, began) == (silent,)
