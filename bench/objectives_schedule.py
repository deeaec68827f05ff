"""`python -m bench.objectives_schedule`: our timetables beside the two other ways, and what they cost to compute.

The peers are ways, not programs, each written here in a few lines on our own scheme, so that only the order
differs: *groups* starts fixed priority groups one after the other, dependencies within a group and everything
in parallel (what recovery orchestrators offer); *dependencies* has no due: whatever is ready and fits starts,
the prerequisites first. All three are counted by the same function, on the same 100 generated estates.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Row, machine, spread
from releve.cycle.objectives.prediction.durations import Law
from releve.cycle.objectives.prediction.listing import parallel, serial
from releve.cycle.objectives.prediction.problem import problem
from releve.cycle.objectives.prediction.schedule import Timetable, schedule, timetable
from releve.cycle.objectives.prediction.simulate import Draws, Rows, replay, simulate
from releve.domain.work import Due, Job, Pool, Spread

RESULTS = Path(__file__).parent / "results" / "objectives"
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "bench-objectives.md"
HOUR = 3600.0
ESTATES, SAMPLE, DISASTERS = 100, 50, 10_000
CLASSES = (
    (0.15, 4.0, 8.0),
    (0.25, 8.0, 4.0),
    (0.35, 24.0, 2.0),
    (0.25, 72.0, 1.0),
)  # share, RTO in h, weight
WAYS = {
    "ours": "Relève",
    "groups": "groupes de priorité, l'un après l'autre",
    "dependencies": "ordre des dépendances, le plus possible en parallèle",
}


@dataclass(frozen=True, slots=True)
class Estate:
    """What is to be brought back, on what, when; `group`: the priority group of each application, 0 first."""

    jobs: tuple[Job, ...]
    pools: tuple[Pool, ...]
    dues: tuple[Due, ...]
    release: dict[str, float]
    group: dict[str, int]


def generate(seed: int, applications: int) -> Estate:
    """An estate of `applications`, three jobs each (restore, start, check by a person), from `seed`.

    Class of an application: 15, 25, 35, 25 % with an RTO of 4, 8, 24, 72 h times a lognormal (σ 0.4) and a
    weight of 8, 4, 2, 1. Restore: lognormal of median 400 s (40 GB at 100 MB/s), σ 1.2, one link and one
    disk stream; start: median 180 s, σ 0.6, 1 to 4 processors, and 4 to 32 GiB kept; check: median 600 s,
    σ 0.6, one person, there after 0.5 to 1 h. P10 and P90 are 0.75 and 2 times the median. One in ten is
    shared: half of the others wait for one or two shared ones, and so raise their class. The relief has, for
    40 applications, 4 link and 6 disk streams, 8 processors, 2 people, a tenth more memory than is kept; all
    durations of an estate are stretched by 1 to 3.5. The establishments of thousands share one relief.
    """
    chance = random.Random(seed * 1_000_003 + applications)
    stretch = chance.uniform(1.0, 3.5)
    classes = [chance.choices(range(4), [one[0] for one in CLASSES])[0] for _ in range(applications)]
    shared = [index for index in range(applications) if index % 10 == 0]
    jobs, dues, memory = [], [], 0
    for index in range(applications):
        name = f"a{index}"
        wants = []
        if index not in shared and chance.random() < 0.5:
            wants = chance.sample(shared, min(chance.randint(1, 2), len(shared)))
        for one in wants:
            classes[one] = min(classes[one], classes[index])
        kept = chance.choice([4, 8, 16, 32])
        memory += kept
        restore, start, check = f"{name}-restore", f"{name}-start", f"{name}-check"
        jobs += [
            Job(restore, name, restore, _lasting(chance, 400 * stretch, 1.2), {"link": 1, "disk": 1}),
            Job(
                start,
                name,
                start,
                _lasting(chance, 180 * stretch, 0.6),
                {"cpu": chance.randint(1, 4)},
                {"memory": kept},
                (restore, *(f"a{one}-check" for one in wants)),
            ),
            Job(check, name, check, _lasting(chance, 600 * stretch, 0.6), {"people": 1}, after=(start,)),
        ]
    for index, which in enumerate(classes):
        _, hours, weight = CLASSES[which]
        dues.append(Due(f"a{index}", hours * HOUR * chance.lognormvariate(0, 0.4), weight))
    times = max(applications / 40, 0.5)
    sizes = {"link": 4, "disk": 6, "cpu": 8, "people": 2}
    pools = [
        Pool(name, name, max(round(size * times), 4 if name == "cpu" else 1)) for name, size in sizes.items()
    ]
    pools.append(Pool("memory", "memory", round(memory * 1.1)))
    return Estate(
        tuple(jobs),
        tuple(pools),
        tuple(dues),
        {"people": chance.uniform(0.5, 1) * HOUR},
        {f"a{index}": which for index, which in enumerate(classes)},
    )


def _lasting(chance: random.Random, middle: float, sigma: float) -> Spread:
    p50 = middle * chance.lognormvariate(0, sigma)
    return Spread(0.75 * p50, p50, 2 * p50)


def ours(estate: Estate) -> Timetable:
    """Our timetable, with the default limit."""
    return schedule(estate.jobs, estate.pools, estate.dues, release=estate.release)


def by_dependencies(estate: Estate) -> Timetable:
    """Whatever is ready and fits starts: by depth in the dependencies, then as declared."""
    return _listed(estate, estate.jobs)


def by_groups(estate: Estate) -> Timetable:
    """The same within a group; a group starts when everything of the one before is back."""
    members: dict[int, list[str]] = {}
    for job in estate.jobs:
        members.setdefault(estate.group[job.application], []).append(job.id)
    groups = sorted(members)
    waits = {late: tuple(members[soon]) for soon, late in itertools.pairwise(groups)}
    return _listed(
        estate,
        [replace(job, after=job.after + waits.get(estate.group[job.application], ())) for job in estate.jobs],
    )


def _listed(estate: Estate, jobs: Any) -> Timetable:
    work = problem(jobs, estate.pools, estate.dues, estate.release)
    depth = [0] * len(work.jobs)
    for job in work.order:
        depth[job] = max((depth[one] + 1 for one in work.before[job]), default=0)
    starts = parallel(work, [(depth[job], 0, job) for job in range(len(depth))])
    found = dict(zip(work.jobs, map(float, starts), strict=True))
    return timetable(estate.jobs, estate.pools, estate.dues, found, release=estate.release)


def compare(estates: int) -> list[Row]:
    """One row an estate and a way: weighted hours late, broken RTOs, cost, bound, seconds of computing."""
    ways: dict[str, Callable[[Estate], Timetable]] = {
        "ours": ours,
        "groups": by_groups,
        "dependencies": by_dependencies,
    }
    rows = []
    for seed in range(estates):
        estate = generate(seed, 40)
        for name, way in ways.items():
            began, used = time.perf_counter(), time.process_time()
            found = way(estate)
            rows.append(
                {
                    "estate": seed,
                    "way": name,
                    "lateness_hours": found.lateness / HOUR,
                    "broken": found.broken,
                    "cost": found.cost,
                    "bound": found.bound,
                    "gap": found.gap,
                    "proven": found.proven,
                    "seconds": time.perf_counter() - began,
                    "processor_seconds": time.process_time() - used,
                }
            )
    return rows


def again(sample: int, estates: int) -> list[Row]:
    """The list replayed beside the exact serial scheme, and beside optimising each draw, known in advance.

    One row a draw: costs (weighted seconds, as `Timetable.cost`) and weighted hours late of the three.
    """
    rows = []
    for seed in range(estates):
        estate = generate(seed, 40)
        order = ours(estate).order
        work = problem(estate.jobs, estate.pools, estate.dues, estate.release)
        number = {name: index for index, name in enumerate(work.jobs)}
        listed = [number[name] for name in order]
        chance = np.random.default_rng(seed)
        count = -(-sample // estates)
        normals = chance.standard_normal((len(work.jobs), count), dtype=np.float32)
        law = Law([job.seconds for job in estate.jobs])
        lasting = np.ceil(np.stack([law.seconds(job, row) for job, row in enumerate(normals)]))
        everything = np.ones((len(work.applications), count), dtype=np.bool_)
        ends = replay(work, listed, lambda job, known=lasting: known[job], everything, {})  # type: ignore[misc]
        for draw in range(count):
            seconds = [float(one) for one in lasting[:, draw]]
            known = replace(
                estate,
                jobs=tuple(
                    replace(job, seconds=Spread(one, one, one))
                    for job, one in zip(estate.jobs, seconds, strict=True)
                ),
            )
            exact = serial(work, listed, seconds=seconds)
            starts = {
                "replayed": [float(one) for one in ends[:, draw] - lasting[:, draw]],
                "serial": exact,
            }
            row: Row = {"estate": seed, "draw": draw}
            for name, found in starts.items():
                counted = timetable(
                    known.jobs,
                    known.pools,
                    known.dues,
                    dict(zip(work.jobs, found, strict=True)),
                    release=known.release,
                )
                row |= {
                    name: counted.cost,
                    f"{name}_late": counted.lateness / HOUR,
                    f"{name}_broken": counted.broken,
                }
            best = ours(known)
            row |= {"known": best.cost, "known_late": best.lateness / HOUR, "known_broken": best.broken}
            rows.append(row)
    return rows


def _timed(applications: int, disasters: int) -> Row:
    """In a process of its own, so that the memory is that of this alone."""
    estate = generate(1, applications)
    schedule(generate(2, 2).jobs, generate(2, 2).pools, ())  # OR-Tools and NumPy are loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), time.process_time()
    found = ours(estate)
    done = {
        "applications": applications,
        "jobs": len(estate.jobs),
        "schedule_seconds": time.perf_counter() - began,
        "schedule_processor_seconds": time.process_time() - used,
        "gap": found.gap,
        "broken": found.broken,
    }
    chance = np.random.default_rng(0)
    size, places = len(estate.dues), max(applications // 40, 1)
    where = np.arange(size) // 40
    one_place = Rows(
        np.array([where == place for place in range(places)]), chance.integers(0, places, disasters)
    )
    arrivals = {"people": chance.uniform(0.5, 3, disasters) * HOUR}
    for name, touched in (("everything", None), ("one_place", one_place)):
        began, used = time.perf_counter(), time.process_time()
        simulate(
            estate.jobs, estate.pools, estate.dues, found.order, Draws(disasters, touched, release=arrivals)
        )
        done[f"{name}_seconds"] = time.perf_counter() - began
        done[f"{name}_processor_seconds"] = time.process_time() - used
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return done | {"disasters": disasters, "memory_mb": after / 1000, "memory_before_mb": before / 1000}


def measure(*, estates: int = ESTATES, sample: int = SAMPLE, disasters: int = DISASTERS) -> Row:
    """Everything of this comparison, raw: what `section` makes a page of."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as apart:
        speed = [apart.apply(_timed, (size, disasters)) for size in (40, 2400)]
    return {"compare": compare(estates), "again": again(sample, min(10, estates)), "speed": speed}


