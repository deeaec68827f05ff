"""What a machine says of itself: its system, what its manager keeps running, what its packages wait for. Read-only.

Sent as source to `python3 -I -` with a last line `main({...})`; one JSON document comes back. Nothing is written,
apt's own cache included. A part that could not be looked at is absent, and named in "gaps" as [part, code].

Asked: patience (seconds that one program may take).
"""

# ruff: noqa: PTH110, PTH112, PTH116, PTH123, PTH207, PLW1510 - plain paths, and pathlib costs a tenth of the start

from __future__ import annotations

import ctypes
import glob
import ipaddress
import json
import os
import shutil
import subprocess
from typing import Any, Callable  # noqa: UP035 - Python 3.8

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DOING = frozenset({"active", "activating", "reloading", "deactivating", "failed"})
_NOT_SET = 5  # TIME_ERROR of adjtimex(2): nobody corrects this clock
_LISTS = "/var/lib/apt/lists"
_SECURITY = ("-security", "Debian-Security")  # in the origin of a version: Debian and Ubuntu name it so


class Gap(Exception):
    """A part that could not be looked at; its code."""


def said(argv: list[str], patience: float, *, fine: tuple[int, ...] = (0,)) -> str:
    """What a program prints. Raises `Gap`."""
    program = shutil.which(argv[0], path=PATH)
    if program is None:
        raise Gap("program-missing")
    clean = {"PATH": PATH, "LC_ALL": "C", "HOME": "/"}
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            env=clean,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        raise Gap("program-slow") from None
    if done.returncode not in fine:
        raise Gap("program-failed")
    return done.stdout.decode("utf-8", "replace")


def text_of(path: str) -> str:
    """A small file, as text."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def os_release(text: str) -> dict[str, str]:
    """The variables of os-release(5), their quotes removed."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            found[name] = value.replace("\\$", "$").replace('\\"', '"').replace("\\\\", "\\")
    return found


def memory(text: str) -> dict[str, int]:
    """/proc/meminfo, in bytes."""
    rows = [line.split() for line in text.splitlines()]
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}


def system() -> dict[str, Any]:
    """The system, as its own files say it."""
    place = "/etc/os-release" if os.path.exists("/etc/os-release") else "/usr/lib/os-release"
    told = os_release(text_of(place))
    has = memory(text_of("/proc/meminfo"))
    booted = [line.split()[1] for line in text_of("/proc/stat").splitlines() if line.startswith("btime ")]
    uname = os.uname()
    return {
        "name": uname.nodename,
        "os": told.get("ID", ""),
        "version": told.get("VERSION_ID", ""),
        "pretty": told.get("PRETTY_NAME", ""),
        "kernel": uname.release,
        "started": int(booted[0]) if booted else None,
        "memory": has.get("MemTotal"),
        "memory_free": has.get("MemAvailable"),
        "swap_used": has["SwapTotal"] - has["SwapFree"] if {"SwapTotal", "SwapFree"} <= set(has) else None,
        "processors": os.cpu_count(),
        "virtual": virtual(),
        "manager": manager(),
        "synchronised": synchronised(),
        "addresses": addresses_of(_maybe("/proc/net/fib_trie"), _maybe("/proc/net/if_inet6")),
    }


def addresses_of(routes: str, six: str) -> list[str]:
    """The addresses of a machine, from the kernel's own tables; those that only it reaches (loopback, link) are left out."""
    found, last = set(), ""
    for line in routes.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and not last.startswith("127."):
            found.add(last)
    for row in map(str.split, six.splitlines()):
        address = ipaddress.IPv6Address(int(row[0], 16))
        if not address.is_loopback and not address.is_link_local:
            found.add(str(address))
    return sorted(found)


def _maybe(path: str) -> str:
    """A small file; empty where the kernel has none (no IPv6)."""
    try:
        return text_of(path)
    except OSError:
        return ""


def manager() -> str:
    """What keeps services running: systemd, or the name of process 1."""
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    return text_of("/proc/1/comm").strip()


def virtual() -> bool | None:
    """Whether there is a machine below this one; None when nobody can tell."""
    try:
        return said(["systemd-detect-virt"], 3.0, fine=(0, 1)).strip() != "none"
    except Gap:
        flags = [line for line in text_of("/proc/cpuinfo").splitlines() if line.startswith("flags")]
        return " hypervisor" in flags[0] if flags else None


