"""What a terminal takes for an order, and not for a sign to show."""

from __future__ import annotations

import unicodedata

# Controls (escape, line ends), what turns the direction of a line or cannot be seen, halves of a sign, line and
# paragraph separators. The spaces of French typing are none of them.
_ORDERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def orders(text: str) -> bool:
    """Whether something in it would not be shown, but obeyed."""
    return any(unicodedata.category(sign) in _ORDERS for sign in text)


def printable(text: str) -> str:
    """One line, with a mark in place of each order."""
    return "".join("\ufffd" if unicodedata.category(sign) in _ORDERS else sign for sign in text)
