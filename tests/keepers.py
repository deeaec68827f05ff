"""A share with two ends on this machine: a vault, two folders, a keeper each, and the engine between them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from releve.adapters.engines.files import Files
from releve.adapters.hosts.local import LocalHost
from releve.adapters.vault.repository import Repository, open_vault
from releve.adapters.vault.store import FolderStore
from releve.domain.plan import (
    DataKind,
    DataSet,
    HostSpec,
    Protection,
    ProtectionMode,
    Reach,
    Sensitivity,
    ShareEnd,
)
from releve.domain.units import parse_span
from releve.entrypoints.worker.keeper import Keeper, KeeperPost
from tests.shares import inside
from tests.vaults import PASSWORD, fresh, now
from tests.waiting import until

HERE, THERE = "principal", "secours"
SITES = (HERE, THERE)


class TwoEnds:
    """The engine under test, and what a test may do to the world around it."""

    def __init__(self, base: Path, mode: ProtectionMode = ProtectionMode.REALTIME) -> None:
        self.base, self.mode = base, mode
        fresh(base / "vault")
        self.roots = {site: base / site / "documents" for site in SITES}
        self.states = {site: base / site / "state" for site in SITES}
        self.roots[HERE].mkdir(parents=True)
        self.roots[HERE].chmod(0o775)
        ends = {
            site: ShareEnd(f"srv-{site}", str(self.roots[site]), str(self.states[site])) for site in SITES
        }
        self.data_set = DataSet(
            "documents",
            "Documents",
            "files",
            DataKind.OFFICE,
            Sensitivity.CRITICAL,
            Protection(mode, parse_span("2 s" if mode is ProtectionMode.REALTIME else "1 j")),
            HERE,
            THERE,
            ends,
        )
        self.hosts = {f"srv-{site}": LocalHost(HostSpec(f"srv-{site}", site, Reach.LOCAL)) for site in SITES}
        self.engine = Files(
            self.data_set,
            host=lambda name: self.hosts[name],
            services=None,  # type: ignore[arg-type] — a share has no service of its own
            secret=str,
            now=now,
        )
        self._running: dict[str, tuple[threading.Event, threading.Thread]] = {}
        self.vault_there = True

    def open_vault(self) -> Repository:
        return open_vault(FolderStore(self.base / "vault"), PASSWORD)

    def start(self, site: str) -> None:
        """Start the keeper of a site."""
        self.states[site].mkdir(mode=0o700, parents=True, exist_ok=True)
        daily = self.mode is ProtectionMode.DAILY
        post = KeeperPost(
            "documents", site, self.roots[site], self.states[site], self.open_vault, daily=daily
        )
        stop = threading.Event()
        thread = threading.Thread(target=lambda: Keeper(post).run(stop), name=f"keeper {site}")
        thread.start()
        self._running[site] = (stop, thread)

    def stop(self, site: str) -> None:
        """Let it end."""
        if site in self._running:
            stop, thread = self._running.pop(site)
            stop.set()
            thread.join()

    def close(self) -> None:
        for site in SITES:
            self.stop(site)

    def protect(self) -> None:
        """Both keepers run, the share of the first site is captured, the other follows."""
        for site in SITES:
            self.start(site)
        self.engine.prepare(HERE)
        self.engine.rebuild(THERE, HERE)
        self.engine.arm(HERE)

    def write(self, site: str, name: str, text: str = "x") -> None:
        """Save a document."""
        path = self.roots[site] / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def names(self, site: str) -> set[str]:
        """What stands there."""
        return {os.fsdecode(path).lstrip("/") for path, facts in inside(self.roots[site]).items()}

    def until_equal(self) -> None:
        """Wait until both folders hold the same."""
        until(lambda: inside(self.roots[HERE]) == inside(self.roots[THERE]))

    def until(self, seen: Callable[[], bool]) -> None:
        until(seen)

    def lose_disk(self, site: str) -> None:
        """Its keeper, its folder and its state are gone; a new machine stands there, with an empty disk."""
        self.stop(site)
        shutil.rmtree(self.base / site)
        (self.base / site).mkdir()

    def mode_of(self, site: str) -> int:
        """Permissions of the folder."""
        return self.roots[site].stat().st_mode & 0o777


@contextmanager
def two_ends(base: Path, mode: ProtectionMode = ProtectionMode.REALTIME) -> Iterator[TwoEnds]:
    """A rig that is taken down at the end."""
    rig = TwoEnds(base, mode)
    try:
        yield rig
    finally:
        rig.close()
