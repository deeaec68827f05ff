"""The objectives file and the files of answers -> `Objectives`, or everything that is wrong with them.

The same road as the plan's: safe YAML with places, blocks, rules. A file of answers is judged by itself,
so that one respondent's mistake hides nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from releve.cycle.objectives.rules import Blocks, answers_rules, objectives_rules
from releve.cycle.objectives.scale import Scale, proposed_scale
from releve.cycle.objectives.schema import (
    OBJECTIVES_LISTS,
    AnswerBlock,
    ReliefBlock,
    SpreadBlock,
    SupplierBlock,
)
from releve.cycle.plan.blocks import Placed, block, decimal_commas, listed, sections, version
from releve.cycle.plan.finding import Finding, in_order, placed
from releve.cycle.plan.source import MAX_BYTES, Mapping, Mark, Node, mark_of, read_source
from releve.domain.errors import Fault, PlanError
from releve.domain.objectives import (
    CHECK,
    NO_TIME,
    RETYPE_BUDGET,
    START,
    Statement,
    Component,
    DataAnswer,
    Establishment,
    Objectives,
    Rate,
    Recovery,
    Relief,
    Settled,
    Supplier,
    SupplierPromise,
    Threshold,
)
from releve.domain.os_errors import reason
from releve.domain.plan import Plan
from releve.domain.units import Span, say_count

SINGLE = ("version", "relief", "retype_budget")
ANSWERS_KEYS = ("version", "answers")
TITLE = "le fichier d'objectifs"
ANSWERS_TITLE = "le fichier de réponses"
INIT_HINT = "écrivez-en un premier : releve objectives init"
ASK_HINT = "releve objectives ask pose les questions et l'écrit"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the files are worth: `objectives` is None when there are `faults`; `remarks` forbid nothing."""

    objectives: Objectives | None
    faults: tuple[Fault, ...]
    remarks: tuple[Fault, ...]


def read_objectives(path: Path, answers: Iterable[Path], plan: Plan) -> Objectives:
    """The objectives of `path` with the answers of `answers`. Raises PlanError with every fault."""
    judgement = judge_objectives(path, answers, plan)
    if judgement.objectives is None:
        raise PlanError(judgement.faults, noun="les objectifs contiennent", code="objectives-invalid")
    return judgement.objectives


def judge_objectives(path: Path, answers: Iterable[Path], plan: Plan) -> Judgement:
    """Every fault and remark of the objectives file and of each file of answers. Never raises for bad input."""
    reader = _Reader(plan, proposed_scale())
    objectives = reader.objectives(path)
    given: list[Statement] = []
    for file in answers:
        given += reader.answers(file)
    if reader.faults or objectives is None:
        return Judgement(None, in_order_of_file(reader.faults), tuple(reader.remarks))
    latest = tuple(_latest(given))
    whole = replace(objectives, statements=latest)
    return Judgement(whole, (), (*reader.remarks, *_unanswered(whole, plan, str(path), reader.places)))


def read_answers(path: Path, objectives: Path, plan: Plan) -> tuple[Statement, ...]:
    """The answers of one file, judged against the objectives. Raises PlanError."""
    reader = _Reader(plan, proposed_scale())
    reader.objectives(objectives)
    given = reader.answers(path)
    if reader.faults:
        raise PlanError(
            in_order_of_file(reader.faults), noun="les réponses contiennent", code="answers-invalid"
        )
    return tuple(given)


def judge_answers_text(text: bytes, name: str, objectives: Path, plan: Plan) -> tuple[Fault, ...]:
    """What is wrong with a file of answers that is not written yet."""
    reader = _Reader(plan, proposed_scale())
    reader.objectives(objectives)
    reader.answers_of(text, name)
    return in_order_of_file(reader.faults)


