"""`python -m bench.vault`: the vault beside stock restic (Debian's and a current one) and borg, same run.

Every tool saves, saves again, verifies and restores the same three sets of files; each figure is a whole
process, its start included. "kdf": the key costs what restic's calibration asks; "quick": scrypt N=2, so
that the work alone shows. A peer that is not on the machine is said "absent", never left out in silence.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import machine
from bench.launch import launched
from releve.adapters.vault.keyfile import USUAL, Cost
from releve.adapters.vault.repository import create
from releve.adapters.vault.store import FolderStore

RESULTS = Path(__file__).parent / "results" / "vault"
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "bench-vault.md"
CURRENT = Path(sys.prefix) / "restic-current"
PASSWORD = "mot-de-passe-de-mesure"  # noqa: S105 (of throw-away vaults)
QUICK = Cost(2, 8, 1)
Row = dict[str, Any]
SETS = {
    "large": "un fichier de 512 Mio incompressible",
    "mixed": "texte, 190 Mo, et binaires, 128 Mio",
    "small": "10 000 fichiers de 5 ko",
}
JOBS = {
    "first": "première sauvegarde",
    "again": "sauvegarde sans changement",
    "verify": "relecture de chaque octet",
    "restore": "restauration",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: how to make its store, and its four jobs as argv."""

    name: str
    make: Callable[[Path, Cost], None]
    argv: Callable[[str, Path, Path, Path], Sequence[str]]  # job, store, source, output
    kdfs: tuple[str, ...]


def _make_vault(store: Path, cost: Cost) -> None:
    create(FolderStore(store), PASSWORD, datetime.now(UTC), cost)


def _ours(job: str, store: Path, source: Path, output: Path) -> list[str]:
    start = [str(Path(sys.prefix) / "bin" / "releve"), "vault"]
    match job:
        case "first" | "again":
            return [*start, "save", str(store), str(source)]
        case "verify":
            return [*start, "verify", str(store)]
        case _:
            return [*start, "restore", str(store), "--target", str(output)]


def _restic(program: str) -> Callable[[str, Path, Path, Path], Sequence[str]]:
    def argv(job: str, store: Path, source: Path, output: Path) -> list[str]:
        start = [program, "--no-cache", "--quiet", "-r", str(store)]
        match job:
            case "first" | "again":
                return [*start, "backup", str(source)]
            case "verify":
                return [*start, "check", "--read-data"]
            case _:
                return [*start, "restore", "latest", "--target", str(output)]

    return argv


def _make_borg(store: Path, _cost: Cost) -> None:
    _run(["borg", "init", "--encryption=repokey", str(store)])


def _borg(job: str, store: Path, source: Path, output: Path) -> list[str]:
    match job:
        case "first" | "again":
            return ["borg", "create", "--compression", "zstd,3", f"{store}::{job}", str(source)]
        case "verify":
            return ["borg", "check", "--verify-data", str(store)]
        case _:
            output.mkdir()
            return ["borg", "extract", f"{store}::first"]


def tools() -> tuple[list[Tool], list[str]]:
    """Who is there, and who is absent."""
    found, absent = [Tool("releve", _make_vault, _ours, ("kdf", "quick"))], []
    for name, program in (("restic-debian12", shutil.which("restic")), ("restic-current", str(CURRENT))):
        if program and Path(program).exists():
            found.append(Tool(name, _make_vault, _restic(program), ("kdf", "quick")))
        else:
            absent.append(name)
    if shutil.which("borg"):
        found.append(Tool("borg", _make_borg, _borg, ("kdf",)))
    else:
        absent.append("borg")
    return found, absent


def _run(argv: Sequence[str], cwd: Path | None = None) -> Row:
    environment = {
        **os.environ,
        "RELEVE_VAULT_KEY": PASSWORD,
        "RESTIC_PASSWORD": PASSWORD,
        "BORG_PASSPHRASE": PASSWORD,
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    }
    with tempfile.TemporaryDirectory() as place:
        used, said = Path(place, "used"), Path(place, "said")
        with said.open("wb") as log:
            subprocess.run(
                launched(str(used), list(argv)),
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                check=True,
            )
        took = json.loads(used.read_text())
        if took["code"]:
            raise RuntimeError(f"{argv}: {took['code']}: {said.read_text(errors='replace')[-600:]}")
    return {
        "seconds": round(took["seconds"], 3),
        "cpu": round(took["cpu"], 3),
        "memory_mb": round(took["memory"] / 1048576, 1),
    }


def _plant(folder: Path) -> dict[str, Path]:
    chance = random.Random(20261124)
    places = {name: folder / "src" / name for name in SETS}
    for place in places.values():
        place.mkdir(parents=True)
    with (places["large"] / "image.bin").open("wb") as file:
        for _ in range(64):
            file.write(chance.randbytes(8 << 20))
    words = [chance.randbytes(5).hex() for _ in range(20_000)]
    for number in range(30):
        lines = (" ".join(chance.choices(words, k=12_000)) for _ in range(48))
        (places["mixed"] / f"text{number}").write_text("\n".join(lines))
    for number in range(16):
        (places["mixed"] / f"binary{number}").write_bytes(chance.randbytes(8 << 20))
    for number in range(10_000):
        below = places["small"] / f"{number // 100:03d}"
        below.mkdir(exist_ok=True)
        (below / f"{number}.txt").write_bytes(
            chance.randbytes(2500) + b"compte rendu de la visite du jour. " * 70
        )
    return places


