"""The objectives file and the files of answers -> `Objectives`, or everything that is wrong with them.

The same road as the plan's: safe YAML with places, blocks, rules. A file of answers is judged by itself,
so that one respondent's mistake hides nothing of the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from collections.abc import Mapping as Places
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from releve.cycle.objectives.build import build, statement
from releve.cycle.objectives.buying import subjects
from releve.cycle.objectives.choice.arbitration import (
    Arbitration,
    ArbitrationBlock,
    build_arbitration,
    judge_arbitrations,
)
from releve.cycle.objectives.choice.prices import PriceList, PricesBlock, judge_only
from releve.cycle.objectives.choice.prices import build as build_prices
from releve.cycle.objectives.choice.prices import judge as prices_rules
from releve.cycle.objectives.draft import LISTS, Draft
from releve.cycle.objectives.rules import answers_rules, objectives_rules, relief_rules
from releve.cycle.objectives.scale import Scale, proposed_scale
from releve.cycle.objectives.schema import (
    AnswerBlock,
    ReliefBlock,
)
from releve.cycle.plan.blocks import Block, block, decimal_commas, listed, sections, version
from releve.cycle.plan.finding import Finding, in_order, placed
from releve.cycle.plan.source import MAX_BYTES, Mapping, Mark, Sequence, is_null, mark_of, read_source
from releve.cycle.plan.source import Path as Steps
from releve.domain.errors import Fault, PlanError
from releve.domain.objectives import Objectives, Statement
from releve.domain.os_errors import reason
from releve.domain.plan import Plan
from releve.domain.units import Span, say_count

SINGLE = ("version", "relief", "retype_budget", "prices", "arbitrations")
ANSWERS_KEYS = ("version", "answers")
TITLE = "le fichier d'objectifs"
ANSWERS_TITLE = "le fichier de réponses"
INIT_HINT = "écrivez-en un premier : releve objectives init"
ASK_HINT = "releve objectives ask pose les questions et l'écrit"


Marks = Places[Hashable, Mark]  # values -> where they are written in the objectives file
PRICED = "prices"  # the mark of the price list


@dataclass(frozen=True, slots=True)
class Bargain:
    """What can be bought, and what gaps were accepted; `prices` None: there is no price list."""

    prices: PriceList | None
    arbitrations: tuple[Arbitration, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, from 1; line 0: the file as a whole."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the files are worth: `objectives` is None when there are `faults`; `remarks` forbid nothing.

    `bargain`: the price list and the arbitrations of the same file. `marks`: where each settled need,
    component, recovery, arbitration and (supplier id, promise) is written, and the price list (`PRICED`).
    """

    objectives: Objectives | None
    faults: tuple[Fault, ...]
    remarks: tuple[Fault, ...]
    bargain: Bargain = field(default_factory=lambda: Bargain(None, ()))
    marks: Marks = field(default_factory=dict)

    def place(self, value: Hashable, name: str) -> Place:
        """Where a value was written: an answer in its own file, anything else in the objectives file `name`.

        An answer of the ledger, and what nobody wrote there, have no line (0).
        """
        if isinstance(value, Statement):
            file, _colon, line = value.source.rpartition(":")
            return Place(file, int(line), 1) if file and line.isdecimal() else Place(value.source, 0, 0)
        mark = self.marks.get(value, Mark(0, 0))
        return Place(name, mark.line, mark.column)


def read_objectives(
    path: Path,
    answers: Iterable[Path],
    plan: Plan,
    *,
    recorded: Iterable[Statement] = (),
    today: date | None = None,
) -> tuple[Objectives, Bargain]:
    """The objectives of `path` with the answers of `answers`, and what can be bought. Raises PlanError.

    `recorded`: answers that a ledger kept, in the order of their recording, beside those of files.
    """
    judgement = judge_objectives(path, answers, plan, recorded=recorded, today=today)
    if judgement.objectives is None:
        raise PlanError(judgement.faults, noun="les objectifs contiennent", code="objectives-invalid")
    return judgement.objectives, judgement.bargain


