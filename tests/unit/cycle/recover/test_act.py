"""Performing a runbook in memory: right outcomes, refusals, and nothing twice when cut anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from releve.cycle.recover.act import Performer
from releve.cycle.recover.conduct import prepare_runbook
from releve.domain.plan import Approval
from releve.domain.protection import LossKind
from releve.domain.runbook import Decision, Direction, Outcome, Runbook, TaskKind, TaskState
from tests.fakes.plans import data_set, plan, with_approval
from tests.fakes.world import FakeWorld

INSTANTS = ("before-intent", "after-intent", "after-effect", "after-outcome")
WRITES = [f"w{i}" for i in range(20)]


class Cut(BaseException):
    """The orchestrator dies here: nothing may catch it."""


def start(fake: FakeWorld, direction: Direction = Direction.SWITCH, run: str = "r1") -> Runbook:
    """Record a run as the conductor would."""
    target = "secours" if direction is Direction.SWITCH else "principal"
    runbook = prepare_runbook(fake.plan, fake.ledger, direction, target, "", run)
    fake.ledger.runs.create(runbook, fake.clock())
    return runbook


def answer(
    fake: FakeWorld,
    runbook: Runbook,
    kind: TaskKind,
    by: str = "directrice",
    *,
    yes: bool = True,
    since: datetime | None = None,
) -> None:
    """A person answers the question of that kind."""
    task = next(item for item in runbook.tasks if item.kind is kind)
    assert task.question is not None
    key = next(item.key for item in task.question.answers if item.goes_on is yes)
    fake.ledger.runs.decide(Decision(runbook.run, task.id, key, by, "vu sur place", fake.clock(), since))


def perform_all(fake: FakeWorld, runbook: Runbook, performer: Performer | None = None) -> dict[str, Outcome]:
    """Perform every task whose predecessors went on, as the driver does."""
    performer = performer or Performer(fake.world)
    done: dict[str, Outcome] = {}
    for task in runbook.tasks:
        if all(name in done and done[name].goes_on for name in task.after):
            done[task.id] = performer.perform(runbook.run, task.id)
    return done


def lost_site() -> tuple[FakeWorld, Runbook]:
    """Writes were acknowledged, the primary died, a switch is recorded with its fence confirmed."""
    fake = FakeWorld()
    for value in WRITES:
        fake.engine.write("principal", value)
    fake.look()
    since = fake.lose_primary()
    runbook = start(fake)
    answer(fake, runbook, TaskKind.CONFIRM_FENCE, since=since)
    return fake, runbook


def test_whole_site_lost() -> None:
    """A dead site, a person's word, and the relief opens with every acknowledged write."""
    fake, runbook = lost_site()
    done = perform_all(fake, runbook)
    assert {item.id for item in runbook.tasks} == set(done), done
    assert fake.access.opened == {("dui", "principal"), ("dui", "secours")}
    assert set(fake.engine.acknowledged) <= fake.engine.values("secours")
    tenure = fake.ledger.tenures.current("dossiers")
    assert tenure is not None
    assert (tenure.epoch, tenure.site) == (1, "secours")
    assert fake.ledger.facts.suspensions("dossiers")[-1].ended_at is None, "alone: the promise is suspended"


def test_no_switch_without_a_fence() -> None:
    """Unseen and unanswered, the fence keeps everything closed."""
    fake = FakeWorld()
    fake.look()
    fake.lose_primary()
    runbook = start(fake)
    done = perform_all(fake, runbook)
    assert done["confirm-fence:dossiers"].state is TaskState.WAITING
    assert "promote:dossiers" not in done
    assert fake.engine.effects["promote:secours"] == 0


def test_refused_fence_stops_the_run() -> None:
    """A person who is not certain stops the switch."""
    fake = FakeWorld()
    fake.lose_primary()
    runbook = start(fake)
    answer(fake, runbook, TaskKind.CONFIRM_FENCE, yes=False)
    done = perform_all(fake, runbook)
    assert done["confirm-fence:dossiers"].state is TaskState.REFUSED
    assert "promote:dossiers" not in done


