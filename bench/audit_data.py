"""`python -m bench.audit_data`: the inventory of a share beside `find -printf`; reading for what documents hold.

inventory    a tree of a million files: rounds in turn of `find -printf` (three formats) and of ours, the keeping of
             the look in a SQLite ledger included; with a warm cache, then with a cold one where we may empty it
memory       of every process of ours, for that tree and for one folder of a million entries
sensitivity  one core: text (prose, and a list of people), beside Python's `re`; docx and PDF; a folder, whole way
rates        precision and recall on the labelled set

Raw values go to bench/results/audit-data/.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typst

from bench import labelled
from bench.figures import MEGABYTE, Row, column, machine, ratios, spread
from releve.adapters.hosts.local import LocalHost
from releve.adapters.ledger import open_ledger
from releve.adapters.survey.asking import question
from releve.adapters.survey.files import inventory
from releve.adapters.survey.files import question as inventory_question
from releve.adapters.survey.sensitive import detect
from releve.adapters.survey.sensitive.extract import plain
from releve.adapters.survey.sensitive.fold import fold
from releve.adapters.survey.sensitive.pdf import PdfReader
from releve.adapters.survey.sensitive.reader import sensitive
from releve.domain.audit import Audit, Errand, Look, Topic
from releve.domain.errors import Exit
from releve.domain.plan import HostSpec, Reach
from releve.domain.seen import Files

RESULTS = Path(__file__).parent / "results" / "audit-data"
PEERS = {  # what is asked of find, leanest first
    "find": "%y %s %T@ %A@ %p\\n",
    "find, dates": "%y %s %T+ %A+ %p\\n",
    "find, dates and owners": "%y %s %T+ %A+ %u %p\\n",
}
OURS = "releve"
HERE = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
_EXTENSIONS = ("docx", "xlsx", "pdf", "jpg", "txt", "odt", "", "zip", "mp4", "eml")
_TEXT = 48 * MEGABYTE


def main() -> int:
    """Measure, print, write down; exit 3 when a promise is not kept."""
    reader = argparse.ArgumentParser(prog="python -m bench.audit_data", description=__doc__)
    reader.add_argument("--files", type=int, default=1_000_000)
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--cold", type=int, default=2, help="tours à cache vide (root seulement)")
    given = reader.parse_args()
    raw: Row = {"files": given.files}
    with tempfile.TemporaryDirectory(prefix="releve-mesure-") as name:
        root = Path(name)
        with _built(lambda: tree(root / "partage", given.files), root / "partage") as share:
            raw["warm"] = [row for n in range(given.rounds) for row in rounds(share, root / f"l{n}")]
            raw["cold"] = cold(share, root, given.cold)
            raw["memory"] = [memory("tree", share)]
        with _built(lambda: wide(root / "large", given.files), root / "large") as share:
            raw["memory"].append(memory("one folder", share))
        raw["sensitivity"] = sensitivity(root)
    raw["rates"] = rates()
    kept = promises(raw)
    at = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    whole = {
        "at": at.isoformat(timespec="seconds"),
        "machine": machine(),
        "promises": kept,
        "summary": summary(raw),
        "raw": raw,
    }
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for item in kept:
        print(
            f"{'tenu    ' if item['kept'] else 'NON TENU'} {item['title']} : {item['value']} {item['unit']} ({item['bound']})"
        )
    print(f"valeurs brutes : {path}")
    return Exit.DONE if all(item["kept"] for item in kept) else Exit.PROMISE_NOT_KEPT


# -- inventory -----------------------------------------------------------------------------------


def tree(root: Path, number: int) -> None:
    """A share as people fill them: folders of a hundred files, three deep, sizes spread over decades (sparse)."""
    draw = random.Random(5)
    for folder in range(number // 100):
        place = root / f"s{folder % 50:02d}" / f"d{folder // 50 % 40:02d}" / f"f{folder // 2000:03d}"
        place.mkdir(parents=True)
        handle = os.open(place, os.O_RDONLY)
        for file in range(100):
            extension = draw.choice(_EXTENSIONS)
            _file(
                handle, f"document-{file:03d}{extension and '.' + extension}", int(draw.lognormvariate(11, 2))
            )
        os.close(handle)


def wide(root: Path, number: int) -> None:
    """One folder of that many files."""
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    for file in range(number):
        _file(handle, f"scan-{file:07d}.pdf", 4096 + file)
    os.close(handle)


def _file(folder: int, name: str, size: int) -> None:
    handle = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.ftruncate(handle, size)
    os.close(handle)


@contextmanager
def _built(build: Callable[[], None], place: Path) -> Iterator[Path]:
    begun = time.monotonic()
    build()
    sys.stderr.write(f"{place.name} : {time.monotonic() - begun:.0f} s à construire\n")
    yield place
    shutil.rmtree(place)


def rounds(share: Path, state: Path) -> Iterator[Row]:
    """Each peer once, then ours."""
    for who, form in PEERS.items():
        yield {"who": who, "seconds": find(share, form)}
    yield ours(share, state)


def find(share: Path, form: str) -> float:
    """Seconds that find takes, its output thrown away."""
    begun = time.monotonic()
    subprocess.run(["find", str(share), "-printf", form], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun


def ours(share: Path, state: Path) -> Row:
    """Seconds of a whole look: the walk, the fact, and its keeping in a ledger that is open, as an audit's is."""
    errand = Errand(Topic.FILES, "partage", "principal")
    at = datetime.now(UTC)
    state.mkdir()
    ledger = open_ledger(state)
    ledger.audits.begin(Audit("mesure", at, "", "ici", (errand,)))
    begun = time.monotonic()
    found = inventory(HERE, "partage", str(share), timeout=600)
    walked = time.monotonic() - begun
    ledger.audits.keep("mesure", Look(errand, at, walked, found.facts, found.gaps))
    seconds = time.monotonic() - begun
    (look,) = ledger.audits.looks("mesure")
    ledger.close()
    (fact,) = look.facts
    if not isinstance(fact, Files) or found.gaps:
        raise SystemExit("l'inventaire n'est pas entier")
    return {
        "who": OURS,
        "seconds": seconds,
        "walk_seconds": walked,
        "files": fact.files,
        "access": fact.access,
    }


