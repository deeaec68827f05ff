"""`python -m bench.shares`: a share that people save into, and its copy elsewhere, beside lsyncd and rsync.

flow    300 small files a second: from the instant at which a file is closed to the instant at which it is whole
        in the copy (and, for ours, in a snapshot that stock restic can restore).
change  one file changed in 1,000 folders of 1,000 files, and in one folder of 100,000: work until the snapshot is
        durable; the memory; restic's own second run on the same share beside it.
wide    one folder of 1,000,000 files: its capture, its first copy, the comparison of the copy after a restart, a merging;
        the memory of each. It takes 8 GB of disk.
idle    CPU of a capture to which nothing happens.
month   2,200 snapshots, as a month of real time leaves once thinned: stock restic's `snapshots` and `restore`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from inotify_simple import INotify, flags

from bench.figures import machine
from bench.launch import launched
from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints
from releve.adapters.engines.files.fanotify import Fanotify
from releve.adapters.engines.files.follow import HotCopy
from releve.adapters.engines.files.following import Following
from releve.adapters.vault.keyfile import Cost
from releve.adapters.vault.merging import Retired, merge
from releve.adapters.vault.repository import Repository, create, open_vault
from releve.adapters.vault.store import FolderStore

RESULTS = Path(__file__).parent / "results" / "shares"
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "bench-shares.md"
CURRENT = Path(sys.prefix) / "restic-current"
RELEVE = Path(sys.prefix) / "bin" / "releve"
PASSWORD = "mot-de-passe-de-mesure"  # noqa: S105 (of throw-away vaults)
QUICK = Cost(2, 8, 1)
FOLDERS = 20
PARTS = {  # each follows the one before; the copy does not believe where it stood under another start of the machine
    "captured": "première capture",
    "copied": "première copie",
    "compared": "copie comparée après un redémarrage",
    "merged": "regroupement, deux fois",
}
Row = dict[str, Any]


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


# flow


@contextmanager
def _ours(source: Path, target: Path, base: Path) -> Iterator[None]:
    create(FolderStore(base / "vault"), PASSWORD, now(), QUICK)
    environment = {**os.environ, "RELEVE_VAULT_KEY": PASSWORD}
    both = [
        [
            str(RELEVE),
            "share",
            "capture",
            str(base / "vault"),
            "-s",
            "m",
            "-r",
            str(source),
            "--state",
            str(base / "c"),
        ],
        [
            str(RELEVE),
            "share",
            "follow",
            str(base / "vault"),
            "-s",
            "m",
            "-r",
            str(target),
            "--state",
            str(base / "f"),
        ],
    ]
    with _running(both, environment):
        yield


@contextmanager
def _lsyncd(source: Path, target: Path, base: Path, delay: int | None) -> Iterator[None]:
    said = f", delay = {delay}" if delay is not None else ""
    lua = base / "lsyncd.lua"
    lua.write_text(
        "settings { nodaemon = true, insist = true }\n"
        f'sync {{ default.rsync, source = "{source}", target = "{target}"{said}, rsync = {{ archive = true }} }}\n'
    )
    with _running([["lsyncd", str(lua)]], dict(os.environ)):
        yield


@contextmanager
def _rsync(source: Path, target: Path, _base: Path) -> Iterator[None]:
    loop = f"while :; do rsync -a --delete {source}/ {target}/; sleep 1; done"
    with _running([["sh", "-c", loop]], dict(os.environ)):
        yield


@contextmanager
def _running(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> Iterator[None]:
    started = [
        subprocess.Popen(
            one, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for one in commands
    ]
    try:
        yield
    finally:
        for one in started:
            os.killpg(one.pid, 15)
        for one in started:
            one.wait()


class _Arrivals:
    """When each name was whole in a folder: the rename into it, or the close after a write."""

    def __init__(self, root: Path) -> None:
        self._inotify = INotify(nonblocking=True)
        self.at: dict[str, float] = {}
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir() and path.name != ".releve")]:
            self._inotify.add_watch(str(folder), flags.MOVED_TO | flags.CLOSE_WRITE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            for event in self._inotify.read(timeout=100):
                self.at.setdefault(event.name, time.time())

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()
        self._inotify.close()


def flow(seconds: float, rate: int, base: Path) -> list[Row]:
    """Each tool in turn, on the same machine, with the same writer."""
    rows: list[Row] = []
    tools: list[tuple[str, Callable[[Path, Path, Path], Any]]] = [("releve", _ours)]
    if shutil.which("lsyncd"):
        tools += [
            ("lsyncd delay=1", lambda s, t, b: _lsyncd(s, t, b, 1)),
            ("lsyncd", lambda s, t, b: _lsyncd(s, t, b, None)),
        ]
    if shutil.which("rsync"):
        tools.append(("rsync en boucle", _rsync))
    for name, start in tools:
        print(f"flow: {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=base) as folder:
            rows.append({"tool": name, **_one_flow(start, Path(folder), seconds, rate)})
    return rows


def _one_flow(start: Callable[[Path, Path, Path], Any], base: Path, seconds: float, rate: int) -> Row:
    source, target = base / "source", base / "target"
    for number in range(FOLDERS):
        (source / f"d{number}").mkdir(parents=True)
    target.mkdir()
    with start(source, target, base):
        deadline = time.monotonic() + 60
        while len([one for one in target.iterdir() if one.name.startswith("d")]) < FOLDERS:
            if time.monotonic() > deadline:
                raise RuntimeError("the copy never began")
            time.sleep(0.1)
        time.sleep(2)
        copied = _Arrivals(target)
        snapshots = _Arrivals(base / "vault" / "snapshots") if (base / "vault").exists() else None
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        closed = _write(source, seconds, rate)
        deadline = time.monotonic() + 60
        while len(copied.at.keys() & closed.keys()) < len(closed) and time.monotonic() < deadline:
            time.sleep(0.2)
        copied.close()
        if snapshots is not None:
            snapshots.close()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    lags = sorted(copied.at[name] - at for name, at in closed.items() if name in copied.at)
    row = {
        "files": len(closed),
        "arrived": len(lags),
        **_spread("copy", lags),
        "cpu_seconds": round(spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime, 2),
    }
    if snapshots is not None:
        row |= _spread("restorable", _restorable(base / "vault", snapshots.at, closed))
    return row


def _write(source: Path, seconds: float, rate: int) -> dict[str, float]:
    closed: dict[str, float] = {}
    began = time.monotonic()
    number = 0
    while (elapsed := time.monotonic() - began) < seconds:
        while number < elapsed * rate:
            name = f"f{number:07d}"
            (source / f"d{number % FOLDERS}" / name).write_bytes(os.urandom(2500).hex().encode())
            closed[name] = time.time()
            number += 1
        time.sleep(0.001)
    return closed


def _restorable(vault: Path, appeared: Mapping[str, float], closed: Mapping[str, float]) -> list[float]:
    known = open_vault(FolderStore(vault), PASSWORD).snapshots()
    instants = sorted((one.at.timestamp(), appeared[one.id]) for one in known if one.id in appeared)
    lags = []
    for at in closed.values():
        seen = next((durable for taken, durable in instants if taken >= at), None)
        if seen is not None:
            lags.append(seen - at)
    return sorted(lags)


def _spread(name: str, values: Sequence[float]) -> Row:
    if len(values) < 2:
        return {f"{name}_p50": None, f"{name}_p99": None, f"{name}_max": None}
    cut = quantiles(values, n=100)
    return {
        f"{name}_p50": round(cut[49], 3),
        f"{name}_p99": round(cut[98], 3),
        f"{name}_max": round(max(values), 3),
    }


# change, wide, idle


def change(folders: int, files: int, base: Path) -> Row:
    """One file changed at a time, 20 times, in a process of its own (its memory is then its own)."""
    with tempfile.TemporaryDirectory(dir=base) as folder:
        argv = [sys.executable, "-m", "bench.shares", "--inside", str(folders), str(files), folder]
        ran = subprocess.run(argv, capture_output=True, text=True, check=True)
        return dict(json.loads(ran.stdout))


def _inside(folders: int, files: int, base: Path) -> Row:
    root = base / "share"
    for one in range(folders):
        folder = root / f"d{one:04d}"
        folder.mkdir(parents=True)
        for number in range(files):
            handle = os.open(folder / f"f{number:06d}", os.O_CREAT | os.O_WRONLY, 0o644)
            os.write(handle, b"%d %d\n" % (one, number))
            os.close(handle)
    vault = create(FolderStore(base / "vault"), PASSWORD, now(), QUICK)
    vault.load_index()
    watcher = Fanotify(os.fsencode(root))
    cache = Cache(base / "cache.db", "bench")
    capture = Capture(vault, Share("m", os.fsencode(root), "bench"), cache, cover=watcher.cover, now=now)
    began = time.monotonic()
    capture.take(Hints(everything=True))
    first = time.monotonic() - began
    watcher.gather()
    took, stored = [], 0
    for turn in range(20):
        path = root / f"d{turn * 37 % folders:04d}" / f"f{turn * 13 % files:06d}"
        path.write_text(f"change {turn}\n")
        time.sleep(0.05)
        began = time.monotonic()
        taken = capture.take(watcher.gather())
        took.append(time.monotonic() - began)
        if taken is None or taken.seen.changed != 1:
            raise RuntimeError("the change was not seen")
        stored = taken.stored
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    capture.close()
    watcher.close()
    row: Row = {
        "folders": folders,
        "files_each": files,
        "first_seconds": round(first, 2),
        "change_p50_ms": round(median(took) * 1000, 1),
        "change_max_ms": round(max(took) * 1000, 1),
        "stored_bytes": stored,
        "peak_memory_bytes": memory,
    }
    if CURRENT.exists():
        backup = ["--quiet", "backup", "--no-scan", str(root)]
        _restic(str(CURRENT), base / "vault", backup)
        row["restic_again_ms"] = round(_restic(str(CURRENT), base / "vault", backup) * 1000)
    return row


def wide(files: int, base: Path) -> list[Row]:
    """What is done to one folder of so many files, each part in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        _fill(folder / "share", files)
        create(FolderStore(folder / "vault"), PASSWORD, now(), QUICK)
        for part in PARTS:
            print(f"wide: {part}", file=sys.stderr)
            argv = [sys.executable, "-m", "bench.shares", "--part", part, name]
            subprocess.run(launched(str(folder / "used"), argv), check=True)
            used = json.loads((folder / "used").read_text())
            if used["code"]:
                raise RuntimeError(f"{part}: code {used['code']}")
            rows.append({"part": part, "files": files, **{key: used[key] for key in ("seconds", "memory")}})
    return rows