def section(raw: Row) -> list[str]:
    """The lines of Markdown of this comparison, in French."""
    return [*_compare_lines(raw["compare"]), *_again_lines(raw["again"]), *_speed_lines(raw["speed"])]


def _number(value: float, digits: int = 2) -> str:
    return f"{value:,.{digits}f}".replace(",", " ").replace(".", ",")


def _compare_lines(rows: list[Row]) -> list[str]:
    mine = {row["estate"]: row for row in rows if row["way"] == "ours"}
    lines = [
        "## L'ordre de la reprise, à côté des deux autres façons",
        "",
        (
            f"{len(mine)} parcs tirés au sort de 40 applications (`bench/objectives_schedule.py` en décrit les lois), "
            "les mêmes pour les trois façons, les mêmes règles de comptage, le même secours. Retard pondéré : "
            "heures de retard × poids de l'application."
        ),
        "",
        (
            "| façon | retard pondéré, total (h) | RTO non tenus, total | parcs où Relève perd "
            "(retard) | parcs où Relève perd (RTO) |"
        ),
        "|---|---|---|---|---|",
    ]
    for way, label in WAYS.items():
        theirs = [row for row in rows if row["way"] == way]
        lines.append(
            f"| {label} | {_number(sum(row['lateness_hours'] for row in theirs), 0)} "
            f"| {sum(row['broken'] for row in theirs)} "
            f"| {sum(row['lateness_hours'] < mine[row['estate']]['lateness_hours'] - 1e-9 for row in theirs)} "
            f"| {sum(row['broken'] < mine[row['estate']]['broken'] for row in theirs)} |"
        )
    gaps = spread([row["gap"] * 100 for row in mine.values()])
    seconds = spread([row["processor_seconds"] for row in mine.values()])
    return [
        *lines,
        "",
        (
            f"Écart entre notre coût et la borne prouvée : médiane {_number(gaps['p50'])} %, 90e centile "
            f"{_number(gaps['p90'])} %, maximum {_number(gaps['max'])} % ; optimum prouvé pour "
            f"{sum(row['proven'] for row in mine.values())} parcs. Calcul : médiane {_number(seconds['p50'])} s de "
            f"processeur, 90e centile {_number(seconds['p90'])} s."
        ),
        "",
    ]


