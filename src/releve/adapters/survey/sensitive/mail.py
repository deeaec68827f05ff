"""Text of electronic mail: one letter (RFC 5322), or a mailbox of them (mbox, RFC 4155)."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message

from releve.adapters.survey.sensitive.fold import fold
from releve.adapters.survey.sensitive.refusals import Refusal, Unread

LINES = 2_000_000  # of one letter; an attachment of 32 MB has 430,000
PARTS = 10_000  # of one letter, at most: as many lines begin as a boundary does
NESTED = 50  # parts within parts
_HEAD = 64 * 1024  # bytes in which a letter says what it is
_FIRST = re.compile(rb"(?:From [^\n]*\n)?[A-Za-z][A-Za-z0-9-]{0,70}:")
_SAYS = re.compile(rb"\ncontent-(?:type|transfer-encoding):", re.IGNORECASE)
_OPEN = ("", "7bit", "8bit", "quoted-printable")  # read whatever they say they are
_NEXT = re.compile(rb"^From [^\n]*\n", re.MULTILINE)


def is_mail(data: bytes) -> bool:
    """Whether it begins as a letter does, and says how it is written."""
    return _FIRST.match(data) is not None and _SAYS.search(data, 0, _HEAD) is not None


def mail(data: bytes) -> bytes:
    """The plain form of the headers and texts of its letters, whatever they are packed in; attachments are left out.

    Raises `Refusal` for one that would take too long to take apart.
    """
    letters = _NEXT.split(data) if data.startswith(b"From ") else [data]
    return b"\n".join(text for letter in letters if letter for text in _texts(letter))


def _texts(letter: bytes) -> list[bytes]:
    parts, nested = letter.count(b"\n--"), letter.lower().count(b"multipart/")
    if letter.count(b"\n") > LINES or parts > PARTS or nested > NESTED:
        raise Refusal(Unread.BOMB)
    found: list[bytes] = []
    for part in message_from_bytes(letter).walk():
        headers = "\n".join(f"{name}: {value}" for name, value in part.items())
        found += [fold(headers.encode("utf-8", "surrogateescape")), *_body(part)]
    return found


def _body(part: Message) -> list[bytes]:
    packed = str(part.get("content-transfer-encoding", "")).strip().lower() not in _OPEN
    if part.is_multipart() or (packed and part.get_content_maintype() != "text"):
        return []
    body = part.get_payload(decode=True)
    return [fold(body)] if isinstance(body, bytes) else []