def synchronised() -> bool | None:
    """Whether somebody sets this clock: the kernel's word (an empty adjtimex changes nothing), else chrony's."""
    try:
        told = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # struct timex is smaller
    except (AttributeError, OSError):
        told = -1
    if told not in (-1, _NOT_SET):
        return True
    try:  # chrony tells the kernel only when its configuration says "rtcsync"
        return said(["chronyc", "-n", "-c", "tracking"], 3.0).strip().endswith(",Normal")
    except Gap:
        return False if told == _NOT_SET else None


def programs(patience: float) -> int:
    """How many packages are installed, as dpkg or rpm keeps them."""
    try:
        with open("/var/lib/dpkg/status", "rb") as file:
            return sum(line.startswith(b"Status:") and line.split()[-1] == b"installed" for line in file)
    except FileNotFoundError:
        return len(said(["rpm", "-qa", "--qf", "%{NAME}\n"], patience).split())


def units(patience: float) -> list[list[Any]] | None:
    """[name, state, enabled] of the services that run or ended, and of any unit that failed; None without systemd."""
    if manager() != "systemd":
        return None
    flat = ["--all", "--full", "--plain", "--no-legend", "--no-pager"]
    now = said(["systemctl", "list-units", *flat], patience)
    return units_of(now, said(["systemctl", "list-unit-files", *flat[1:]], patience))


def units_of(now: str, files: str) -> list[list[Any]]:
    """The same, from what systemctl prints of its units and of their files."""
    starts = {row[0]: row[1] for row in map(str.split, files.splitlines()) if len(row) > 1}
    found = []
    for line in now.splitlines():
        row = line.replace("\u25cf", " ").split()  # an old systemd marks a failed unit by a dot
        if len(row) < 4 or row[2] not in _DOING or not (row[0].endswith(".service") or row[2] == "failed"):
            continue
        kept = starts.get(row[0])
        enabled = True if kept == "enabled" else False if kept == "disabled" else None
        found.append([row[0], "failed" if row[2] == "failed" else row[3], enabled])
    return found


def updates(patience: float) -> dict[str, Any]:
    """What apt would install, from the lists that it has. Raises `Gap` where it has none."""
    if shutil.which("apt-get", path=PATH) is None:
        raise Gap("manager-unknown")
    lists = glob.glob(_LISTS + "/*Release") + glob.glob(_LISTS + "/*_Packages*")
    if not lists:
        raise Gap("lists-absent")
    # its caches and the log of its plans are named away, for root would otherwise write them: we only read
    away = ("Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "Dir::Log::Planner=/dev/null")
    still = [word for option in (*away, "Debug::NoLocking=1") for word in ("-o", option)]
    pending, security = updates_of(said(["apt-get", *still, "-s", "-q", "dist-upgrade"], patience))
    return {"pending": pending, "security": security, "lists": max(os.stat(one).st_mtime for one in lists)}


def updates_of(text: str) -> tuple[int, int]:
    """(upgrades, those that come from a security archive), from what `apt-get -s` prints."""
    lines = [
        line for line in text.splitlines() if line.startswith("Inst ") and " [" in line.partition("(")[0]
    ]
    return len(lines), sum(any(word in line for word in _SECURITY) for line in lines)


def main(asked: dict[str, Any]) -> None:
    """Look at each part; print what was found."""
    patience = float(asked.get("patience", 20.0))
    parts: dict[str, Callable[[], Any]] = {
        "system": system,
        "programs": lambda: programs(patience),
        "units": lambda: units(patience),
        "updates": lambda: updates(patience),
    }
    found: dict[str, Any] = {}
    gaps = []
    for name, look in parts.items():
        try:
            found[name] = look()
        except Gap as gap:
            gaps.append([name, str(gap)])
        except PermissionError:
            gaps.append([name, "denied"])
        except (OSError, ValueError, KeyError, IndexError):
            gaps.append([name, "unreadable"])
    print(json.dumps({**found, "gaps": gaps}))  # noqa: T201 - this is the answer
