"""What a probe says, taken with care: a machine may be old, broken, or somebody else's by now.

Each reader gives a value of the wanted shape or raises ValueError; `section` turns that into a gap, so that one
strange line never costs the rest of a look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from releve.adapters.survey.asking import unclear
from releve.domain.audit import Found, Gap
from releve.domain.seen import Fact

_LONGEST = 200  # characters of a name; more is not one, and would fill a screen
_T = TypeVar("_T")


def text(value: Any) -> str:
    """A name or a word, on one line: what a terminal would obey is replaced. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(type(value).__name__)
    return "".join(sign if sign.isprintable() else "?" for sign in value[:_LONGEST])


def count(value: Any) -> int:
    """A whole number, zero or more. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(type(value).__name__)
    return value


def flag(value: Any) -> bool:
    """Yes or no. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(type(value).__name__)
    return value


def instant(value: Any) -> datetime:
    """Seconds since 1970 -> an instant. Raises ValueError."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(type(value).__name__)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("no instant") from error


def maybe(read: Callable[[Any], _T], value: Any) -> _T | None:
    """What `read` makes of it; None stays None. Raises ValueError."""
    return None if value is None else read(value)


def section(
    told: Mapping[str, Any], name: str, read: Callable[[Any], tuple[Fact, ...]], *, host: str, what: str
) -> Found:
    """What `read` makes of one part of an answer. An absent part is nothing: the probe has named it as a gap."""
    if told.get(name) is None:
        return Found()
    try:
        return Found(read(told[name]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Found(gaps=(unclear(host, what),))


def joined(*parts: Found | Gap) -> Found:
    """One finding of several."""
    facts: tuple[Fact, ...] = ()
    gaps: tuple[Gap, ...] = ()
    for part in parts:
        if isinstance(part, Gap):
            gaps = (*gaps, part)
        else:
            facts, gaps = (*facts, *part.facts), (*gaps, *part.gaps)
    return Found(facts, gaps)
