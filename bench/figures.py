"""What is made of raw values: percentiles, promises and verdicts (pure), and the machine's facts."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

Row = dict[str, Any]  # one measured case, JSON-ready: what goes to the result file as it is

MEGABYTE = 1_000_000
WAL_RETRY_TAIL_MS = 4000.0  # a promotion that fell into PostgreSQL's 5 s wait takes at least this


@dataclass(frozen=True, slots=True)
class Promise:
    """One bound asked of the product. `value` None: nothing was measured, so it is not kept."""

    id: str
    title: str
    bound: float
    unit: str
    value: float | None

    @property
    def kept(self) -> bool:
        """Whether it was measured and holds."""
        return self.value is not None and self.value <= self.bound

    def as_json(self) -> Row:
        """The promise with its verdict."""
        return {
            "id": self.id,
            "title": self.title,
            "bound": self.bound,
            "unit": self.unit,
            "value": self.value,
            "kept": self.kept,
        }


def spread(values: Sequence[float]) -> Row:
    """Count, smallest, median, 90th percentile (nearest rank) and largest. Empty: the count alone."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)

    def rank(part: float) -> float:
        return ordered[max(ceil(part * len(ordered)), 1) - 1]

    return {"n": len(ordered), "min": ordered[0], "p50": rank(0.5), "p90": rank(0.9), "max": ordered[-1]}


def column(rows: Iterable[Row], name: str) -> list[float]:
    """The values of `name` in the rows that have it."""
    return [float(row[name]) for row in rows if row.get(name) is not None]


def by_task(rows: Iterable[Row], name: str) -> dict[str, Row]:
    """For each kind of task of the runs kept under `name`: the spread of its seconds, costliest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for task in row[name]:
            if task["seconds"] is not None:
                found[task["kind"]].append(task["seconds"])
    return dict(sorted(((kind, spread(v)) for kind, v in found.items()), key=lambda i: -float(i[1]["p50"])))


def ratios(ours: Row, theirs: Row) -> dict[str, float]:
    """Ours divided by the peer's, at each percentile. Below 1: ours takes less."""
    return {
        key: round(ours[key] / theirs[key], 3)
        for key in ("min", "p50", "p90", "max")
        if theirs.get(key) and ours.get(key) is not None
    }


def promises(raw: Mapping[str, Any]) -> list[Promise]:
    """Every bound of the issue against the raw values."""
    warm, cold = raw["disasters"], raw["cold"]
    both = [*warm, *cold]
    content = raw["content"]
    peaks = column(both, "orchestrator_peak_bytes")

    def worst(rows: Sequence[Row], name: str) -> float | None:
        values = column(rows, name)
        return max(values) if values else None

    tails = sum(value >= WAL_RETRY_TAIL_MS for value in column(both, "promotion_ms"))
    return [
        Promise("completed", "sinistres non menés à terme", 0, "", float(len(raw["failures"]))),
        Promise("promotion", "promotion la plus lente", 150, "ms", worst(both, "promotion_ms")),
        Promise("tail", "promotions tombées dans l'attente de 5 s", 0, "", float(tails) if both else None),
        Promise(
            "declared_to_ack",
            "de la déclaration à la première écriture confirmée, la plus lente",
            2,
            "s",
            worst(warm, "declared_to_ack_seconds"),
        ),
        Promise(
            "cold_declared_to_ack",
            "la même, par la commande à froid, la plus lente",
            5,
            "s",
            worst(cold, "declared_to_ack_seconds"),
        ),
        Promise(
            "return_gap", "coupure du retour prévu, la plus longue", 1, "s", worst(both, "return_gap_seconds")
        ),
        Promise("lost", "écritures confirmées puis perdues", 0, "", content.get("lost")),
        Promise("duplicated", "écritures en double", 0, "", content.get("duplicated")),
        Promise(
            "memory",
            "mémoire de l'orchestrateur, au plus haut",
            200,
            "Mo",
            max(peaks) / MEGABYTE if peaks else None,
        ),
        Promise(
            "help",
            "« releve --help », 90e centile",
            300,
            "ms",
            spread(raw["start_up"]["releve_help_ms"])["p90"],
        ),
    ]


def summary(raw: Mapping[str, Any]) -> Row:
    """The spreads of each measure, ours and the peer's, and the ratios between the two."""
    warm, cold, peer = raw["disasters"], raw["cold"], raw["peer"]
    names = ("promotion_ms", "rto_seconds", "declared_to_ack_seconds", "return_gap_seconds")
    ours = {name: spread(column(warm, name)) for name in names}
    theirs = {name: spread(column(peer, name)) for name in (*names[:2], "order_to_ack_seconds")}
    against = {
        "promotion_ms": ratios(ours["promotion_ms"], theirs["promotion_ms"]),
        "rto_seconds": ratios(ours["rto_seconds"], theirs["rto_seconds"]),
        "order_to_ack_seconds": ratios(ours["declared_to_ack_seconds"], theirs["order_to_ack_seconds"]),
    }
    return {
        "resident": ours,
        "cold": {name: spread(column(cold, name)) for name in (*names, "command_to_ack_seconds")},
        "peer": theirs,
        "ours_over_peer": against,
        "switch_tasks_seconds": by_task(warm, "switch_tasks"),
        "return_tasks_seconds": by_task(warm, "return_tasks"),
        "peer_steps_seconds": by_task(peer, "steps"),
        "start_up": {name: spread(values) for name, values in raw["start_up"].items()},
    }


def machine(postgres: str = "") -> Row:
    """Facts of this machine that a reader needs to weigh the figures. No name, no address."""
    found: Row = {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average_before": [round(item, 2) for item in os.getloadavg()],
    }
    if postgres:
        version = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
        found["postgresql"] = version.stdout.strip()
    return found
