"""A follower cut before each of its gestures, by a kill and by a power cut: the copy then becomes the share.

Each sentence of docs/concepts/shares.md ("Suivre") names the test below that holds it.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.engines.files import follow
from releve.adapters.engines.files.capture import WORKROOM
from releve.adapters.engines.files.following import Following
from tests.shares import Rig

GESTURES = ("mkdir", "rename", "link", "unlink", "rmdir", "chmod")
ROOM = os.fsdecode(WORKROOM)


class Cut(BaseException):
    """The machine stops here."""


class Gestures:
    """Stands between the follower and the system: counts each gesture, stops before the one it is told.

    `done`: how to take back each gesture since the last sync, oldest first: a power cut may have lost it.
    """

    def __init__(self, limit: int, attic: Path) -> None:
        self.count, self.limit = 0, limit
        self.done: list[Callable[[], None]] = []
        self.unsynced: list[tuple[int, int]] = []  # files whose bytes may be torn, by any name
        self._attic, self._names = attic, itertools.count()
        attic.mkdir(exist_ok=True)

    def tick(self) -> None:
        """One gesture more."""
        self.count += 1
        if self.count > self.limit:
            raise Cut

    def aside(self, path: Any) -> Path | None:
        """Keep what stands at `path`, to be able to put it back."""
        if not os.path.lexists(path):
            return None
        place = self._attic / str(next(self._names))
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.copytree(path, os.fsencode(place), symlinks=True)
        else:
            os.link(path, place, follow_symlinks=False)
        return place

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, counted, and that can be taken back."""

        def call(*paths: Any, **how: Any) -> Any:
            self.tick()
            changed = [path for path in paths[:2] if isinstance(path, bytes)]
            before = [(path, self.aside(path)) for path in changed]
            found = real(*paths, **how)
            if name != "chmod":
                self.done.append(lambda: _put_back(before))
            return found

        return call


def _file(path: bytes | Path) -> tuple[int, int]:
    facts = os.lstat(path)
    return facts.st_dev, facts.st_ino


def _tear(root: Path, files: set[tuple[int, int]]) -> None:
    """Halve these files, under the names that they have come to."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and _file(path) in files:
            files.discard(_file(path))
            os.truncate(path, path.stat().st_size // 2)


def _put_back(before: list[tuple[bytes, Path | None]]) -> None:
    for path, kept in before:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if kept is not None and os.path.isdir(os.path.dirname(path)):
            if kept.is_dir() and not kept.is_symlink():
                shutil.copytree(os.fsencode(kept), path, symlinks=True)
            else:
                os.link(kept, path, follow_symlinks=False)


class Through:
    """A module, some of whose functions are replaced."""

    def __init__(self, real: Any, **replaced: Callable[..., Any]) -> None:
        self._real, self._replaced = real, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._real, name)


def watched(following: Following, gestures: Gestures, patch: pytest.MonkeyPatch) -> None:
    """Put `gestures` between this follower and the system."""
    copy = following._copy
    patch.setattr(
        follow, "os", Through(os, **{name: gestures.wrap(name, getattr(os, name)) for name in GESTURES})
    )
    patch.setattr(follow, "shutil", Through(shutil, rmtree=gestures.wrap("rmtree", shutil.rmtree)))
    put_back, make, sync, keep = follow.put_back, copy._filler.make, copy._sync, following._keep

    def metadata(*given: Any) -> Any:
        gestures.tick()
        return put_back(*given)

    def filled(place: bytes, *given: Any) -> None:
        gestures.tick()
        make(place, *given)
        gestures.unsynced.append(_file(place))
        if gestures.count == gestures.limit and os.path.isfile(place) and not os.path.islink(place):
            os.truncate(place, os.path.getsize(place) // 2)  # cut in the middle of its writing

    def synced(handle: int) -> int:
        gestures.tick()
        gestures.done.clear()
        gestures.unsynced.clear()
        return int(sync(handle))

    def kept(position: Any) -> None:
        gestures.tick()
        keep(position)

    patch.setattr(follow, "put_back", metadata)
    patch.setattr(copy._filler, "make", filled)
    patch.setattr(copy, "_sync", synced)
    patch.setattr(following, "_keep", kept)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A copy one step behind its share: contents, names, links, folders and rights have changed."""
    made = Rig(tmp_path, "inotify")
    chance = random.Random(5)
    for number in range(12):
        folder = made.root / f"d{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_bytes(chance.randbytes(2000))
    (made.root / "d0" / "lien").hardlink_to(made.root / "d0" / "f0")
    made.take()
    made.follow()
    for number in (1, 2, 4):
        (made.root / f"d{number % 3}" / f"f{number}").write_bytes(chance.randbytes(2500))
    (made.root / "d0" / "f3").unlink()
    (made.root / "d2").rename(made.root / "déplacé")
    (made.root / "d1" / "f7").rename(made.root / "d0" / "f7")
    (made.root / "neuf").mkdir()
    (made.root / "neuf" / "x").write_bytes(chance.randbytes(100))
    (made.root / "d0" / "f0").write_bytes(chance.randbytes(900))
    (made.root / "d1").chmod(0o711)
    made.take()
    yield made
    made.close()


