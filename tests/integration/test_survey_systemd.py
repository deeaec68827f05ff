"""The services of a machine where systemd really is process 1: namespaces and a cgroup tree of its own."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.survey.machine import machine
from releve.domain.plan import HostSpec, Reach
from releve.domain.seen import System, Unit
from tests.integration.inside import Inside

# What is mounted is seen by this systemd alone; it starts the units below and nothing of the machine's own.
BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs run /run
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup /sys/fs/cgroup
mount --bind "$1" /etc/systemd/system
exec env -i container=essai PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=essai.target --log-target=null --show-status=no
"""
ALONE = "[Unit]\nDefaultDependencies=no\n"
ENABLED = "[Install]\nWantedBy=essai.target\n"
UNITS = {
    "essai.target": f"{ALONE}Wants=residents.service sauvegarde.service clavier.service essais.service absente.mount\n",
    "residents.service": f"{ALONE}[Service]\nExecStart=/bin/sleep infinity\n{ENABLED}",
    "sauvegarde.service": f"{ALONE}[Service]\nType=oneshot\nExecStart=/bin/false\n{ENABLED}",
    "clavier.service": f"{ALONE}[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "essais.service": f"{ALONE}[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=600\n{ENABLED}",
    "absente.mount": f"{ALONE}[Mount]\nWhat=/nulle-part\nWhere=/absente\n",
    "inutile.service": f"{ALONE}[Service]\nExecStart=/bin/sleep infinity\n{ENABLED}",
}
HERE = HostSpec("serveur", "siege", Reach.LOCAL)


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """A machine that systemd has finished to start."""
    units = tmp_path / "units"
    wanted = units / "essai.target.wants"
    wanted.mkdir(parents=True)
    for name, text in UNITS.items():
        (units / name).write_text(text)
        if ENABLED in text and name != "inutile.service":
            (wanted / name).symlink_to(f"../{name}")
    spaces = ["--fork", "--pid", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--cgroup"]
    started = subprocess.Popen(["unshare", *spaces, "sh", "-c", BOOT, "sh", str(units)])
    try:
        first = _first(started.pid)
        before = ("nsenter", "--all", "--target", str(first), "--")
        ready = [*before, "systemctl", "is-system-running", "--wait"]
        deadline = time.monotonic() + 60
        while (
            subprocess.run(ready, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
            != "degraded"
        ):
            assert time.monotonic() < deadline
            assert started.poll() is None
            time.sleep(0.05)
        yield Inside(HERE, before)
    finally:
        started.send_signal(
            signal.SIGKILL
        )  # its child, process 1 of the namespace, goes with it, and all the rest
        started.wait()


def _first(parent: int) -> int:
    """Process 1 of the namespaces: the only child of `unshare`."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    deadline = time.monotonic() + 30
    while not (told := children.read_text().split()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(told[0])


@pytest.mark.needs("root", "systemd")
def test_what_systemd_keeps_running_is_told_as_it_says_it(inside: Inside) -> None:
    """Running, ended, failed, a mount that failed; what starts with the machine, and what nobody enabled."""
    found = machine(inside, HERE)
    (system,) = [fact for fact in found.facts if isinstance(fact, System)]
    assert system.manager == "systemd"
    states = {fact.name: (fact.state, fact.enabled) for fact in found.facts if isinstance(fact, Unit)}
    assert {name: states.get(name) for name in UNITS if name != "essai.target"} == {
        "residents.service": ("running", True),
        "sauvegarde.service": ("failed", True),
        "clavier.service": ("exited", None),
        "essais.service": ("auto-restart", True),
        "absente.mount": ("failed", None),
        "inutile.service": None,
    }
    assert not [gap for gap in found.gaps if gap.what == "services"]
