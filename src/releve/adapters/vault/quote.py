r"""Names of files inside a tree: any bytes in, a text of the format out, and back.

Source: Go's `strconv.Quote` without its outer quotes, as restic's `internal/data/node.go` uses it:
what is printable stays, `"` and `\` are escaped, a byte that is not UTF-8 becomes `\xNN`.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(rb"[ !#-\[\]-~]*")  # printable ASCII without the quote and the backslash
_SHORT = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 34: '\\"', 92: "\\\\"}
_BACK = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "'": 39, "\\": 92}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)


def quote(name: bytes) -> str:
    """The name as the format keeps it."""
    if _PLAIN.fullmatch(name):
        return name.decode("ascii")
    return "".join(_quoted(char) for char in name.decode("utf-8", "surrogateescape"))


def _quoted(char: str) -> str:
    point = ord(char)
    if point in _SHORT:
        return _SHORT[point]
    if 0xDC80 <= point <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{point - 0xDC00:02x}"
    if char.isprintable():
        return char
    if point < 0x20 or point == 0x7F:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def unquote(text: str) -> bytes:
    """The bytes of the name. Raises ValueError for an escape that the format does not know."""
    if "\\" not in text:
        return text.encode()
    out = bytearray()
    done = 0
    for found in _ESCAPE.finditer(text):
        out += text[done : found.start()].encode()
        done = found.end()
        byte, short, long, octal, letter = found.groups()
        if byte:
            out.append(int(byte, 16))
        elif short or long:
            out += chr(int(short or long, 16)).encode()
        elif octal:
            out.append(int(octal, 8))
        elif letter in _BACK:
            out.append(_BACK[letter])
        else:
            raise ValueError(f"unknown escape in a name: {found[0]!r}")
    if "\\" in (rest := text[done:]):
        raise ValueError(f"a name ends inside an escape: {text!r}")
    return bytes(out + rest.encode())
