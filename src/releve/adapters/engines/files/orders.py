"""What the keeper of a share's end is told, and what it answers: two small files in its state folder.

    order.json     written by the engine, whole (temporary, fsync, rename); stays until the next one
    keeper.json    written by the keeper, several times a second; `serial` says which order it obeys
    tenure.json    written by the keeper, durable: whose epoch this folder carries
    barred.json    written before the folder is barred: the permissions and the owner that its users know

The folder is barred (0700, and given to the account of the keeper) unless the order is to capture and the keeper has opened it: so a folder that is
closed stays closed, whoever starts the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from releve.domain.errors import Unreachable

ORDER, ANSWER, TENURE, BARRED = "order.json", "keeper.json", "tenure.json", "barred.json"
BAR = 0o700  # nobody but the account of the keeper enters


class Role(StrEnum):
    """What an end is for."""

    CAPTURE = "capture"  # open: people work in it
    FOLLOW = "follow"  # barred: it follows the vault
    CLOSED = "closed"  # barred: nothing follows, nothing is lost


@dataclass(frozen=True, slots=True)
class Order:
    """What to do from now on. `site` holds `epoch`, taken by `run`.

    `aside`: where a follower puts what it alone has ("": a dated folder of its own). `take`: of a daily share,
    the name of the one snapshot to take now.
    """

    serial: str
    role: Role
    epoch: int = 0
    site: str = ""
    run: str = ""
    aside: str = ""
    take: str = ""

    def same(self, other: Order | None) -> bool:
        """Whether both ask for the same, whatever their serials."""
        return other is not None and asdict(self) | {"serial": ""} == asdict(other) | {"serial": ""}


@dataclass(frozen=True, slots=True)
class Held:
    """Whose epoch the folder carries: what it was last opened, or followed, under. `after`: as in `Mark`."""

    epoch: int = 0
    site: str = ""
    run: str = ""
    after: int = 0


@dataclass(frozen=True, slots=True)
class Barred:
    """What is given back when a barred folder is opened. `owner`: a user id; -1: it was not noted."""

    mode: int
    owner: int = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """How an end stands. Instants in ISO 8601, by this machine's clock.

    `settled`: the order is carried out (a capture: the folder is open; a follower: it has applied a snapshot
    of the epoch; closed: the last look is in the vault). `number`: of the last snapshot taken, or applied.
    `beat` grows at each writing. `moving` changes while long work goes on. `refused`: why the order is not obeyed.
    """

    serial: str = ""
    role: str = ""
    settled: bool = False
    tries: int = 0  # processes that have begun to carry it out
    left: bool = False  # barred, and no program holds a file of it open for writing any more
    epoch: int = 0
    site: str = ""
    number: int = 0
    snapshot: str = ""
    safe_until: str = ""
    safe_uptime: float = 0.0  # the same instant, in seconds since this machine started: no clock that is set
    opened_ms: float = 0.0
    taken: str = ""
    aside: int = 0
    empty: bool = False  # there was nothing in the folder when it began to follow
    alert: str = ""  # why the copy stopped: a person decides
    missing: str = ""  # what the relief's list of snapshots reveals of the vault, the first of it
    unread: int = 0  # files that could not be read: what the vault holds of them is older, or nothing
    slowed: str = ""  # why snapshots are rarer than they usually are
    owed: int = 0  # files that the vault could not give to the copy
    ungiven: int = 0  # entries of the copy that did not get all of their owner, rights or attributes
    late: int = 0  # snapshots of a past epoch: kept, never applied
    boot: str = ""
    pid: int = 0
    beat: int = 0
    moving: str = ""
    refused: str = ""
    troubled: str = ""
    written_at: str = ""


def text(value: Order | Answer | Held | Barred) -> bytes:
    """As it stands in its file: ASCII, so that a name that is no UTF-8 is kept too."""
    return json.dumps(asdict(value)).encode()


_Kind = TypeVar("_Kind", Order, Answer, Held, Barred)


def read(kind: type[_Kind], raw: bytes | None, where: str) -> _Kind | None:
    """The value in a file; None when there is none. Raises `Unreachable` when it cannot be read."""
    if raw is None:
        return None
    try:
        found: Mapping[str, Any] = json.loads(raw)
        known = {item.name for item in fields(kind)}
        value: dict[str, Any] = {name: one for name, one in found.items() if name in known}
        if kind is Order:
            value["role"] = Role(value["role"])
        return kind(**value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreachable("share-state", f"{where} ne se lit pas : {error}") from error


def instant(written: str) -> datetime | None:
    """An instant of an answer."""
    return datetime.fromisoformat(written) if written else None
