"""Bytes of a text in whatever encoding -> one plain form: lower case, no accents, one byte a character.

Everything that detectors compare is ASCII after this: `É` is `e`, any space is a space, other signs are `?`.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise

_SIGNS = {
    "\u202f": " ",
    "\u2009": " ",
    "\u2007": " ",
    "\u2011": "-",
    "\u2010": "-",
    "\u2013": "-",
    "œ": "oe",
    "Œ": "oe",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BLOCK = 128 * 1024  # bytes
_SAMPLE = 4096  # bytes looked at to tell UTF-16 without its mark


def _table() -> bytes:
    folded = bytearray(256)
    for code in range(256):
        base = unicodedata.normalize("NFD", chr(code))[0].lower()
        folded[code] = ord(base) if base.isascii() else ord("?")
    folded[0xA0] = ord(" ")
    return bytes(folded)


_FOLD = _table()


def fold(raw: bytes) -> bytes:
    """The plain form of a text file's bytes: UTF-8, UTF-16 (with or without mark) or Windows-1252."""
    if b"\0" not in raw:
        if raw.isascii():
            return raw.translate(_FOLD)
        if not raw.startswith(_UTF16):
            return _fold_blocks(raw)
    return fold_text(decoded(raw))


def _fold_blocks(raw: bytes) -> bytes:
    """The same, block after block: four copies of a block stay in a cache, those of a file would not (0024)."""
    cuts = [0]
    while cuts[-1] < len(raw):
        end = min(cuts[-1] + _BLOCK, len(raw))
        line = raw.rfind(b"\n", cuts[-1], end) + 1 if end < len(raw) else 0
        cuts.append(line or end)
    try:
        return b"".join(fold_text(raw[low:high].decode("utf-8-sig")) for low, high in pairwise(cuts))
    except UnicodeDecodeError:  # another encoding, or a character at a cut
        return fold_text(decoded(raw))


def fold_text(text: str) -> bytes:
    """The plain form of characters. Accents typed apart (as macOS names and some PDF do) are joined first."""
    if text.isascii():
        return text.encode("ascii").translate(_FOLD)
    if "\u0301" in text or "\u0300" in text:
        text = unicodedata.normalize("NFC", text)
    for sign, plain in _SIGNS.items():
        if sign in text:
            text = text.replace(sign, plain)
    return text.encode("latin-1", "replace").translate(_FOLD)


def decoded(raw: bytes) -> str:
    """Characters of a text whose encoding nobody told. Never fails: Windows-1252 reads any byte."""
    if raw.startswith(_UTF16):
        return raw.decode("utf-16", "replace")
    if wide := wide_order(raw):
        return raw.decode(wide, "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 4:  # cut within a character
            return raw[: error.start].decode("utf-8-sig")
    return raw.decode("cp1252", "replace")


def wide_order(raw: bytes) -> str:
    """The name of UTF-16's byte order when every second byte is nearly always null; empty otherwise."""
    sample = raw[:_SAMPLE]
    half = len(sample) // 2
    if half < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    return ""
