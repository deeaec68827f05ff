"""A scenario on the graph -> the jobs of the recovery: what is switched, restored, waited for, unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releve.cycle.objectives.flow import graph
from releve.cycle.objectives.history import History
from releve.cycle.objectives.recovery import (
    DECIDE,
    DETECT,
    LINK,
    MEMORY,
    PEOPLE,
    PROCESSORS,
    RESTORES,
    Way,
    Work,
    pools_of,
    work,
)
from releve.cycle.objectives.scenarios import Damage, Scenario
from releve.cycle.recover.derive import Durations, Request, derive
from releve.domain.objectives import (
    Component,
    ComponentKind,
    Objectives,
    Recovery,
    Relief,
    Supplier,
    SupplierPromise,
)
from releve.domain.plan import ProtectionMode
from releve.domain.protection import Tenure
from releve.domain.runbook import Direction, Runbook
from releve.domain.units import Span, parse_span
from releve.domain.work import Basis, Job, Spread
from tests.fakes.objectives import objectives
from tests.fakes.plans import application, data_set, plan, share

GO = 10**9
MOVED = application("dui", needs=("net",), data=("dossiers",))
PLAN = plan(
    (
        MOVED,
        application("medic", needs=("dui",), moved=False),
        application("net", moved=False),
        application("mail", needs=("net",), moved=False),
        application("ged", data=("documents",), moved=False),
        application("seul", moved=False),
    ),
    (data_set(), share(mode=ProtectionMode.DAILY)),
)
SERVER = Component("baie", "Baie", ComponentKind.STORAGE, ("dossiers", "ged"), (), parse_span("3 h"))
RECOVERIES = (
    Recovery("dui", parse_span("15 min"), Span(300.0), Span(600.0), 2 * GO, 2, 60 * GO),
    Recovery("mail", Span(), Span(300.0), Span(600.0), GO // 2, 1, 120 * GO),
    Recovery("net", parse_span("30 min"), Span(300.0), Span(600.0)),
    Recovery("ged", parse_span("10 min"), Span(300.0), Span(600.0), 0, 1, 10 * GO),
)
RELIEF = Relief(8, 64 * GO + 1, 2, 100e6, 2)
SAID = replace(objectives(), components=(SERVER,), recoveries=RECOVERIES, relief=RELIEF)


def scenario(damage: Damage, *, safe: bool = True) -> Scenario:
    """A scenario of that damage."""
    return Scenario("S99", "essai", "materiel", (), damage, safe, breach=False)


def book() -> Runbook:
    """What Relève would do at the loss of the main site: the record and its data."""
    tenures = {item.id: Tenure(item.id, 3, "principal") for item in PLAN.data_sets}
    return derive(PLAN, Request("r1", Direction.SWITCH, "i1", "principal", "secours", tenures, Durations({})))


def of(
    *hit: str,
    damage: Damage = Damage.MACHINE,
    safe: bool = True,
    said: Objectives = SAID,
    relief: Relief = RELIEF,
    runbook: Runbook | None = None,
    known: History | None = None,
) -> Work:
    """The work of one disaster."""
    stood = graph(PLAN, said)
    return work(PLAN, said, stood, hit, scenario(damage, safe=safe), relief, known or History({}), runbook)


def jobs(found: Work) -> dict[str, Job]:
    """Its jobs by id; no job waits for one that does not exist or comes after it."""
    seen: dict[str, Job] = {}
    for job in found.jobs:
        assert set(job.after) <= set(seen), job
        seen[job.id] = job
    return seen


def test_nothing_hit_asks_for_nothing_but_people_s_time() -> None:
    """No node, no way, no job but noticing and deciding."""
    found = of()
    assert (found.ways, found.last, found.unknown) == ({}, {}, {})
    assert list(jobs(found)) == [DETECT, DECIDE]


@pytest.mark.parametrize("damage", list(Damage))
def test_what_is_not_touched_has_no_way(damage: Damage) -> None:
    """Whatever is lost, an application that does not stand on it is left alone."""
    found = of("mail", damage=damage)
    assert "seul" not in found.ways
    assert "dui" not in found.ways
    assert not [job for job in found.jobs if job.application in {"seul", "dui"}]


def test_a_stop_without_loss_restarts_what_is_hit_and_the_rest_follows() -> None:
    """The network stops: it is put back, and what only waited for it is back at that very moment."""
    found = of("net", damage=Damage.NONE)
    assert found.ways == {"net": Way.RESTORE, "mail": Way.FOLLOWS, "dui": Way.FOLLOWS, "medic": Way.FOLLOWS}
    done = jobs(found)
    assert done["back:mail"].after == ("check:net",)
    assert done["back:mail"].seconds == Spread(0.0, 0.0, 0.0)
    assert not [name for name in done if name.startswith("restore:")]


def test_a_stop_without_loss_restores_no_data() -> None:
    """An application that is hit and loses nothing is started again, not loaded again."""
    assert "restore:mail" not in jobs(of("mail", damage=Damage.NONE))


def test_a_lost_machine_is_rebuilt_before_what_it_carried() -> None:
    """The store first, then the data on it, then the application, each after the one below."""
    found = of("baie", damage=Damage.MACHINE, safe=False)
    done = jobs(found)
    assert found.ways["baie"] is found.ways["dossiers"] is found.ways["dui"] is Way.RESTORE
    assert done["rebuild:baie"].seconds.p50 == 3 * 3600
    assert done["restore:dossiers"].after == ("rebuild:baie",)
    assert done["install:dui"].after == ("restore:dossiers",)
    assert found.last["dui"] == "check:dui"


def test_lost_data_are_restored_though_they_stand_below_what_is_hit() -> None:
    """Ransomware hits the record: its data come back from the store first, at the relief's throughput."""
    found = of("dui", damage=Damage.DATA, safe=False)
    done = jobs(found)
    assert found.ways["dossiers"] is Way.RESTORE
    assert done["restore:dossiers"].seconds.p50 == pytest.approx(60 * GO / 100e6)
    assert done["install:dui"].after == ("restore:dossiers",)


