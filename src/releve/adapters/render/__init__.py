"""Renders documents: `to_pdf` (typst) and `to_json`."""

from __future__ import annotations

from pathlib import Path

from releve.adapters.render.encode import to_json
from releve.domain.document import Document

__all__ = ["to_json", "to_pdf"]


def to_pdf(document: Document, path: Path) -> None:
    """Write `document` to `path` as PDF; see `releve.adapters.render.pdf`."""
    from releve.adapters.render.pdf import to_pdf as write  # typst is loaded by who prints only

    write(document, path)