def contents(root: Path) -> set[bytes]:
    """What every file below holds, our workroom left out."""
    return {
        path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and ROOM not in path.relative_to(root).parts
    }


def cut_everywhere(rig: Rig, *, seed: int, every: int) -> int:
    """Cut before each gesture in turn, begin again, and see the copy become the share; the number of cuts.

    Seed 0: killed, nothing is lost. Any other: a power cut, which loses what was not durable by chance; the share
    has moved on meanwhile for each second seed.
    """
    power = seed > 0
    whole = contents(rig.hot) | contents(rig.root)
    known = set((rig.base / "vault" / "snapshots").iterdir())
    if seed % 2:
        for path in ("d0/f0", "d1/f1", "neuf/x"):
            (rig.root / path).write_bytes(random.Random(path).randbytes(700))
        (rig.root / "d0" / "f7").unlink()
        rig.take()
    later = {path: rig.base / path.name for path in set((rig.base / "vault" / "snapshots").iterdir()) - known}
    for path, away in later.items():
        path.rename(away)
    assert bool(later) == bool(seed % 2)
    before = rig.base / "before"
    shutil.copytree(rig.hot, before, symlinks=True, copy_function=_linked_copy())
    position = json.loads((rig.base / "position.json").read_bytes())
    chance, tears = random.Random(seed), random.Random(-seed)
    for limit in itertools.count(seed % every, every):
        shutil.rmtree(rig.hot)
        shutil.copytree(before, rig.hot, symlinks=True, copy_function=_linked_copy())
        here = {
            **position,
            "inode": os.lstat(rig.hot).st_ino,
        }  # the same folder as before, as far as it can tell
        (rig.base / "position.json").write_text(json.dumps(here))
        gestures = Gestures(limit, rig.base / "attic")
        following = rig.new_following()
        with pytest.MonkeyPatch.context() as patch:
            watched(following, gestures, patch)
            over = False
            try:
                following.step()
                over = True  # cut just after its last gesture, the position
            except Cut:
                pass
        following._copy.close()
        if power:
            for undo in reversed(gestures.done[chance.randrange(len(gestures.done) + 1) :]):
                undo()
            _tear(rig.hot, {file for file in gestures.unsynced if tears.random() < 0.5})
        torn = contents(rig.hot) - whole
        assert not torn, (limit, "a file under its own name holds neither its old nor its new content")
        for path, away in later.items():
            away.rename(path)
        again = rig.new_following(boot="2" if power else "1")
        again.step()
        rig.following = again
        assert rig.behind() == [], limit
        assert not (rig.base / "aside").exists(), (
            limit,
            "what the vault has was put aside as if it were ours alone",
        )
        again._copy.close()
        for path, away in later.items():
            path.rename(away)
        shutil.rmtree(rig.base / "attic")
        if over:
            return limit
    raise AssertionError


def _linked_copy() -> Callable[[str, str], str]:
    """A copy of files that keeps their hard links."""
    first: dict[int, str] = {}

    def copy(source: str, target: str) -> str:
        inode = os.lstat(source).st_ino
        if inode in first:
            os.link(first[inode], target)
            return target
        first[inode] = target
        return str(shutil.copy2(source, target))

    return copy


@pytest.mark.parametrize("seed", range(5))
def test_a_follower_cut_anywhere_becomes_the_share(rig: Rig, seed: int) -> None:
    """A sample of the gestures of one step; no name ever holds half a file, and nothing of the vault goes aside."""
    assert cut_everywhere(rig, seed=seed, every=5) > 40


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(40))
def test_a_follower_cut_before_each_gesture_becomes_the_share(rig: Rig, seed: int) -> None:
    """Every gesture of one step."""
    assert cut_everywhere(rig, seed=seed, every=1) > 40


def test_the_position_is_on_the_disk_once_a_step_is_over(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is the last thing that is synced: the cuts above take a position that was written for kept."""
    synced: list[Path] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    rig.follow()
    assert synced[-2:] == [rig.base / "position.new", rig.base]
