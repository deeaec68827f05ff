"""How DBOS is set up: what its defaults would cost us, and what it must never do.

The reasons are measured or read in its source (3.4), and told in `docs/decisions`:

- application_version   by default a hash of the sources: an upgrade would strand runs half-way. Ours
                        changes only when the shape of the two workflows does.
- executor_id           by default "local": two processes would run each other's work.
- serializer            by default pickle, and a row that says "pickle" is unpickled whatever the
                        serializer: reading a database would be running its code. Refused here.
- polling               by default 1 s between an answer and the task that waits for it.
- SQLite                by default a rollback journal; in WAL mode a step costs one disk sync.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from dbos import DBOSConfig

APPLICATION_VERSION = "releve-1"
POLL_SECONDS = 0.02  # between an answer's arrival and its task's waking
QUEUE = "releve-recovery"
QUEUE_POLL_SECONDS = 0.05  # between a launch and the first step of an interrupted run; costs 4 % of a core
FILE = "runs.sqlite3"


def config(state_dir: Path, database_url: str, executor_id: str) -> DBOSConfig:
    """The configuration of DBOS for this state folder."""
    from dbos import DBOSPortableJSONSerializer

    return {
        "name": "releve",
        "system_database_url": database_url or f"sqlite:///{_sqlite(state_dir)}",
        "application_version": APPLICATION_VERSION,
        "executor_id": executor_id,
        "serializer": DBOSPortableJSONSerializer(),
        "notification_listener_polling_interval_sec": POLL_SECONDS,
        "scheduler_polling_interval_sec": 3600.0,  # ours change at a launch only, which is looked at soon
        "log_level": "WARNING",
        "enable_otlp": False,
    }


def quiet_logs() -> None:
    """Let DBOS speak through our logging: without a handler of ours it prints on stderr by itself."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def refuse_pickle() -> None:
    """Make a pickled row an error instead of code that runs. Idempotent.

    DBOS offers no setting for it; `tests/unit/adapters/durable` proves that it holds.
    """
    from dbos import _serialization

    def refuse(_self: object, _text: str) -> NoReturn:
        raise ValueError("a pickled value in the runs' database: refused")

    # setattr: the method of a foreign class is replaced on purpose, mypy forbids the plain assignment
    setattr(_serialization.DefaultSerializer, "deserialize", refuse)  # noqa: B010


def _sqlite(state_dir: Path) -> Path:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / FILE
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(path, timeout=10.0)) as link:
        link.execute("PRAGMA journal_mode=WAL")  # stays with the file; synchronous=FULL is the default
    return path
