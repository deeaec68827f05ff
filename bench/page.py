"""The summary in French, and the page of `docs/reference`: both from one result file and nothing else.

`python -m bench.page bench/results/X.json` writes the page again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.figures import Row

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "bench.md"
KEYS = ("min", "p50", "p90", "max")
LABELS = {
    "promotion_ms": ("promotion de la base", "ms"),
    "rto_seconds": ("coupure vue par le témoin (RTO)", "s"),
    "declared_to_ack_seconds": ("de la déclaration à la première écriture confirmée", "s"),
    "command_to_ack_seconds": ("du lancement de « releve switch » à cette écriture", "s"),
    "order_to_ack_seconds": ("du lancement du script à cette écriture", "s"),
    "return_gap_seconds": ("coupure pendant le retour prévu", "s"),
    "releve_help_ms": ("releve --help", "ms"),
    "python_pass_ms": ("python -c pass", "ms"),
    "pg_ctl_help_ms": ("pg_ctl --help", "ms"),
}


def number(value: float, unit: str = "") -> str:
    """A figure as French writes it: seconds with two decimals, the rest with at most one."""
    if value == int(value) and not unit:
        text = f"{value:.0f}"
    else:
        text = f"{value:.2f}" if unit == "s" else f"{value:.1f}"
    return f"{text.replace('.', ',')} {unit}".strip()


def verdict_lines(result: Row) -> list[str]:
    """One line a promise, as a Markdown table."""
    lines = ["| promesse | borne | mesuré | verdict |", "|---|---|---|---|"]
    for item in result["promises"]:
        seen = "non mesuré" if item["value"] is None else number(item["value"], item["unit"])
        kept = "tenue" if item["kept"] else "**NON TENUE**"
        lines.append(f"| {item['title']} | ≤ {number(item['bound'], item['unit'])} | {seen} | {kept} |")
    return lines


def spread_lines(spreads: dict[str, Row]) -> list[str]:
    """One line a measure: count, smallest, median, 90th percentile, largest."""
    lines = ["| mesure | nombre | min | médiane | 90e centile | max |", "|---|---|---|---|---|---|"]
    for name, spread in spreads.items():
        label, unit = LABELS.get(name, (name, "s"))
        cells = [number(spread[key], unit) if key in spread else "—" for key in KEYS]
        lines.append(f"| {label} | {spread['n']} | {' | '.join(cells)} |")
    return lines


def ratio_lines(ratios: dict[str, dict[str, float]]) -> list[str]:
    """Ours over the peer's."""
    lines = ["| Relève ÷ script | min | médiane | 90e centile | max |", "|---|---|---|---|---|"]
    for name, found in ratios.items():
        label = "de l'ordre à la première écriture" if name.startswith("order") else LABELS[name][0]
        cells = [f"{found[key]:.2f}".replace(".", ",") if key in found else "—" for key in KEYS]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def page(result: Row, source: str) -> str:
    """The whole page."""
    machine, summary, raw = result["machine"], result["summary"], result["raw"]
    loads = sorted(row["load"] for row in (*raw["disasters"], *raw["cold"], *raw["peer"]))
    content = raw["content"]
    peer_lost = sum(row["lost"] for row in raw["peer"])
    failures = [f"- {item['series']} n° {item['number']} : {item['error']}" for item in raw["failures"]]
    return "\n".join(
        [
            "<!-- écrit par « python -m bench.page » à partir du fichier de résultats : ne pas modifier à la main -->",
            "",
            "# Mesures",
            "",
            (
                f"Tous les chiffres de cette page viennent de `bench/results/{source}`, écrit par `make bench`"
                f" le {result['at'][:10]} en {number(result['seconds'], 's')}."
            ),
            "",
            (
                f"Machine : {machine['cores']} cœurs, Linux {machine['kernel']} ({machine['architecture']}), "
                f"Python {machine['python']}, {machine['postgresql']}. Les deux sites, le témoin et les programmes "
                "mesurés se partagent ces cœurs. Charge de la machine pendant les sinistres : de "
                f"{number(loads[0] if loads else 0.0, '')} à {number(loads[-1] if loads else 0.0, '')}. "
                "Les rapports comptent plus que les valeurs absolues."
            ),
            "",
            "## Promesses",
            "",
            *verdict_lines(result),
            "",
            *(["Sinistres non menés à terme :", "", *failures, ""] if failures else []),
            (
                f"Contenu relu à la fin de la série : {content.get('acknowledged', 0)} écritures confirmées, "
                f"{content.get('lost', '?')} perdue(s), {content.get('duplicated', '?')} en double, "
                f"{content.get('in_doubt', '?')} présente(s) sans avoir été confirmée(s)."
            ),
            "",
            "## Sinistres en série, worker résident",
            "",
            *spread_lines(summary["resident"]),
            "",
            "## Commande à froid",
            "",
            (
                "Le worker du secours est arrêté juste avant le sinistre ; `releve incident declare` puis "
                "`releve switch` prennent sa place."
            ),
            "",
            *spread_lines(summary["cold"]),
            "",
            "## À côté : un script séquentiel",
            "",
            (
                "`bench/peer.sh` : `pg_ctl promote -w`, démarrage de l'application, ouverture, attente d'une "
                "réponse. Mêmes sinistres, même témoin, copie synchrone aussi, sur un second système sans worker de "
                "Relève ; le serveur de secours garde le `wal_retrieve_retry_interval` d'origine (5 s). Les "
                "deux séries alternent. Le script part sans décision ni barrière, sans preuve de perte nulle et "
                "sans trace : Relève fait ces étapes en plus. La promotion du script comprend le lancement de "
                f"`pg_ctl`. Écritures perdues avec le script : {peer_lost}."
            ),
            "",
            *spread_lines(summary["peer"]),
            "",
            *ratio_lines(summary["ours_over_peer"]),
            "",
            "Moins de 1 : Relève prend moins de temps.",
            "",
            "## Ce qui coûte le plus",
            "",
            "Secondes par tâche de la bascule, la plus coûteuse d'abord (plusieurs se font en même temps) :",
            "",
            *spread_lines(summary["switch_tasks_seconds"]),
            "",
            "Secondes par tâche du retour :",
            "",
            *spread_lines(summary["return_tasks_seconds"]),
            "",
            "Secondes par étape du script :",
            "",
            *spread_lines(summary["peer_steps_seconds"]),
            "",
            "## Démarrage de la commande",
            "",
            *spread_lines(summary["start_up"]),
            "",
        ]
    )


def write_page(result_file: Path) -> Path:
    """Write `docs/reference/bench.md` from `result_file`."""
    result = json.loads(result_file.read_text(encoding="utf-8"))
    PAGE.write_text(page(result, result_file.name), encoding="utf-8")
    return PAGE


if __name__ == "__main__":
    print(write_page(Path(sys.argv[1])))
