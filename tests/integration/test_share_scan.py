"""A share that tells nothing of its changes, or not of all: what is said to be safe was looked at."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from releve.adapters.engines.files import live as live_of
from releve.adapters.engines.files.events import How, Scans, Watcher
from releve.adapters.engines.files.live import IDLE, Live
from releve.adapters.engines.files.marks import Snapshots
from tests.shares import Rig
from tests.vaults import now, reopened

ROOT = Path(__file__).parents[2]
INSIDE = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.integration.test_share_scan import nested
nested(Path(sys.argv[1]), sys.argv[2])
"""


@contextmanager
def live(rig: Rig, watcher: Watcher) -> Iterator[Live]:
    """A capture that is driven as a resident one is; its pauses left out."""
    made = Live(rig.capture, watcher, last=None, now=now)
    yield made
    watcher.close()


def step(driven: Live) -> None:
    """One turn, without the pause before it."""
    driven._not_before = 0.0
    driven.step(0.05)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A share, its vault and its hot copy."""
    made = Rig(tmp_path)
    yield made
    made.close()


def test_nothing_is_said_to_be_safe_that_no_scan_looked_at(rig: Rig) -> None:
    """Between two comparisons no instant moves on, for the capture and for the copy, whatever was saved meanwhile."""
    (rig.root / "a").write_text("avant")
    with live(rig, Scans(3600.0)) as driven:
        step(driven)
        compared = driven.freshness.safe_until
        assert compared is not None
        (rig.root / "a").write_text("après")
        driven._fresh_at = time.monotonic() - 2 * IDLE
        for _ in range(4):
            step(driven)
        assert driven.freshness.safe_until == compared
        assert driven.freshness.quiet in {None, compared}
        driven._todo.folders.add(b"")  # the slow comparison finds it: saved, and nothing else proved
        step(driven)
        (before, _), (mark, snapshot) = Snapshots(reopened(rig.base / "vault"), "documents").look()
        assert before.safe is None
        assert mark.safe == driven.freshness.safe_until == compared
        assert snapshot.at > compared
        rig.follow()
        assert (rig.hot / "a").read_text() == "après"
        assert rig.following.lag.position.at == compared.isoformat()


def test_a_clock_that_is_set_back_delays_no_file_that_is_held_open(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file under work is saved after its few seconds, whatever the wall clock says meanwhile."""
    monkeypatch.setattr(live_of, "OPEN_FILE", 0.3)
    ahead = timedelta()
    (rig.root / "long").write_text("début")
    made = Live(rig.capture, rig.watcher, last=None, now=lambda: now() + ahead)
    made._trickle_at = math.inf
    step(made)
    with (rig.root / "long").open("a") as file:
        file.write("en cours")
        file.flush()
        until = time.monotonic() + 8
        step(made)
        assert made.freshness.snapshot
        assert made._open
        ahead = timedelta(hours=-2)
        while rig.strangers(rig.whole()) and time.monotonic() < until:
            made.step(0.2)
        assert rig.strangers(rig.whole()) == []


def test_the_last_look_at_a_share_that_is_scanned_looks_at_everything(rig: Rig) -> None:
    """Closed before the next scan is due: what was changed since the last one is in the vault all the same."""
    (rig.root / "a").write_text("avant")
    with live(rig, Scans(3600.0)) as driven:
        step(driven)
        (rig.root / "a").write_text("après")
        changed = now()
        driven.finish()
        assert driven.freshness.safe_until is not None
        assert driven.freshness.safe_until >= changed
    rig.follow()
    assert (rig.hot / "a").read_text() == "après"


@pytest.mark.needs("mount-namespace")
@pytest.mark.parametrize("how", ["fanotify", "inotify"])
def test_a_disk_mounted_inside_a_share_is_saved_and_not_said_safe_unheard(tmp_path: Path, how: str) -> None:
    """What fanotify does not hear there is compared at intervals, and said so; inotify hears it."""
    argv = ["unshare", "--mount", "--", sys.executable, "-c", INSIDE, str(tmp_path), how]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr


def nested(base: Path, how: str) -> None:
    """In a mount namespace of its own: a share with another disk in it."""
    inside = base / "share" / "photos"
    inside.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(inside)], check=True)
    rig = Rig(base, how)
    (inside / "p1").write_text("avant")
    with live(rig, rig.watcher) as driven:
        step(driven)
        assert driven.freshness.how is (How.SCAN if how == "fanotify" else How.INOTIFY)
        step(driven)
        compared = driven.freshness.safe_until
        (inside / "p1").write_text("après")
        changed = now()
        driven._fresh_at = time.monotonic() - 2 * IDLE
        end = time.monotonic() + 10
        while time.monotonic() < end and (driven.freshness.safe_until or changed) < changed:
            step(driven)
            if how == "fanotify":
                assert driven.freshness.safe_until == compared
                driven._watcher.unheard._next = 0.0  # a minute later
                how = "waited"
        rig.follow()
        assert (rig.hot / "photos" / "p1").read_text() == "après"
