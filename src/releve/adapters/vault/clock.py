"""Times as the format writes them: RFC 3339, UTC, nanoseconds without trailing zeros."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SECOND = 1_000_000_000
_FIRST = -62_167_219_200  # seconds: 0000-01-01; the format knows the years 0 to 9999
_LAST = 253_402_300_799
_SHAPE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$")


def rfc3339(at: datetime) -> str:
    """An aware time as text, to the microsecond that it has."""
    whole = at.astimezone(UTC)
    return from_ns(int(whole.replace(microsecond=0).timestamp()) * _SECOND + whole.microsecond * 1000)


def from_ns(stamp: int) -> str:
    """Nanoseconds since 1970 (UTC) as text; a year beyond 0..9999 is brought to the nearest end."""
    seconds, rest = divmod(stamp, _SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_seconds(min(max(seconds, _FIRST), _LAST))}{fraction}Z"


def to_ns(text: str) -> int:
    """Nanoseconds since 1970. Raises ValueError."""
    if text.endswith("Z") and (
        len(text) == 20 or (text[19:20] == "." and len(text) <= 30 and text[20:-1].isdecimal())
    ):
        return _whole(text[:19]) * _SECOND + int(text[20:-1].ljust(9, "0") if len(text) > 20 else "0")
    shape = _SHAPE.match(text)
    if shape is None:
        raise ValueError(f"not a time: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in shape.groups()[:6])
    days = _days(year, month, day)
    total = days * 86400 + hour * 3600 + minute * 60 + second
    zone = shape[8]
    if zone != "Z":
        shift = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        total -= shift if zone[0] == "+" else -shift
    return total * _SECOND + int((shape[7] or "0").ljust(9, "0"))


@lru_cache(maxsize=4096)
def _whole(text: str) -> int:
    """Seconds since 1970 of a time in UTC without its fraction. Raises ValueError."""
    shape = _SHAPE.match(f"{text}Z")
    if shape is None:
        raise ValueError(f"not a time: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in shape.groups()[:6])
    return _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second


def to_datetime(text: str) -> datetime:
    """The same as an aware time, to the microsecond. Raises ValueError, OverflowError."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_ns(text) // 1000)


@lru_cache(maxsize=4096)
def _seconds(seconds: int) -> str:
    if seconds < _FIRST + 366 * 86400:  # Python's calendar has no year 0, which was a leap year
        same = datetime(4, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds - _FIRST)
        return f"0000{same:-%m-%dT%H:%M:%S}"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{at.year:04d}{at:-%m-%dT%H:%M:%S}"


def _days(year: int, month: int, day: int) -> int:
    if year == 0:
        return datetime(4, month, day, tzinfo=UTC).toordinal() - 4 * 365 - 1 - 719163
    return datetime(year, month, day, tzinfo=UTC).toordinal() - 719163