def test_reachable_primary_is_stopped_by_us() -> None:
    """When the old server can be reached it is stopped and seen stopped: nobody is asked."""
    fake = FakeWorld()
    fake.engine.write("principal", "a")
    runbook = start(fake)
    done = perform_all(fake, runbook)
    assert done["fence:dossiers"].state is TaskState.DONE
    assert done["confirm-fence:dossiers"].state is TaskState.SKIPPED
    assert done["assess:dossiers"].facts["loss"]["kind"] == LossKind.NONE  # type: ignore[index]


def test_unknown_loss_waits_for_a_person() -> None:
    """Out of contact for longer than the plan's delay: the loss is unknown and must be accepted."""
    fake = FakeWorld()
    fake.look()
    fake.lose_primary()
    fake.clock.move(40)
    runbook = start(fake)
    answer(fake, runbook, TaskKind.CONFIRM_FENCE)
    done = perform_all(fake, runbook)
    assert done["assess:dossiers"].facts["loss"]["kind"] == LossKind.UNKNOWN  # type: ignore[index]
    assert done["accept-loss:dossiers"].state is TaskState.WAITING
    answer(fake, runbook, TaskKind.ACCEPT_LOSS)
    assert perform_all(fake, runbook)["open:dui"].state is TaskState.DONE


def test_two_people_are_two_people() -> None:
    """Where the plan asks for two, one answer is not enough and the same person does not count twice."""
    rule = Approval(2, ("directrice", "technicien"))
    fake = FakeWorld(with_approval(plan(), "fence", rule))
    fake.lose_primary()
    runbook = start(fake)
    answer(fake, runbook, TaskKind.CONFIRM_FENCE)
    assert perform_all(fake, runbook)["confirm-fence:dossiers"].state is TaskState.WAITING
    answer(fake, runbook, TaskKind.CONFIRM_FENCE, by="technicien")
    assert perform_all(fake, runbook)["confirm-fence:dossiers"].state is TaskState.DONE


def test_blocked_is_a_fence_only_under_wait() -> None:
    """Under `wait` a primary that cannot be reached is held to be blocked, and nothing is lost."""
    fake = FakeWorld(plan(data_sets=(data_set(wait=True),)))
    fake.look()
    fake.lose_primary()
    fake.clock.move(3600)
    runbook = start(fake)
    done = perform_all(fake, runbook)
    assert done["confirm-fence:dossiers"].state is TaskState.SKIPPED
    assert done["accept-loss:dossiers"].state is TaskState.SKIPPED
    assert done["open:dui"].state is TaskState.DONE


def test_sick_application_is_not_opened() -> None:
    """An application that fails its health checks is not opened to users."""
    fake, runbook = lost_site()
    fake.instances.sick.add(("dui", "secours"))
    done = perform_all(fake, runbook)
    assert done["verify:dui"].state is TaskState.FAILED
    assert ("dui", "secours") not in fake.access.opened


def test_stopped_run_does_nothing_more() -> None:
    """Once a run is stopped, its remaining tasks are abandoned without effect."""
    from releve.domain.runbook import RunState

    fake, runbook = lost_site()
    fake.ledger.runs.end("r1", RunState.STOPPED, fake.clock(), "arrêté")
    done = perform_all(fake, runbook)
    assert {item.state for item in done.values()} == {TaskState.ABANDONED}
    assert fake.engine.effects["promote:secours"] == 0


def returned() -> tuple[FakeWorld, Runbook]:
    """The relief is in production, the primary is repaired and empty, a return is recorded."""
    fake, runbook = lost_site()
    perform_all(fake, runbook)
    fake.engine.destroy("principal")
    fake.engine.come_back("principal")
    fake.access.gone.clear()
    fake.instances.gone.clear()
    fake.access.shut("dui", "principal")
    fake.instances.stop("dui", "principal")
    fake.engine.write("secours", "on the relief")
    return fake, start(fake, Direction.RETURN, "r2")


