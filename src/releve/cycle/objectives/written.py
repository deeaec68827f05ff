"""A statement as it is written in a file of answers. Pure: values in, text out.

A file is only ever added to: what was said before stays, with its date, and the newest counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal

from releve.domain.objectives import Impact, Statement
from releve.domain.units import write_bytes, write_span

_LINE_ENDS = "\x7f\x85\u2028\u2029\ufeff"  # JSON lets them stand, YAML folds or refuses them
FULL = 30_000  # nodes of one file: three quarters of what a reader takes
HEAD = """\
# Réponses au bilan d'impact. Un niveau par durée d'arrêt, de la plus courte à la plus longue :
# 1 mineur, 2 significatif, 3 important, 4 critique. La plus récente d'une même personne compte.
version: 1
answers:
"""


def written(statements: Iterable[Statement]) -> str:
    """The items of the list `answers`, ready to stand under it."""
    return "".join("\n".join(_item(statement)) + "\n" for statement in statements)


def parts(statements: Iterable[Statement], full: int = FULL) -> Iterator[tuple[Statement, ...]]:
    """The statements in their order, cut where one file would be more than a reader takes; at least one part."""
    part: list[Statement] = []
    size = 0
    for statement in statements:
        weight = _nodes(statement)
        if part and size + weight > full:
            yield tuple(part)
            part, size = [], 0
        part.append(statement)
        size += weight
    yield tuple(part)


def _nodes(said: Statement) -> int:
    """What a statement counts for in a reader's bound, generously: keys, values, and each level of each curve."""
    impacts = [said.impact, *said.in_period.values()]
    return (
        40
        + len(said.why) // 20
        + sum(10 + sum(5 + len(curve) for curve in impact.values()) for impact in impacts)
    )


def _item(said: Statement) -> Iterator[str]:
    yield f"  - application: {_text(said.application)}"
    yield f"    establishment: {_text(said.establishment)}"
    yield f"    by: {_text(said.by)}"
    yield f"    on: {said.on.isoformat()}"
    if said.why:
        yield f"    why: {_text(said.why)}"
    yield "    impact:"
    yield from _impact(said.impact, "      ")
    if said.in_period:
        yield "    in_period:"
        for period, impact in said.in_period.items():
            yield f"      - period: {_text(period)}"
            yield "        impact:"
            yield from _impact(impact, "          ")
    if said.copes_for is not None:
        yield f"    copes_for: {write_span(said.copes_for)}"
    if said.data is not None:
        data = said.data
        yield "    data:"
        yield f"      kinds: {_text(data.kinds)}"
        yield f"      entries_per_day: {data.entries}"
        if data.retype_hours is not None:
            yield f"      retype_hours: {_number(data.retype_hours)}"
        yield f"      paper: {'oui' if data.paper else 'non'}"
        if data.volume is not None:
            yield f"      volume: {write_bytes(data.volume)}"


def _impact(impact: Impact, lead: str) -> Iterator[str]:
    width = max((len(code) for code in impact), default=0) + 1
    for code, curve in impact.items():
        yield f"{lead}{(code + ':').ljust(width)} {' '.join(str(level) for level in curve)}"


def _text(value: str) -> str:
    """A text as YAML and JSON both read it; what YAML takes for the end of a line is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(letter):04x}" if letter in _LINE_ENDS else letter for letter in text)


def _number(value: float) -> str:
    """A number with every figure that it has: nothing is rounded on its way to a file."""
    return f"{value:.0f}" if value == int(value) else f"{Decimal(repr(value)):f}"
