"""Document -> JSON-ready value. Pure. Each block says its `type`; each cell has a text and a tone."""

from __future__ import annotations

from typing import assert_never

from releve.domain.document import (
    Block,
    Callout,
    Cell,
    Document,
    Items,
    KeyFigures,
    Mark,
    Paragraph,
    Table,
    Timeline,
    Typed,
)


def to_json(document: Document) -> dict[str, object]:
    """The document as JSON-ready mappings and lists (English keys, the document's own text)."""
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "association": document.association,
        "language": document.language,
        "created_at": document.created_at.isoformat(),
        "metadata": [{"name": name, "value": value} for name, value in document.metadata],
        "sections": [
            {
                "title": section.title,
                "new_page": section.new_page,
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in document.sections
        ],
    }


def _block(block: Block) -> dict[str, object]:
    match block:
        case Paragraph(text):
            return {"type": "paragraph", "text": text}
        case Items(items, ordered):
            return {"type": "items", "ordered": ordered, "items": list(items)}
        case Typed(lines):
            return {"type": "typed", "lines": list(lines)}
        case Callout(tone, title, text):
            return {"type": "callout", "tone": tone.value, "title": title, "text": text}
        case KeyFigures(figures):
            return {
                "type": "key-figures",
                "figures": [
                    {"value": item.value, "label": item.label, "tone": item.tone.value, "note": item.note}
                    for item in figures
                ],
            }
        case Table():
            return _table(block)
        case Timeline():
            return _timeline(block)
        case _:
            assert_never(block)


def _table(block: Table) -> dict[str, object]:
    return {
        "type": "table",
        "caption": block.caption,
        "columns": [
            {"title": item.title, "weight": item.weight, "right": item.right} for item in block.columns
        ],
        "rows": [[_cell(cell) for cell in row] for row in block.rows],
    }


def _cell(cell: Cell) -> dict[str, object]:
    if isinstance(cell, Mark):
        return {"text": cell.text, "tone": cell.tone.value}
    return {"text": cell, "tone": None}


def _timeline(block: Timeline) -> dict[str, object]:
    return {
        "type": "timeline",
        "caption": block.caption,
        "alt": block.alt,
        "seconds": block.seconds,
        "ticks": [{"at": at, "text": text} for at, text in block.ticks],
        "bars": [
            {
                "label": bar.label,
                "start": bar.start,
                "end": bar.end,
                "tone": bar.tone.value,
                "said": bar.said,
            }
            for bar in block.bars
        ],
    }