def _again_lines(rows: list[Row]) -> list[str]:
    exact = spread([(row["replayed"] / row["serial"] - 1) * 100 for row in rows])
    late = {name: sum(row[f"{name}_late"] for row in rows) for name in ("replayed", "serial", "known")}
    broken = {name: sum(row[f"{name}_broken"] for row in rows) for name in ("replayed", "serial", "known")}
    return [
        "## Rejouer la liste, ou tout recalculer",
        "",
        (
            f"{len(rows)} sinistres tirés au sort. « Rejoué » : ce que font les simulations. « Schéma exact » : la même "
            "liste, trous compris. « Recalculé » : l'ordre optimisé en connaissant d'avance les durées du tirage, ce que "
            "personne ne peut faire : c'est une limite, non un concurrent."
        ),
        "",
        "| | retard pondéré, total (h) | RTO non tenus |",
        "|---|---|---|",
        f"| rejoué | {_number(late['replayed'], 1)} | {broken['replayed']} |",
        f"| schéma exact | {_number(late['serial'], 1)} | {broken['serial']} |",
        f"| recalculé | {_number(late['known'], 1)} | {broken['known']} |",
        "",
        (
            f"Coût du rejoué au-dessus du schéma exact : médiane {_number(exact['p50'])} %, 90e centile "
            f"{_number(exact['p90'])} %, de {_number(exact['min'])} à {_number(exact['max'])} %. Par sinistre, "
            f"recalculer gagnerait {_number((late['replayed'] - late['known']) / len(rows))} h de retard pondéré "
            f"et {_number((broken['replayed'] - broken['known']) / len(rows))} RTO."
        ),
        "",
    ]


