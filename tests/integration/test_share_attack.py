"""Ransomware in a share: the copy stops before it is spoilt, a person decides, nothing is lost."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.engines.files.alert import Alert, read, write
from releve.adapters.vault.repository import walk
from releve.cycle.watch.attack import judge, within
from releve.domain.share import Burst
from tests.shares import Chaos, Rig, inside


class Watch:
    """The judge of a site, with its memory."""

    def __init__(self) -> None:
        self.bursts: list[Burst] = []

    def see(self, burst: Burst) -> Alert | None:
        self.bursts = within([*self.bursts, burst], burst.at)
        found = judge(self.bursts)
        return Alert(found.reason, found.since.isoformat(), found.clean, found.samples) if found else None


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A share of sixty documents, with a copy that is watched."""
    made = Rig(tmp_path)
    for number in range(60):
        folder = made.root / f"service{number % 4}"
        folder.mkdir(exist_ok=True)
        (folder / f"note{number}.docx").write_bytes(b"PK\x03\x04" + os.urandom(3000))
        (folder / f"liste{number}.txt").write_text("nom, prénom, chambre\n" * 60)
    made.take()
    made.follow()
    made.following._judge = Watch().see
    yield made
    made.close()


def _alert(rig: Rig) -> Path:
    return rig.base / "alert.json"


@pytest.mark.parametrize("way", ["in place", "renamed"])
def test_locked_documents_stop_the_copy(rig: Rig, way: str) -> None:
    """Documents encrypted in place, or under a new extension: alert, and the copy keeps the good ones."""
    before = inside(rig.hot)
    for path in sorted(rig.root.rglob("*.*")):
        path.write_bytes(os.urandom(path.stat().st_size))
        if way == "renamed":
            path.rename(path.with_name(path.name + ".verrou"))
    rig.take()
    assert rig.follow() is None
    alert = read(_alert(rig))
    assert alert is not None
    assert alert.samples
    assert inside(rig.hot) == before
    rig.take()
    assert rig.follow() is None, "it stays so until a person decides"


@pytest.mark.parametrize(
    "way",
    [
        "one extension",
        "any extension",
        "their extension",
        "no extension",
        "copies first",
        "half squeezed",
        "removed",
    ],
)
def test_documents_that_other_files_take_the_place_of_stop_the_copy(rig: Rig, way: str) -> None:
    """Encrypted under names that tell nothing of the old ones, or just removed: alert, the copy keeps the good ones."""
    before = inside(rig.hot)
    victims = sorted(rig.root.rglob("*.*"))
    for number, path in enumerate(victims):
        extension = {
            "any extension": f".{number * 7919:x}",
            "their extension": path.suffix,
            "no extension": "",
        }.get(way, ".lockbit")
        if way != "removed":
            body = b"fa\xe7ade " * 400 if way == "half squeezed" else os.urandom(3000)
            path.with_name(os.urandom(6).hex() + extension).write_bytes(str(number).encode() + body)
        if way != "copies first":
            path.unlink()
    rig.take()
    assert (rig.follow() is None) == (way != "copies first")
    if way == "copies first":
        for path in victims:
            path.unlink()
        rig.take()
        assert rig.follow() is None
    alert = read(_alert(rig))
    assert alert is not None
    assert ("lockbit" in alert.reason) == (way == "half squeezed")
    held = inside(rig.hot)
    assert {path: facts for path, facts in held.items() if path in before and b"." in path} == {
        path: facts for path, facts in before.items() if b"." in path
    }


@pytest.mark.parametrize("work", ["moved", "copied, then removed", "unzipped", "photos", "archived", "films"])
def test_bulk_work_raises_no_alert(rig: Rig, work: str) -> None:
    """What people do with many files at once: the copy follows."""
    documents = sorted(rig.root.rglob("*.*"))
    if work == "moved":
        for folder in sorted(rig.root.iterdir()):
            folder.rename(rig.root / f"{folder.name} (2026)")
    elif work == "copied, then removed":
        for folder in sorted(rig.root.iterdir()):
            shutil.copytree(folder, rig.root / "rangé" / folder.name)
        rig.take()
        rig.follow()
        for path in documents:
            path.unlink()
    elif work == "archived":
        for path in documents[:50]:
            path.unlink()
        (rig.root / "2025.zip").write_bytes(b"PK\x03\x04" + os.urandom(90_000))
    else:
        begin, extension = {
            "unzipped": (b"PK\x03\x04", ".odt"),
            "photos": (b"\xff\xd8\xff", ".jpg"),
            "films": (b"", ".mp4"),
        }[work]
        for number in range(60):
            (rig.root / f"DSC{number}{extension}").write_bytes(begin + os.urandom(3000))
        for path in documents[:50]:
            path.unlink()
    rig.take()
    assert rig.follow() is not None
    assert read(_alert(rig)) is None
    assert rig.behind() == []


