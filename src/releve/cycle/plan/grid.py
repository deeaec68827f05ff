"""A table as text, no wider than what it is read on: long cells go on below themselves, names stay whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

Row = tuple[str, ...]
WIDE = 10_000  # columns where there is no screen: one row a line, for whoever searches or cuts
_LEAST = 12  # columns below which a part of a path cannot be read any more
_GAP = "  "
_STUCK = "\x1f"  # a space that is no place to fold at


def grid(titles: Row, rows: Sequence[Row], *, right: frozenset[int] = frozenset(), width: int = WIDE) -> str:
    """Titles, a rule, the rows. `right`: columns whose cells are figures; `width`: columns of the screen.

    Where the screen is too narrow for that, one cell a line: a figure or a name is never cut, only a path is.
    """
    widths = _fitting(titles, rows, width, right)
    if widths is None:
        return "\n".join(line for row in rows for line in _upright(titles, row, right, width))

    def lines(cells: Row) -> list[str]:
        parts = [_wrapped(cell, size) or [""] for cell, size in zip(cells, widths, strict=True)]
        return [
            _GAP.join(
                cell.rjust(size) if index in right else cell.ljust(size)
                for index, (cell, size) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in zip_longest(*parts, fillvalue="")
        ]

    rule = _GAP.join("─" * size for size in widths)
    return "\n".join([*lines(titles), rule, *(line for row in rows for line in lines(row))])


def _wrapped(cell: str, size: int) -> list[str]:
    return wrap(cell, size, break_on_hyphens=False)


def _upright(titles: Row, row: Row, right: frozenset[int], width: int) -> Iterator[str]:
    """A row from top to bottom: its first cell, then each other one that holds something, two columns further in."""
    lead = ""
    for index, (title, cell) in enumerate(zip(titles, row, strict=True)):
        if not cell:
            continue
        kept = cell.replace(" ", _STUCK) if index in right else cell
        text = f"{title} : {kept}" if title else kept
        for line in wrap(
            text, width, initial_indent=lead, subsequent_indent=lead + _GAP, break_on_hyphens=False
        ):
            yield line.replace(_STUCK, " ")
        lead = _GAP


def _fitting(titles: Row, rows: Sequence[Row], width: int, right: frozenset[int]) -> list[int] | None:
    """The widths, the widest text taken down first until the line fits; None where a word would be cut."""
    found = [max(len(row[index]) for row in (titles, *rows)) for index in range(len(titles))]
    least = [
        found[index] if index in right else max(_longest(row[index]) for row in (titles, *rows))
        for index in range(len(titles))
    ]
    room = width - len(_GAP) * (len(titles) - 1)
    while sum(found) > room:
        loose = [index for index in range(len(found)) if found[index] > least[index]]
        if not loose:
            return None
        found[max(loose, key=found.__getitem__)] -= 1
    return found


def _longest(cell: str) -> int:
    """The length of its longest word, or of what can still be read of a path; 1 for an empty cell."""
    return max((min(len(word), _LEAST) if "/" in word else len(word) for word in cell.split()), default=1)


def folded(text: str, width: int = WIDE) -> str:
    """Lines of prose no longer than `width`: each goes on below itself, two columns further in than it began."""
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    lead = line[: len(line) - len(line.lstrip())]
    return wrap(
        line.strip(),
        width,
        initial_indent=lead,
        subsequent_indent=f"{lead}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
