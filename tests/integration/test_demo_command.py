"""`releve demo` as a user runs it: what it proves, what it prints, and what is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest

from releve.demo.layout import FILE

LIMIT = 10.0  # seconds in which everything of a killed demo must be gone
KEYS = {"acknowledged", "lost", "duplicated", "rto_seconds", "return_gap_seconds", "promotion_ms"} | {
    "incident_major",
    "applications",
    "documents",
    "share",
}


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The command, with its own session so that nothing of ours ends it."""
    argv = [
        sys.executable,
        "-P",
        "-m",
        "releve",
        "demo",
        "--json",
        "--seconds",
        "0.5",
        "--output",
        str(folder),
    ]
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def estate_of(folder: Path) -> tuple[list[str], list[Path]]:
    """Markers and folders of the sites of the demo that runs in `folder`."""
    kept = folder / "estate" / FILE
    assert until(kept.is_file, 60), "no estate was made"
    until(lambda: kept.read_text().endswith("}"), 20)
    sites = json.loads(kept.read_text())["sites"]
    return [site["marker"] for site in sites], [Path(site["folder"]) for site in sites]


def of_demo(words: list[str]) -> dict[int, str]:
    """Every live process whose environment or command line holds one of those words."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            seen = command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if any(word.encode() in seen for word in words):
            found[int(entry.name)] = command.decode(errors="replace").replace("\0", " ")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demo writes; readable by the account of the servers."""
    return tmp_path / "demo"


def test_the_main_job(folder: Path) -> None:
    """A site is lost, nothing is: exit 0, one JSON document, the PDF, and nothing left running."""
    process = start(folder)
    marks, sites = estate_of(folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()[-2000:] + out.decode()[-2000:]
    found = json.loads(out)
    assert set(found) >= KEYS
    assert found["acknowledged"] > 0
    assert (found["lost"], found["duplicated"], found["incident_major"]) == (0, 0, False)
    assert 0 < found["rto_seconds"] < 60
    assert 0 < found["return_gap_seconds"] < 60
    assert 0 < found["promotion_ms"] < 5000
    by_id = {item["id"]: item for item in found["applications"]}
    assert all(set(item) >= {"need", "commitment", "measure", "verdict"} for item in by_id.values())
    assert by_id["dui"]["verdict"]["all"] == "kept"
    assert by_id["dui"]["measure"]["lost"] == 0
    assert by_id["partage"]["verdict"]["all"] == "kept"
    share = found["share"]
    assert share["acknowledged"] > 0
    assert share["duplicated"] == 0
    assert 0 <= share["oldest_lost_seconds"] <= 5, "no document that was lost is older than the plan allows"
    assert by_id["messagerie"]["verdict"]["all"] == "not-measured"
    assert found["documents"] == [str(folder / "compte-rendu.pdf")]
    pages = pypdfium2.PdfDocument(found["documents"][0])
    text = " ".join(page.get_textpage().get_text_range() for page in pages)
    assert "tenu" in text.lower()
    assert found["incident"] in text
    assert of_demo([*marks, str(folder)]) == {}
    assert [site for site in sites if site.exists()] == []


def test_killed_in_mid_course(folder: Path) -> None:
    """SIGKILL to the demo alone: within seconds none of its processes and no site's folder is left."""
    process = start(folder)
    marks, sites = estate_of(folder)
    words = [*marks, str(folder)]
    live = folder / "temoin" / "live.json"
    written = lambda: live.is_file() and json.loads(live.read_text())["acknowledged"] > 0
    assert until(written, 60), "the demo never came up"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=LIMIT)
    gone = until(lambda: not of_demo(words) and not any(site.exists() for site in sites), LIMIT)
    left = of_demo(words)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert gone, (left, [str(site) for site in sites if site.exists()])