def test_an_extension_that_is_no_text_is_no_way_through(rig: Rig) -> None:
    """Names that take an extension in bytes that are no UTF-8: alert, kept and read back."""
    before = inside(rig.hot)
    for path in sorted(rig.root.rglob("*.*")):
        path.rename(path.with_name(path.name + os.fsdecode(b".\xff")))
    rig.take()
    assert rig.follow() is None
    alert = read(_alert(rig))
    assert alert is not None
    assert r".\xff" in alert.reason
    assert inside(rig.hot) == before


def test_an_attack_does_not_pass_because_the_machine_started_anew(rig: Rig) -> None:
    """Documents encrypted while the relief was off: alert, and what its end had torn becomes what it held."""
    before = inside(rig.hot)
    for path in sorted(rig.root.rglob("*.*")):
        path.write_bytes(os.urandom(path.stat().st_size))
    rig.take()
    (rig.hot / "service1" / "note1.docx").unlink()
    rig.following = rig.new_following(boot="2")
    rig.following._judge = Watch().see
    rig.follow()
    assert read(_alert(rig)) is not None
    assert inside(rig.hot) == before
    rig.take()
    assert rig.follow() is None, "it stays so until a person decides"
    alert = read(_alert(rig))
    assert alert is not None
    write(_alert(rig), Alert(alert.reason, alert.since, alert.clean, alert.samples, "resume", "essai", ""))
    rig.follow()
    assert rig.behind() == []


def test_a_slow_attack_is_seen_and_the_copy_goes_back(rig: Rig) -> None:
    """A few files a second pass at first; "back" brings the copy to the last snapshot before the first of them."""
    before = inside(rig.hot)
    victims = sorted(rig.root.rglob("*.docx"))
    for start in range(0, 60, 6):
        for path in victims[start : start + 6]:
            path.write_bytes(os.urandom(3000))
        rig.take()
        rig.follow()
        if read(_alert(rig)):
            break
    alert = read(_alert(rig))
    assert alert is not None
    assert inside(rig.hot) != before
    write(_alert(rig), Alert(alert.reason, alert.since, alert.clean, alert.samples, "back", "la direction"))
    assert rig.follow() is not None
    assert inside(rig.hot) == before
    rig.take()
    assert rig.follow() is None
    assert inside(rig.hot) == before


def test_a_person_who_says_go_on_is_believed(rig: Rig) -> None:
    """It was a conversion that somebody wanted: "resume" applies it, and the watch goes on."""
    for path in sorted(rig.root.rglob("*.txt")):
        path.write_bytes(os.urandom(2000))
    rig.take()
    assert rig.follow() is None
    alert = read(_alert(rig))
    assert alert is not None
    write(_alert(rig), Alert(alert.reason, alert.since, alert.clean, alert.samples, "resume", "la direction"))
    assert rig.follow() is not None
    assert read(_alert(rig)) is None
    assert rig.behind() == []


def test_everything_that_was_locked_is_still_in_the_vault(rig: Rig) -> None:
    """The clean snapshot holds every document as it was."""
    before = {path.name: path.read_bytes() for path in rig.root.rglob("*.docx")}
    for path in rig.root.rglob("*.*"):
        path.write_bytes(os.urandom(3000))
    rig.take()
    rig.follow()
    alert = read(_alert(rig))
    assert alert is not None
    clean = rig.vault.snapshot(alert.clean)
    found = {
        os.fsdecode(node.name): b"".join(map(rig.vault.blob, node.content))
        for _, node in walk(rig.vault, clean.tree)
        if node.name.endswith(b".docx")
    }
    assert found == before


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 9))]
)
def test_work_raises_no_alert(rig: Rig, seed: int) -> None:
    """Saving, moving, removing, for a while: the copy follows."""
    chaos = Chaos(rig.root, seed)
    for _ in range(15):
        for path in sorted(rig.root.rglob("*.docx"))[:4]:
            path.write_bytes(b"PK\x03\x04" + os.urandom(3000))
        chaos.work(6)
        rig.take()
        rig.follow()
    alert = read(_alert(rig))
    if len(list(rig.root.rglob("*.*"))) < 60:  # most of the share was removed: a sign by itself
        assert alert is None or "ôtés" in alert.reason
        return
    assert alert is None
    assert rig.behind() == []


def test_a_file_that_is_saved_all_day_is_one_file(rig: Rig) -> None:
    """A log that grows at every look is counted once, however often it is written; old documents are counted each."""
    bursts: list[Burst] = []
    rig.following._judge = lambda burst: bursts.append(burst)
    old = time.time() - 3600
    for path in rig.root.rglob("*.txt"):
        os.utime(path, (old, old))
    rig.take()
    rig.follow()
    log = rig.root / "service0" / "liste0.txt"
    for number in range(5):
        with log.open("a") as file:
            file.write(f"ligne {number}\n")
        rig.take()
        rig.follow()
    assert sum(burst.rewritten for burst in bursts) == 1
    for path in sorted(rig.root.rglob("*.txt"))[1:11]:
        path.write_text("tout autre chose")
    rig.take()
    rig.follow()
    assert sum(burst.rewritten for burst in bursts) == 11