def cold(share: Path, root: Path, number: int) -> list[Row]:
    """The leanest find and ours, each with an empty cache; nothing where we may not empty it."""
    drop = Path("/proc/sys/vm/drop_caches")
    if not os.access(drop, os.W_OK):
        return []
    found: list[Row] = []
    for turn in range(number):
        os.sync()
        drop.write_text("3")
        found.append({"who": "find", "seconds": find(share, PEERS["find"])})
        drop.write_text("3")
        found.append(ours(share, root / f"froid{turn}"))
    return found


def memory(what: str, share: Path) -> Row:
    """Largest memory of each process of the probe, and of ours, in bytes."""
    asked = inventory_question(str(share), timeout=600, largest=20)
    peaks: dict[int, int] = {}
    with tempfile.TemporaryFile() as program, tempfile.TemporaryFile() as out:
        program.write(question("inventory", asked))
        program.seek(0)
        process = subprocess.Popen(
            ["python3", "-I", "-"], stdin=program, stdout=out, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            for pid in (process.pid, *_children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), _peak(pid))
            time.sleep(0.005)
        out.seek(0)
        files = json.loads(out.read())["files"]
    return {
        "what": what,
        "files": files,
        "probe_bytes": sorted(peaks.values(), reverse=True),
        "auditor_bytes": _peak(os.getpid()),
    }


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _peak(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


# -- sensitivity ---------------------------------------------------------------------------------


def prose(size: int) -> bytes:
    """Minutes and letters: one line in twelve holds something of a person."""
    draw = random.Random(3)
    personal = [line for d in labelled.documents(3000, seed=3) for line in _lines(d) if d.truth]
    lines, length = [], 0
    while length < size:
        line = (
            draw.choice(personal) if draw.random() < 1 / 12 else " ".join(draw.choices(labelled.PLAIN, k=2))
        )
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines).encode()


def people(size: int) -> bytes:
    """A list of people: nothing but numbers and addresses, the worst there is."""
    draw = random.Random(4)
    lines, length = [], 0
    while length < size:
        first, key = labelled.nir(draw)
        line = f"{len(lines)};NOM;PRENOM;{first}{key};06{draw.randrange(10**8):08d};p{len(lines)}@exemple.fr;75012"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines).encode()


def _lines(document: labelled.Document) -> list[str]:
    return document.data.decode("utf-8", "replace").split("\r\n") if document.name.endswith("txt") else []


