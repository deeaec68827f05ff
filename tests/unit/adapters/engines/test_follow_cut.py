"""A step that is cut halfway leaves in the copy what was there: it may be all that is left, and be opened so."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.engines.files.capture import WORKROOM
from releve.adapters.engines.files.follow import clear_workroom, undo_moves
from releve.adapters.vault.filling import Filler
from releve.domain.errors import Unreachable
from tests.shares import Rig

DOCUMENTS = [f"doc{number:02}" for number in range(20)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Twenty documents in a folder, followed."""
    made = Rig(tmp_path, "inotify")
    (made.root / "Projets").mkdir()
    for name in DOCUMENTS:
        (made.root / "Projets" / name).write_text(f"un {name}")
    made.take()
    made.follow()
    yield made
    made.close()


def _away_after(patch: pytest.MonkeyPatch, count: int) -> None:
    """The vault answers no more after it gave that many files."""
    real, left = Filler.make, [count]

    def make(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Unreachable("store-unreachable", "le coffre ne répond plus")
        return real(*args, **kwargs)

    patch.setattr(Filler, "make", make)


def _whole(folder: Path, word: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == DOCUMENTS
    assert {path.read_text() for path in folder.iterdir()} == {f"{word} {name}" for name in DOCUMENTS}


def _moves(rig: Rig) -> None:
    (rig.root / "Projets").rename(rig.root / "Projets 2026")
    (rig.root / "Nouveau").write_text("un de plus")
    rig.take()


def test_a_folder_that_moved_is_there_when_the_vault_goes_away_in_that_step(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its old name or its new one, whole; and the step is finished once the vault is back."""
    _moves(rig)
    with monkeypatch.context() as patch:
        _away_after(patch, 0)
        with pytest.raises(Unreachable):
            rig.follow()
    (there,) = (path for path in rig.hot.iterdir() if path.name != WORKROOM.decode())
    _whole(there, "un")
    rig.follow()
    assert sorted(path.name for path in rig.hot.iterdir() if path.name != WORKROOM.decode()) == [
        "Nouveau",
        "Projets 2026",
    ]
    _whole(rig.hot / "Projets 2026", "un")
    assert list((rig.hot / WORKROOM.decode()).iterdir()) == []


def test_a_folder_that_was_on_its_way_at_a_kill_is_put_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever comes next: the follower, or the switch that opens the copy without a vault."""
    _moves(rig)
    with monkeypatch.context() as patch:
        _away_after(patch, 0)
        patch.setattr(
            "releve.adapters.engines.files.follow.undo_moves", lambda _root: None
        )  # killed: nothing runs
        with pytest.raises(Unreachable):
            rig.follow()
    assert not (rig.hot / "Projets").exists()
    undo_moves(os.fsencode(rig.hot))
    _whole(rig.hot / "Projets", "un")
    undo_moves(os.fsencode(rig.hot))
    _whole(rig.hot / "Projets", "un")


def test_a_folder_that_was_on_its_way_takes_its_new_name_when_the_old_one_is_taken(rig: Rig) -> None:
    """Nothing is written over."""
    work = rig.hot / WORKROOM.decode()
    (rig.hot / "Projets").rename(work / "1")
    (work / "1.from").write_bytes(b"Projets\0Ailleurs/Projets 2026")
    (rig.hot / "Projets").write_text("autre chose")
    undo_moves(os.fsencode(rig.hot))
    assert (rig.hot / "Projets").read_text() == "autre chose"
    _whole(rig.hot / "Ailleurs" / "Projets 2026", "un")


def test_no_name_is_missing_when_a_comparison_of_all_is_cut(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of the machine everything is compared: each name keeps the old version until it has the new one."""
    for name in DOCUMENTS:
        (rig.root / "Projets" / name).write_text(f"deux {name}")
    rig.take()
    rig.following._copy.close()
    rig.following = rig.new_following(boot="2")
    with monkeypatch.context() as patch:
        _away_after(patch, 10)
        with pytest.raises(Unreachable):
            rig.follow()
    there = {path.name: path.read_text() for path in (rig.hot / "Projets").iterdir()}
    assert there.keys() == set(DOCUMENTS)
    assert all(said in {f"un {name}", f"deux {name}"} for name, said in there.items())
    rig.follow()
    _whole(rig.hot / "Projets", "deux")
    assert not (rig.base / "aside").exists()


def test_what_only_the_copy_had_goes_aside_when_its_place_is_taken_and_not_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that somebody changed on the copy is there, or aside, at any instant."""
    (rig.root / "Projets" / "doc00").write_text("deux doc00, plus long")
    rig.take()
    (rig.hot / "Projets" / "doc00").write_text("de ce côté seulement")
    rig.following._copy.close()
    rig.following = rig.new_following(boot="2")
    with monkeypatch.context() as patch:
        _away_after(patch, 0)
        with pytest.raises(Unreachable):
            rig.follow()
    assert (rig.hot / "Projets" / "doc00").read_text() == "de ce côté seulement"
    rig.follow()
    assert (rig.hot / "Projets" / "doc00").read_text() == "deux doc00, plus long"
    (aside,) = (rig.base / "aside").rglob("doc00")
    assert aside.read_text() == "de ce côté seulement"
    shutil.rmtree(rig.base / "aside")


def _touched(rig: Rig) -> Path:
    os.utime(rig.root / "Projets" / "doc03", (5, 5))
    return Path("Projets/doc03")


def _closed(rig: Rig) -> Path:
    (rig.root / "Projets" / "doc03").chmod(0o600)
    return Path("Projets/doc03")


def _renamed(rig: Rig) -> Path:
    (rig.root / "Projets" / "doc03").rename(rig.root / "Projets" / "autre nom")
    return Path("Projets/autre nom")


def _moved(rig: Rig) -> Path:
    (rig.root / "Projets").rename(rig.root / "Archives")
    return Path("Archives/doc03")


@pytest.mark.parametrize("change", [_touched, _closed, _renamed, _moved])
def test_what_the_vault_could_not_give_stays_owed_whatever_becomes_of_it(
    rig: Rig, change: Callable[[Rig], Path]
) -> None:
    """New dates, rights, name or place: the old content is never shown as the new, and it comes once the vault has it."""
    (rig.root / "Projets" / "doc03").write_bytes(random.Random(6).randbytes(5000))
    rig.take()
    rig.follow()
    before = set((rig.base / "vault" / "data").rglob("*"))
    (rig.root / "Projets" / "doc03").write_bytes(random.Random(7).randbytes(5000))
    rig.take()
    packs = {path: path.read_bytes() for path in set((rig.base / "vault" / "data").rglob("*")) - before}
    packs = {path: raw for path, raw in packs.items() if len(raw) > 5000}
    assert packs
    for path, raw in packs.items():
        path.write_bytes(bytes(len(raw)))
    done = rig.follow()
    assert done is not None
    assert [path for path, _ in done.lost] == [b"Projets/doc03"]
    place = change(rig)
    rig.take()
    done = rig.follow()
    assert done is not None
    assert [path for path, _ in done.lost] == [os.fsencode(place)]
    there = rig.hot / place
    assert not there.exists() or there.stat().st_mtime_ns != (rig.root / place).stat().st_mtime_ns
    for path, raw in packs.items():
        path.write_bytes(raw)
    (rig.root / "suite").write_text("un pas de plus")
    rig.take()
    done = rig.follow()
    assert done is not None
    assert not done.lost
    assert there.read_bytes() == (rig.root / place).read_bytes()
    assert there.stat().st_mtime_ns == (rig.root / place).stat().st_mtime_ns


def test_a_folder_on_its_way_whose_names_are_both_taken_is_seen_beside(rig: Rig) -> None:
    """Nothing of it is removed with the workroom."""
    work = rig.hot / WORKROOM.decode()
    (rig.hot / "Projets").rename(work / "1")
    (work / "1.from").write_bytes(b"Projets\0Archives")
    for name in ("Projets", "Archives"):
        (rig.hot / name).write_text("autre chose")
    undo_moves(os.fsencode(rig.hot))
    _whole(rig.hot / "Projets (déplacé)", "un")
    assert list(work.iterdir()) == []


@pytest.mark.needs("root")
@pytest.mark.needs("mount-namespace")
def test_what_goes_aside_to_another_disk_is_whole(tmp_path: Path) -> None:
    """Owners, hard links and pipes; the copy goes on."""
    other = tmp_path / "other"
    other.mkdir()
    source = tmp_path / "mine"
    source.mkdir()
    (source / "x").write_text("x")
    os.link(source / "x", source / "y")
    os.mkfifo(source / "pipe")
    os.chown(source / "x", 1234, 1234)
    script = (
        "import sys; from releve.adapters.engines.files.follow import _carry; import os; "
        "_carry(os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])); "
        "facts = os.stat(sys.argv[2] + '/x'); print(facts.st_uid, facts.st_nlink, sorted(os.listdir(sys.argv[2])))"
    )
    ran = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", f'mount -t tmpfs aside {other} && exec "$@"', "sh"),
            *(sys.executable, "-c", script, str(source), str(other / "mine")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "1234 2 ['pipe', 'x', 'y']"
    assert not source.exists()


def test_a_device_that_the_follower_may_not_make_is_lost_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named; everything else of the step is there."""

    def never(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.mknod(rig.root / "prise", 0o600 | stat.S_IFSOCK)
    (rig.root / "après").write_text("un de plus")
    rig.take()
    with monkeypatch.context() as patch:
        patch.setattr(os, "mknod", never)
        done = rig.follow()
    assert done is not None
    assert [path for path, _ in done.lost] == [b"prise"]
    assert (rig.hot / "après").read_text() == "un de plus"


@pytest.mark.parametrize("kind", ["a folder", "a file"])
def test_what_users_named_like_our_workroom_goes_aside(rig: Rig, kind: str) -> None:
    """It is neither erased nor in the way, and it is said."""
    rig.following._copy.close()
    work = rig.hot / WORKROOM.decode()
    shutil.rmtree(work)
    if kind == "a folder":
        work.mkdir()
    theirs = work / "à eux" if kind == "a folder" else work
    theirs.write_text("à garder")
    clear_workroom(os.fsencode(rig.hot))
    assert theirs.read_text() == "à garder"
    rig.following = rig.new_following()
    (rig.root / "suite").write_text("un de plus")
    rig.take()
    done = rig.follow()
    assert done is not None
    assert done.aside == [WORKROOM]
    kept = [path for path in (rig.base / "aside").rglob("*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["à garder"]
    assert (rig.hot / "suite").exists()
