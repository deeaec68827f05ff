"""Runbooks: golden text for the shapes a person will read, and the safety order everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.cycle.recover.derive import Durations, Request, derive, expected_seconds
from releve.domain.errors import BadInput
from releve.domain.plan import Application, Approval, Plan
from releve.domain.protection import Tenure
from releve.domain.runbook import Direction, Runbook, TaskKind
from releve.entrypoints.cli.present import runbook_text
from tests.fakes.plans import application, data_set, plan, share, with_approval

GOLDEN = Path(__file__).parents[3] / "golden" / "runbooks"


def make(source: Plan, direction: Direction = Direction.SWITCH, **measured: float) -> Runbook:
    """The runbook away from the site that holds the data."""
    leaving, entering = (
        ("principal", "secours") if direction is Direction.SWITCH else ("secours", "principal")
    )
    tenures = {item.id: Tenure(item.id, 3, leaving) for item in source.data_sets}
    return derive(source, Request("r1", direction, "i1", leaving, entering, tenures, Durations(measured)))


CASES = {
    "une-application": lambda: make(plan()),
    "une-application-retour": lambda: make(plan(), Direction.RETURN),
    "instance-tiede": lambda: make(
        plan((application("dui", data=("dossiers",), warm=True),)), Direction.RETURN
    ),
    "chaine-et-parallele": lambda: make(
        plan(
            (
                application("medic", needs=("dui",), data=("dossiers",)),
                application("dui", needs=("annuaire",), data=("dossiers",)),
                application("annuaire"),
                application("compta", data=("comptes",)),
                application("messagerie", moved=False),
            ),
            (data_set("dossiers"), data_set("comptes", rpo="15 min")),
        )
    ),
    "partage": lambda: make(plan((application("partage", data=("documents",), warm=True),), (share(),))),
    "partage-retour": lambda: make(
        plan((application("partage", data=("documents",), warm=True),), (share(),)), Direction.RETURN
    ),
    "deux-personnes": lambda: make(
        with_approval(plan(), "accept-loss", Approval(2, ("directrice", "technicien"), 1800.0))
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_golden(name: str) -> None:
    """The text of a derived runbook does not change without somebody reading the change."""
    text = runbook_text(CASES[name]()) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("RELEVE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def predecessors(runbook: Runbook, task_id: str) -> set[str]:
    """All tasks that must end before `task_id` begins."""
    found: set[str] = set()
    todo = [task_id]
    while todo:
        for name in runbook.task(todo.pop()).after:
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


@st.composite
def estates(draw: st.DrawFn) -> Plan:
    """Plans of up to 8 applications with acyclic needs and up to 4 data sets."""
    sets = tuple(data_set(f"d{i}") for i in range(draw(st.integers(1, 4))))
    apps: list[Application] = []
    for index in range(draw(st.integers(1, 8))):
        needs = draw(st.sets(st.sampled_from([a.id for a in apps]))) if apps else set()
        data = draw(st.sets(st.sampled_from([s.id for s in sets]), max_size=2))
        apps.append(
            application(
                f"a{index}", needs=tuple(sorted(needs)), data=tuple(sorted(data)), warm=draw(st.booleans())
            )
        )
    order = draw(st.permutations(apps))
    return plan(tuple(order), sets)


@settings(max_examples=150, deadline=None)
@given(estates(), st.sampled_from(list(Direction)))
def test_safety_order(estate: Plan, direction: Direction) -> None:
    """In any plan: no promotion before its fence, no opening before promotion, verification and needs."""
    runbook = make(estate, direction)
    seen: set[str] = set()
    for task in runbook.tasks:
        assert set(task.after) <= seen, "tasks are listed after their predecessors"
        seen.add(task.id)
    for item in estate.data_sets:
        before = predecessors(runbook, f"promote:{item.id}")
        assert f"fence:{item.id}" in before
        guardrail = "accept-loss" if direction is Direction.SWITCH else "drain"
        assert f"{guardrail}:{item.id}" in before
    for app in estate.applications:
        before = predecessors(runbook, f"open:{app.id}")
        assert f"verify:{app.id}" in before
        for name in app.data:
            assert f"promote:{name}" in before
            assert f"fence:{name}" in before
            assert f"close:{app.id}" in predecessors(runbook, f"fence:{name}")
        for name in app.needs:
            assert f"open:{name}" in before


@settings(max_examples=50, deadline=None)
@given(estates(), st.randoms())
def test_same_tasks_whatever_the_listing_order(estate: Plan, random: object) -> None:
    """The order in which a plan lists its applications changes no task and no predecessor."""
    shuffled = list(estate.applications)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = plan(tuple(shuffled), estate.data_sets)
    first = {t.id: set(t.after) for t in make(estate).tasks}
    second = {t.id: set(t.after) for t in make(other).tasks}
    assert first == second


def test_epoch_goes_up_by_one() -> None:
    """A run takes the epoch after the one in force."""
    assert make(plan()).epochs == {"dossiers": 4}


def test_measured_durations_replace_defaults() -> None:
    """What was measured last time is what the next runbook shows."""
    task = make(plan(), **{"promote:dossiers": 0.031}).task("promote:dossiers")
    assert (task.duration, task.basis) == (0.031, "measured")


def test_independent_data_sets_run_in_parallel() -> None:
    """Two data sets without a common application do not wait for each other."""
    estate = plan(
        (application("a", data=("d0",)), application("b", data=("d1",))), (data_set("d0"), data_set("d1"))
    )
    runbook = make(estate)
    one = make(plan((application("a", data=("d0",)),), (data_set("d0"),)))
    assert expected_seconds(runbook) == expected_seconds(one)
    assert "fence:d0" not in predecessors(runbook, "promote:d1")


def test_nothing_to_move_is_said() -> None:
    """A switch towards the site that already holds everything is bad input."""
    tenures = {"dossiers": Tenure("dossiers", 1, "secours")}
    with pytest.raises(BadInput, match="aucune donnée"):
        derive(
            plan((), None), Request("r", Direction.SWITCH, "", "principal", "secours", tenures, Durations({}))
        )


def test_human_steps_allow_refusal() -> None:
    """Every question has at least one answer that stops the run."""
    for task in make(plan()).tasks:
        if task.question is not None:
            assert {item.goes_on for item in task.question.answers} == {True, False}
            assert task.kind in {TaskKind.CONFIRM_FENCE, TaskKind.ACCEPT_LOSS}
