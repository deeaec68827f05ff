"""Blocks that were judged right -> the frozen `Objectives` of the domain. Pure, and can no longer fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from releve.cycle.objectives.draft import Draft
from releve.cycle.objectives.schema import AnswerBlock, ReliefBlock, SpreadBlock, SupplierBlock
from releve.cycle.plan.blocks import Block, Placed
from releve.domain.objectives import (
    CHECK,
    NO_TIME,
    RETYPE_BUDGET,
    START,
    Component,
    DataAnswer,
    Establishment,
    Objectives,
    Rate,
    Recovery,
    Relief,
    Settled,
    Statement,
    Supplier,
    SupplierPromise,
    Threshold,
)
from releve.domain.units import Span

T = TypeVar("T", bound=Block)


def build(draft: Draft, relief: ReliefBlock | None, budget: Span | None) -> Objectives:
    """The objectives, without their answers. `draft` must have no fault."""
    return Objectives(
        establishments=tuple(
            Establishment(b.id, b.name, b.calendar, b.weight, tuple(b.applications))
            for b in _of(draft.establishments)
        ),
        periods=tuple(b.value() for b in _of(draft.periods)),
        settled=tuple(
            Settled(b.application, b.establishment, b.rto, b.by, b.on, b.why) for b in _of(draft.settled)
        ),
        components=tuple(
            Component(b.id, b.name, b.kind, tuple(b.carries), tuple(b.needs), b.rebuild, b.automatic)
            for b in _of(draft.components)
        ),
        suppliers=tuple(_supplier(b) for b in _of(draft.suppliers)),
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
                b.automatic,
                b.local,
                b.kind,
                b.sensitivity,
            )
            for b in _of(draft.recoveries)
        ),
        rates=tuple(Rate(b.scenario, b.per_year, b.who) for b in _of(draft.scenarios)),
        thresholds=tuple(Threshold(b.criterion, b.weight, b.unacceptable) for b in _of(draft.scale)),
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


def statement(placed: Placed[AnswerBlock], source: str) -> Statement:
    """What a block of answers says; `source` is where it is written."""
    b = placed.item
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
        source,
    )


def _of(placed: Iterable[Placed[T]]) -> Iterator[T]:
    return (item.item for item in placed)
