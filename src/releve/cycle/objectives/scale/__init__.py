"""The impact scale: six criteria, four levels, ten lengths of outage. Proposed values, carried as data.

Sources: four levels as in PGSSI-S (gravity 1 to 4) and EBIOS RM (G1 to G4); the thresholds, weights and
ladders are proposals of ours that an association changes in its objectives file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from releve.cycle.plan.source import plain, read_source
from releve.domain.objectives import Threshold
from releve.domain.units import Span, parse_span

LEVELS = 4


@dataclass(frozen=True, slots=True)
class Criterion:
    """One kind of harm. `unacceptable`: the level (1-4) from which an outage may not last.

    `means` and `examples` (one a level) explain it to whoever is asked.
    """

    code: str
    name: str
    ask: str
    weight: float
    unacceptable: int
    levels: tuple[str, ...]
    means: str
    examples: tuple[str, ...]
    proposed: bool = True  # False once the association settled its weight and threshold


@dataclass(frozen=True, slots=True)
class Scale:
    """Criteria, and two ladders with as many steps: on the wall clock and on opening hours."""

    criteria: tuple[Criterion, ...]
    wall: tuple[Span, ...]
    business: tuple[Span, ...]

    @property
    def steps(self) -> int:
        """How many lengths of outage are asked about."""
        return len(self.wall)

    def ladder(self, calendar: str) -> tuple[Span, ...]:
        """The steps for an establishment: its opening hours, or day and night when it has none."""
        return self.business if calendar else self.wall

    def criterion(self, code: str) -> Criterion:
        """The criterion of that code. Raises KeyError."""
        for item in self.criteria:
            if item.code == code:
                return item
        raise KeyError(code)

    def settled(self, thresholds: tuple[Threshold, ...]) -> Scale:
        """The scale with the association's own weights and thresholds. Raises KeyError on an unknown code."""
        given = {item.criterion: item for item in thresholds}
        for code in given:
            self.criterion(code)
        criteria = tuple(
            replace(
                item,
                weight=given[item.code].weight,
                unacceptable=given[item.code].unacceptable,
                proposed=False,
            )
            if item.code in given
            else item
            for item in self.criteria
        )
        return replace(self, criteria=criteria)


@lru_cache(maxsize=1)
def proposed_scale() -> Scale:
    """The scale of the package."""
    source = read_source(files(__name__).joinpath("scale.yaml").read_bytes(), "scale.yaml")
    if source.root is None or source.faults:
        raise ValueError(f"the scale of the package is damaged: {source.faults}")
    values: Mapping[str, Any] = plain(source.root)
    return Scale(
        tuple(
            Criterion(
                item["code"],
                item["name"],
                item["ask"],
                item["weight"],
                item["unacceptable"],
                tuple(item["levels"]),
                item["means"],
                tuple(item["examples"]),
            )
            for item in values["criteria"]
        ),
        tuple(parse_span(text) for text in values["ladders"]["wall"]),
        tuple(parse_span(text) for text in values["ladders"]["business"]),
    )
