"""Answers -> how long one can do without: two rules, both kept, never averaged. Pure.

Threshold rule (the one that counts, because it can be explained): the longest outage before any
criterion reaches the level from which it may not last. Weighted rule (the cross-check; the method of
MEGA HOPEX's BIA): the first length whose weighted sum exceeds the maximum possible minus 30 %. When they
differ by more than one step, somebody is asked why.
"""

from __future__ import annotations

from dataclasses import dataclass

from releve.cycle.objectives.scale import LEVELS, Scale
from releve.domain.objectives import Curve, Impact

WEIGHTED_SHARE = 0.70  # maximum possible minus 30 % (HOPEX)
APART = 1  # steps between the two rules beyond which an explanation is asked


@dataclass(frozen=True, slots=True)
class Crossing:
    """A criterion that becomes unacceptable: at which step of the ladder (0 = the shortest)."""

    criterion: str
    level: int
    step: int


@dataclass(frozen=True, slots=True)
class Bearable:
    """What one impact gives. Steps are indexes of the ladder; -1: not even the shortest is bearable.

    `threshold`: the last bearable step, `weighted`: the step that the cross-check gives, both at most
    the last step of the ladder. `crossings`: what stops it, the first to come; empty when no length of
    the ladder is unacceptable. `sums`: the weighted sum of each step, `limit` what it may not exceed.
    """

    threshold: int
    weighted: int
    crossings: tuple[Crossing, ...]
    sums: tuple[float, ...]
    limit: float

    @property
    def crosses(self) -> bool:
        """Whether any length of the ladder exceeds the weighted limit."""
        return self.sums[self.weighted] > self.limit

    @property
    def apart(self) -> bool:
        """Whether the two rules differ enough to ask why."""
        return abs(self.threshold - self.weighted) > APART


def bearable(impact: Impact, scale: Scale) -> Bearable:
    """Both rules on one impact (a curve of `scale.steps` levels a criterion, all criteria present)."""
    last = scale.steps - 1
    found = [
        Crossing(item.code, impact[item.code][step], step)
        for item in scale.criteria
        if (step := _first(impact[item.code], item.unacceptable)) is not None
    ]
    first = min((crossing.step for crossing in found), default=scale.steps)
    sums = tuple(
        sum(item.weight * impact[item.code][step] for item in scale.criteria) for step in range(scale.steps)
    )
    limit = WEIGHTED_SHARE * LEVELS * sum(item.weight for item in scale.criteria)
    weighted = next((step for step, total in enumerate(sums) if total > limit), last)
    return Bearable(
        min(first - 1, last),
        weighted,
        tuple(crossing for crossing in found if crossing.step == first),
        sums,
        limit,
    )


def _first(curve: Curve, unacceptable: int) -> int | None:
    return next((step for step, level in enumerate(curve) if level >= unacceptable), None)
