"""Document -> PDF, by typst. Texts travel as JSON data and are never read as markup.

The file is PDF/A-2a and PDF/UA-1 at once: the compiler itself refuses a missing title, a picture
without its text, a heading out of order, a character without a glyph. Its warnings are our errors.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import typst

from releve.adapters.render.encode import to_json
from releve.adapters.render.glyphs import cleaned
from releve.domain.document import Document
from releve.domain.errors import ReleveError
from releve.domain.os_errors import unwritable

TEMPLATE = Path(__file__).with_name("document.typ")
STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]


def to_pdf(document: Document, path: Path) -> None:
    """Write `document` to `path`, whole or not at all.

    Raises what `unwritable` says when the folder cannot be written, and `ReleveError`
    (render-warning, render-failed) when the document cannot be drawn: a fault of ours.
    """
    _write(path, render(document))


def render(document: Document) -> bytes:
    """The PDF. The same document gives the same bytes. Raises `ReleveError` as `to_pdf`."""
    created = document.created_at.astimezone(UTC).replace(microsecond=0)
    data = cleaned({**to_json(document), "created_at": list(created.timetuple()[:6])})
    return _compile(TEMPLATE.read_bytes(), data, created)


def _compile(template: bytes, data: object, created: datetime) -> bytes:
    """`template` drawn with `data`. `created`: aware, whole seconds."""
    try:
        pdf, warnings = typst.compile_with_warnings(
            template,
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"document": json.dumps(data)},
            pdf_standards=STANDARDS,
            timestamp=created,
        )
    except typst.TypstError as error:
        raise _failed(error.message, error.diagnostic) from error
    except BaseException as error:
        # a panic of the compiler does not derive from Exception, and its class cannot be imported
        if type(error).__name__ != "PanicException":
            raise
        raise _failed(str(error), "") from error
    if warnings:
        raise ReleveError(
            "render-warning",
            f"le document ne peut pas être mis en page proprement : {warnings[0].message}",
            hint="gardez ce message et ouvrez un ticket",
            context={str(n): item.diagnostic for n, item in enumerate(warnings, start=1)},
        )
    if not isinstance(pdf, bytes):
        raise _failed("aucun octet produit", "")
    return pdf


def _failed(message: str, diagnostic: str) -> ReleveError:
    return ReleveError(
        "render-failed",
        f"le document n'a pas pu être mis en page : {message}",
        hint="gardez ce message et ouvrez un ticket",
        context={"diagnostic": diagnostic} if diagnostic else {},
    )


def _write(path: Path, data: bytes) -> None:
    """Temporary beside it, fsync, rename, fsync of the folder: a reader sees all of it or nothing."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unwritable(path, error) from error
