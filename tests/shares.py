"""A share under test: somebody who works in it at random, its capture, its hot copy."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share, Taken
from releve.adapters.engines.files.events import Hints, Watcher
from releve.adapters.engines.files.fanotify import Fanotify
from releve.adapters.engines.files.follow import Applied, HotCopy
from releve.adapters.engines.files.following import Following
from releve.adapters.engines.files.inotify import Inotify
from releve.adapters.vault.archive import Archiver
from releve.adapters.vault.node import Node
from releve.adapters.vault.repository import walk
from releve.adapters.vault.store import Disk
from releve.adapters.vault.writer import Writer
from tests.vaults import fresh, now, picture, reopened


class Chaos:
    """Does to a folder what people and programs do, and worse; the same for the same seed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)

    def work(self, times: int) -> None:
        for _ in range(times):
            try:
                self.once()
            except OSError:
                continue  # a name in the way, a folder into itself: what a person would see too

    def once(self) -> None:
        chance = self.random
        folders = [Path(folder) for folder, _, _ in os.walk(self.root)]
        files = [Path(folder) / name for folder, _, names in os.walk(self.root) for name in names]
        place = chance.choice(folders) / (chance.choice("abcdefgh") + str(chance.randrange(5)))
        match chance.randrange(11):
            case 0 | 1 | 2 if not (
                place.is_file() and place.stat().st_nlink > 1
            ):  # see docs/concepts/shares.md
                place.write_bytes(chance.randbytes(chance.randrange(3000)))
            case 3:
                (place / "x" / "y").mkdir(parents=True)
                (place / "x" / "y" / "f").write_text("z")
                (place / "q").write_text("w")
            case 4 if files:
                chance.choice(files).unlink()
            case 5 if files or folders[1:]:
                chance.choice([*files, *folders[1:]]).rename(place)
            case 6 if files:
                place.hardlink_to(chance.choice(files))
            case 7 if folders[1:]:
                shutil.rmtree(chance.choice(folders[1:]))
            case 8:
                chance.choice([*(one for one in files if one.lstat().st_nlink < 2), *folders]).chmod(
                    chance.choice([0o755, 0o700, 0o711])
                )
            case 9:
                place.symlink_to("cible-absente")
            case 10 if files:
                one = chance.choice(files)
                if one.lstat().st_nlink < 2 and not one.is_symlink():
                    with one.open("ab") as file:
                        file.write(b"suite")


class Rig:
    """A vault, a share that is captured into it, and a copy that follows."""

    def __init__(self, base: Path, how: str = "fanotify", disk: Disk | None = None) -> None:
        self.base = base
        self.full = False  # whether the disk of the copy is, for the tests that say so
        self.root = base / "share"
        self.root.mkdir(exist_ok=True)
        self.vault = fresh(base / "vault", disk)
        self.vault.load_index()
        self.watcher: Watcher = (
            Fanotify(os.fsencode(self.root)) if how == "fanotify" else Inotify(os.fsencode(self.root), 60.0)
        )
        self.cache = Cache(base / "cache.db", "essai")
        self.capture = self.new_capture()
        self.todo = Hints(everything=True)
        self.hot = base / "hot"
        self.following = self.new_following()

    def new_capture(self, number: int = 0, epoch: int = 0) -> Capture:
        share = Share("documents", os.fsencode(self.root), "essai", epoch)
        return Capture(self.vault, share, self.cache, cover=self.watcher.cover, now=now, number=number)

    def new_following(self, boot: str = "1", epoch: int = 0) -> Following:
        vault = reopened(self.base / "vault")
        return Following(
            vault,
            HotCopy(vault, os.fsencode(self.hot)),
            "documents",
            self.base / "position.json",
            epoch=epoch,
            boot=boot,
            aside=lambda: self.base / "aside" / f"{now():%Y-%m-%dT%H%M%S}",
            now=now,
        )

    def take(self) -> Taken | None:
        """Take until nothing more is said to have changed; the last snapshot taken."""
        found = None
        for _ in range(8):
            self.todo.merge(self.watcher.gather())
            found = self.capture.take(self.todo) or found
            self.todo = Hints(spots=self.capture.again())
            if not self.todo.spots:
                break
        return found

    def follow(self) -> Applied | None:
        return self.following.step()

    def close(self) -> None:
        self.capture.close()
        self.cache.close()
        self.watcher.close()
        self.following._copy.close()

    def whole(self) -> bytes:
        """The root tree that a walk of the whole share gives, with nothing remembered."""
        writer = Writer(self.vault)
        try:
            tree = Archiver(self.vault, writer).save([str(self.root)], None)
            writer.flush()
        finally:
            writer.close()
        return tree

    def strangers(self, tree: bytes) -> Sequence[bytes]:
        """Paths of the share that differ between its cache's tree and `tree`, but for what no event tells.

        A hard link that came and went between two looks leaves its other names with another ctime and count.
        """
        one, other = self._told(tree), self._told(self.cache.snapshot[1])
        return [path for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]

    def _told(self, tree: bytes) -> dict[bytes, Node]:
        top = os.fsencode(self.root)
        found = {
            path: replace(node, ctime=0, subtree=b"")
            for path, node in walk(self.vault, tree)
            if path.startswith(top)
        }
        names = Counter(node.inode for node in found.values())
        return {path: replace(node, links=names[node.inode], device_id=0) for path, node in found.items()}

    def behind(self) -> Sequence[bytes]:
        """Paths at which the hot copy is not what the share is."""
        one, other = inside(self.hot), inside(self.root)
        return [path for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]


def inside(root: Path) -> dict[bytes, tuple[object, ...]]:
    """The picture of what a folder holds, without the folder itself and without our workroom."""
    found = picture(root)
    return {
        path: facts
        for path, facts in found.items()
        if path and not path.startswith((b"/.releve/",)) and path != b"/.releve"
    }