def judge_objectives(
    path: Path,
    answers: Iterable[Path],
    plan: Plan,
    *,
    recorded: Iterable[Statement] = (),
    today: date | None = None,
) -> Judgement:
    """Every fault and remark of the objectives file and of each file of answers. Never raises for bad input.

    `today` judges the dates of arbitrations and answers; None leaves them alone. An answer of a ledger, where
    nothing is taken back, only waits for its day.
    """
    reader = _Reader(plan, proposed_scale(), today)
    objectives = reader.objectives(path)
    bargain = reader.bargain(str(path), objectives, today) if objectives is not None else Bargain(None, ())
    given = list(last_recorded(reader.arrived(recorded)))
    for file in answers:
        given += reader.answers(file)
    if reader.faults or objectives is None:
        return Judgement(None, in_order_of_file(reader.faults), tuple(reader.remarks))
    whole = replace(objectives, statements=tuple(latest(given)))
    remarks = in_order_of_file((*reader.remarks, *_unanswered(whole, plan, str(path), reader.places)))
    return Judgement(whole, (), remarks, bargain, reader.marks)


def read_answers(path: Path, objectives: Path, plan: Plan, today: date) -> tuple[Statement, ...]:
    """The answers of one file, judged against the objectives and on that day. Raises PlanError."""
    reader = _Reader(plan, proposed_scale(), today)
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

    def __init__(self, plan: Plan, scale: Scale, today: date | None = None) -> None:
        self._plan = plan
        self._scale = scale
        self._today = today
        self._draft = Draft()
        self.faults: list[Fault] = []
        self.remarks: list[Fault] = []
        self._written: Mapping | None = None  # the objectives file
        self.places: dict[str, Mark] = {}  # establishment id -> where it is written
        self.marks: dict[Hashable, Mark] = {}

    def objectives(self, path: Path) -> Objectives | None:
        """The objectives without their answers; None when something is wrong."""
        data = self._bytes(path, INIT_HINT)
        root = None if data is None else self._root(data, str(path), INIT_HINT)
        if root is None:
            return None
        self._written = root
        findings = list(sections(root, TITLE, (*SINGLE, *LISTS), ("version", "establishments")))
        findings += version(root, 1)
        findings += decimal_commas(root)
        for name, model in LISTS.items():
            items, found = listed(root, name, partial(_model, model))
            getattr(self._draft, name).extend(items)
            findings += found
            if _read_whole(root, name, len(items)):
                self._draft.unread.discard(name)
        relief: ReliefBlock | None = None
        if "relief" in root.entries:
            relief, found = block(root, ("relief",), ReliefBlock)
            findings += found
        budget, found = _budget(root)
        findings += found
        findings += objectives_rules(self._draft, self._plan, self._scale, self._today)
        if relief is not None:
            findings += relief_rules(relief, self._draft, self._plan)
        if not self._keep(findings, root, str(path)):
            return None
        self.places = {item.item.id: mark_of(root, item.path) for item in self._draft.establishments}
        built = build(self._draft, relief, budget)
        self.marks = {value: mark_of(root, path) for value, path in _written(self._draft, built)}
        return built

    def bargain(self, name: str, objectives: Objectives, today: date | None) -> Bargain:
        """The prices and the arbitrations of the objectives file that was read."""
        root = self._written
        if root is None:
            return Bargain(None, ())
        known = frozenset(subject.id for subject in subjects(self._plan, objectives))
        prices: PricesBlock | None = None
        findings: list[Finding] = []
        if "prices" in root.entries:
            self.marks[PRICED] = mark_of(root, ("prices",), key=True)
            prices, findings = block(root, ("prices",), PricesBlock)
            if prices is not None:
                found = (*prices_rules(prices), *judge_only(prices, known))
                findings += [replace(item, path=("prices", *item.path)) for item in found]
        accepted, found_too = listed(root, "arbitrations", lambda _path: ArbitrationBlock)
        findings += found_too
        blocks = [item.item for item in accepted]
        for item in judge_arbitrations(blocks, known, today):
            where, *rest = item.path
            findings.append(replace(item, path=(*accepted[int(where)].path, *rest)))
        if not self._keep(findings, root, name):
            return Bargain(None, ())
        built = tuple(build_arbitration(item) for item in blocks)
        self.marks |= {value: mark_of(root, item.path) for value, item in zip(built, accepted, strict=True)}
        return Bargain(build_prices(prices) if prices is not None else None, built)

    def arrived(self, recorded: Iterable[Statement]) -> Iterable[Statement]:
        """The answers of a ledger that are not dated after today, with a remark for each that is."""
        for said in recorded:
            if self._today is None or said.on <= self._today:
                yield said
                continue
            sentence = f"réponse de {said.by} pour « {said.application} », datée du {said.on} : ce jour n'est pas encore arrivé"
            hint = "elle ne compte pas avant ; au registre rien ne s'efface : répondez de nouveau, à la bonne date"
            self.remarks.append(Fault("registre", 0, 0, "answer-future", sentence, hint))

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
        findings += answers_rules(items, self._draft, self._plan, self._scale, self._today)
        return (
            [statement(item, f"{name}:{mark_of(root, item.path).line}") for item in items]
            if self._keep(findings, root, name)
            else []
        )

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
        # what the reader of a file says of an empty one is meant for the plan
        self.faults += [
            replace(fault, line=1, column=1, hint=f"supprimez-le ; {hint}")
            if fault.code == "file-empty"
            else fault
            for fault in source.faults
        ]
        if source.root is None or source.faults:
            return None
        if not isinstance(source.root, Mapping):
            self.faults.append(
                Fault(
                    name,
                    1,
                    1,
                    "wrong-type",
                    "ceci ne ressemble pas à un tel fichier : des lignes « clé: valeur » sont attendues",
                    "la première est « version: 1 » ; la suite est dans docs/guides/objectifs.md",
                )
            )
            return None
        return source.root