def _fill(folder: Path, files: int) -> None:
    folder.mkdir(parents=True)
    for number in range(files):
        handle = os.open(folder / f"f{number:07d}.txt", os.O_CREAT | os.O_WRONLY, 0o644)
        os.write(handle, b"%d\n" % number)
        os.close(handle)


def _part(part: str, base: Path) -> None:
    if part == "merged":
        _merged(base / "vault")
        return
    vault = _loaded(base / "vault")
    vault.load_index()
    if part == "captured":
        share = Share("m", os.fsencode(base / "share"), "bench")
        capture = Capture(vault, share, Cache(base / "cache.db", "bench"), cover=lambda _path: None, now=now)
        capture.take(Hints(everything=True))
        capture.close()
    else:
        copy = HotCopy(vault, os.fsencode(base / "hot"))
        following = Following(
            vault, copy, "m", base / "position", epoch=0, boot=part, aside=lambda: base / "aside", now=now
        )
        following.step()
        copy.close()


def idle(seconds: float, base: Path) -> Row:
    """CPU of a resident capture of 10,000 files to which nothing happens."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        for number in range(10_000):
            place = folder / "share" / f"d{number % 100}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"f{number}").write_text(str(number))
        create(FolderStore(folder / "vault"), PASSWORD, now(), QUICK)
        argv = [
            str(RELEVE),
            "share",
            "capture",
            str(folder / "vault"),
            "-s",
            "m",
            "-r",
            str(folder / "share"),
        ]
        started = subprocess.Popen(
            [*argv, "--state", str(folder / "c")],
            env={**os.environ, "RELEVE_VAULT_KEY": PASSWORD},
            stderr=subprocess.DEVNULL,
        )
        try:
            while not (folder / "c" / "capture.json").exists():
                time.sleep(0.1)
            time.sleep(5)
            before = _cpu(started.pid)
            time.sleep(seconds)
            spent = _cpu(started.pid) - before
        finally:
            started.terminate()
            started.wait()
    return {
        "seconds": seconds,
        "cpu_seconds": round(spent, 3),
        "core_percent": round(100 * spent / seconds, 2),
    }


def _cpu(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


# month


def month(base: Path, count: int = 2200) -> Row:
    """A vault with as many snapshots as a month leaves, merged, under stock restic."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        root = folder / "share"
        for number in range(2000):
            place = root / f"d{number % 40}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"f{number}").write_bytes(os.urandom(2000))
        vault = create(FolderStore(folder / "vault"), PASSWORD, now(), QUICK)
        vault.load_index()
        watcher = Fanotify(os.fsencode(root))
        cache = Cache(folder / "cache.db", "bench")
        capture = Capture(vault, Share("m", os.fsencode(root), "bench"), cache, cover=watcher.cover, now=now)
        capture.take(Hints(everything=True))
        for turn in range(count):
            (root / f"d{turn % 40}" / f"f{turn % 2000}").write_text(f"{turn}")
            capture.take(watcher.gather(), force=True)
        capture.close()
        watcher.close()
        row: Row = {"snapshots": count + 1, **_weight(folder / "vault", "before")}
        _merged(folder / "vault")
        row |= _weight(folder / "vault", "after")
        for tool, program in (("restic-debian12", shutil.which("restic")), ("restic-current", str(CURRENT))):
            if program is None or not Path(program).exists():
                row[tool] = "absent"
                continue
            for job, argv in (
                ("snapshots", ["snapshots"]),
                ("restore", ["restore", "latest", "--target", str(folder / f"out-{tool}")]),
            ):
                row[f"{tool} {job}"] = _restic(program, folder / "vault", argv)
        return row


