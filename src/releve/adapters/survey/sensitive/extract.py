"""From the bytes of a document to its plain text, by what it is and not by what it is called."""

from __future__ import annotations

import re
from collections.abc import Callable

from releve.adapters.survey.sensitive.archive import office
from releve.adapters.survey.sensitive.fold import fold, fold_text, wide_order
from releve.adapters.survey.sensitive.mail import is_mail, mail
from releve.adapters.survey.sensitive.refusals import Refusal, Unread

_PDF_HEAD = 1024  # bytes before which %PDF may stand (PDF 1.7, annex H, note 13)
_SAMPLE = 8192
_ZIP, _OLD_OFFICE, _RTF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf"
_HEX = re.compile(rb"\\'([0-9a-fA-F]{2})")
_CONTROL = re.compile(rb"\\(?:(par|line|tab|cell|row)|[a-z]{1,32})(?:-?\d{1,10})? ?|[{}]")

PdfText = Callable[[bytes], str]


def plain(data: bytes, pdf: PdfText) -> bytes:
    """The plain form (`fold`) of a document. Raises `Refusal`.

    Word and Excel files of before 2007 are read roughly: their text stands in them as it is, in one of two
    encodings, among bytes that mean something else; numbers are found, a count of words is a least.
    """
    if data.startswith(_ZIP):
        return fold_text(office(data))
    if b"%PDF-" in data[:_PDF_HEAD]:
        return fold_text(pdf(data))
    if data.startswith(_OLD_OFFICE):
        return fold(data.translate(None, b"\0").decode("cp1252", "replace").encode("utf-8"))
    if data.startswith(_RTF):
        return fold(_rtf(data))
    if not looks_like_text(data):
        raise Refusal(Unread.OTHER)
    return mail(data) if is_mail(data) else fold(data)


def looks_like_text(data: bytes) -> bool:
    """No null (but those of UTF-16), and hardly a control character, in the first bytes."""
    sample = data[:_SAMPLE]
    if sample[:2] in {b"\xff\xfe", b"\xfe\xff"} or wide_order(sample):
        return True
    if b"\0" in sample:
        return False
    odd = len(sample) - len(sample.translate(None, _CONTROLS))
    return odd * 50 <= len(sample)


_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1b")


def _rtf(data: bytes) -> bytes:
    """Control words away, accents back (Windows-1252)."""
    bare = _CONTROL.sub(lambda hit: b"\n" if hit[1] else b"", data)
    return _HEX.sub(lambda hit: bytes((int(hit[1], 16),)), bare)
