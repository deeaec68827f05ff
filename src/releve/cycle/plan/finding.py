"""A fault before it has a line: what is wrong and at which path of the plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from releve.cycle.plan.source import Mapping, Path, mark_of
from releve.domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at `path`. `key`: the fault is the key itself. `grave`: False for a remark."""

    path: Path
    code: str
    sentence: str
    hint: str = ""
    key: bool = False
    grave: bool = True


def placed(findings: Iterable[Finding], root: Mapping, name: str) -> tuple[Fault, ...]:
    """The findings as faults with their place, in file order."""
    faults = []
    for finding in findings:
        mark = mark_of(root, finding.path, key=finding.key)
        faults.append(Fault(name, mark.line, mark.column, finding.code, finding.sentence, finding.hint))
    return in_order(faults)


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults in file order; what has no line comes first."""
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