def test_a_lost_site_loses_the_data_of_what_it_carried() -> None:
    """The network of the site is hit, the record with it: its data are not forgotten because they stand lower."""
    found = of("net", damage=Damage.SITE, safe=False)
    assert {"dossiers", "dui", "mail", "net", "medic"} <= set(found.ways)
    assert jobs(found)["install:dui"].after == ("check:net", "restore:dossiers")


def test_a_copy_that_follows_and_is_sound_needs_no_volume() -> None:
    """Real time and safe: nothing is loaded, and a volume that nobody declared is no obstacle."""
    said = replace(SAID, recoveries=(replace(RECOVERIES[0], volume=None), *RECOVERIES[1:]))
    found = of("dui", damage=Damage.MACHINE, said=said)
    assert not {"dossiers", "dui"} & set(found.unknown)
    assert found.ways["dossiers"] is Way.FOLLOWS


def test_data_whose_volume_nobody_declared_are_unknown_and_so_is_what_stands_on_them() -> None:
    """Unknown goes up the graph, each with its reason in names that people know."""
    said = replace(SAID, recoveries=(replace(RECOVERIES[0], volume=None), *RECOVERIES[1:]))
    found = of("dui", damage=Damage.DATA, safe=False, said=said)
    assert found.unknown == {
        "dossiers": "son volume n'est pas déclaré (recoveries: volume)",
        "dui": "« Dossiers » ne peut pas être estimé",
        "medic": "« DUI » ne peut pas être estimé",
    }
    assert all(found.ways[name] is Way.UNKNOWN for name in found.unknown)
    assert not [job for job in found.jobs if job.application in {"dui", "medic"}]


def test_an_application_of_which_nothing_is_declared_is_unknown() -> None:
    """No recovery, no figure."""
    found = of("seul")
    assert found.unknown == {"seul": "rien n'est déclaré de sa remise en service (recoveries)"}
    assert "seul" not in found.last