def in_order_of_file(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults, those of one file together, each in its order."""
    files: dict[str, list[Fault]] = {}
    for fault in faults:
        files.setdefault(fault.file, []).append(fault)
    return tuple(fault for found in files.values() for fault in in_order(found))


class _Reader:
    """Reads the files one after the other and gathers what is wrong with them."""

    def __init__(self, plan: Plan, scale: Scale) -> None:
        self._plan = plan
        self._scale = scale
        self._blocks: Blocks = {name: [] for name in OBJECTIVES_LISTS}
        self.faults: list[Fault] = []
        self.remarks: list[Fault] = []
        self.places: dict[str, Mark] = {}  # establishment id -> where it is written

    def objectives(self, path: Path) -> Objectives | None:
        """The objectives without their answers; None when something is wrong."""
        data = self._bytes(path, INIT_HINT)
        root = None if data is None else self._root(data, str(path), INIT_HINT)
        if root is None:
            return None
        findings = list(sections(root, TITLE, (*SINGLE, *OBJECTIVES_LISTS), ("version", "establishments")))
        findings += version(root, 1)
        findings += decimal_commas(root)
        for name, model in OBJECTIVES_LISTS.items():
            self._blocks[name], found = listed(root, name, lambda _path, model=model: model)  # type: ignore[misc,assignment]
            findings += found
        relief: ReliefBlock | None = None
        if "relief" in root.entries:
            relief, found = block(root, ("relief",), ReliefBlock)
            findings += found
        budget, found = _budget(root)
        findings += found
        findings += objectives_rules(self._blocks, self._plan, self._scale)
        if not self._keep(findings, root, str(path)):
            return None
        self.places = {item.item.id: mark_of(root, item.path) for item in self._blocks["establishments"]}
        return _build(self._blocks, relief, budget)

    def answers(self, path: Path) -> list[Statement]:
        """The answers of one file; those that can be used when something is wrong."""
        data = self._bytes(path, ASK_HINT)
        return [] if data is None else self.answers_of(data, str(path))

    def answers_of(self, data: bytes, name: str) -> list[Statement]:
        """The answers of a text; `name` stands for the file in the faults."""
        root = self._root(data, name, ASK_HINT)
        if root is None:
            return []
        findings = list(sections(root, ANSWERS_TITLE, ANSWERS_KEYS, ANSWERS_KEYS))
        findings += version(root, 1)
        findings += decimal_commas(root)
        items, found = listed(root, "answers", lambda _path: AnswerBlock)
        findings += found
        findings += answers_rules(items, self._blocks, self._plan, self._scale)
        return [_answer(item, root, name) for item in items] if self._keep(findings, root, name) else []

    def _keep(self, findings: list[Finding], root: Mapping, name: str) -> bool:
        grave = [finding for finding in findings if finding.grave]
        self.faults += placed(grave, root, name)
        self.remarks += placed([finding for finding in findings if not finding.grave], root, name)
        return not grave

    def _bytes(self, path: Path, hint: str) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)  # never the whole of a file that is too big
        except (OSError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            why = "n'existe pas" if missing else f"ne peut pas être lu ({reason(error)})"
            self.faults.append(Fault(str(path), 0, 0, "file-missing", f"ce fichier {why}", hint))
            return None

    def _root(self, data: bytes, name: str, hint: str) -> Mapping | None:
        source = read_source(data, name)
        self.faults += source.faults
        if source.root is None or source.faults:
            return None
        if not isinstance(source.root, Mapping):
            self.faults.append(Fault(name, 1, 1, "wrong-type", "un bloc « clé: valeur » est attendu", hint))
            return None
        return source.root


def _budget(root: Mapping) -> tuple[Span | None, list[Finding]]:
    from pydantic import TypeAdapter, ValidationError

    from releve.cycle.plan.fields import WallDuration

    if "retype_budget" not in root.entries:
        return None, []
    node = root.entries["retype_budget"]
    try:
        return TypeAdapter(WallDuration).validate_python(getattr(node, "value", None)), []
    except ValidationError as error:
        said = error.errors(include_url=False)[0].get("ctx", {})
        return None, [
            Finding(
                ("retype_budget",), "duration", said.get("sentence", "durée incorrecte"), said.get("hint", "")
            )
        ]


def _build(blocks: Blocks, relief: ReliefBlock | None, budget: Span | None) -> Objectives:
    def of(name: str) -> list[Any]:
        return [item.item for item in blocks[name]]

    return Objectives(
        establishments=tuple(
            Establishment(b.id, b.name, b.calendar, b.weight, tuple(b.applications))
            for b in of("establishments")
        ),
        periods=tuple(b.value() for b in of("periods")),
        settled=tuple(
            Settled(b.application, b.establishment, b.rto, b.by, b.on, b.why) for b in of("settled")
        ),
        components=tuple(
            Component(b.id, b.name, b.kind, tuple(b.carries), tuple(b.needs), b.rebuild)
            for b in of("components")
        ),
        suppliers=tuple(_supplier(b) for b in of("suppliers")),
        relief=_relief(relief) if relief else None,
        recoveries=tuple(
            Recovery(
                b.application,
                b.install or NO_TIME,
                b.start or START,
                b.check or CHECK,
                b.memory or 0,
                b.processors,
                b.volume,
                b.hourly_cost,
            )
            for b in of("recoveries")
        ),
        rates=tuple(Rate(b.scenario, b.per_year, b.who) for b in of("scenarios")),
        thresholds=tuple(Threshold(b.criterion, b.weight, b.unacceptable) for b in of("scale")),
        retype_budget=budget if budget is not None else RETYPE_BUDGET,
    )


def _supplier(block_: SupplierBlock) -> Supplier:
    return Supplier(
        block_.id,
        block_.name,
        tuple(
            SupplierPromise(p.on, p.respond, p.restore, p.calendar, p.availability, p.loss, p.excludes)
            for p in block_.promises
        ),
    )


def _relief(b: ReliefBlock) -> Relief:
    return Relief(
        b.processors,
        b.memory,
        b.restores,
        float(b.throughput),
        b.people,
        float(b.link or 0),
        b.calendar,
        b.on_call,
        _spread(b.detection),
        _spread(b.decision),
    )


def _spread(b: SpreadBlock | None) -> tuple[Span, Span, Span] | None:
    return (b.p10, b.p50, b.p90) if b else None


def _answer(item: Placed[AnswerBlock], root: Node, name: str) -> Statement:
    b = item.item
    return Statement(
        b.application,
        b.establishment,
        b.by,
        b.on,
        b.why,
        {code: tuple(levels) for code, levels in b.impact.items()},
        {p.period: {code: tuple(levels) for code, levels in p.impact.items()} for p in b.in_period},
        b.copes_for,
        DataAnswer(b.data.kinds, b.data.entries_per_day, b.data.retype_hours, b.data.paper, b.data.volume)
        if b.data
        else None,
        f"{name}:{mark_of(root, item.path).line}",
    )


def _latest(answers: list[Statement]) -> Iterable[Statement]:
    """One answer a key: the newest; of two of one day, the one read last."""
    kept: dict[tuple[str, str, str], Statement] = {}
    for answer in answers:
        before = kept.get(answer.key)
        if before is None or before.on <= answer.on:
            kept[answer.key] = answer
    return kept.values()


def _unanswered(objectives: Objectives, plan: Plan, name: str, marks: dict[str, Mark]) -> list[Fault]:
    """Applications that an establishment uses and of which nobody there said anything."""
    given = {(answer.application, answer.establishment) for answer in objectives.statements}
    remarks = []
    for place in objectives.establishments:
        missing = [
            item.id for item in plan.applications if place.uses(item.id) and (item.id, place.id) not in given
        ]
        if missing:
            shown = ", ".join(missing[:8]) + (", …" if len(missing) > 8 else "")
            mark = marks[place.id]
            remarks.append(
                Fault(
                    name,
                    mark.line,
                    mark.column,
                    "answer-missing",
                    f"« {place.name} » : personne n'a encore répondu pour {say_count(len(missing), 'application')} ({shown})",
                    f'releve objectives ask {missing[0]} --establishment {place.id} --by "…"',
                )
            )
    return remarks