def _read_whole(root: Mapping, section: str, count: int) -> bool:
    """Whether all the blocks of that section could be read. One that is absent may stand under a misspelt key."""
    node = root.entries.get(section)
    if node is None or is_null(node):
        return section != "establishments" and not root.entries.keys() - {*SINGLE, *LISTS}
    return isinstance(node, Sequence) and len(node.items) == count


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


def _model(model: type[Block], _path: Steps) -> type[Block]:
    return model


def _written(draft: Draft, built: Objectives) -> Iterator[tuple[Hashable, Steps]]:
    """The values whose place may be asked for, each with its path."""
    for values, placed_in in (
        (built.settled, draft.settled),
        (built.components, draft.components),
        (built.recoveries, draft.recoveries),
    ):
        yield from zip(values, (item.path for item in placed_in), strict=True)
    for supplier, item in zip(built.suppliers, draft.suppliers, strict=True):
        for index, promise in enumerate(supplier.promises):
            yield (supplier.id, promise), (*item.path, "promises", index)


def last_recorded(rows: Iterable[Statement]) -> Iterable[Statement]:
    """Of a ledger's rows, in the order of their recording: the last of each person, thing and day corrects those before."""
    return {(*said.key, said.on): said for said in rows}.values()


def latest(answers: Iterable[Statement]) -> Iterable[Statement]:
    """The newest answers of each key; two of one day that do not say the same both stay: files do not tell which came last."""
    kept: dict[tuple[str, str, str], dict[str, Statement]] = {}
    for answer in answers:
        said = kept.setdefault(answer.key, {})
        newest = max((one.on for one in said.values()), default=answer.on)
        if answer.on > newest:
            said.clear()
        if answer.on >= newest:
            said[repr(replace(answer, source=""))] = answer
    return (one for said in kept.values() for one in said.values())


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