def test_a_component_without_a_rebuild_time_is_unknown() -> None:
    """And the applications that it carries with it."""
    said = replace(SAID, components=(replace(SERVER, rebuild=None),))
    found = of("baie", said=said)
    assert found.unknown["baie"] == "rien n'est déclaré de sa remise en état (rebuild)"
    assert {"dossiers", "dui", "medic", "ged"} <= set(found.unknown)


def test_a_supplier_s_promise_never_becomes_a_duration() -> None:
    """With a restore time of an hour promised on what nobody declared, it stays as unknown as without."""
    bare = replace(SAID, components=(replace(SERVER, rebuild=None),))
    supplier = Supplier(
        "s",
        "S",
        (
            SupplierPromise("baie", restore=parse_span("1 h")),
            SupplierPromise("seul", restore=parse_span("1 h")),
        ),
    )
    promised = replace(bare, suppliers=(supplier,))
    assert of("baie", "seul", said=promised) == of("baie", "seul", said=bare)
    assert {"baie", "seul"} <= set(of("baie", "seul", said=promised).unknown)


def test_what_releve_switches_is_its_own_runbook() -> None:
    """Each task of the runbook is a job, in its order, begun once people decided; the rest waits for its end."""
    found = of("srv-principal", damage=Damage.SITE, runbook=book())
    done = jobs(found)
    tasks = book().tasks
    assert [name for name in done if name in {task.id for task in tasks}] == [task.id for task in tasks]
    assert found.ways["dui"] is found.ways["dossiers"] is Way.SWITCH
    assert "restore:dossiers" not in done
    assert "install:dui" not in done
    assert all(done[task.id].after == (task.after or (DECIDE,)) for task in tasks)
    assert found.last["dui"] == [task.id for task in tasks if task.subject == "dui"][-1]


def test_a_measured_task_counts_as_it_was_measured() -> None:
    """The history of the same task and subject replaces the plan's expected time; others stay assumed."""
    first = book().tasks[0]
    seen = Spread(1.0, 2.0, 4.0, Basis.MEASURED, 7)
    known = History({f"{first.kind}:{first.subject}": seen}, detection=seen)
    done = jobs(of("srv-principal", damage=Damage.SITE, runbook=book(), known=known))
    assert done[first.id].seconds == seen
    assert done[DETECT].seconds == seen
    assert done[DECIDE].seconds.basis is Basis.ASSUMED
    others = [task.id for task in book().tasks[1:]]
    assert others
    assert all(done[name].seconds.basis is Basis.ASSUMED for name in others)


@pytest.mark.parametrize(
    ("damage", "safe"), [(Damage.NONE, True), (Damage.DATA, False)], ids=["nothing lost", "copy harmed"]
)
def test_releve_does_not_switch_to_a_harmed_copy_nor_for_a_mere_stop(damage: Damage, safe: bool) -> None:
    """The runbook stays unused where its copy followed the harm, or where nothing was lost."""
    found = of("dui", damage=damage, safe=safe, runbook=book())
    assert Way.SWITCH not in found.ways.values()
    assert found == of("dui", damage=damage, safe=safe)


def test_a_runbook_of_other_things_is_not_played() -> None:
    """What Relève would switch is not touched: it is left where it is."""
    found = of("mail", damage=Damage.MACHINE, runbook=book())
    assert Way.SWITCH not in found.ways.values()
    assert found == of("mail", damage=Damage.MACHINE)


def test_the_jobs_of_a_restore_take_what_they_need() -> None:
    """Loading takes a stream, starting takes processors and keeps memory by whole Go, people install and check."""
    done = jobs(of("mail", damage=Damage.MACHINE))
    assert done["restore:mail"].demands == {RESTORES: 1}
    assert "install:mail" not in done  # nothing to install was declared
    assert done["start:mail"].demands == {PROCESSORS: 1}
    assert done["start:mail"].keeps == {MEMORY: 1}  # half a Go takes a whole one
    assert done["check:mail"].demands == {PEOPLE: 1}
    assert jobs(of("dui", damage=Damage.DATA, safe=False))["start:dui"].keeps == {MEMORY: 2}
    assert jobs(of("ged"))["start:ged"].keeps == {}


