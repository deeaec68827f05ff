"""What a vault holds of one database: its bases, and its WAL by chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from releve.adapters.engines.postgresql.archive.marks import BaseMark, WalMark, mark_of
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.sight import Sight
from releve.domain.errors import BadInput
from releve.domain.names import nearest


@dataclass(frozen=True, slots=True)
class Base:
    """A base and the snapshot that holds it."""

    mark: BaseMark
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Chapter:
    """A snapshot of a chapter."""

    mark: WalMark
    snapshot: Snapshot


class Catalogue:
    """The snapshots of one database, each file read once."""

    def __init__(self, vault: Repository, database: str) -> None:
        self._database = database
        self._sight: Sight[Base | Chapter] = Sight(vault, self._ours)

    @property
    def unreadable(self) -> Sequence[str]:
        """The snapshot files that the last look could not read, whosever they are."""
        return self._sight.unreadable

    def look(self) -> Sequence[Base | Chapter]:
        """Those that are there now and can be read."""
        return self._sight.look()

    def _ours(self, snapshot: Snapshot) -> Base | Chapter | None:
        mark = mark_of(snapshot)
        if mark is None or mark.database != self._database:
            return None
        return Base(mark, snapshot) if isinstance(mark, BaseMark) else Chapter(mark, snapshot)


def unknown_database(vault: Repository, database: str) -> BadInput:
    """The error for a name under which a vault keeps no database."""
    marks: Sight[WalMark | BaseMark] = Sight(vault, mark_of)
    known = {mark.database for mark in marks.look()}
    return BadInput(
        "unknown-database",
        f"le coffre ne garde aucune base de données sous le nom « {database} »",
        hint=nearest(database, known, "il n'en garde aucune : releve database archive en commence une"),
    )


def bases(found: Sequence[Base | Chapter]) -> list[Base]:
    """The bases, oldest first by the WAL that they end with."""
    return sorted((one for one in found if isinstance(one, Base)), key=lambda one: one.mark.ready)


def chapters(found: Sequence[Base | Chapter]) -> Mapping[str, list[Chapter]]:
    """The snapshots of each chapter, the fullest last."""
    known: dict[str, list[Chapter]] = {}
    for one in found:
        if isinstance(one, Chapter):
            known.setdefault(one.mark.chapter, []).append(one)
    for same in known.values():
        same.sort(key=_fullness)
    return known


def _fullness(one: Chapter) -> tuple[int, datetime, str]:
    return one.mark.until, one.mark.safe or one.snapshot.at, one.snapshot.id
