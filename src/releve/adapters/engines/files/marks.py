"""How a snapshot says whose it is: a few tags, which stock restic shows and keeps.

The number, and not the date, says which snapshot is the newer: a client's clock may be set back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from releve.adapters.vault.clock import rfc3339, to_datetime
from releve.adapters.vault.repository import Repository, Snapshot
from releve.adapters.vault.sight import Sight
from releve.domain.errors import BadInput
from releve.domain.names import nearest
from releve.domain.units import say_count


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A share's snapshot: under which epoch it was taken, and its number.

    `safe`: everything closed before that instant is in it, where it is not the snapshot's own time: nothing told of
    changes, and some of the share was compared earlier.
    `after`: the number of the last snapshot that both sides had when the epoch began; what an old side has
    beyond it, it alone has.
    """

    share: str
    epoch: int
    number: int
    after: int = field(default=0, compare=False)
    safe: datetime | None = field(default=None, compare=False)

    def tags(self) -> tuple[str, ...]:
        """As they stand in the snapshot."""
        told = (f"share={self.share}", f"epoch={self.epoch}", f"number={self.number}")
        after = (f"after={self.after}",) if self.after else ()
        return (*told, *after, *((f"safe={rfc3339(self.safe)}",) if self.safe else ()))


def mark_of(snapshot: Snapshot) -> Mark | None:
    """The mark of a snapshot; None when it is nobody's (made by a command, or by stock restic)."""
    found = dict(tag.split("=", 1) for tag in snapshot.tags if "=" in tag)
    try:
        after, safe = int(found.get("after", 0)), to_datetime(found["safe"]) if "safe" in found else None
        return Mark(found["share"], int(found["epoch"]), int(found["number"]), after, safe)
    except (KeyError, ValueError, OverflowError):
        return None


def shared_base(marked: Sequence[tuple[Mark, Snapshot]], own: int, epoch: int) -> Snapshot | None:
    """The newest snapshot of the epoch `own` that the side which began `epoch` had; None: none is left.

    An older one than the true base only makes more be put aside: nothing is lost by that.
    """
    began = [mark.after for mark, _ in marked if mark.epoch == epoch]
    if not began:
        return None
    mine = [(mark.number, one) for mark, one in marked if mark.epoch == own and mark.number <= began[0]]
    # Of two under one number (an answer that was lost, and came after all) the other side may have had the first only.
    return next((one for number, one in mine if number == mine[-1][0]), None)


def late(marked: Sequence[tuple[Mark, Snapshot]], epoch: int) -> list[str]:
    """Snapshots of epochs before `epoch` that came after the next one had begun: kept, never applied.

    Where the next epoch does not tell from which number it went on, every one of them.
    """
    began = {mark.epoch: mark.after for mark, _ in marked}
    return [
        one.id
        for mark, one in marked
        if mark.epoch < epoch
        and mark.number > next((began[later] for later in sorted(began) if later > mark.epoch), 0)
    ]


def say_late(count: int) -> str:
    """How many of those there are, in one line."""
    return say_count(
        count,
        "instantané d'une époque passée, gardé et non appliqué",
        "instantanés d'une époque passée, gardés et non appliqués",
    )


class Snapshots:
    """The snapshots of one share, each file read once."""

    def __init__(self, repository: Repository, share: str) -> None:
        self._share = share
        self._sight = Sight(repository, self._ours)

    @property
    def unreadable(self) -> Sequence[str]:
        """The snapshot files that the last look could not read, whosever they are."""
        return self._sight.unreadable

    def look(self) -> Sequence[tuple[Mark, Snapshot]]:
        """Those that are there now and can be read, oldest first by epoch and number.

        Of two under one number, by their writer's time.
        """
        return sorted(self._sight.look(), key=lambda one: (one[0], one[1].at))

    def _ours(self, snapshot: Snapshot) -> tuple[Mark, Snapshot] | None:
        mark = mark_of(snapshot)
        return (mark, snapshot) if mark and mark.share == self._share else None


def unknown_share(repository: Repository, share: str) -> BadInput:
    """The error for a name under which a vault keeps no share."""
    known = {mark.share for mark in Sight(repository, mark_of).look()}
    return BadInput(
        "unknown-share",
        f"le coffre ne connaît aucun partage « {share} »",
        hint=nearest(share, known, "il n'en connaît aucun : releve share capture en commence un"),
    )