def _speed_lines(rows: list[Row]) -> list[str]:
    lines = [
        "## Temps de calcul",
        "",
        (
            "| applications (tâches) | calendrier et sa borne | écart à la borne | sinistres simulés | tout est touché "
            "| un établissement touché | mémoire du processus |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['applications']} ({row['jobs']}) | {_seconds(row, 'schedule')} | {_number(row['gap'] * 100, 1)} % "
        f"| {row['disasters']} | {_seconds(row, 'everything')} | {_seconds(row, 'one_place')} "
        f"| {_number(row['memory_mb'], 0)} Mo |"
        for row in rows
    ]
    return [
        *lines,
        "",
        "Secondes de l'horloge, et de processeur entre parenthèses ; le chargement d'OR-Tools et de NumPy n'y est pas.",
        "",
    ]


def _seconds(row: Row, name: str) -> str:
    return f"{_number(row[f'{name}_seconds'])} s ({_number(row[f'{name}_processor_seconds'])})"


def page(result: Row, source: str, sections: list[list[str]]) -> str:
    """The whole page, of the lines of each section."""
    facts = result["machine"]
    head = [
        "<!-- écrit à partir du fichier de résultats : ne pas modifier à la main -->",
        "",
        "# Mesures : les objectifs",
        "",
        (
            f"Tous les chiffres viennent de `bench/results/objectives/{source}`, écrit le {result['at'][:10]}. Machine : "
            f"{facts['cores']} cœurs, Linux {facts['kernel']} ({facts['architecture']}), Python {facts['python']}. "
            "Les rapports comptent plus que les valeurs absolues."
        ),
        "",
    ]
    return "\n".join([*head, *(line for lines in sections for line in lines)])


def main() -> int:
    """Measure, keep the raw values, write the page."""
    reader = argparse.ArgumentParser(prog="python -m bench.objectives_schedule")
    reader.add_argument("--estates", type=int, default=ESTATES)
    reader.add_argument("--sample", type=int, default=SAMPLE)
    reader.add_argument("--disasters", type=int, default=DISASTERS)
    given = reader.parse_args()
    at = datetime.now(UTC)
    raw = measure(estates=given.estates, sample=given.sample, disasters=given.disasters)
    result: Row = {"at": at.isoformat(timespec="seconds"), "machine": machine(), "schedule": raw}
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}-schedule.json"
    kept.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    lines = section(raw)
    PAGE.write_text(page(result, kept.name, [lines]), encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
