"""A document as a value: titles, figures, tables, a picture. Text only, no layout.

Every string is plain text in the document's language; a renderer shows it as it stands and never
reads it as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Tone(StrEnum):
    """What a mark means. A renderer gives each a word or a symbol, never a colour alone."""

    OK = "ok"  # done
    KEPT = "kept"  # a promise, measured and kept
    BROKEN = "broken"  # a promise not kept, a step that failed
    UNKNOWN = "unknown"  # not measured, not known, not finished
    NOTE = "note"  # neither good nor bad


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure to remember: "1,8 s", what it is, and where it comes from."""

    value: str
    label: str
    tone: Tone = Tone.NOTE
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """A row of one to four figures."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell with a meaning: its text says it in words."""

    tone: Tone
    text: str


Cell = str | Mark


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, its share of the width, and whether its cells are figures."""

    title: str
    weight: float = 1.0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under column titles. Each row has as many cells as there are columns."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Raises ValueError when a row has not one cell a column."""
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table « {self.caption} »: every row needs {len(self.columns)} cells")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a timeline: from `start` to `end`, in seconds since its origin."""

    label: str
    start: float
    end: float
    tone: Tone
    said: str  # the duration, as text


@dataclass(frozen=True, slots=True)
class Timeline:
    """Horizontal bars on one axis. `alt` says in words what the picture shows.

    `seconds` is the length of the axis (> 0); `ticks` are (second, text).
    """

    caption: str
    alt: str
    seconds: float
    ticks: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person types, letter for letter: a line of at most 84 characters for each line that is typed."""

    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for a line that paper would cut."""
        if any(len(line) > _PAPER for line in self.lines):
            raise ValueError(f"what is typed takes at most {_PAPER} characters a line")


_PAPER = 84  # characters of the typed face in the width of a page


@dataclass(frozen=True, slots=True)
class Callout:
    """A box that must not be missed."""

    tone: Tone
    title: str
    text: str = ""


Block = Paragraph | KeyFigures | Table | Timeline | Items | Typed | Callout


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part. `new_page`: it begins on a page of its own."""

    title: str
    blocks: tuple[Block, ...]
    new_page: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document. `metadata` are (name, value) lines shown under the title.

    `created_at` is aware; the same document gives the same bytes.
    """

    title: str
    subtitle: str
    association: str
    created_at: datetime
    metadata: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    language: str = "fr"
