"""A table as text, no wider than what it is read on: long cells go on below themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

Row = tuple[str, ...]
WIDE = 10_000  # columns where there is no screen: one row a line, for whoever searches or cuts
_LEAST = 12  # columns below which a cell cannot be read any more
_GAP = "  "


def grid(titles: Row, rows: Sequence[Row], *, right: frozenset[int] = frozenset(), width: int = WIDE) -> str:
    """Titles, a rule, the rows. `right`: columns whose cells are figures; `width`: columns of the screen."""
    whole = [max(len(row[index]) for row in (titles, *rows)) for index in range(len(titles))]
    widths = _fitting(whole, width, right)

    def lines(cells: Row) -> list[str]:
        parts = [wrap(cell, size) or [""] for cell, size in zip(cells, widths, strict=True)]
        return [
            _GAP.join(
                cell.rjust(size) if index in right else cell.ljust(size)
                for index, (cell, size) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in zip_longest(*parts, fillvalue="")
        ]

    rule = _GAP.join("─" * size for size in widths)
    return "\n".join([*lines(titles), rule, *(line for row in rows for line in lines(row))])


def _fitting(widths: list[int], width: int, right: frozenset[int]) -> list[int]:
    """The widths, the widest text taken down first until the line fits, none below what can be read; figures stay whole."""
    room = width - len(_GAP) * (len(widths) - 1)
    found = list(widths)
    while sum(found) > room:
        widest = max((index for index in range(len(found)) if index not in right), key=found.__getitem__)
        if found[widest] <= _LEAST:
            break
        found[widest] -= 1
    return found


def folded(text: str, width: int = WIDE) -> str:
    """Lines of prose no longer than `width`: each goes on below itself, two columns further in than it began."""
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    lead = line[: len(line) - len(line.lstrip())]
    return wrap(
        line.strip(), width, initial_indent=lead, subsequent_indent=f"{lead}  ", break_long_words=False
    )