def test_return_to_a_repaired_site() -> None:
    """The return loses nothing, ends the suspension, and says that an empty disk could not be looked at."""
    fake, runbook = returned()
    done = perform_all(fake, runbook)
    assert {item.id for item in runbook.tasks} == set(done), done
    assert set(fake.engine.acknowledged) <= fake.engine.values("principal")
    assert done["survey:dossiers"].facts["divergence"]["whole"] is False  # type: ignore[index]
    assert all(item.ended_at for item in fake.ledger.facts.suspensions("dossiers"))
    assert ("dui", "principal") in fake.access.opened
    assert ("dui", "secours") not in fake.access.opened


def test_what_only_the_old_side_had_is_listed() -> None:
    """Writes that never left the old primary are found at the return."""
    fake = FakeWorld()
    fake.engine.write("principal", "a")
    fake.look()
    fake.engine.cut()
    fake.engine.write_unheard("principal", "b")
    since = fake.lose_primary()
    fake.engine.kill("principal")
    runbook = start(fake)
    answer(fake, runbook, TaskKind.CONFIRM_FENCE, since=since)
    perform_all(fake, runbook)
    fake.engine.come_back("principal")
    fake.engine.join()
    fake.access.gone.clear()
    fake.instances.gone.clear()
    back = start(fake, Direction.RETURN, "r2")
    done = perform_all(fake, back)
    divergence = done["survey:dossiers"].facts["divergence"]
    assert divergence["transactions"] == 1  # type: ignore[index]
    assert str(divergence["folder"]).startswith("/principal/releve-mis-de-cote/")  # type: ignore[index]


def cuts(runbook: Runbook) -> Iterator[tuple[str, str]]:
    """Every instant of every task."""
    return itertools.product([item.id for item in runbook.tasks], INSTANTS)


@pytest.mark.parametrize("make", [lost_site, returned], ids=["switch", "return"])
def test_cut_at_every_instant_nothing_lost_nothing_twice(make: object) -> None:
    """Cut at each instant of each task and taken up again: same end, each effect once, nothing lost."""
    reference, runbook = make()  # type: ignore[operator]
    before = dict(reference.engine.effects), dict(reference.access.effects)
    perform_all(reference, runbook)
    expected = dict(reference.engine.effects), dict(reference.access.effects)
    assert expected != before
    for task_id, instant in cuts(runbook):
        fake, again = make()  # type: ignore[operator]

        def die(at: str, _run: str, task: str, wanted: tuple[str, str] = (instant, task_id)) -> None:
            if (at, task) == wanted:
                raise Cut

        with pytest.raises(Cut):
            perform_all(fake, again, Performer(fake.world, die))
        perform_all(fake, again)
        assert (dict(fake.engine.effects), dict(fake.access.effects)) == expected, (task_id, instant)
        assert set(fake.engine.acknowledged) <= fake.engine.values(runbook.target), (task_id, instant)
        keys = [
            entry.body.get("task")
            for entry in fake.ledger.evidence.entries()
            if entry.kind == "task-ended" and entry.body.get("run") == again.run
        ]
        assert len(keys) == len(set(keys)), (task_id, instant)


def test_unreachable_relief_is_a_failure_not_a_guess() -> None:
    """When the relief itself cannot be looked at, the loss is unknown and nothing is promoted."""
    fake, runbook = lost_site()
    fake.engine.vanish("secours")
    done = perform_all(fake, runbook)
    assert done["assess:dossiers"].facts["loss"]["kind"] == LossKind.UNKNOWN  # type: ignore[index]
    assert fake.engine.effects["promote:secours"] == 0


def test_durations_are_remembered() -> None:
    """What a task took becomes the next runbook's expectation."""
    fake, runbook = lost_site()
    perform_all(fake, runbook)
    again = prepare_runbook(fake.plan, fake.ledger, Direction.RETURN, "principal", "", "r9")
    assert again.task("promote:dossiers").basis == "measured"
    assert replace(again.task("promote:dossiers"), duration=0.0) != again.task("promote:dossiers")
