"""The history of a database of the plan: its WAL archived without end, a base a day, what is superseded removed.

Run by the relief's worker beside its own server, a standby or not: what is archived is what the relief received,
and a switch changes nothing of it. Bases and the thinning are programs of their own, started when they are due: a
base that takes hours holds no thinning up.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, bases
from releve.adapters.notes import put
from releve.cycle.protect.daily import due
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.os_errors import reason
from releve.entrypoints.worker.database import DatabasePost, archive_database, open_gaps, read_archive
from releve.entrypoints.worker.resident import say
from releve.entrypoints.worker.thinner import Thinner

if TYPE_CHECKING:
    from pathlib import Path

    from releve.adapters.vault.repository import Repository

FAILURES = "failures.json"
_LOOK = 5.0  # seconds between two looks at whether a base is due
_AGAIN = timedelta(minutes=15)  # between two attempts at a base that failed
_SOON = timedelta(
    seconds=20
)  # the same while there is none at all: a standby that replayed nothing yet refuses
_FIRST_THINNING = (
    60.0  # seconds after the start: a worker that starts anew again and again thins all the same
)


@dataclass(frozen=True, slots=True)
class HistoryPost:
    """What is kept, and when. `base`, `forget`: the commands that take a base, and that remove old ones and superseded WAL.

    `at`: time of day of the base in `zone` (IANA name). `open_vault` may be called again after a failure.
    """

    archive: DatabasePost
    open_vault: Callable[[], Repository]
    base: Sequence[str]
    forget: Sequence[str]
    at: clock_time
    zone: str


def keep_history(post: HistoryPost) -> int:
    """Archive until SIGTERM; bases are taken and the history is thinned meanwhile."""
    over = threading.Event()
    bases_of_the_day = _Bases(post)
    thread = threading.Thread(target=bases_of_the_day.run, args=(over,), name="bases")
    thread.start()
    try:
        return archive_database(post.open_vault(), post.archive)
    finally:
        over.set()
        bases_of_the_day.stop()
        thread.join()


def read_failures(state: Path) -> Sequence[str]:
    """What fails again and again beside the archiving, in one line each."""
    return [
        f"la base de la nuit échoue depuis le {since:%d/%m/%Y %H:%M:%S} (code {code}) : releve database base dit pourquoi"
        if what == "base"
        else f"le ménage a quelque chose à dire depuis le {since:%d/%m/%Y %H:%M:%S} (code {code}) : releve database forget"
        for what, (at, code) in _failures(state / FAILURES).items()
        for since in [datetime.fromisoformat(at).astimezone()]
    ]


def _failures(path: Path) -> dict[str, tuple[str, int]]:
    try:
        return {str(what): (str(at), int(code)) for what, (at, code) in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreachable(
            "archive-state", f"{path} ne se lit pas : {error}", hint="supprimez-le : il est refait"
        ) from error


def _said(error: ReleveError | OSError) -> str:
    return f"{error.sentence} [{error.code}]" if isinstance(error, ReleveError) else reason(error)


class _Bases:
    """Takes a base when one is due: every day, and at once where there is none or the WAL has a hole after it."""

    def __init__(self, post: HistoryPost) -> None:
        self._post = post
        self._thinner = Thinner(post.forget, _FIRST_THINNING, ended=lambda code: self._note("ménage", code))
        self._last: datetime | None = None  # None: not looked at yet, or none is there
        self._tried: datetime | None = None
        self._running: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(self, over: threading.Event) -> None:
        """Until `over`."""
        said = ""
        with self._thinner:
            while not over.wait(_LOOK):
                try:
                    self._thinner.tick()
                    self._tick(over)
                    said = ""
                except (ReleveError, OSError) as error:
                    line = f"base de « {self._post.archive.database} » : {_said(error)}"
                    if line != said:
                        say(line)
                    said = line

    def stop(self) -> None:
        """End the program that runs: cut anywhere, it loses nothing."""
        with self._lock:
            if self._running is not None:
                self._running.terminate()

    def _tick(self, over: threading.Event) -> None:
        now = datetime.now(UTC)
        if self._tried is not None and now - self._tried < (_AGAIN if self._last else _SOON):
            return
        fresh = read_archive(self._post.archive.state)
        if fresh.get("troubled"):
            return  # the WAL is not kept: a base alone leads nowhere
        if self._last is None:
            found = bases(Catalogue(self._post.open_vault(), self._post.archive.database).look())
            self._last = found[-1].mark.ready if found else None
        planned = due(self._last, self._post.at, self._post.zone, now)
        if self._last is not None and planned is None and not open_gaps(self._post.archive.state):
            return
        self._tried = now
        if self._run(self._post.base, over):
            self._last, self._tried = now, None

    def _note(self, what: str, code: int) -> None:
        """Remember what fails, since when, for whoever asks: a log is read by nobody."""
        path = self._post.archive.state / FAILURES
        known = _failures(path)
        if not code and what not in known:
            return
        since = known.pop(what, (datetime.now(UTC).isoformat(), 0))[0]
        put(path, json.dumps(known | ({what: (since, code)} if code else {}), ensure_ascii=False).encode())

    def _run(self, command: Sequence[str], over: threading.Event) -> bool:
        with self._lock:
            if over.is_set():
                return False
            self._running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while self._running.poll() is None:
            self._thinner.tick()
            time.sleep(0.1)
        code = self._running.returncode
        if over.is_set():
            return code == 0
        self._note("base", code)
        if code:
            say(f"« {' '.join(command[4:6])} » a échoué (code {code}) ; ce sera repris")
        return code == 0
