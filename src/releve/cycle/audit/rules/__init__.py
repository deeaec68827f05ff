"""Every weak point that can be named, family by family: the list is the order of the reference page.

A rule is a value with a pure check (`rule.py`); how to add one is in docs/guides/ajouter-une-regle.md.
"""

from __future__ import annotations

from releve.cycle.audit.rule import Rule
from releve.cycle.audit.rules import (
    asked,
    cabling,
    copies,
    data,
    flows,
    health,
    links,
    machines,
    network,
    people,
    power,
    sensitivity,
    suppliers,
    unseen,
)

RULES: tuple[Rule, ...] = (
    *network.RULES,
    *links.RULES,
    *cabling.RULES,
    *machines.RULES,
    *health.RULES,
    *power.RULES,
    *data.RULES,
    *sensitivity.RULES,
    *flows.RULES,
    *copies.RULES,
    *suppliers.RULES,
    *people.RULES,
    *unseen.RULES,
    *asked.RULES,
)
