"""To which times one can go back: pure. A missing segment ends a window, and is named."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from releve.adapters.engines.postgresql.archive.catalogue import Base
from releve.adapters.engines.postgresql.archive.marks import Place
from releve.adapters.engines.postgresql.archive.segments import Segment, Wal
from releve.adapters.engines.postgresql.parse import say_lsn
from releve.adapters.engines.postgresql.timelines import History
from releve.domain.errors import BadInput, Refused

LATEST = "latest"
Goal = datetime | int | str  # an instant (aware), a WAL position in bytes, or `LATEST`


@dataclass(frozen=True, slots=True)
class Window:
    """What can be reached from a base along one timeline.

    `since` and `until`: instants by the server's clock, both reachable; `end`: position in bytes. `gap`: the first
    file that is missing although later ones are there.
    """

    base: Base
    timeline: int
    since: datetime
    until: datetime
    end: int
    segments: tuple[Segment, ...] = ()
    gap: str = ""


def timelines(wal: Wal, bases: Sequence[Base]) -> list[int]:
    """Those to which a base leads and of which something is there, oldest first: a mere name, or a history, is none."""
    known = {at.timeline for at in wal.segments} | {base.mark.timeline for base in bases}
    return [one for one in sorted(known) if windows(bases, wal, one)]


def windows(bases: Sequence[Base], wal: Wal, timeline: int) -> list[Window]:
    """One window a base that lies on the way to `timeline`, oldest first."""
    path = wal.histories.get(timeline, History(timeline))
    return [found for base in bases if (found := _window(base, wal, path)) is not None]


def _window(base: Base, wal: Wal, path: History) -> Window | None:
    ends: dict[int, int | None] = {**dict(path.ancestors), path.timeline: None}
    mark = base.mark
    if mark.timeline not in ends:
        return None
    left = ends[mark.timeline]
    if left is not None and mark.stop > left:
        return None  # taken after the fork: it leads elsewhere
    taken: list[Segment] = []
    position, size = mark.stop, mark.segment
    gap = ""
    while True:
        number = position // size
        owner = _owner(path, number, size)
        found = wal.segments.get(Place(owner, number))
        if found is None:
            gap = Place(owner, number).name(size) if _beyond(wal, ends, position, number) else ""
            break
        taken.append(found)
        position = max(position, found.end)
        if found.partial:
            gap = Place(owner, number).name(size) if _beyond(wal, ends, position, number) else ""
            break
    until = max([at for below, at in proofs(wal, path) if below <= position] + [mark.ready])
    return Window(base, path.timeline, mark.ready, until, position, tuple(taken), gap)


def _owner(path: History, number: int, size: int) -> int:
    """The newest timeline of the way that has WAL in that segment: its file holds what came before, too."""
    way = [*path.ancestors, (path.timeline, 0)]
    owner = way[0][0]
    for (_timeline, left), (heir, _left) in itertools.pairwise(way):
        if left < (number + 1) * size:
            owner = heir
    return owner


def _beyond(wal: Wal, ends: dict[int, int | None], position: int, number: int) -> bool:
    """Whether the vault knows of WAL of this way after `position`."""
    later = any(at.timeline in ends and at.number > number for at in wal.segments)
    return later or any(
        mark.timeline in ends and mark.until > position and _on_the_way(ends, mark.timeline, position)
        for mark in wal.marks
    )


def _on_the_way(ends: dict[int, int | None], timeline: int, position: int) -> bool:
    left = ends[timeline]
    return left is None or position < left


def proofs(wal: Wal, path: History) -> list[tuple[int, datetime]]:
    """(position, instant): all that was acknowledged before the instant lies below the position, on this way.

    The dates of the files prove nothing: an archive that was cut off for an hour receives old WAL late.
    """
    ends: dict[int, int | None] = {**dict(path.ancestors), path.timeline: None}
    return [
        (until, at)
        for timeline, until, at in wal.proofs
        if timeline in ends and _on_the_way(ends, timeline, until - 1)
    ]


def choose(known: Sequence[Window], goal: Goal) -> Window:
    """The window to go through: that of the newest base before the goal. Raises `Refused`, `BadInput`."""
    if not known:
        raise Refused(
            "no-base",
            "aucune base de ces données n'est dans le coffre sur cette ligne de temps",
            hint="releve database base en prend une ; releve database times liste ce qui existe",
        )
    if goal == LATEST:
        return _latest(known[-1])
    if isinstance(goal, datetime):
        return _at(known, goal)
    if isinstance(goal, int):
        return _position(known, goal)
    raise BadInput("usage", f"« {goal} » n'est pas un but")


def _latest(newest: Window) -> Window:
    if newest.gap:
        raise Refused(
            "wal-gap",
            f"il manque le journal {newest.gap} : ce qui le suit ne peut pas être rejoint",
            hint=f"le plus tard possible : --at {_shown(newest.until)}",
            context={"jusqu'à": say_lsn(newest.end)},
        )
    return newest


def _at(known: Sequence[Window], at: datetime) -> Window:
    before = [one for one in known if one.since <= at]
    if not before:
        raise Refused(
            "before-first-base",
            f"{_shown(at)} est avant la première base du coffre",
            hint=f"le plus tôt possible : --at {_shown(known[0].since)}",
        )
    fit = [one for one in before if at <= one.until]
    if fit:
        return fit[-1]
    best = max(before, key=lambda one: one.until)
    missing = f" : il manque le journal {best.gap}" if best.gap else ""
    raise Refused(
        "wal-gap" if best.gap else "beyond-archive",
        f"{_shown(at)} ne peut pas être rejoint{missing}",
        hint=f"le plus tard possible : --at {_shown(best.until)}",
        context={"jusqu'à": say_lsn(best.end)},
    )


def _position(known: Sequence[Window], position: int) -> Window:
    before = [one for one in known if one.base.mark.stop <= position]
    if not before:
        raise Refused(
            "before-first-base",
            f"la position {say_lsn(position)} est avant la fin de la première base",
            hint=f"au plus tôt : {say_lsn(known[0].base.mark.stop)}",
        )
    fit = [one for one in before if position <= one.end]
    if fit:
        return fit[-1]
    best = max(before, key=lambda one: one.end)
    missing = f" : il manque le journal {best.gap}" if best.gap else ""
    raise Refused(
        "wal-gap" if best.gap else "beyond-archive",
        f"la position {say_lsn(position)} ne peut pas être rejointe{missing}",
        hint=f"au plus tard : {say_lsn(best.end)}",
    )


def _shown(at: datetime) -> str:
    return at.isoformat()