def measure(folder: Path, rounds: int, say: Callable[[str], None]) -> Row:
    """Every tool on every set, interleaved, `rounds` times; raw rows."""
    places = _plant(folder)
    found, absent = tools()
    rows = []
    for number in range(rounds):
        for name, source in places.items():
            for tool in found:
                for kdf in tool.kdfs:
                    say(f"tour {number + 1}/{rounds} : {name}, {tool.name}, {kdf}")
                    store, output = folder / "store", folder / "out"
                    tool.make(store, USUAL if kdf == "kdf" else QUICK)
                    for job in JOBS:
                        argv = tool.argv(job, store, source, output)
                        os.sync()  # what the one before left to write is not paid by this one
                        load = round(os.getloadavg()[0], 2)
                        figures = _run(argv, output if tool.name == "borg" and job == "restore" else None)
                        rows.append(
                            {
                                "set": name,
                                "tool": tool.name,
                                "kdf": kdf,
                                "job": job,
                                "round": number,
                                "load": load,
                            }
                            | figures
                        )
                    shutil.rmtree(store)
                    shutil.rmtree(output)
    return {"rows": rows, "absent": absent}


def table(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Medians, and the ratio peer ÷ ours of each (more than 1: we are faster)."""
    groups: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["job"], row["kdf"], row["tool"]), []).append(row)
    lines = []
    for (name, job, kdf, tool), seen in groups.items():
        ours = groups.get((name, job, kdf, "releve"), ())
        mine = median(row["seconds"] for row in ours) if ours else None
        seconds = median(row["seconds"] for row in seen)
        cpu = median(row["cpu"] for row in seen)
        mine_cpu = median(row["cpu"] for row in ours) if ours else None
        lines.append(
            {
                "set": name,
                "job": job,
                "kdf": kdf,
                "tool": tool,
                "seconds": seconds,
                "cpu": cpu,
                "memory_mb": max(row["memory_mb"] for row in seen),
                "times": round(seconds / mine, 2) if mine else None,
                "cpu_share": round(mine_cpu / cpu, 2) if mine_cpu else None,
            }
        )
    return lines


_INTRODUCTION = (
    "Tous les chiffres viennent de `bench/results/vault/{source}` ({day}, {rounds} tours, médianes ; {cores} "
    "cœurs, Linux {kernel}, fichiers déjà en mémoire). Chaque ligne est un programme entier, démarrage compris. "
    "« kdf » : la clé coûte ce que restic demande ; « quick » : clé gratuite, pour voir le travail seul. "
    "« fois » : temps de l'autre ÷ temps de Relève (plus de 1 : Relève est plus rapide). « part » : processeur "
    "de Relève ÷ celui de l'autre. « mémoire » : le plus grand des processus. Avant chaque travail, le disque a "
    "fini d'écrire celui d'avant ; la charge de la machine est dans le fichier."
)
_ELSEWHERE = (
    "lsyncd et rsync sont à côté de la copie à chaud, dans [les mesures des partages](bench-shares.md)."
)


def page(result: Row, source: str) -> str:
    """The page of docs/reference, from a result file and nothing else."""
    facts = result["machine"]
    out = [
        "<!-- écrit par « python -m bench.vault » à partir du fichier de résultats : ne pas modifier à la main -->",
        "",
        "# Mesures du coffre",
        "",
        _INTRODUCTION.format(source=source, day=result["at"][:10], rounds=result["rounds"], **facts),
        "",
        f"Absents de cette machine : {', '.join(result['absent']) or 'aucun'}. {_ELSEWHERE}",
    ]
    for name, said in SETS.items():
        out += [
            "",
            f"## {said}",
            "",
            "| travail | clé | outil | s | fois | cpu s | part | mémoire Mo |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for job, word in JOBS.items():
            for line in result["table"]:
                if (line["set"], line["job"]) == (name, job):
                    cells = [
                        word,
                        line["kdf"],
                        line["tool"],
                        _fr(line["seconds"]),
                        _fr(line["times"]),
                        _fr(line["cpu"]),
                        _fr(line["cpu_share"]),
                        _fr(line["memory_mb"]),
                    ]
                    out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def _fr(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}".replace(".", ",")


def main() -> int:
    """Measure, keep the raw values, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.vault", description="Le coffre à côté de restic et de borg"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", action="store_true", help="écrire aussi docs/reference/bench-vault.md")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="releve-bench-"))
    at = datetime.now(UTC)
    try:
        raw = measure(folder, given.rounds, lambda text: print(text, file=sys.stderr, flush=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {
        "at": at.isoformat(timespec="seconds"),
        "rounds": given.rounds,
        "machine": machine(),
        "table": table(raw["rows"]),
    } | raw
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    text = page(result, path.name)
    print(text)
    print(f"valeurs brutes : {path}")
    if given.page:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
