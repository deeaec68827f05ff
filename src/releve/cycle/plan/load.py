"""The plan file -> the `Plan`, or everything that is wrong with it.

    bytes -> source.py (safe YAML, places) -> shape.py (blocks) -> rules/ (judgement) -> build.py

The text itself is never rewritten: comments and layout stay the author's. Nothing is executed and
no secret is read here; paths are kept as they were written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from releve.cycle.plan.build import build
from releve.cycle.plan.finding import Finding, in_order, placed
from releve.cycle.plan.rules import rules
from releve.cycle.plan.shape import shape
from releve.cycle.plan.source import MAX_BYTES, Mapping, read_source
from releve.cycle.plan.source import Path as Steps
from releve.domain.errors import Fault, PlanError
from releve.domain.os_errors import reason
from releve.domain.plan import Plan

ENGINES = ("files", "postgresql")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a plan is worth: `plan` is None when there are `faults`; `remarks` never forbid anything."""

    plan: Plan | None
    faults: tuple[Fault, ...]
    remarks: tuple[Fault, ...]


def read_plan(path: str | Path, *, today: date | None = None, engines: tuple[str, ...] = ENGINES) -> Plan:
    """The plan of a file. Raises PlanError with every fault.

    Without `today` no date is judged: a certificate that expired last night must not stop a switch.
    """
    return _plan_of(judge_file(path, today=today, engines=engines))


def parse_plan(
    text: bytes, name: str, *, today: date | None = None, engines: tuple[str, ...] = ENGINES
) -> Plan:
    """The plan of a text; `name` stands for the file in the faults. Raises PlanError."""
    return _plan_of(judge(text, name, today=today, engines=engines))


def judge_file(
    path: str | Path, *, today: date | None = None, engines: tuple[str, ...] = ENGINES
) -> Judgement:
    """Every fault and remark of a file. A file that cannot be read is a fault."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # never the whole of a file that is too big
    except FileNotFoundError:
        return _unread(
            name,
            "file-missing",
            "ce fichier n'existe pas",
            "indiquez-le avec --plan, ou écrivez un premier plan : releve init ehpad",
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return _unread(
            name,
            "file-unreadable",
            f"ce fichier ne peut pas être lu ({reason(error)})",
            "vérifiez le chemin et les droits",
        )
    return judge(data, name, today=today, engines=engines)


def judge(
    text: bytes, name: str, *, today: date | None = None, engines: tuple[str, ...] = ENGINES
) -> Judgement:
    """Every fault and remark of a text, in file order. Never raises for bad input."""
    source = read_source(text, name)
    if source.root is None:
        return Judgement(None, in_order(source.faults), ())
    draft, shaped = shape(source.root)
    judged = list(rules(draft, today=today, engines=engines)) if isinstance(source.root, Mapping) else []
    secrets = [finding for finding in judged if finding.code == "secret-clear"]
    grave = [finding for finding in judged if finding.grave]
    # A secret in clear comes before "unknown key": what matters most is said at each place.
    faults = _with_findings(source.faults, _one_a_path([*secrets, *shaped, *grave]), draft.root, name)
    remarks = placed([finding for finding in judged if not finding.grave], draft.root, name)
    if faults or draft.association is None:
        return Judgement(None, faults, remarks)
    fingerprint = hashlib.sha256(text).hexdigest()
    return Judgement(build(draft, draft.association, source=name, fingerprint=fingerprint), (), remarks)


def _one_a_path(findings: list[Finding]) -> list[Finding]:
    """One finding a path, the first said: what follows there is a consequence or a repetition."""
    kept: dict[Steps, Finding] = {}
    for finding in findings:
        kept.setdefault(finding.path, finding)
    return list(kept.values())


def _with_findings(
    faults: tuple[Fault, ...], findings: list[Finding], root: Mapping, name: str
) -> tuple[Fault, ...]:
    """Faults of the form first; a finding at the very place of one is its consequence."""
    places = {(fault.line, fault.column) for fault in faults}
    others = (fault for fault in placed(findings, root, name) if (fault.line, fault.column) not in places)
    return in_order((*faults, *others))


def _unread(name: str, code: str, sentence: str, hint: str) -> Judgement:
    return Judgement(None, (Fault(name, 0, 0, code, sentence, hint),), ())


def _plan_of(judgement: Judgement) -> Plan:
    if judgement.plan is None:
        raise PlanError(judgement.faults)
    return judgement.plan
