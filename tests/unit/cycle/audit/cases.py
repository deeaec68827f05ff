"""The healthy estate of the golden cases, and one thing changed in it.

    plan     section -> entry (by `id`, a socket by `label`) -> keys to change; null takes away
    looks    "topic:subject" -> facts to change (same kind and same name: changed, else added), `kind: null`
             takes all of a kind away, `gap: {code, sentence, what}` adds a gap; null: the look was never made
    before   the same, for the audit before
    answers  "CODE subject" -> keys of the answer; null: not answered
    now      the instant of judgement

A fact keeps from the healthy estate what a case does not write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from releve.cycle.audit.checklist import QUESTIONS, subjects
from releve.cycle.audit.errands import errands
from releve.cycle.audit.estate import Estate
from releve.cycle.audit.judge import Judged
from releve.cycle.plan.build import build
from releve.cycle.plan.load import ENGINES
from releve.cycle.plan.rules import rules
from releve.cycle.plan.shape import shape
from releve.cycle.plan.source import Mapping as PlanMapping
from releve.cycle.plan.source import Mark, Node, Scalar, Sequence
from releve.domain.audit import Answer, Audit, Gap, Look
from releve.domain.plan import Plan
from releve.domain.seen import KINDS, Fact

GOLDEN = Path(__file__).parents[3] / "golden" / "audit"
NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=90)
# What tells two facts of one kind in one look apart.
NAMES: Mapping[str, tuple[str, ...]] = {
    "neighbour": ("address",),
    "port": ("name",),
    "lldp": ("port",),
    "disk": ("mount",),
    "unit": ("name",),
    "sensitive": ("category",),
    "connection": ("peer", "port", "outgoing"),
    "copy": ("how", "site"),
    "files": ("place",),
    "documents": ("place",),
    "base": ("name",),
}


def read(name: str) -> Any:
    """A file of the folder, as plain values."""
    return YAML(typ="safe").load((GOLDEN / name).read_text(encoding="utf-8"))


@cache
def healthy_plan() -> Any:
    """The plan of the healthy estate, as it is written."""
    return read("_plan.yaml")


@cache
def healthy_looks() -> Any:
    """What was seen of it, as it is written."""
    return read("_looks.yaml")


def estate(change: Mapping[str, Any] | None = None) -> Estate:
    """The healthy estate with one change."""
    change = change or {}
    plan = built(json.dumps(merged(healthy_plan(), change.get("plan") or {}), default=str))
    now = change.get("now") or NOW
    now = now if isinstance(now, datetime) else datetime.fromisoformat(str(now))
    now = now if now.tzinfo else now.replace(tzinfo=UTC)
    looks = tuple(_looks(plan, change.get("looks") or {}, NOW))
    earlier = tuple(_looks(plan, change.get("before") or {}, BEFORE))
    audit = Audit("a2", NOW, plan.fingerprint, "srv1", errands(plan, "siege"), NOW)
    return Estate(plan, audit, looks, now, _answers(plan, change.get("answers") or {}), earlier)


@cache
def built(text: str) -> Plan:
    """The plan of a JSON text: judged and built as `plan check` does it, the YAML parser aside (a second in all)."""
    draft, faults = shape(_node(json.loads(text)))
    grave = [*faults, *(item for item in rules(draft, today=None, engines=ENGINES) if item.grave)]
    assert not grave, grave
    assert draft.association is not None
    return build(draft, draft.association, source="plan.yaml", fingerprint="fictive")


def _node(value: Any) -> Node:
    """Plain values as the reader of plans gives them."""
    mark = Mark(1, 1)
    if isinstance(value, dict):
        keys = dict.fromkeys(value, mark)
        return PlanMapping(mark, {key: _node(item) for key, item in value.items()}, keys)
    if isinstance(value, list):
        return Sequence(mark, [_node(item) for item in value])
    return (
        Scalar(mark, value, plain=False)
        if isinstance(value, str)
        else Scalar(mark, json.dumps(value), plain=True)
    )


def merged(plan: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the entries of `change`, section by section."""
    whole = deepcopy(dict(plan))
    for section, entries in change.items():
        if not isinstance(entries, Mapping) or not isinstance(whole.get(section, []), list):
            whole[section] = (
                {**whole.get(section, {}), **entries} if isinstance(entries, Mapping) else entries
            )
            continue
        name = "label" if section == "sockets" else "id"
        found = {item[name]: item for item in whole.get(section, [])}
        for key, keys in entries.items():
            if keys is None:
                del found[key]  # a case that takes away what is not there is a mistake
                continue
            item = found.setdefault(key, {name: key})
            for word, value in keys.items():
                if value is None:
                    del item[word]
                else:
                    item[word] = value
        whole[section] = list(found.values())
    return whole


def _looks(plan: Plan, change: Mapping[str, Any], at: datetime) -> Iterator[Look]:
    planned = {errand.key: errand for errand in errands(plan, "siege")}
    unknown = change.keys() - planned.keys()
    assert not unknown, f"no such look in this plan: {unknown}"
    for key, errand in planned.items():
        if key in change and change[key] is None:
            continue
        facts = [next(iter(item.items())) for item in deepcopy(healthy_looks().get(key, []))]
        gaps = []
        for item in change.get(key, ()):
            ((kind, values),) = item.items()
            if kind == "gap":
                gaps.append(Gap(**values))
            elif values is None:
                facts = [fact for fact in facts if fact[0] != kind]
            else:
                _put(facts, kind, values)
        yield Look(
            errand, at, 1.0, tuple(_fact(kind, item, errand.subject) for kind, item in facts), tuple(gaps)
        )


def _put(facts: list[tuple[str, dict[str, Any]]], kind: str, values: dict[str, Any]) -> None:
    names = NAMES.get(kind, ())
    for known, fact in facts:
        if known == kind and all(fact.get(name) == values.get(name, fact.get(name)) for name in names):
            fact.update(values)
            return
    facts.append((kind, values))


def _fact(kind: str, values: dict[str, Any], subject: str) -> Fact:
    known = {field.name for field in fields(KINDS[kind])}
    for name in ("host", "device", "subject"):
        if name in known:
            values.setdefault(name, subject)
    fact: Fact = _reader(kind).validate_python(values)
    return fact


@cache
def _reader(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def _answers(plan: Plan, change: Mapping[str, Any]) -> dict[tuple[str, str], Answer]:
    """Everything was answered "yes" a month ago, but what the case says."""
    said = {
        (question.code, subject): {"good": True, "by": "directrice", "on": date(2026, 9, 1)}
        for question in QUESTIONS
        for subject in subjects(plan, question)
    }
    for word, values in change.items():
        code, _space, subject = word.partition(" ")
        if values is None:
            del said[code, subject]
        else:
            said[code, subject] = {**said.get((code, subject), {}), **values}
    return {key: Answer(*key, **values) for key, values in said.items()}  # type: ignore[arg-type]


def say(judged: Judged) -> str:
    """The weak points as a golden text holds them."""
    lines = []
    for point in judged.points:
        found = point.weakness
        lines.append(
            f"{point.rule.code} {point.rule.severity} [{found.subject}] {found.site or '-'} : {found.sentence}"
        )
        if found.stops:
            lines.append(f"  stops: {', '.join(found.stops)}")
    return "\n".join(lines or ["rien"]) + "\n"
