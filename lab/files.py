"""The files of a machine: an overlay of the real root, whose changes live in memory and go with the machine.

What is the computer's own business (homes, shares, databases, package lists, other top folders) is hidden by
the overlay itself and not by mounts: the machine then has one disk, as the audit should see it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import kernel
from lab.estate import SITES, Node, nodes

_SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "proc", "run", "sbin", "sys", "usr", "var"})
_EMPTY = (
    "etc/cron.d",
    "etc/postgresql",
    "usr/local/src",
    "var/backups",
    "var/lib/apt/lists",
    "var/lib/mysql",
    "var/lib/postgresql",
    "var/lib/snmp",
    "var/log",
    "var/mail",
    "var/spool",
    "var/tmp",
    "var/www",
)
_STICKY = frozenset({"tmp", "var/tmp"})
_RELEASE = """PRETTY_NAME="Debian GNU/Linux {version} ({name})"
NAME="Debian GNU/Linux"
VERSION_ID="{version}"
VERSION="{version} ({name})"
VERSION_CODENAME={name}
ID=debian
"""
_LISTS = "/var/lib/apt/lists/depot.labo_dists_stable_InRelease"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine's layers are: `upper` (what it changes), `work` (the kernel's) and `root` (its view)."""

    folder: Path

    @property
    def upper(self) -> Path:
        """What differs from the real root."""
        return self.folder / "upper"

    @property
    def root(self) -> Path:
        """What becomes its root."""
        return self.folder / "root"


def layered(place: Place, shown: Iterable[Path], hidden: Path) -> None:
    """Mount the root of a machine at `place.root`.

    `shown`: folders outside the system that it must see; `hidden`: the folder of the run, empty for it.
    """
    for name in ("upper", "work", "root"):
        (place.folder / name).mkdir(parents=True)
    place.upper.chmod(0o755)
    seen = tuple(shown)
    for top in Path("/").iterdir():
        if top.is_dir() and not top.is_symlink() and top.name not in _SYSTEM:
            _hide(top, seen, place.upper)
    for name in _EMPTY:
        if (Path("/") / name).is_dir():
            _empty(Path("/") / name, place.upper)
    if hidden.parts[1] in _SYSTEM or any(hidden.is_relative_to(path) for path in seen):
        _empty(hidden, place.upper)
    layers = f"lowerdir=/,upperdir={place.upper},workdir={place.folder / 'work'}"
    kernel.mount("overlay", place.root, "overlay", options=layers)
    for folder in seen:
        inside = place.root / folder.relative_to("/")
        if (
            folder.stat().st_dev != Path("/").stat().st_dev
        ):  # an overlay of / does not show other file systems
            inside.mkdir(parents=True, exist_ok=True)
            kernel.mount(str(folder), inside, flags=kernel.BIND | kernel.RECURSIVE)


def _empty(folder: Path, upper: Path) -> None:
    """An empty folder over `folder` (opaque: Documentation/filesystems/overlayfs of the kernel)."""
    over = upper / folder.relative_to("/")
    over.mkdir(parents=True, exist_ok=True)
    over.chmod(0o1777 if folder.relative_to("/").as_posix() in _STICKY else 0o755)
    os.setxattr(over, "trusted.overlay.opaque", b"y")


def _hide(folder: Path, seen: tuple[Path, ...], upper: Path) -> None:
    """Hide a folder, but for what of it must be seen: beside the way there, everything is whited out."""
    if any(folder.is_relative_to(path) for path in seen):
        return
    if not any(path.is_relative_to(folder) for path in seen):
        _empty(folder, upper)
        return
    over = upper / folder.relative_to("/")
    over.mkdir(parents=True, exist_ok=True)
    over.chmod(folder.stat().st_mode & 0o7777)
    for entry in folder.iterdir():
        if any(path.is_relative_to(entry) for path in seen):
            _hide(entry, seen, upper)
        else:
            os.mknod(over / entry.name, stat.S_IFCHR, os.makedev(0, 0))


def entered(place: Place) -> None:
    """Make it the root of this process, with devices, processes and network of its own namespaces."""
    root = place.root
    kernel.mount("/dev", root / "dev", flags=kernel.BIND | kernel.RECURSIVE)
    kernel.mount("devpts", root / "dev/pts", "devpts", options="newinstance,ptmxmode=666,mode=620,gid=5")
    kernel.mount("shm", root / "dev/shm", "tmpfs", options="mode=1777")
    kernel.mount("proc", root / "proc", "proc")
    kernel.mount("sysfs", root / "sys", "sysfs")
    kernel.mount("run", root / "run", "tmpfs", options="mode=755")
    with _imports_from_outside():
        kernel.root_at(root)


@contextmanager
def _imports_from_outside() -> Iterator[None]:
    """What this process has yet to import lies outside its new root: reached by handles, seen by nobody else."""
    handles = {path: os.open(path, os.O_PATH) for path in sys.path if Path(path).is_dir()}
    yield
    moved = {path: f"/proc/self/fd/{handle}" for path, handle in handles.items()}
    sys.path[:] = list(moved.values())
    for module in list(sys.modules.values()):
        for at, place in enumerate(places := getattr(module, "__path__", None) or []):
            home = next((path for path in moved if Path(place).is_relative_to(path)), None)
            if home is not None and isinstance(places, list):
                places[at] = moved[home] + place.removeprefix(home)


def write(path: str, text: str, mode: int = 0o644, owner: str = "") -> Path:
    """A file of this machine, whole. `owner`: an account and its group of that name."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()  # /etc/os-release points into /usr
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)
    if owner:
        shutil.chown(target, owner, owner)
    return target


def furnish(node: Node) -> None:
    """What makes it a machine of its own: names, system, account, package lists, documents."""
    write("/etc/hostname", f"{node.name}\n")
    write("/etc/machine-id", f"{secrets.token_hex(16)}\n")
    names = "".join(f"{other.address} {other.name}\n" for other in nodes())
    write("/etc/hosts", f"127.0.0.1 localhost\n{names}")
    write("/etc/resolv.conf", "# nobody is asked for names here\n")
    release("13", "trixie")
    write(_LISTS, "Origin: Labo\nSuite: stable\n")  # fresh, and nothing newer in it
    _unlock()
    for folder, count in node.folders.items():
        documents(Path(folder), count)


def release(version: str, name: str) -> None:
    """The system that this machine says it is."""
    write("/etc/os-release", _RELEASE.format(version=version, name=name))


def _unlock() -> None:
    """Let root in: sshd without PAM refuses an account whose password is marked as locked (sshd(8)), keys included."""
    shadow = Path("/etc/shadow")
    lines = shadow.read_text(encoding="utf-8").splitlines()
    fields = [line.split(":") for line in lines]
    kept = [":".join([row[0], "*", *row[2:]]) if row[0] == "root" else ":".join(row) for row in fields]
    write("/etc/shadow", "\n".join(kept) + "\n", 0o640)


def documents(folder: Path, count: int, prefix: str = "document") -> None:
    """Made up documents, each of another size. They hold no data of anybody."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("odt", "pdf", "ods", "txt")
    for number in range(count):
        text = f"Texte du laboratoire, page {number + 1}.\n" * (20 + number)
        name = f"{prefix}-{number + 1:03}.{kinds[number % len(kinds)]}"
        (folder / name).write_text(text, encoding="utf-8")


__all__ = ["SITES", "Place", "documents", "entered", "furnish", "layered", "release", "write"]
