"""`python -m bench.objectives`: needs, choice, timetable, simulations, and the demo's own recovery; one result, one page."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import objectives_choice, objectives_demo, objectives_estate, objectives_schedule, psplib
from bench.figures import Row, machine, spread
from releve.domain.errors import Exit

PSPLIB_LIMIT = 5.0  # deterministic, an instance
STEPS = ("needs", "flow", "contradictions", "ranks", "wishes")


def main() -> int:
    """Measure everything, keep the raw values, write the page; exit 3 when a promise is not kept."""
    reader = argparse.ArgumentParser(prog="python -m bench.objectives", description=__doc__)
    reader.add_argument(
        "--runs", type=int, default=10, help="sinistres de la démonstration, avant puis après la prévision"
    )
    reader.add_argument(
        "--estates", type=int, default=objectives_schedule.ESTATES, help="parcs tirés au sort"
    )
    given = reader.parse_args()
    began, at = time.monotonic(), datetime.now(UTC)
    raw: Row = {}
    for name, work in (
        ("estate", lambda: [objectives_estate.estate(size) for size in (1, 60)]),
        ("choice", objectives_choice.measured),
        ("schedule", lambda: objectives_schedule.measure(estates=given.estates)),
        ("demo", lambda: objectives_demo.demo(given.runs)),
        ("psplib", _instances),
    ):
        sys.stderr.write(f"[{time.monotonic() - began:5.0f} s] {name}\n")
        raw[name] = work()
    kept = promises(raw)
    result: Row = {"at": at.isoformat(timespec="seconds"), "machine": machine(), "promises": kept, "raw": raw}
    folder = objectives_schedule.RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    objectives_schedule.PAGE.write_text(page(result, path.name), encoding="utf-8")
    print("\n".join(_verdicts(kept)))
    print(f"\nvaleurs brutes : {path}\npage : {objectives_schedule.PAGE}")
    return Exit.DONE if all(item["kept"] for item in kept) else Exit.PROMISE_NOT_KEPT


def _instances() -> list[Row] | None:
    """The instances that the user supplies; None without any: not run."""
    folder = os.environ.get(psplib.PLACE)
    return psplib.measure(Path(folder), PSPLIB_LIMIT) if folder else None


def promises(raw: Row) -> list[Row]:
    """What the objectives must reach, with what was measured."""
    small, large = raw["estate"]
    choice = {row["establishments"]: row for row in raw["choice"]["sizes"]}
    speed = {row["applications"]: row for row in raw["schedule"]["speed"]}
    forty = _steps(small) + _middle(choice[1]["seconds"]) + speed[40]["schedule_seconds"]
    many = _steps(large) + _middle(choice[60]["seconds"]) + speed[2400]["schedule_seconds"]
    rows = raw["schedule"]["compare"]
    ours, groups, dependencies = (_way(rows, way) for way in ("ours", "groups", "dependencies"))
    demo = raw["demo"]
    return [
        _promise("40 applications, tout sauf les simulations et la lecture", forty, 1.0, "s"),
        _promise("60 × 40, tout sauf les simulations et la lecture", many, 10.0, "s"),
        _promise("60 × 40, écart prouvé du choix", choice[60]["gap"] * 100, 1.0, "%"),
        _promise("10 000 sinistres de 40 applications", speed[40]["everything_seconds"], 2.0, "s"),
        _promise("10 000 sinistres de 2 400 besoins", speed[2400]["everything_seconds"], 60.0, "s"),
        _promise("… leur mémoire", speed[2400]["memory_mb"], 1000.0, "Mo"),
        _promise("retard pondéré ÷ groupes l'un après l'autre", ours[0] / groups[0], 1.0, ""),
        _promise("retard pondéré ÷ ordre des dépendances", ours[0] / dependencies[0], 1.0, ""),
        _promise("RTO non tenus ÷ groupes l'un après l'autre", ours[1] / groups[1], 1.0, ""),
        _promise("RTO non tenus ÷ ordre des dépendances", ours[1] / dependencies[1], 1.0, ""),
        _promise(
            "démonstration : médiane mesurée, écart au P50", abs(demo["off_the_middle"]) * 100, 30.0, "%"
        ),
        {
            "title": "démonstration : médiane mesurée entre P10 et P90",
            "value": demo["median_measured"],
            "bound": demo["predicted"]["p90"],
            "unit": "s",
            "kept": demo["within"],
        },
    ]


def _promise(title: str, value: float, bound: float, unit: str) -> Row:
    return {"title": title, "value": value, "bound": bound, "unit": unit, "kept": value <= bound}


def _steps(row: Row) -> float:
    """The middle of each step, added: reading is stated apart."""
    return sum(_middle(row["seconds"][name]) for name in STEPS)


def _middle(values: list[float]) -> float:
    return float(spread(values)["p50"])


def _way(rows: list[Row], way: str) -> tuple[float, int]:
    chosen = [row for row in rows if row["way"] == way]
    return sum(row["lateness_hours"] for row in chosen), sum(row["broken"] for row in chosen)


def page(result: Row, source: str) -> str:
    """The whole page, in French, from the result alone."""
    raw = result["raw"]
    return objectives_schedule.page(
        result,
        source,
        [
            ["## Promesses", "", *_verdicts(result["promises"]), ""],
            list(_estate_lines(raw["estate"])),
            list(_choice_lines(raw["choice"])),
            objectives_schedule.section(raw["schedule"]),
            list(_demo_lines(raw["demo"])),
            list(_psplib_lines(raw["psplib"])),
        ],
    )


def _verdicts(kept: list[Row]) -> list[str]:
    lines = ["| promesse | borne | mesuré | verdict |", "|---|---|---|---|"]
    for item in kept:
        verdict = "tenue" if item["kept"] else "**NON TENUE**"
        lines.append(
            f"| {item['title']} | ≤ {_said(item['bound'], item['unit'])} | {_said(item['value'], item['unit'])} | {verdict} |"
        )
    return lines


def _said(value: float, unit: str) -> str:
    return f"{value:.2f}".replace(".", ",") + (f" {unit}" if unit else "")


def _estate_lines(rows: list[Row]) -> Iterator[str]:
    yield from (
        "## Des réponses à l'ordre de reprise",
        "",
        "| besoins | lecture des fichiers YAML | tout le reste |",
        "|---|---|---|",
    )
    for row in rows:
        yield f"| {row['needs']} | {_said(_middle(row['seconds']['read']), 's')} | {_said(_steps(row), 's')} |"
    yield from (
        "",
        "Médianes de trois passages. « Tout le reste » : besoins, remontée et descente, contradictions, rangs, souhaits.",
        "",
    )


def _choice_lines(raw: Row) -> Iterator[str]:
    yield from (
        "## Le choix des protections, à côté du tableau par palier",
        "",
        (
            "« Par palier » : ce que fait un tableau (tel délai, telle solution), sur le même parc et les mêmes prix inventés. "
            "Moins cher n'y veut pas dire mieux : les souhaits et règles non tenus sont comptés."
        ),
        "",
        "| applications | temps | coût | écart prouvé | par palier : coût | souhaits non tenus | règles non tenues |",
        "|---|---|---|---|---|---|---|",
    )
    for row in raw["sizes"]:
        usual = row["tiers"]
        yield (
            f"| {row['applications']} | {_said(_middle(row['seconds']), 's')} | {_euros(row['totals_cents'][0])} "
            f"| {_said(row['gap'] * 100, '%')} | {_euros(usual['total_cents'])} | {usual['broken_wishes']} | {usual['broken_rules']} |"
        )
    curves = raw["curves"]
    yield from (
        "",
        (
            f"Courbe d'une application : {curves['application']['points']} points en {_said(curves['application']['seconds'], 's')} ; de "
            f"l'association : {curves['association']['points']} points en {_said(curves['association']['seconds'], 's')}."
        ),
        "",
    )


def _psplib_lines(rows: list[Row] | None) -> Iterator[str]:
    yield from ("## Instances RCPSP de PSPLIB", "")
    if rows is None:
        yield f"Non exécuté (not run) : elles ne sont pas fournies. {psplib.PLACE}=dossier make bench les mesure."
    else:
        yield psplib.summary(rows)
    yield ""


def _euros(cents: int) -> str:
    return f"{cents / 100:,.0f} €".replace(",", " ")


def _demo_lines(raw: dict[str, Any]) -> Iterator[str]:
    predicted = raw["predicted"]
    known, seen = spread(raw["known_seconds"]), spread(raw["measured_seconds"])
    yield from (
        "## La démonstration : prévue, puis mesurée",
        "",
        (
            f"{len(raw['known_seconds'])} sinistres réels remplissent le registre ; la prévision n'a que lui ; "
            f"{len(raw['measured_seconds'])} sinistres de plus la jugent, vus par un témoin extérieur."
        ),
        "",
        "| | P10 ou min | P50 | P90 |",
        "|---|---|---|---|",
        f"| prévu | {_said(predicted['p10'], 's')} | {_said(predicted['p50'], 's')} | {_said(predicted['p90'], 's')} |",
        f"| mesuré avant | {_said(known['min'], 's')} | {_said(known['p50'], 's')} | {_said(known['p90'], 's')} |",
        f"| mesuré après | {_said(seen['min'], 's')} | {_said(seen['p50'], 's')} | {_said(seen['p90'], 's')} |",
        "",
    )


if __name__ == "__main__":
    raise SystemExit(main())
