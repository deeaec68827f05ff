"""Whether a database comes back from its vault: brought back at its newest, opened apart, erased. The proof is dated."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.base import FOLDER
from releve.adapters.engines.postgresql.archive.restore import Means, Reached, known, restore
from releve.adapters.engines.postgresql.archive.windows import LATEST, choose
from releve.adapters.engines.postgresql.parse import postmaster_pid
from releve.adapters.hosts.lock import hold as only_one
from releve.adapters.notes import drop, put
from releve.domain.errors import PromiseBroken, Refused, Unreachable
from releve.domain.os_errors import unwritable
from releve.domain.units import say_bytes
from releve.entrypoints.worker.database import note_trial, read_archive

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

_ROOM = "trial.room"  # in the state folder: where the trial at work is, for the next one to clear
_LOOK = 0.05  # seconds between two looks at a server that was told to end at once
_LOOKS = 200


def try_history(
    vault: Repository,
    database: str,
    workroom: Path,
    means: Means,
    state: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[datetime, Reached]:
    """(when, what was seen). `state`: the archiver's folder, where a trial that proved all of it is noted.

    Raises `Refused` when `workroom` has less room than what comes back takes, and all that `restore` raises. Nothing
    is left behind; after a kill, the next trial beside the same state erases it.
    """
    with ExitStack() as stack:
        if state is not None:
            stack.enter_context(only_one(state / "trial.lock", f"l'essai de « {database} »"))
            _erase_left(state)
        said = _said(state)
        _require_room(vault, database, workroom, said.timeline)
        stack.enter_context(_ended_in_order())
        room = stack.enter_context(_room(workroom, state))
        reached = restore(
            vault, database, LATEST, room / "base", means, timeline=said.timeline, progress=progress
        )
        at = datetime.now(UTC)
        if said.safe is not None and reached.proved < said.safe:
            raise PromiseBroken(
                "trial-short",
                f"la base revient jusqu'au {reached.proved.isoformat()} : l'archivage disait {said.safe.isoformat()} à l'abri",
                hint="releve database times dit ce qui manque ; prenez une nouvelle base (releve database base)",
            )
        if state is not None and reached.complete:
            note_trial(
                state, at, {"base": reached.window.base.mark.label, "proved": reached.proved.isoformat()}
            )
        return at, reached


@dataclass(frozen=True, slots=True)
class _Said:
    """What the archiver says: on which timeline its server is (0: not known), up to when all is safe."""

    timeline: int = 0
    safe: datetime | None = None


def _said(state: Path | None) -> _Said:
    try:
        said = read_archive(state) if state is not None else {}
    except Unreachable:
        return _Said()  # nothing is archived from here: what the vault has is tried all the same
    safe = said.get("safe_until")
    return _Said(int(str(said.get("timeline") or 0)), datetime.fromisoformat(str(safe)) if safe else None)


def _require_room(vault: Repository, database: str, workroom: Path, timeline: int) -> None:
    window = choose(known(vault, database, timeline).windows, LATEST)
    needed = window.base.snapshot.summary.get("total_bytes_processed", 0) + sum(
        one.node.size for one in window.segments
    )
    try:
        free = shutil.disk_usage(workroom).free
    except OSError as error:
        raise unwritable(workroom, error, "workroom") from error
    if free < needed:
        raise Refused(
            "workroom-small",
            f"l'essai demande {say_bytes(needed)} dans {workroom}, qui en a {say_bytes(free)}",
            hint="--workroom, ou la variable TMPDIR, suivi d'un dossier d'un disque plus grand",
        )


@contextmanager
def _room(workroom: Path, state: Path | None) -> Iterator[Path]:
    try:
        room = Path(tempfile.mkdtemp(prefix="releve-essai-", dir=workroom))
        room.chmod(0o711)  # the server's account walks through it
    except OSError as error:
        raise unwritable(workroom, error, "workroom") from error
    try:
        if state is not None:
            put(state / _ROOM, str(room).encode())
        yield room
    finally:
        shutil.rmtree(room)
        if state is not None:
            drop(state / _ROOM)


def _erase_left(state: Path) -> None:
    """What a killed trial left, its server first."""
    try:
        left = Path((state / _ROOM).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    if left.name.startswith("releve-essai-") and left.is_dir():
        _end_server(left / "base" / FOLDER)
        shutil.rmtree(left)
    drop(state / _ROOM)


def _end_server(data: Path) -> None:
    try:
        pid = postmaster_pid((data / "postmaster.pid").read_text(encoding="ascii"))
        ours = Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except OSError:
        return  # none runs there
    if ours and pid is not None:
        os.kill(pid, signal.SIGQUIT)
        for _ in range(_LOOKS):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(_LOOK)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: the server that was started is stopped, and its folder erased."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
