"""The scenarios of the trade, carried as data: what happens, what it hits first, what is lost.

Twenty, in the families of the PGSSI-S guide and of the PCRA (the IT system, the structure, both, planned
stops, people, suppliers). What each hits is a proposal; no frequency is carried, for none is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from releve.cycle.plan.source import plain, read_source
from releve.domain.objectives import ComponentKind


class Damage(StrEnum):
    """What is lost of the things that a scenario hits."""

    NONE = "none"
    ABSENCE = "absence"  # nothing: whoever does it is not there, for a time that nobody can declare
    MACHINE = "machine"
    DATA = "data"
    SITE = "site"
    ALL = "all"


class Which(StrEnum):
    """Which of the declared components of its kinds a scenario hits."""

    WORST = "worst"  # one, in place of the targets
    ALSO = "also"  # one, with the targets
    ALL = "all"  # every one, with the targets


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of disaster. `targets`: catalogue codes, or ids of the plan; `breach`: personal data may have leaked or gone.

    `kinds`: what falls where such components are declared, and `which` of them. `planned`: people stop it on purpose: no incident, as long as it ends when it was said to.
    """

    code: str
    name: str
    family: str
    targets: tuple[str, ...]
    damage: Damage
    replica_safe: bool
    breach: bool
    planned: bool = False
    kinds: tuple[ComponentKind, ...] = ()
    which: Which = Which.WORST

    def hit(self, known: Iterable[str]) -> tuple[str, ...]:
        """The nodes that it hits first, of those that are known; codes and ids meet whatever their case."""
        by_name = {node.lower(): node for node in known}
        return tuple(by_name[target.lower()] for target in self.targets if target.lower() in by_name)

    @property
    def malicious(self) -> bool:
        """Whether somebody means it: a complaint may be due."""
        return self.family in {"cyber", "malveillance"}


@lru_cache(maxsize=1)
def scenarios() -> Mapping[str, Scenario]:
    """The scenarios of the package, by code."""
    source = read_source(files(__name__).joinpath("scenarios.yaml").read_bytes(), "scenarios.yaml")
    if source.root is None or source.faults:
        raise ValueError(f"the scenarios of the package are damaged: {source.faults}")
    values: Mapping[str, Any] = plain(source.root)
    return {
        item["code"]: Scenario(
            item["code"],
            item["name"],
            item["family"],
            tuple(item["targets"]),
            Damage(item["damage"]),
            item["replica"] == "safe",
            item["breach"],
            item.get("planned", False),
            tuple(ComponentKind(kind) for kind in item.get("kinds", ())),
            Which(item.get("which", "worst")),
        )
        for item in values["scenarios"]
    }
