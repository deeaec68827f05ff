"""The account under which a restored server is tried: ourselves, or an ordinary one when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from releve.domain.errors import BadInput

_USUAL = ("postgres", "nobody")  # PostgreSQL refuses to run as root


def server_account(name: str) -> pwd.struct_passwd | None:
    """The account called so, or the first usual one; None when it is ourselves. Raises `BadInput`."""
    if os.geteuid() != 0:
        if name and pwd.getpwuid(os.geteuid()).pw_name != name:
            raise BadInput("os-user", f"il faut être root pour lancer le serveur sous le compte « {name} »")
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for one in [name] if name else _USUAL:
        if one in known and known[one].pw_uid != 0:
            return known[one]
    raise BadInput(
        "os-user",
        f"aucun compte ordinaire pour lancer PostgreSQL ({name or ', '.join(_USUAL)})",
        hint="--os-user suivi d'un compte qui existe et n'est pas root",
    )


def give(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make the folder and all below it belong to the account."""
    if account is None:
        return
    uid, gid = account.pw_uid, account.pw_gid
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(above) / name, uid, gid, follow_symlinks=False)
    os.chown(folder, uid, gid)


def as_account(argv: Sequence[str], account: pwd.struct_passwd | None) -> list[str]:
    """The same program under that account, ended (SIGINT) with the thread that starts it where setpriv is there."""
    tie = shutil.which("setpriv")
    if tie is None:
        return list(argv)
    who = (
        ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"] if account else []
    )
    return [tie, *who, "--pdeathsig", "INT", "--", *argv]


def identity(account: pwd.struct_passwd | None) -> tuple[int | None, int | None]:
    """What Popen needs to become the account where there is no setpriv."""
    if account is None or shutil.which("setpriv") is not None:
        return None, None
    return account.pw_uid, account.pw_gid
