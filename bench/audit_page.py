"""`docs/reference/bench-audit.md`, from the newest raw values of the three benches of the audit and nothing else.

`python -m bench.audit_page` writes it; a test keeps it equal to what the files give.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from bench import audit_data, audit_lab, audit_network

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "bench-audit.md"
Row = dict[str, Any]
_WHERE = {"cable": "sur le même câble", "router": "derrière un routeur"}
_WHO = {
    "releve": "Relève, tout compris",
    "nmap": "nmap seul, un appel, sans borne",
    "nmap at our rate": "nmap seul, un appel, à la même allure",
}


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """The page."""
    data, network, lab = (newest(bench.RESULTS) for bench in (audit_data, audit_network, audit_lab))
    return "\n".join(
        [
            "<!-- écrit par « python -m bench.audit_page » à partir des fichiers de résultats : ne pas modifier -->",
            "",
            "# Mesures de l'audit",
            "",
            "Les machines sont bruyantes : lisez les rapports plus que les secondes. Les valeurs brutes sont dans `bench/results`.",
            "",
            *_data(*data),
            *_network(*network),
            *_lab(*lab),
        ]
    )


def newest(folder: Path) -> tuple[Row, str]:
    """The newest result of a folder, and its name."""
    path = max(folder.glob("*.json"))
    found: Row = json.loads(path.read_text(encoding="utf-8"))
    return found, path.name


def _fr(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def _data(result: Row, source: str) -> list[str]:
    lines = [
        "## Un million de fichiers, et ce que contiennent les documents",
        "",
        f"`make bench` (`python -m bench.audit_data`), `{source}`, {result['machine']['cores']} cœurs.",
        "",
        "| promis | mesuré | borne | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['title']} | {_fr(row['value'])} {row['unit']} | {_fr(row['bound'])} {row['unit']} | {'tenu' if row['kept'] else 'non tenu'} |"
        for row in result["promises"]
    ]
    lines += [
        "",
        "| inventaire, caches chauds | médiane s | p90 s | Relève ÷ (médianes) |",
        "|---|---|---|---|",
    ]
    warm = result["summary"]["warm"]
    for who, spread in warm["seconds"].items():
        ratio = warm["ours_over"].get(who)
        times = _fr(ratio["p50"]) if ratio else "—"
        lines.append(f"| {who} | {_fr(spread['p50'])} | {_fr(spread['p90'])} | {times} |")
    lines += ["", "| lecture | qui | Mo/s (médiane) |", "|---|---|---|"]
    lines += [
        f"| {row['what']} | {row['who']} | {_fr(median(row['mb_per_s']), 1)} |"
        for row in result["raw"]["sensitivity"]
    ]
    return [*lines, ""]


def _network(result: Row, source: str) -> list[str]:
    lines = [
        "## Un réseau de 254 adresses, 30 vivantes",
        "",
        f"`python -m bench.audit_network`, `{source}` : {result['asked']['count']} ports, {result['asked']['rate']} paquets",
        f"par seconde ; {_fr(result['target'], 0)} s au plus. Le temps de nmap est celui qu'il dit lui-même.",
        "",
        "| où | qui | s (médiane) | s (pire) | temps de nmap s | vivantes trouvées |",
        "|---|---|---|---|---|---|",
    ]
    for where, said in _WHERE.items():
        for who, word in _WHO.items():
            rows = [row for row in result["rows"] if (row["where"], row["who"]) == (where, who)]
            if rows:
                taken = [row["seconds"] for row in rows]
                inside = median(row["nmap_seconds"] for row in rows)
                least = min(row["found"] for row in rows)
                lines.append(
                    f"| {said} | {word} | {_fr(median(taken), 1)} | {_fr(max(taken), 1)} | {_fr(inside, 1)} | {least} |"
                )
    return [*lines, ""]


def _lab(result: Row, source: str) -> list[str]:
    taken = [row["seconds"] for row in result["rows"]]
    row = result["rows"][-1]
    return [
        "## Le laboratoire entier",
        "",
        f"`python -m bench.audit_lab`, `{source}` : {row['looks']} regards, {row['facts']} faits, les fautes posées.",
        "",
        "| audit entier | |",
        "|---|---|",
        f"| médiane de {len(taken)} | {_fr(median(taken), 1)} s |",
        f"| pire | {_fr(max(taken), 1)} s |",
        f"| borne | {_fr(result['target'], 0)} s |",
        f"| dont nmap (il le dit) | {_fr(row['nmap_seconds'], 1)} s |",
        f"| démarrage du laboratoire | {_fr(row['lab_seconds'], 1)} s |",
        "",
    ]


if __name__ == "__main__":
    main()
