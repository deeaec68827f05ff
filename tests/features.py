"""What this machine can do for the tests. Each feature is looked for once, by doing it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tests import systemd

ALLOWED = Path(__file__).with_name("allowed_skips.txt")

CURRENT_RESTIC = (
    Path(__file__).parents[1] / ".venv" / "restic-current"
)  # tests/current-restic.sh puts it there


@cache
def allowed() -> frozenset[str]:
    """The names of tests/allowed_skips.txt."""
    lines = ALLOWED.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if (name := line.split("#")[0].strip()))


@cache
def missing(feature: str) -> str:
    """Why the machine lacks `feature`; empty when it has it. Raises KeyError for an unknown name."""
    return _LOOKS[feature]()


def _programs(*names: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/lib/nut:/lib/nut"
    lacking = [name for name in names if shutil.which(name, path=path) is None]
    return f"no program {', '.join(lacking)}" if lacking else ""


def _root() -> str:
    return "" if os.geteuid() == 0 else "not root"


def _netns() -> str:
    if lacking := _root() or _programs("ip"):
        return lacking
    name = f"releve-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return made.stderr.strip()
    try:
        cable = ["ip", "-n", name, "link", "add", "rt0", "type", "veth", "peer", "name", "rt1"]
        return subprocess.run(cable, capture_output=True, text=True, check=False).stderr.strip()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def _sshd() -> str:
    return _programs("sshd", "ssh", "ssh-keygen")


def _debian_postgresql() -> str:
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return "no /usr/lib/postgresql/*/bin/postgres"
    return _programs("pg_ctlcluster", "pg_createcluster")


def _nut() -> str:
    folder = Path("/lib/nut")  # Debian's: /usr/sbin/upsd is a script that wants the system's configuration
    lacking = [name for name in ("upsd", "dummy-ups") if not (folder / name).exists()]
    return f"no {folder}/{lacking[0]}" if lacking else _programs("upsc")


def _systemd() -> str:
    if lacking := _root() or _programs("unshare", "nsenter", "systemctl"):
        return lacking
    if not systemd.PROGRAM.exists():
        return f"no {systemd.PROGRAM}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with systemd.booted(Path(folder) / "units", {systemd.TARGET: systemd.ALONE}):
                return ""
        except (systemd.NotStarted, AssertionError) as error:
            return str(error) or "systemd did not start in namespaces"


def _mount_namespace() -> str:
    if lacking := _programs("unshare", "mount"):
        return lacking
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


def _lab() -> str:
    servers = ("sshd", "smbd", "snmpd", "mariadbd", "mariadb-install-db", "upsd", "dummy-ups")
    looks = ("ssh", "nmap", "ping", "upsc", "ethtool", "nsenter")
    if lacking := _netns() or _debian_postgresql() or _programs(*servers, *looks):
        return lacking
    with tempfile.TemporaryDirectory() as folder:
        # in a mount namespace of its own: nothing is mounted here
        layers = "lowerdir=/,upperdir=u,workdir=w"
        tries = f"mount -t tmpfs x {folder} && cd {folder} && mkdir u w r && mount -t overlay -o {layers} x r"
        tries += " && ip link add br0 type bridge"
        command = ["unshare", "--mount", "--pid", "--fork", "--uts", "--net", "sh", "-c", tries]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


_LOOKS: Mapping[str, Callable[[], str]] = {
    "root": _root,
    "netns": _netns,
    "sshd": _sshd,
    "debian-postgresql": _debian_postgresql,
    "dpkg": lambda: _programs("dpkg-query"),
    "mariadb": lambda: _programs("mariadbd", "mariadb", "mariadb-install-db"),
    "mount-namespace": _mount_namespace,
    "lab": _lab,
    "nut": _nut,
    "systemd": _systemd,
    "restic": lambda: _programs("restic"),
    "restic-current": lambda: "" if CURRENT_RESTIC.exists() else f"no {CURRENT_RESTIC.name}",
    "setpriv": lambda: _programs("setpriv"),
    "nmap": lambda: _programs("nmap"),
    "snmpd": lambda: _programs("snmpd"),
    "ping": lambda: _programs("ping"),
    "ethtool": lambda: _programs("ethtool"),
}
