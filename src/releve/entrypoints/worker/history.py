"""The history of a database of the plan: its WAL archived without end, a base a day, what is superseded removed.

Run by the relief's worker beside its own server, a standby or not: what is archived is what the relief received,
and a switch changes nothing of it. Once a week all of it is brought back and opened: the proof that it can be. Bases,
trials and the thinning are programs of their own, started when they are due: a base that takes hours holds no thinning up.
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
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.engines.postgresql.archive.catalogue import Catalogue, bases
from releve.adapters.notes import put
from releve.cycle.protect.daily import due
from releve.domain.errors import ReleveError, Unreachable
from releve.domain.os_errors import reason
from releve.entrypoints.worker.database import (
    DatabasePost,
    archive_database,
    last_base,
    last_trial,
    open_gaps,
    read_archive,
)
from releve.entrypoints.worker.resident import say
from releve.entrypoints.worker.thinner import Thinner

if TYPE_CHECKING:
    from releve.adapters.vault.repository import Repository

FAILURES = "failures.json"
_FOLDER = "databases"  # in the worker's state folder
_LOOK = 5.0  # seconds between two looks at whether a base is due
_AGAIN = timedelta(minutes=15)  # between two attempts at a base that failed
_SOON = timedelta(
    seconds=20
)  # the same while there is none at all: a standby that replayed nothing yet refuses
TRIED_EVERY = timedelta(days=7)  # between two nights after which what is kept is brought back (proposed)
_TRY_AGAIN = timedelta(
    days=1
)  # after a trial that failed: it costs the room and the time of the whole database
_FIRST_THINNING = (
    60.0  # seconds after the start: a worker that starts anew again and again thins all the same
)


@dataclass(frozen=True, slots=True)
class HistoryPost:
    """What is kept, and when. The commands: `base` takes one, `forget` removes what is superseded, `verify` brings all back.

    `at`: time of day of the base in `zone` (IANA name). `open_vault` may be called again after a failure.
    """

    archive: DatabasePost
    open_vault: Callable[[], Repository]
    base: Sequence[str]
    forget: Sequence[str]
    verify: Sequence[str]
    at: clock_time
    zone: str


def folder_of(worker_state: str, database: str) -> Path:
    """Where the history of a database of the plan has its state, on the site whose worker keeps it."""
    return Path(worker_state) / _FOLDER / database


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
        _FAILING[what].format(since=datetime.fromisoformat(at).astimezone(), code=code)
        for what, (at, code) in _failures(state / FAILURES).items()
    ]


_FAILING = {
    "base": "la base de la nuit échoue depuis le {since:%d/%m/%Y %H:%M:%S} (code {code}) : releve database base dit pourquoi",
    "ménage": "le ménage a quelque chose à dire depuis le {since:%d/%m/%Y %H:%M:%S} (code {code}) : releve database forget",
    "essai": "l'essai de retour échoue depuis le {since:%d/%m/%Y %H:%M:%S} (code {code}) : releve database verify dit pourquoi",
}


def _failures(path: Path) -> dict[str, tuple[str, int]]:
    try:
        read = {str(what): (str(at), int(code)) for what, (at, code) in json.loads(path.read_bytes()).items()}
        return {what: one for what, one in read.items() if what in _FAILING}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreachable(
            "archive-state", f"{path} ne se lit pas : {error}", hint="supprimez-le : il est refait"
        ) from error


def _said(error: ReleveError | OSError) -> str:
    return f"{error.sentence} [{error.code}]" if isinstance(error, ReleveError) else reason(error)


class _Bases:
    """Takes a base when one is due: every day, and at once where there is none or the WAL has a hole after it.

    Then, once a week and after the first one, tries whether all of it comes back.
    """

    def __init__(self, post: HistoryPost) -> None:
        self._post = post
        self._thinner = Thinner(post.forget, _FIRST_THINNING, ended=lambda code: self._note("ménage", code))
        self._last: datetime | None = None  # None: not looked at yet, or none is there
        self._tried: datetime | None = None
        self._trial: datetime | None = None  # the last one that failed
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
        if read_archive(self._post.archive.state).get("troubled"):
            return  # the WAL is not kept: a base alone leads nowhere
        if self._base_due(now):
            self._tried = now
            if self._run("base", self._post.base, over):
                self._last = now
        elif self._trial_due(now) and not self._run("essai", self._post.verify, over):
            self._trial = now

    def _base_due(self, now: datetime) -> bool:
        if self._tried is not None and now - self._tried < (_AGAIN if self._last else _SOON):
            return False
        if self._last is None:
            found = bases(Catalogue(self._post.open_vault(), self._post.archive.database).look())
            noted = last_base(self._post.archive.state)
            self._last = (noted.taken if noted else found[-1].snapshot.at) if found else None
        planned = due(self._last, self._post.at, self._post.zone, now)
        return self._last is None or planned is not None or bool(open_gaps(self._post.archive.state))

    def _trial_due(self, now: datetime) -> bool:
        if self._last is None or (self._trial is not None and now - self._trial < _TRY_AGAIN):
            return False
        last = last_trial(self._post.archive.state)
        planned = due(last, self._post.at, self._post.zone, now)
        return last is None or (planned is not None and planned - last >= TRIED_EVERY - timedelta(days=1))

    def _note(self, what: str, code: int) -> None:
        """Remember what fails, since when, for whoever asks: a log is read by nobody."""
        path = self._post.archive.state / FAILURES
        known = _failures(path)
        if not code and what not in known:
            return
        since = known.pop(what, (datetime.now(UTC).isoformat(), 0))[0]
        put(path, json.dumps(known | ({what: (since, code)} if code else {}), ensure_ascii=False).encode())

    def _run(self, what: str, command: Sequence[str], over: threading.Event) -> bool:
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
        self._note(what, code)
        if code:
            say(f"« {' '.join(command[4:6])} » a échoué (code {code}) ; ce sera repris")
        return code == 0
