"""Vault -> a server as it was at an instant: base, WAL, recovery, and the proof by starting it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from releve.adapters.engines.postgresql.archive.account import give, server_account
from releve.adapters.engines.postgresql.archive.base import FOLDER
from releve.adapters.engines.postgresql.archive.catalogue import (
    Base,
    Catalogue,
    Chapter,
    bases,
    unknown_database,
)
from releve.adapters.engines.postgresql.archive.manifest import check
from releve.adapters.engines.postgresql.archive.segments import Doubled, Wal, wal_of
from releve.adapters.engines.postgresql.archive.trial import EndedShort, Seen, Trial
from releve.adapters.engines.postgresql.archive.windows import (
    Goal,
    Window,
    choose,
    proofs,
    timelines,
    windows,
)
from releve.adapters.engines.postgresql.parse import say_lsn
from releve.adapters.engines.postgresql.timelines import History
from releve.adapters.vault.filling import Filler
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.restore import restore as restore_snapshot
from releve.domain.errors import BadInput, PromiseBroken
from releve.domain.os_errors import unwritable

WAL = "wal"
# between the instant of a claim and its position, which is asked just after it
_AT_ONCE = timedelta(seconds=2)
_PAGE = 8192  # bytes of a WAL page: a position may stand after the header of a page that holds nothing yet
_HEADER = 40  # bytes of that header, at the beginning of a segment (24 elsewhere)
Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Means:
    """With what a restored server is tried. `admin`: a superuser of it; `os_user`: under whom it runs, when root."""

    bin_dir: str = ""
    os_user: str = ""
    admin: str = "postgres"
    read_all: bool = False  # read every row of every database, and each page's checksum


@dataclass(frozen=True, slots=True)
class Known:
    """What can be reached along a timeline, oldest base first, and what else a person must know.

    `others`: until when one can go along each other timeline. `wals`: by bytes of a segment, as the bases have it.
    """

    timeline: int
    windows: Sequence[Window]
    others: Mapping[int, datetime]
    wals: Mapping[int, Wal]

    @property
    def doubled(self) -> Sequence[Doubled]:
        """The WAL files of which the vault has two versions."""
        return [one for wal in self.wals.values() for one in wal.doubled.values()]

    @property
    def unreadable(self) -> Sequence[str]:
        """The snapshots (ids) of which not all could be read."""
        return sorted({one for wal in self.wals.values() for one in wal.unreadable})


@dataclass(frozen=True, slots=True)
class Reached:
    """What a restored server was seen to be. `proved`: all that was acknowledged before that instant is in it.

    `next_commit`: the first transaction that was left out, where the WAL has one. Seconds in `took`.
    """

    window: Window
    known: Known
    seen: Seen
    proved: datetime
    checks: tuple[str, ...]
    took: Mapping[str, float] = field(default_factory=dict)
    wal_bytes: int = 0

    @property
    def complete(self) -> bool:
        """Whether all that the vault said to have on that way is proved to have come back."""
        return self.proved >= self.window.until


def known(vault: Repository, database: str, timeline: int = 0, without: Sequence[str] = ()) -> Known:
    """What the vault gives, along the timeline that goes furthest in time when none is said. Raises `BadInput` where it has nothing.

    `without`: snapshots to be taken for absent, by the beginnings of their ids.
    """
    found = _found(vault, database, without)
    vault.load_index()
    every: dict[int, list[Base]] = {}
    for base in bases(found):
        every.setdefault(base.mark.segment, []).append(base)
    wals = {size: wal_of(vault, found, size) for size in every}
    there = {one for size, wal in wals.items() for one in timelines(wal, every[size])}
    ways = {
        one: sorted(
            (window for size, wal in wals.items() for window in windows(every[size], wal, one)),
            key=lambda window: window.since,
        )
        for one in there
    }
    ends = {one: max(window.until for window in way) for one, way in ways.items()}
    wanted = timeline or max(there, key=lambda one: (ends[one], one), default=1)
    return Known(wanted, ways.get(wanted, []), {one: at for one, at in ends.items() if one != wanted}, wals)


def _found(vault: Repository, database: str, without: Sequence[str]) -> Sequence[Base | Chapter]:
    found = Catalogue(vault, database).look()
    if not found:
        raise unknown_database(vault, database)
    for name in without:
        if len(name) < 4 or not any(one.snapshot.id.startswith(name) for one in found):
            raise BadInput(
                "unknown-snapshot",
                f"aucun instantané de « {database} » ne commence par « {name} »",
                hint="--without suivi d'au moins quatre chiffres, comme releve vault snapshots les montre",
            )
    return [one for one in found if not one.snapshot.id.startswith(tuple(without))]


def restore(
    vault: Repository,
    database: str,
    goal: Goal,
    target: Path,
    means: Means,
    *,
    timeline: int = 0,
    without: Sequence[str] = (),
    progress: Progress = lambda _done, _all: None,
) -> Reached:
    """Bring the database back as it was at `goal` into `target`/data, and prove it by starting it.

    The server is left stopped in order, on a timeline of its own. Raises `Refused` when the goal cannot be reached (and
    says what can), `BadInput` for a folder that is not empty, `PromiseBroken` when what came back is not sound, or not
    proved to be what was asked.
    """
    account = server_account(means.os_user)
    there = known(vault, database, timeline, without)
    window = choose(there.windows, goal)
    wal = there.wals[window.base.mark.segment]
    _empty(target)
    took: dict[str, float] = {}
    with _timed(took, "wal"):
        wal_bytes = _bring_wal(vault, window, wal, target / WAL, progress)
    with _timed(took, "base"):
        brought = restore_snapshot(
            vault,
            window.base.snapshot,
            str(target),
            again=True,  # beside the WAL, in a folder that was seen empty
            progress=lambda done: progress(done.size, 0),
        )
    if brought.lost:
        raise PromiseBroken(
            "base-lost",
            f"le coffre ne peut plus rendre toute la base : {brought.lost[0][0]}",
            hint="releve vault verify ; une base plus ancienne peut aller au même instant",
        )
    data = target / FOLDER
    with _timed(took, "manifest"):
        compared = check(
            str(Path(means.bin_dir) / "pg_verifybackup") if means.bin_dir else "pg_verifybackup", data
        )
    (data / "standby.signal").unlink(missing_ok=True)
    (data / "recovery.signal").touch(mode=0o600)
    data.chmod(0o700)
    for folder in (data, target / WAL):
        give(folder, account)
    trial = Trial(data, means.bin_dir, account, means.admin, target / "restore.log")
    with _timed(took, "recovery"):
        seen, checks = _recover(trial, window, goal, target / WAL, means, progress)
    shutil.rmtree(target / WAL)
    proved = _proved(wal, window, seen, goal)
    reached = Reached(window, there, seen, proved, (compared, *checks), took, wal_bytes)
    _as_asked(reached, goal)
    return reached


def _empty(target: Path) -> None:
    try:
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise BadInput(
                "target-not-empty",
                f"« {target} » n'est pas vide : rien n'y a été écrit",
                hint="choisissez un dossier neuf",
            )
    except OSError as error:
        raise unwritable(target, error, "target-unwritable") from error


def _bring_wal(vault: Repository, window: Window, wal: Wal, folder: Path, progress: Progress) -> int:
    """Each WAL file under its own name, whole or not, where the server's restore_command takes it.

    Before the base, which may take hours, and the newest first: it is partial, and the end of a partial file belongs to
    a snapshot that the thinning removes once a fuller one is there.
    """
    folder.mkdir(mode=0o700)
    filler = Filler(vault)
    total = sum(one.node.size for one in window.segments)
    done = 0
    try:
        for one in reversed(window.segments):
            filler.make(os.fsencode(folder / one.name), one.node)
            done += one.node.size
            progress(done, total)
        for name, node in wal.history_files.items():
            filler.make(os.fsencode(folder / name), node)
    except OSError as error:
        raise unwritable(folder, error, "target-unwritable") from error
    finally:
        filler.close()
    return total


def _recover(
    trial: Trial, window: Window, goal: Goal, wal: Path, means: Means, progress: Progress
) -> tuple[Seen, tuple[str, ...]]:
    size = window.base.mark.segment
    total = len(window.segments) * size
    settings = {
        "restore_command": f'cp "{wal}/%f" "%p"',
        "recovery_target_timeline": str(window.timeline),
        **{
            name: "" for name in _TARGETS if name not in _target(goal)
        },  # whatever the base's own settings say
    }

    def tell(files: int) -> None:
        progress(min(files * size, total), total)

    try:
        return _checked(trial, settings | _target(goal), means, tell)
    except EndedShort:
        # Nothing after the goal was ever received. Whether all before it was is proved by the archive's own
        # instants, below; so the server may go to the end.
        return _checked(trial, settings | dict.fromkeys(_TARGETS, ""), means, tell)


_TARGETS = (
    "recovery_target",
    "recovery_target_time",
    "recovery_target_lsn",
    "recovery_target_xid",
    "recovery_target_name",
)


def _target(goal: Goal) -> dict[str, str]:
    """The setting of the goal. The server takes the settings in order, and bears one target at a time."""
    if isinstance(goal, datetime):
        return {"recovery_target_time": f"{goal.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"}
    return {"recovery_target_lsn": say_lsn(goal)} if isinstance(goal, int) else {}


def _checked(
    trial: Trial, settings: Mapping[str, str], means: Means, tell: Callable[[int], None]
) -> tuple[Seen, tuple[str, ...]]:
    checks = ["démarrage et fin de la reprise", "requêtes"]
    with trial.opened(settings, tell) as seen:
        if means.read_all:
            for name in seen.databases:
                trial.dump(name)
            checks.append("lecture de toutes les lignes")
    if means.read_all and seen.checksums:
        trial.checksums()
        checks.append("sommes de contrôle")
    if seen.in_recovery:
        raise PromiseBroken("restored-in-recovery", "le serveur restauré n'a pas fini sa reprise")
    return seen, tuple(checks)


def _proved(wal: Wal, window: Window, seen: Seen, goal: Goal) -> datetime:
    """An instant before which all that was acknowledged is in what was brought back.

    The goal itself, when a later transaction was met and left out; otherwise the latest instant of which the archive
    said that all before it is below a position, which was really replayed.
    """
    end = -(-seen.replayed // 8) * 8  # records are aligned so
    if end % _PAGE == 0:
        end += _HEADER
    path = wal.histories.get(window.timeline, History(window.timeline))
    told = proofs(wal, path)
    if isinstance(goal, datetime) and seen.next_commit is not None and seen.next_commit > goal:
        if any(below > end and at <= goal - _AT_ONCE for below, at in told):
            raise _twice(goal, seen.replayed)
        return goal
    return max([at for below, at in told if below <= end] + [window.since])


def _twice(goal: datetime, replayed: int) -> PromiseBroken:
    return PromiseBroken(
        "goal-twice",
        f"l'horloge du serveur a reculé : {goal.isoformat()} a eu lieu deux fois, et seule la première est atteinte",
        hint=f"demandez une position plutôt qu'un instant : --lsn ; celle-ci s'arrête à {say_lsn(replayed)}",
    )


def _as_asked(reached: Reached, goal: Goal) -> None:
    """Raises `PromiseBroken` when it is not proved that the goal was reached. Of `LATEST`, `proved` tells."""
    seen = reached.seen
    if isinstance(goal, datetime):
        late = seen.last_commit is not None and seen.last_commit > goal
        if late or goal > reached.proved:
            raise PromiseBroken(
                "goal-not-reached",
                f"{goal.isoformat()} n'est pas atteint : l'état va sûrement jusqu'à {reached.proved.isoformat()}",
                context={
                    "dernière transaction": seen.last_commit.isoformat() if seen.last_commit else "aucune"
                },
            )
    elif isinstance(goal, int) and seen.replayed + _HEADER < goal:
        raise PromiseBroken(
            "goal-not-reached",
            f"la reprise s'est arrêtée à {say_lsn(seen.replayed)}, avant {say_lsn(goal)}",
            hint="un journal du coffre est abîmé : releve vault verify",
        )


class _timed:  # noqa: N801 - reads as a word in the `with` that uses it
    """Adds the seconds that the block took."""

    def __init__(self, took: dict[str, float], name: str) -> None:
        self._took = took
        self._name = name
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._took[self._name] = round(time.monotonic() - self._begun, 3)
