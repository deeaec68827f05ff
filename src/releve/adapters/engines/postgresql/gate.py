"""Stopping a server and seeing it stopped; opening one for writing. Closed is the state on disk.

A server of ours keeps `standby.signal` in its data folder even while it is open. PostgreSQL reads
it only as it starts, so whoever starts that server again (its manager after a power cut, a person)
gets a reader on the same timeline, with its data intact. Opening is an act: the file is lifted, the
server started and seen open, the file put back. If we are killed in between, at worst the file is
missing while the server runs, and the next look (`open`, `promote`, `prepare`) puts it back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from releve.adapters.engines.postgresql import bookkeeping, commands, parse
from releve.adapters.engines.postgresql.connection import postmaster_answers
from releve.adapters.engines.postgresql.facts import Look
from releve.adapters.engines.postgresql.pair import Pair
from releve.domain.errors import Refused, Unreachable
from releve.domain.protection import ServerFacts, ServerState

START_PATIENCE = 120.0  # seconds: a start after a crash replays up to max_wal_size of WAL
STOP_PATIENCE = 60.0
LONGEST_CHECKPOINT = 1800.0
POLL = 0.01


def until(true: Callable[[], bool], seconds: float, *, poll: float = POLL) -> bool:
    """Whether it became true within `seconds`."""
    limit = time.monotonic() + seconds
    while not true():
        if time.monotonic() > limit:
            return False
        time.sleep(poll)
    return True


def reading(pair: Pair, site: str) -> bool | None:
    """Whether the server is in recovery; None when it does not answer (yet)."""
    try:
        return bool(pair.ask(site, "SELECT pg_is_in_recovery()")[0][0])
    except Unreachable:
        return None


def ease_stop(pair: Pair, site: str) -> None:
    """A checkpoint, so that the one of the shutdown has little left to write.

    Gigabytes of changed pages take tens of seconds to write, and a planned stop is what users wait for.
    """
    pair.links.slow(site, "CHECKPOINT", timeout=LONGEST_CHECKPOINT)


def halt(pair: Pair, site: str) -> None:
    """Stop the server of `site`, whoever started it, and see it stopped.

    Raises `Unreachable` when its machine does not answer, or nobody there can tell; `Refused` when
    another server answers in its place.
    """
    disk, service = pair.disk(site), pair.service(site)
    if disk.postmaster() is parse.Life.ZOMBIE:
        # Its manager is not watching it, or it would have reaped it: there is nobody to ask, and
        # `pg_ctl stop` would wait for a dead process to end.
        disk.forget_zombie()
        stopped = not service.running()
    else:
        service.stop()  # returns once its manager says that it is stopped
        stopped = True
    # The manager may not know of a server that a person started by hand.
    for mode in ("fast", "immediate"):
        if disk.postmaster() is not parse.Life.LIVES:
            break
        disk.run(commands.stop_postmaster(pair.end(site), mode, STOP_PATIENCE / 2), timeout=STOP_PATIENCE)
        stopped = not service.running()
    pair.links.forget(site)
    if not stopped or disk.postmaster() is parse.Life.LIVES:
        raise Unreachable(
            "fence-still-runs",
            f"le serveur PostgreSQL du site « {site} » ne s'arrête pas",
            hint="arrêtez-le à la main sur sa machine, puis recommencez",
            retryable=True,
        )
    _must_be_silent(pair, site)


def vacate(pair: Pair, site: str) -> None:
    """Make sure of a place where no data lies any more, before a clone comes there. Not a fence.

    Some managers can tell nothing of a server whose folder is gone (pg_ctl: 4); the port still can.
    """
    with contextlib.suppress(Unreachable):
        pair.service(site).stop()
    pair.links.forget(site)
    _must_be_silent(pair, site)


def _must_be_silent(pair: Pair, site: str) -> None:
    end = pair.end(site)
    if postmaster_answers(end.address, end.port):
        raise Refused(
            "fence-still-answers",
            f"un PostgreSQL répond encore à l'adresse du site « {site} » alors que le sien est arrêté",
            hint="un autre serveur tient ce port : vérifiez l'adresse, le port et le dossier du plan",
            context={"adresse": f"{end.address}:{end.port}"},
        )


def fence(pair: Pair, look: Look, site: str) -> ServerFacts:
    """Stop the server and see it stopped, closed on disk. The position is the end of its WAL.

    A folder that is gone proves nothing by itself: its manager must say that the server is stopped.
    """
    halt(pair, site)
    disk = pair.disk(site)
    if disk.has_data():
        disk.place_gate()
    return look.stopped(site, ServerFacts(site, pair.now(), ServerState.STOPPED), timeout=120.0)


def close(pair: Pair, site: str) -> None:
    """Stop the server; whoever starts it gets a reader. The gate comes first: a stop may be cut short."""
    disk = pair.disk(site)
    if disk.has_data():
        disk.place_gate()
    halt(pair, site)


def start(pair: Pair, site: str, *, want_reader: bool) -> None:
    """Start the server and see it answer as a reader, or as a writer. Raises `Unreachable`."""
    pair.service(site).start()
    pair.links.forget(site)
    if not until(lambda: reading(pair, site) is want_reader, START_PATIENCE):
        raise Unreachable(
            "pg-start",
            f"le serveur PostgreSQL du site « {site} » n'a pas démarré comme attendu",
            hint="lisez son journal ; puis relancez",
            context={"attendu": "lecture seule" if want_reader else "écriture"},
            retryable=True,
        )


def restart_open(pair: Pair, site: str) -> None:
    """Start a stopped server for writing, then close it again on disk."""
    disk = pair.disk(site)
    disk.lift_gate()
    try:
        start(pair, site, want_reader=False)
    finally:
        disk.place_gate()


def open_for_writing(pair: Pair, look: Look, site: str, epoch: int) -> str:
    """Open the server if the tenure written in it is `epoch` and its own; returns its identity.

    A stopped server is first started closed, to read whose it is: the table travels to the standby,
    so the number alone would let a standby be opened beside its source. Raises `Refused`.
    """
    disk = pair.disk(site)
    state = reading(pair, site)
    if state is None:
        if not disk.has_data():
            raise Unreachable("pg-no-data", f"il n'y a pas de base dans le dossier du site « {site} »")
        disk.place_gate()
        start(pair, site, want_reader=True)
        state = True
    _must_hold(pair, site, epoch)
    if state:
        halt(pair, site)
        restart_open(pair, site)
    else:
        disk.place_gate()
    return look.at(site).identity


def _must_hold(pair: Pair, site: str, epoch: int) -> None:
    held = bookkeeping.held(pair, site)
    if held is None or held.epoch != epoch or held.site != site:
        found = f"époque {held.epoch}, site « {held.site} »" if held else "aucune époque"
        raise Refused(
            "open-not-holder",
            f"la base du site « {site} » n'appartient pas à ce site pour l'époque {epoch} ; elle reste fermée",
            hint="l'autre site a pris le relais : faites revenir celui-ci par « releve return »",
            context={"écrit dans la base": found},
        )
