"""Values of the domain ↔ JSON text. One rule a type, read from the type hints: nothing to keep in step.

    dataclass   object, one member a field; a member that is missing takes the field's default
    datetime    ISO 8601 text in UTC, with microseconds; a naive one is refused
    date        ISO 8601 text
    StrEnum     its text
    tuple       array        Mapping   object        object   JSON as it stands

Text is ASCII (a file name that is not UTF-8 survives, PostgreSQL never meets a NUL byte) and never
holds NaN or infinity, which are not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_Value = TypeVar("_Value")


def dump(value: object) -> str:
    """The JSON text of a value. Raises TypeError or ValueError for what JSON cannot hold."""
    return json.dumps(_plain(value), allow_nan=False, sort_keys=True, separators=(",", ":"))


def load(kind: type[_Value], text: str) -> _Value:
    """The value of type `kind` written as `text`. Raises TypeError, ValueError or KeyError when it is not one."""
    return of_plain(kind, json.loads(text))


def of_plain(kind: type[_Value], plain: object) -> _Value:
    """The value of type `kind` that `plain`, read from JSON, stands for. Raises as `load`."""
    value = _built(kind, plain)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


def load_object(text: str) -> dict[str, object]:
    """A JSON object as it stands. Raises ValueError when the text is something else."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")
    return value


def utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a naive one: it designates no moment."""
    if instant.tzinfo is None:
        raise ValueError("naive datetime")
    return instant.astimezone(UTC)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return utc(value).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_key(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return [_plain(item) for item in value]
    return value  # json itself refuses what it does not know


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("the names of a JSON object are text")
    return name.value if isinstance(name, StrEnum) else name


def _built(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _built_optional(get_args(kind), plain)
    if origin is tuple:
        return _built_tuple(get_args(kind), plain)
    if origin is not None and issubclass(origin, Mapping):
        return {name: _built(get_args(kind)[1], item) for name, item in plain.items()}
    if kind is object:
        return plain
    if is_dataclass(kind):
        return _built_dataclass(kind, plain)
    if kind is datetime:
        return utc(datetime.fromisoformat(plain))
    if kind is date:
        return date.fromisoformat(plain)
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if issubclass(kind, StrEnum):
        return kind(plain)
    if type(plain) is not kind:
        raise TypeError(f"{kind.__name__} expected, {type(plain).__name__} found")
    return plain


def _built_optional(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and NoneType in kinds:
        return None
    (kind,) = (item for item in kinds if item is not NoneType)
    return _built(kind, plain)


def _built_tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_built(kinds[0], item) for item in plain)
    return tuple(_built(kind, item) for kind, item in zip(kinds, plain, strict=True))


def _built_dataclass(kind: Any, plain: Any) -> Any:
    hints = _hints(kind)
    given = {}
    for item in fields(kind):
        if item.name in plain:
            given[item.name] = _built(hints[item.name], plain[item.name])
        elif item.default is MISSING and item.default_factory is MISSING:
            raise KeyError(item.name)
    return kind(**given)


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
