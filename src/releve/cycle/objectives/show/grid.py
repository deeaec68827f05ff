"""A table as text: columns as wide as their widest cell, figures to the right."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def grid(titles: Row, rows: Sequence[Row], *, right: frozenset[int] = frozenset()) -> str:
    """Titles, a rule, the rows. `right`: columns whose cells are figures."""
    widths = [max(len(row[index]) for row in (titles, *rows)) for index in range(len(titles))]

    def line(cells: Row) -> str:
        return "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    return "\n".join([line(titles), "  ".join("─" * width for width in widths), *(line(row) for row in rows)])
