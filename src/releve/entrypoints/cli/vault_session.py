"""What the commands of the vault share: which one, its key, and a bar for long work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.domain.errors import BadInput, Unreachable
from releve.domain.secret import SecretRef

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository
    from releve.adapters.vault.store import Store

NAMED = "RELEVE_VAULT"
WHOLE = f"le coffre de {NAMED} ne vaut que si la commande n'a aucun autre mot ; sinon le coffre se nomme, en premier"
DEFAULT_KEY = "env:RELEVE_VAULT_KEY"


def utc_now() -> datetime:
    """The wall clock, aware: `app` has it too, and would load the whole house."""
    return datetime.now(UTC)


def secret_ref(text: str) -> SecretRef:
    """The place of a key. Raises `BadInput` for a key written in clear on the command line."""
    scheme, colon, target = text.partition(":")
    if not colon or scheme not in {"env", "file", "command"} or not target:
        raise BadInput(
            "secret-scheme",
            "une clé ne s'écrit pas sur la ligne de commande : dites où elle est",
            hint="--key env:NOM, --key file:/chemin ou --key command:programme",
        )
    return SecretRef(scheme, target)


def password(text: str) -> str:
    """The key itself."""
    from releve.adapters.hosts.secrets import resolve

    return resolve(secret_ref(text))


def store_at(where: str) -> Store:
    """The store of that address."""
    from releve.adapters.vault.places import store_at as found

    return found(where)


def opened(where: str, key: str) -> Repository:
    """The open vault, its list of blobs not yet read."""
    from releve.adapters.vault.repository import open_vault

    try:
        return open_vault(store_at(where), password(key))
    except Unreachable as error:
        usual = os.environ.get(NAMED, "")
        if error.code != "vault-missing" or usual in {"", where}:
            raise
        raise BadInput(
            "not-a-vault",
            f"« {where} » est pris pour le coffre, et n'en est pas un",
            hint=f"{WHOLE} ; ici, « {where} » se met après : {usual} {where}",
        ) from error


def processes(vault: Repository) -> int:
    """How many may share a long work: two where there are two cores and nothing that a fork would break."""
    from releve.adapters.vault.store import FolderStore

    alone = not isinstance(vault.store, FolderStore)  # the clients of servers have threads of their own
    return 1 if alone or len(os.sched_getaffinity(0)) < 2 else 2


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr when a person looks at it; `done, total` in bytes. Total 0: no end is known."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total or None)


def shown_path(path: str) -> str:
    """A path that a terminal may be given: bytes that are not text, and control characters, escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shown_time(at: datetime) -> str:
    """An instant as the clock on the wall says it here, with its distance to UTC; --json keeps ISO."""
    try:
        return f"{at.astimezone():%Y-%m-%d %H:%M:%S %z}"
    except (OverflowError, ValueError):  # the first or the last day of all calendars
        return f"{at:%Y-%m-%d %H:%M:%S %z}"


def tagged(name: str) -> str:
    """The same name, of a share or a database. Raises `BadInput` when it cannot stand in a snapshot's tag."""
    from releve.domain.errors import BadInput

    if not name or not all(char.isalnum() or char in "-_." for char in name):
        raise BadInput("name", f"« {name} » : un nom n'a que lettres, chiffres, tirets et points")
    return name


def made(state: str) -> Path:
    """The state folder, there. Raises as `unwritable`."""
    from releve.domain.os_errors import unwritable

    folder = Path(state).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, "state-folder") from error
    return folder
