"""Text of office documents: what stands between the tags of a zipped XML. Bounded in every direction.

Office Open XML (ECMA-376: docx, xlsx, pptx) and OpenDocument (ISO/IEC 26300: odt, ods, odp) alike: one reader, since
both say paragraphs, cells and text in elements whose local names are few. What a document unfolds to is counted
as it unfolds, whatever its own directory says: a bomb is refused, never swallowed.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO
from xml.sax import SAXException
from xml.sax.handler import ContentHandler, feature_namespaces
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser

from releve.adapters.survey.sensitive.refusals import Refusal, Unread

UNFOLDED = 64 * 2**20  # bytes of XML of one document at most: a thousand pages are some 10 MB
RATIO = 200  # times its packed size: real documents unfold 5 to 20 times, deflate's bound is 1,032
FREE = 2**20  # bytes that any part may unfold to, whatever its ratio
PARTS = 5_000
_PIECE = 256 * 1024
_METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # all that both standards admit, and all that zipfile unfolds by pieces

_WANTED = re.compile(
    r"word/(document\d*|header\d*|footer\d*|footnotes|endnotes|comments)\.xml"
    r"|xl/(sharedStrings|comments\d*|worksheets/[^/]+)\.xml"
    r"|ppt/(slides|notesSlides)/[^/]+\.xml|content\.xml",
    re.IGNORECASE,  # as the names of parts are compared (ECMA-376, part 2)
)
_LINES = frozenset({"p", "h", "si", "row", "br", "table-row", "line-break"})
_CELLS = frozenset({"c", "tc", "tab", "table-cell", "s"})
_NUMBER = re.compile(r"(?<![\w.])(\d\.\d{1,16})E\+?(\d{1,2})(?!\w)")  # how spreadsheets write a NIR


def office(data: bytes) -> str:
    """The text of an office document. Raises `Refusal` when no part of it is read, or it is damaged, locked or a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            wanted = [item for item in archive.infolist() if _WANTED.fullmatch(item.filename)]
            if not wanted:
                raise Refusal(Unread.UNOPENED)
            if len(archive.infolist()) > PARTS:
                raise Refusal(Unread.BOMB)
            left = UNFOLDED
            texts: list[str] = []
            for item in wanted:
                text, used = _part(archive, item, left)
                texts.append(text)
                left -= used
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        ValueError,
        SAXException,
    ) as error:
        raise Refusal(Unread.DAMAGED) from error
    except RuntimeError as error:  # zipfile's word for a password
        raise Refusal(Unread.LOCKED) from error
    return _NUMBER.sub(_whole, "\n".join(texts))


def _part(archive: zipfile.ZipFile, item: zipfile.ZipInfo, left: int) -> tuple[str, int]:
    """The text of one part, and the bytes that it unfolded to."""
    if item.compress_type not in _METHODS:
        raise Refusal(Unread.DAMAGED)
    handler = _Text()
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setFeature(feature_namespaces, False)  # noqa: FBT003 - the name of the standard library's method
    parser.setContentHandler(handler)
    used = 0
    allowed = min(left, max(FREE, item.compress_size * RATIO))
    try:
        with archive.open(item) as source:
            for piece in _pieces(source):
                used += len(piece)
                if used > allowed:
                    raise Refusal(Unread.BOMB)
                parser.feed(piece)
        parser.close()
    except DefusedXmlException as error:
        raise Refusal(Unread.BOMB) from error
    return "".join(handler.parts), used


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield piece


class _Text(ContentHandler):
    """Keeps what stands in elements; ends of paragraphs and cells part it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: ARG002, N802 - SAX
        """A tab, a space or a break stands where its element does."""
        local = name.rpartition(":")[2]
        if local in {"tab", "br", "line-break"}:
            self.parts.append("\n" if local != "tab" else "\t")
        elif name == "text:s":
            self.parts.append(" ")

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX
        """What follows a paragraph or a cell is not joined to it."""
        local = name.rpartition(":")[2]
        if local in _LINES:
            self.parts.append("\n")
        elif local in _CELLS and name != "text:s":
            self.parts.append("\t")

    def characters(self, content: str) -> None:
        """Text between two tags."""
        self.parts.append(content)


def _whole(hit: re.Match[str]) -> str:
    """1.85057800608436E14 -> 185057800608436; anything else as it is."""
    digits = hit[1].replace(".", "")
    return digits.ljust(int(hit[2]) + 1, "0") if len(digits) <= int(hit[2]) + 1 <= 16 else hit[0]
