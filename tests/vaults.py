"""Vaults for the tests: cheap keys, and stock restic beside ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.vault.keyfile import Cost
from releve.adapters.vault.repository import Repository, create, open_vault
from releve.adapters.vault.saving import Saved, save
from releve.adapters.vault.store import Disk, FolderStore, Kind

PASSWORD = "mot-de-passe-d-essai"
CHEAP = Cost(2, 8, 1)  # scrypt at its least: the tests are not about guessing


def now() -> datetime:
    return datetime.now(UTC)


def fresh(folder: Path, disk: Disk | None = None) -> Repository:
    """An empty vault in `folder`."""
    return create(FolderStore(folder, disk), PASSWORD, now(), CHEAP)


def reopened(folder: Path) -> Repository:
    """The vault of `folder`, its index read."""
    vault = open_vault(FolderStore(folder), PASSWORD)
    vault.load_index()
    return vault


def keep(vault: Repository, *paths: Path, processes: int = 1) -> Saved:
    """Save these folders."""
    return save(vault, [str(path) for path in paths], now=now, processes=processes)


def forget(vault: Repository, *names: str) -> None:
    """Remove these snapshots; their data stays until a pruning."""
    for name in names:
        vault.store.remove(Kind.SNAPSHOTS, name)


def restic(program: str | Path, folder: Path, *argv: str, check: bool = True) -> str:
    """Run stock restic on a vault; its output. Raises AssertionError with what it said when it fails."""
    command = [str(program), "--no-cache", "-r", str(folder), *argv]
    environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if check:
        assert ran.returncode == 0, f"{' '.join(argv)}: {ran.stdout}{ran.stderr}"
    return ran.stdout + ran.stderr


def picture(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything that must come back of a tree: kind, mode, owner, times, content, links, attributes."""
    top = os.fsencode(root)
    seen: dict[bytes, tuple[object, ...]] = {}
    names: dict[tuple[int, int], bytes] = {}
    for path in _below(top):
        facts = os.lstat(path)
        short = path[len(top) :]
        kind = facts.st_mode & 0o170000
        content: object = None
        if kind == 0o100000:
            content = Path(os.fsdecode(path)).read_bytes()
        elif kind == 0o120000:
            content = os.readlink(path)
        first = (
            names.setdefault((facts.st_dev, facts.st_ino), short)
            if facts.st_nlink > 1 and kind != 0o040000
            else short
        )
        attributes = tuple(
            (name, os.getxattr(path, name, follow_symlinks=False)) for name in _attributes(path)
        )
        seen[short] = (
            facts.st_mode,
            facts.st_uid,
            facts.st_gid,
            facts.st_mtime_ns,
            facts.st_rdev if kind in {0o020000, 0o060000} else 0,
            content,
            first,
            attributes,
        )
    return seen


def _attributes(path: bytes) -> Sequence[str]:
    try:
        return sorted(os.listxattr(path, follow_symlinks=False))
    except OSError:
        return ()


def _below(top: bytes) -> list[bytes]:
    found = [top]
    for folder, folders, files in os.walk(top):
        found += [os.path.join(folder, name) for name in (*folders, *files)]
    return sorted(found)