def _merged(vault: Path) -> None:
    note: dict[str, Retired] = {}

    def keep(found: Mapping[str, Retired]) -> None:
        note.clear()
        note.update(found)

    for _ in range(2):
        past = (now() - timedelta(minutes=12)).timestamp()
        for path in (vault / "data").rglob("?" * 64):
            os.utime(path, (past, past))
        for name, one in list(note.items()):
            note[name] = Retired(name, one.at - timedelta(minutes=12))
        merge(_loaded(vault), dict(note), keep=keep, now=now)


def _loaded(vault: Path) -> Repository:
    return open_vault(FolderStore(vault), PASSWORD)


def _weight(vault: Path, when: str) -> Row:
    found = {kind: list((vault / kind).rglob("?" * 64)) for kind in ("data", "index")}
    return {
        f"{when}_packs": len(found["data"]),
        f"{when}_lists": len(found["index"]),
        f"{when}_bytes": sum(path.stat().st_size for paths in found.values() for path in paths),
    }


def _restic(program: str, vault: Path, argv: Sequence[str]) -> float:
    began = time.monotonic()
    subprocess.run(
        [program, "--no-cache", "-r", str(vault), *argv],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return round(time.monotonic() - began, 2)


def page(found: Row, name: str) -> str:
    """The page of the figures of the result file `name`."""
    lines = [
        "<!-- écrit par « python -m bench.shares » à partir du fichier de résultats : ne pas modifier à la main -->",
        "",
        "# Mesures : un partage suivi en continu",
        "",
        (
            f"Mesuré le {found['at'][:10]} par `python -m bench.shares` sur {found['machine']['cores']} cœurs partagés "
            f"(machine bruyante : lire les rapports) ; valeurs brutes : `bench/results/shares/{name}`."
        ),
        "",
        "## De la fermeture d'un fichier à sa présence dans la copie",
        "",
        f"{found['rate']} fichiers de 5 ko par seconde pendant {found['seconds']:g} s.",
        "",
        "| outil | arrivés | p50 (s) | p99 (s) | plus lent (s) | processeur (s) |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['tool']} | {row['arrived']} sur {row['files']} | {row['copy_p50']} | {row['copy_p99']} "
        f"| {row['copy_max']} | {row['cpu_seconds']} |"
        for row in found["flow"]
    ]
    ours = found["flow"][0]
    lines += [
        "",
        (
            f"Le même fichier est dans un instantané qui est là, et que restic sait rendre, après {ours['restorable_p50']} s (p50), "
            f"{ours['restorable_p99']} s (p99), {ours['restorable_max']} s (plus lent)."
        ),
        "",
        "## Un fichier changé, jusqu'à l'instantané durable",
        "",
        (
            "| partage | p50 (ms) | plus lent (ms) | ajouté au coffre (octets) | mémoire au plus (Mo) | première capture (s) "
            "| restic, nouvelle passe (ms) |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["change"]:
        lines.append(
            f"| {row['folders']} dossiers de {row['files_each']} | {row['change_p50_ms']} | {row['change_max_ms']} "
            f"| {row['stored_bytes']} | {row['peak_memory_bytes'] / 1e6:.0f} | {row['first_seconds']} "
            f"| {row.get('restic_again_ms', 'absent')} |"
        )
    lines += _wide_lines(found.get("wide", ()))
    idle_row, month_row = found["idle"], found["month"]
    lines += [
        "",
        f"Au repos, la capture prend {idle_row['core_percent']} % d'un cœur ({idle_row['seconds']:g} s regardées).",
        "",
        "## Après un mois",
        "",
        (
            f"{month_row['snapshots']} instantanés, ce qu'un mois laisse une fois éclairci. Le regroupement mène de "
            f"{month_row['before_packs']} paquets et {month_row['before_lists']} listes "
            f"({month_row['before_bytes'] / 1e6:.0f} Mo) à {month_row['after_packs']} et {month_row['after_lists']} "
            f"({month_row['after_bytes'] / 1e6:.0f} Mo)."
        ),
        "",
        "| restic | snapshots (s) | restore latest (s) |",
        "|---|---|---|",
    ]
    for tool in ("restic-debian12", "restic-current"):
        lines.append(
            f"| {tool} | {month_row.get(f'{tool} snapshots', 'absent')} | {month_row.get(f'{tool} restore', 'absent')} |"
        )
    return "\n".join(lines) + "\n"


def _wide_lines(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    return [
        "",
        f"## Un seul dossier de {rows[0]['files']} fichiers",
        "",
        "| travail | durée (s) | mémoire au plus (Mo) |",
        "|---|---|---|",
        *(f"| {PARTS[row['part']]} | {row['seconds']:.0f} | {row['memory'] / 1e6:.0f} |" for row in rows),
    ]


def main() -> None:
    """Measure, keep the raw values, write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=30.0)
    asked.add_argument("--rate", type=int, default=300)
    asked.add_argument("--only", default="flow,change,wide,idle,month")
    asked.add_argument("--page", action="store_true", help="write docs/reference/bench-shares.md")
    asked.add_argument("--files", type=int, default=1_000_000, help="in the folder of wide")
    asked.add_argument("--inside", nargs=3, metavar=("FOLDERS", "FILES", "BASE"))
    asked.add_argument("--part", nargs=2, metavar=("PART", "BASE"))
    given = asked.parse_args()
    if given.inside:
        folders, files, base = given.inside
        print(json.dumps(_inside(int(folders), int(files), Path(base))))
        return
    if given.part:
        part, base = given.part
        _part(part, Path(base))
        return
    found: Row = {
        "at": now().isoformat(),
        "machine": machine(),
        "rate": given.rate,
        "seconds": given.seconds,
    }
    with tempfile.TemporaryDirectory(prefix="releve-bench-") as name:
        base = Path(name)
        only = set(given.only.split(","))
        if "flow" in only:
            found["flow"] = flow(given.seconds, given.rate, base)
        if "change" in only:
            found["change"] = [change(1000, 1000, base), change(1, 100_000, base)]
        if "wide" in only:
            found["wide"] = wide(given.files, base)
        if "idle" in only:
            found["idle"] = idle(60.0, base)
        if "month" in only:
            found["month"] = month(base)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    if only == {"flow", "change", "wide", "idle", "month"}:
        RESULTS.mkdir(parents=True, exist_ok=True)
        name = f"{now():%Y-%m-%dT%H%M%SZ}.json"
        (RESULTS / name).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if given.page:
            PAGE.write_text(page(found, name), encoding="utf-8")


if __name__ == "__main__":
    main()
