"""The blocks of an objectives file that could be read, section by section."""

from __future__ import annotations

from dataclasses import dataclass, field

from releve.cycle.objectives.schema import (
    ComponentBlock,
    EstablishmentBlock,
    PeriodBlock,
    RateBlock,
    RecoveryBlock,
    SettledBlock,
    SupplierBlock,
    ThresholdBlock,
)
from releve.cycle.plan.blocks import Block, Placed


@dataclass(slots=True)
class Draft:
    """What was written. A block with a fault of its own is left out: the rules stay silent about it.

    `unread`: sections of which something could not be read. A name that is not found there may stand in it:
    only that fault is said, and not everything that follows from it.
    """

    establishments: list[Placed[EstablishmentBlock]] = field(default_factory=list)
    periods: list[Placed[PeriodBlock]] = field(default_factory=list)
    scale: list[Placed[ThresholdBlock]] = field(default_factory=list)
    settled: list[Placed[SettledBlock]] = field(default_factory=list)
    components: list[Placed[ComponentBlock]] = field(default_factory=list)
    suppliers: list[Placed[SupplierBlock]] = field(default_factory=list)
    recoveries: list[Placed[RecoveryBlock]] = field(default_factory=list)
    scenarios: list[Placed[RateBlock]] = field(default_factory=list)
    unread: set[str] = field(default_factory=lambda: set(LISTS))


LISTS: dict[str, type[Block]] = {
    "establishments": EstablishmentBlock,
    "periods": PeriodBlock,
    "scale": ThresholdBlock,
    "settled": SettledBlock,
    "components": ComponentBlock,
    "suppliers": SupplierBlock,
    "recoveries": RecoveryBlock,
    "scenarios": RateBlock,
}