def sensitivity(root: Path) -> list[Row]:
    """Megabytes a second, on one core: bytes of the files as they lie, over all the time that their reading takes."""
    core = min(os.sched_getaffinity(0))
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        texts = {"prose": prose(_TEXT), "people": people(_TEXT // 4)}
        rows = [
            {"what": what, "who": who, **_speed(data, read)}
            for what, data in texts.items()
            for who, read in ((OURS, lambda data: detect.count(fold(data))), ("re", _by_patterns))
        ]
        lines = texts["prose"][:400_000].decode("utf-8", "replace").split("\n")
        word = labelled.docx(random.Random(1), lines)
        paper = typst.compile("\n\n".join(re.sub(r"[^\w .;:/+-]", "", line) for line in lines).encode())
        with PdfReader(seconds=300) as pdf:
            pdf.text(paper)  # its process has started
            rows += [
                {
                    "what": what,
                    "who": OURS,
                    "text_bytes": 400_000,
                    **_speed(data, lambda data: detect.count(plain(data, pdf.text))),
                }
                for what, data in (("docx", word), ("pdf", paper))
            ]
        folder = root / "textes"
        folder.mkdir()
        for number in range(48):
            (folder / f"{number}.txt").write_bytes(
                texts["prose"][number * MEGABYTE : (number + 1) * MEGABYTE]
            )
        rows.append({"what": "folder, whole way", "who": OURS, **_folder(folder)})
        shutil.rmtree(folder)
    finally:
        os.sched_setaffinity(0, whole)
    return rows


def _speed(data: bytes, read: Callable[[bytes], object]) -> Row:
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        read(data)
        seconds.append(time.perf_counter() - begun)
    return {
        "bytes": len(data),
        "seconds": seconds,
        "mb_per_s": [round(len(data) / MEGABYTE / s, 1) for s in seconds],
    }


def _folder(folder: Path) -> Row:
    begun = time.perf_counter()
    found = sensitive(HERE, "textes", str(folder), rate=0, timeout=600)
    seconds = time.perf_counter() - begun
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "bytes": size,
        "seconds": [seconds],
        "mb_per_s": [round(size / MEGABYTE / seconds, 1)],
        "gaps": len(found.gaps),
    }


def _by_patterns(data: bytes) -> int:
    """What most scanners do: one pattern a category over the whole text, keys not even checked."""
    text = fold(data)
    return sum(sum(1 for _ in pattern.finditer(text)) for pattern in _patterns())


def _patterns() -> list[re.Pattern[bytes]]:
    from importlib.resources import files

    listed = (
        (files("releve.adapters.survey.sensitive") / "health.txt").read_text(encoding="utf-8").splitlines()
    )
    words = "|".join(sorted(line for line in listed if line and line[0] != "#"))
    return [
        re.compile(pattern)
        for pattern in (
            rb"(?<![0-9])[1-478](?:[ .-]?[0-9]){14}(?![0-9])",
            rb"(?<![0-9])0[1-9](?:[ .-]?[0-9]{2}){4}(?![0-9])",
            rb"(?<![a-z0-9])[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}",
            rb"[a-z0-9._+-]+@(?:[a-z0-9-]+\.)+[a-z]{2,24}",
            rb"(?<![0-9])(?:[0-9]{9}|[0-9]{11})(?![0-9])",
            rb"(?<![a-z])(?:" + words.encode("ascii") + rb")s?(?![a-z])",
        )
    ]


def rates() -> Row:
    """Precision and recall on the labelled set, 2,000 documents."""
    with PdfReader() as pdf:
        drawn = labelled.documents(2000, papers=True)
        return labelled.rates([(d.truth, detect.count(plain(d.data, pdf.text))) for d in drawn])


# -- what is made of it --------------------------------------------------------------------------


def summary(raw: Row) -> Row:
    """Spreads, and ours over each peer at each percentile."""
    found: Row = {}
    for cache in ("warm", "cold"):
        by = {who: spread(_seconds(raw[cache], who)) for who in (*PEERS, OURS)}
        found[cache] = {
            "seconds": {who: item for who, item in by.items() if item["n"]},
            "ours_over": {who: ratios(by[OURS], by[who]) for who in PEERS if by[who]["n"]},
        }
    return found


def _seconds(rows: list[Row], who: str) -> list[float]:
    return column([row for row in rows if row["who"] == who], "seconds")


def promises(raw: Row) -> list[Row]:
    """What was asked, with what was measured."""
    warm = summary(raw)["warm"]["ours_over"]
    peak = max(sum(row["probe_bytes"]) for row in raw["memory"]) / MEGABYTE
    speed = next(
        max(row["mb_per_s"]) for row in raw["sensitivity"] if (row["what"], row["who"]) == ("prose", OURS)
    )
    rows = [
        ("inventaire, gardé, ÷ find -printf (dates lisibles), médianes", warm["find, dates"]["p50"], 0.5, ""),
        ("inventaire, gardé, ÷ find -printf (le plus maigre), médianes", warm["find"]["p50"], 0.5, ""),
        ("mémoire des deux processus, au plus haut", round(peak, 1), 200.0, "Mo"),
    ]
    found = [{"title": t, "value": v, "bound": b, "unit": u, "kept": v <= b} for t, v, b, u in rows]
    title = "texte lu par seconde et par cœur"
    return [*found, {"title": title, "value": speed, "bound": 100.0, "unit": "Mo/s", "kept": speed >= 100.0}]


if __name__ == "__main__":
    sys.exit(main())