def test_memory_is_handed_out_by_whole_go() -> None:
    """A byte more than 64 Go is 64; what is declared is never rounded up."""
    units = {pool.id: pool.capacity for pool in pools_of(RELIEF)}
    assert units == {PEOPLE: 2, PROCESSORS: 8, MEMORY: 64, RESTORES: 2}


@pytest.mark.parametrize(
    ("link", "streams", "rate"), [(250e6, 2, 100e6), (100e6, 1, 100e6), (50e6, 1, 50e6), (399e6, 3, 100e6)]
)
def test_a_link_bounds_restores_in_number_and_pace(link: float, streams: int, rate: float) -> None:
    """As many restores as the link carries at full pace; a link that is slower than one slows that one."""
    relief = replace(RELIEF, link=link)
    assert {pool.id: pool.capacity for pool in pools_of(relief)}[LINK] == streams
    job = jobs(of("mail", relief=relief))["restore:mail"]
    assert job.demands == {RESTORES: 1, LINK: 1}
    assert job.seconds.p50 == pytest.approx(120 * GO / rate)


def test_what_was_declared_is_never_called_measured() -> None:
    """Without a history every duration is assumed."""
    found = of("baie", "net", "mail", damage=Damage.SITE, safe=False, runbook=book())
    assert {job.seconds.basis for job in found.jobs} == {Basis.ASSUMED}


@pytest.mark.parametrize("damage", list(Damage))
@pytest.mark.parametrize("safe", [True, False])
def test_each_node_that_comes_back_has_its_last_job_and_the_others_a_reason(
    damage: Damage, safe: bool
) -> None:
    """Whatever happens: a way for each touched node, a job or a reason, never both."""
    found = of("baie", "net", "seul", damage=damage, safe=safe)
    done = jobs(found)
    touched = graph(PLAN, SAID).touched(["baie", "net", "seul"])
    assert touched <= set(found.ways)
    assert set(found.last) | set(found.unknown) == set(found.ways)
    assert not set(found.last) & set(found.unknown)
    assert set(found.last.values()) <= set(done)


def test_what_stands_on_a_switch_that_became_unknown_is_unknown_too() -> None:
    """The record is switched and needs a network of which nothing is declared: so is what needs the record."""
    said = replace(
        SAID,
        recoveries=(
            *(item for item in RECOVERIES if item.application != "net"),
            Recovery("medic", Span(), Span(300.0), Span(600.0)),
        ),
    )
    found = of("net", "srv-principal", damage=Damage.SITE, said=said, runbook=book())
    assert found.ways["dui"] is found.ways["medic"] is Way.UNKNOWN
    assert found.unknown["medic"] == "« DUI » ne peut pas être estimé"
    assert not set(found.unknown) & set(found.last)


def test_nobody_to_put_it_back_is_not_faster_than_somebody() -> None:
    """A relief without people still asks for one where a person works: the timetable then says who is missing."""
    done = jobs(of("mail", damage=Damage.MACHINE, relief=replace(RELIEF, people=0)))
    assert done["check:mail"].demands == {PEOPLE: 1}
    assert jobs(of("baie", relief=replace(RELIEF, people=0), safe=False))["rebuild:baie"].demands == {
        PEOPLE: 1
    }


def test_what_is_local_is_moot_at_the_loss_of_its_site_whatever_is_unknown_below() -> None:
    """Nobody asks it back: that nothing is declared of what it needs is no question either."""
    said = replace(SAID, recoveries=(*RECOVERIES, Recovery("medic", local=True)))
    bare = replace(said, recoveries=tuple(item for item in said.recoveries if item.application != "dui"))
    found = of("dui", damage=Damage.SITE, safe=False, said=bare)
    assert found.ways["dui"] is Way.UNKNOWN
    assert found.ways["medic"] is Way.MOOT
