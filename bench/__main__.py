"""`python -m bench`: every comparison in one run, one result file, one summary.

Exit code 0 when every promise is kept, 3 when one is not, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.disasters import Series, mute
from bench.figures import Row, machine, promises, summary
from bench.page import ratio_lines, spread_lines, verdict_lines, write_page
from bench.peer import peer
from bench.start_up import start_up
from releve.demo.programs import postgresql_programs
from releve.domain.errors import Exit, ReleveError
from releve.entrypoints.story import on_stage

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run everything; the exit code."""
    given = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was started is ended, as for Ctrl-C
    began, at = time.monotonic(), datetime.now(UTC)
    folder = Path(tempfile.mkdtemp(prefix="releve-bench-"))
    folder.chmod(0o711)  # the database's account walks through
    try:
        programs = postgresql_programs()
        facts = machine(str(programs.bin_dir / "postgres"))
        _say(began, "démarrage de la commande")
        raw: dict[str, Any] = {"start_up": start_up(str(programs.bin_dir / "pg_ctl"))}
        raw |= _disasters(folder, given, lambda text: _say(began, text))
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    kept = promises(raw)
    result: Row = {
        "at": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "asked": {"disasters": given.disasters, "cold": given.cold, "peer": given.peer},
        "machine": facts,
        "promises": [item.as_json() for item in kept],
        "summary": summary(raw),
        "raw": raw,
    }
    path = given.results / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    given.results.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _show(result)
    print(f"\nvaleurs brutes : {path}")
    if given.page:
        print(f"page : {write_page(path)}")
    return Exit.DONE if all(item.kept for item in kept) else Exit.PROMISE_NOT_KEPT


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Mesures, chacune à côté de son témoin"
    )
    parser.add_argument("--disasters", type=int, default=30, help="sinistres avec worker résident")
    parser.add_argument("--cold", type=int, default=5, help="sinistres par la commande à froid")
    parser.add_argument("--peer", type=int, default=15, help="sinistres du script témoin")
    parser.add_argument("--results", type=Path, default=RESULTS, help="dossier des résultats")
    parser.add_argument("--page", action="store_true", help="écrire aussi docs/reference/bench.md")
    return parser.parse_args()


def _disasters(folder: Path, given: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """All three series. The peer's disasters are spread evenly among ours, so that load falls on both."""
    rows: dict[str, list[Row]] = {"disasters": [], "cold": [], "peer": []}
    failures: list[Row] = []
    with ExitStack() as stack:
        say("deux systèmes de démonstration se préparent")
        scene = stack.enter_context(on_stage(folder / "releve", mute))
        series = Series(scene, folder)
        theirs = stack.enter_context(peer(folder / "script"))
        turns: list[tuple[float, str, Callable[[int], Row]]] = [
            *((number / given.disasters, "disasters", series.resident) for number in range(given.disasters)),
            *(((number + 0.5) / given.peer, "peer", theirs.one) for number in range(given.peer)),
            *((1.0 + number, "cold", series.cold) for number in range(given.cold)),
        ]
        broken: set[bool] = set()  # whose estate is in an unknown state: the peer's, or ours
        for _, name, play in sorted(turns, key=lambda turn: turn[0]):
            if (name == "peer") in broken:
                continue
            number = len(rows[name]) + 1
            try:
                rows[name].append(play(number))
            except ReleveError as error:
                failures.append(
                    {"series": name, "number": number, "error": f"{error.sentence} [{error.code}]"}
                )
                broken.add(name == "peer")
                say(f"{name} {number} : {error.sentence}")
            else:
                say(_told(name, rows[name][-1]))
        content = series.content() if False not in broken else {}
    return {**rows, "content": content, "failures": failures}


def _told(name: str, row: Row) -> str:
    title = {"disasters": "sinistre", "cold": "à froid", "peer": "script"}[name]
    ordered = row.get("declared_to_ack_seconds", row.get("order_to_ack_seconds"))
    gap = f", retour {row['return_gap_seconds']:.2f} s" if "return_gap_seconds" in row else ""
    return (
        f"{title} {row['number']} : promotion {row['promotion_ms']:.0f} ms, coupure {row['rto_seconds']:.2f} s, "
        f"de l'ordre à l'écriture {ordered:.2f} s{gap}, perdues {row['lost']}"
    )


def _show(result: Row) -> None:
    made = result["summary"]
    blocks = {
        "Promesses": verdict_lines(result),
        "Worker résident": spread_lines(made["resident"]),
        "Commande à froid": spread_lines(made["cold"]),
        "Script témoin": spread_lines(made["peer"]),
        "Rapports": ratio_lines(made["ours_over_peer"]),
        "Tâches de la bascule (s)": spread_lines(made["switch_tasks_seconds"]),
        "Tâches du retour (s)": spread_lines(made["return_tasks_seconds"]),
        "Démarrage": spread_lines(made["start_up"]),
    }
    for title, lines in blocks.items():
        print(f"\n{title}\n" + "\n".join(lines))


def _say(began: float, text: str) -> None:
    sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {text}\n")
    sys.stderr.flush()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
