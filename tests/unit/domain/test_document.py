"""The document as a value."""

from __future__ import annotations

import pytest

from releve.domain.document import Column, Table


def test_a_row_has_one_cell_a_column() -> None:
    """A table with a row too short or too long is refused where it is made."""
    columns = (Column("A"), Column("B"))
    Table("juste", columns, (("1", "2"),))
    for row in ((), ("1",), ("1", "2", "3")):
        with pytest.raises(ValueError, match="2 cells"):
            Table("fausse", columns, (row,))
