"""What can be printed, and what stands for the rest. Pure.

PDF/UA and PDF/A forbid a character without a glyph, and typst 0.15 was seen to panic on some
combining sequences. So only characters that the fonts inside the typst wheel can draw alone go
through; any other is shown as its code, ‹U+1F600›: nothing disappears, and nothing is taken for
something else (a right-to-left override would turn a name around).
"""

from __future__ import annotations

import unicodedata

# First and last code of each run drawn by the embedded fonts (measured on typst 0.15.2, tested).
_RUNS = (
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x00AC),  # Latin-1, without the soft hyphen
    (0x00AE, 0x024F),  # and Latin extended: every name of Europe
    (0x0384, 0x038A),  # Greek
    (0x038C, 0x038C),
    (0x038E, 0x03A1),
    (0x03A3, 0x03FF),
    (0x0400, 0x0482),  # Cyrillic
    (0x048A, 0x04FF),
    (0x1E00, 0x1EFF),  # Latin extended additional (Vietnamese)
    (0x2010, 0x2027),  # dashes, quotes, dots
    (0x202F, 0x205E),  # narrow no-break space, per mille, primes
    (0x2070, 0x2071),
    (0x2074, 0x208E),
    (0x20A0, 0x20BF),  # currencies
    (0x2190, 0x22FF),  # arrows, mathematics
    (0x2500, 0x25FF),  # lines and shapes
    (0x2713, 0x2714),
    (0x2717, 0x2718),
    (0xFFFD, 0xFFFD),
)
_REFUSED = frozenset({0x2041, 0x2043, 0x2053})  # inside the runs, and without a glyph
_HIGH_MARKS = "?!:;»%"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def printable(text: str) -> str:
    """`text` with what cannot be drawn replaced by its code, and French spaces that do not break.

    Line ends and tabs become spaces: a document's layout is not in its strings.
    """
    shown = drawable(text)
    for mark in _HIGH_MARKS:
        shown = shown.replace(f" {mark}", f"{_NO_BREAK}{mark}")
    return shown.replace("« ", f"«{_NO_BREAK}")


def drawable(text: str) -> str:
    """`text` with what cannot be drawn replaced by its code, its spaces as they are: a shell knows no other."""
    return "".join(_shown(character) for character in unicodedata.normalize("NFC", text))


def can_draw(code: int) -> bool:
    """Whether the embedded fonts draw that code point by itself."""
    return code not in _REFUSED and any(first <= code <= last for first, last in _RUNS)


def _shown(character: str) -> str:
    if character in "\n\r\t":
        return " "
    code = ord(character)
    return character if can_draw(code) else f"‹U+{code:04X}›"


def cleaned(value: object) -> object:
    """A JSON-ready value with every string made printable; keys are ours and stay."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        if value.get("type") == "typed":  # a person gives it to a shell
            return {**value, "lines": [drawable(str(line)) for line in value["lines"]]}
        return {name: cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value
