"""One at a time: a lock of the operating system, which no crash can leave behind."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from releve.domain.errors import Refused, Unreachable
from releve.domain.os_errors import reason


@contextmanager
def hold(path: str | os.PathLike[str], who: str) -> Iterator[None]:
    """Hold the lock `path` as `who` (a few words in French) until the block ends.

    The kernel frees it when the process ends, kill -9 included; programs that we start do not
    inherit it. The file stays: removing it would let two holders lock two different files. Must be
    on a local disk. Raises `Refused` (`already-running`) with who holds it, `Unreachable` when the
    file cannot be made.
    """
    place = Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unreachable(
            "lock-failed",
            f"le verrou {place} ne peut pas être posé : {reason(error)}",
            hint="vérifiez les droits sur ce dossier pour le compte de Relève",
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(place, os.pread(handle, 4096, 0)) from None
        try:
            _sign(handle, who)
        except OSError as error:
            raise Unreachable(
                "lock-failed",
                f"le verrou {place} ne peut pas être écrit : {reason(error)}",
                hint="libérez de la place sur ce disque, ou donnez un dossier d'un autre",
                retryable=True,
            ) from error
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


_WAIT = (
    "attendez qu'il finisse ; s'il tourne sans fin (worker, capture, copie, archivage), arrêtez-le d'abord : "
    "« releve status », « share status » ou « database status » disent où il en est"
)


def _sign(handle: int, who: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "who": who, "since": since}, ensure_ascii=False)
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)


def _held(place: Path, text: bytes) -> Refused:
    try:
        holder = json.loads(text)
        pid, who = str(int(holder["pid"])), str(holder["who"])
        since = datetime.fromisoformat(holder["since"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):  # it was taken this very moment: not yet signed
        return Refused(
            "already-running",
            "un autre Relève tient déjà ce verrou, à l'instant",
            hint=_WAIT,
            context={"lock": str(place)},
            retryable=True,
        )
    return Refused(
        "already-running",
        f"{who} tourne déjà (processus {pid}, depuis le {since:%d/%m/%Y à %H:%M:%S} UTC)",
        hint=_WAIT,
        context={"pid": pid, "who": who, "since": since.isoformat(), "lock": str(place)},
        retryable=True,
    )
