"""A systemd as process 1 of namespaces of its own, with a cgroup tree that only it sees."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import until

TARGET = "essai.target"
ALONE = "[Unit]\nDefaultDependencies=no\n"
PROGRAM = Path("/lib/systemd/systemd")

# What is mounted is seen by this systemd alone; it starts the units of the folder and nothing of the machine's own.
_BOOT = f"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs run /run
if mountpoint -q /sys/fs/cgroup; then umount --recursive --lazy /sys/fs/cgroup; fi
mount -t cgroup2 cgroup /sys/fs/cgroup
mount --bind "$1" /etc/systemd/system
exec env -i container=essai PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    {PROGRAM} --unit={TARGET} --log-target=null --show-status=no
"""
_SPACES = ("--fork", "--pid", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--cgroup")
_LIMIT = 60.0  # seconds for one answer


class NotStarted(Exception):
    """Systemd could not start so, or not to the end; the message is what was said."""


@contextmanager
def booted(folder: Path, units: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Start systemd on `units` (name to text, `TARGET` among them), written into `folder`.

    A unit whose text holds `WantedBy=TARGET` is enabled. Gives the words to put before a command that is to run
    there; all ends with the block. Raises NotStarted, and AssertionError for a start that never ends.
    """
    wanted = folder / f"{TARGET}.wants"
    wanted.mkdir(parents=True)
    for name, text in units.items():
        (folder / name).write_text(text)
        if f"WantedBy={TARGET}" in text:
            (wanted / name).symlink_to(f"../{name}")
    command = ["unshare", *_SPACES, "sh", "-c", _BOOT, "sh", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        try:
            before = ("nsenter", "--all", "--target", _first(started), "--")
            until(lambda: _alive(started) and _over(before))
            yield before
        finally:
            # its child, process 1 of the namespaces, goes with it, and all the rest
            started.send_signal(signal.SIGKILL)


def says(before: Sequence[str], *words: str) -> str:
    """What `systemctl` prints of `words`, without the end of the line."""
    command = [*before, "systemctl", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT).stdout.strip()


def _over(before: Sequence[str]) -> bool:
    return says(before, "is-system-running", "--wait") in {"running", "degraded"}


def _alive(started: subprocess.Popen[str]) -> bool:
    if started.poll() is not None:
        raise NotStarted(started.stdout.read().strip() if started.stdout else "")
    return True


def _first(started: subprocess.Popen[str]) -> str:
    """Process 1 of the namespaces: the only child of `unshare`."""
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    until(lambda: _alive(started) and bool(children.read_text()))
    return children.read_text().strip()
