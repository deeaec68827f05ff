"""The work of a recovery, as a scheduler sees it: jobs, the pools they share, when they are due.

`recover` derives the tasks of a switch and `objectives` those of a restore; both become jobs here, so
that one timetable holds all of it and neither stage imports the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SEED = 20_260_101  # of every draw, unless a person asks for another: a figure can be had again
MAX_SEED = 2_000_000_000  # what the solver takes, with room for one a scenario


class Basis(StrEnum):
    """Where a duration comes from. What is assumed is never shown as measured."""

    MEASURED = "measured"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Spread:
    """A duration that varies, in seconds.

    A tenth of the cases are below `p10`, half below `p50`, nine tenths below `p90`: 0 ≤ p10 ≤ p50 ≤ p90.
    `count`: how many measures it comes from (0 when assumed).
    """

    p10: float
    p50: float
    p90: float
    basis: Basis = Basis.ASSUMED
    count: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError when the three are negative, out of order or not numbers."""
        if not 0 <= self.p10 <= self.p50 <= self.p90 < float("inf"):
            raise ValueError(f"a spread is 0 <= p10 <= p50 <= p90, not {self.p10}, {self.p50}, {self.p90}")


@dataclass(frozen=True, slots=True)
class Pool:
    """What jobs share: processors, disk or link streams, people. `capacity`: whole units (≥ 0)."""

    id: str
    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    `demands`: units of each pool held while it runs; `keeps`: units that it holds from its start on, for
    good (the memory of an application that runs). While it runs, the larger of the two is held.
    `application`: whose return it serves; an application is back when its last job ends. A job of
    one application may be `after` jobs of another.
    """

    id: str
    application: str
    title: str
    seconds: Spread
    demands: Mapping[str, int] = field(default_factory=dict)
    keeps: Mapping[str, int] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """When an application should be back: seconds after the outage, and what lateness weighs (> 0)."""

    application: str
    seconds: float
    weight: float = 1.0
