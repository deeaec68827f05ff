"""The short road of `releve vault save|restore|verify`: 0.3 s of start-up less than by Typer and pydantic.

It knows the options of these three commands and nothing else: help, an unknown or abbreviated option, an
option twice, a missing argument, a vault named by the environment are left to Typer, which does or says
what it always did. `tests/unit/entrypoints/test_express.py` holds the two to the same options.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_KEY = {"--key": "key", "-k": "key"}
# command -> (most positional arguments, option -> name of its value, option -> name of its switch)
KNOWN: Mapping[str, tuple[int, Mapping[str, str], Mapping[str, str]]] = {
    "save": (1 << 20, {**_KEY, "--tag": "tag", "--exclude": "exclude"}, {"--json": "json"}),
    "restore": (
        2,
        {**_KEY, "--target": "target", "-t": "target", "--path": "path"},
        {"--json": "json", "--continue": "again"},
    ),
    "verify": (1, _KEY, {"--json": "json", "--quick": "quick"}),
}
_LISTS = frozenset({"tag", "exclude", "path"})
_LEAST = {"save": 2, "restore": 1, "verify": 1}


@dataclass(slots=True)
class _Line:
    """A command line, read."""

    words: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)


def understood(argv: Sequence[str]) -> Callable[[], int] | None:
    """The work of a command line, to be called for its exit code; None when it is one for Typer."""
    if len(argv) < 3 or argv[0] != "vault" or argv[1] not in KNOWN or os.environ.get("RELEVE_VAULT"):
        return None
    line = _read(argv[1], argv[2:])
    return None if line is None else lambda: _work(argv[1], line)


def _read(command: str, rest: Sequence[str]) -> _Line | None:
    most, options, switches = KNOWN[command]
    line = _Line()
    words = iter(rest)
    for word in words:
        if not word.startswith("-"):
            line.words.append(word)
        elif word in switches:
            line.switches.add(switches[word])
        elif word in options:
            value = next(words, "-")
            if value.startswith("-"):
                return None
            line.values.setdefault(options[word], []).append(value)
        else:
            return None
    alone = all(len(given) == 1 or name in _LISTS for name, given in line.values.items())
    return line if alone and _LEAST[command] <= len(line.words) <= most else None


def _work(command: str, line: _Line) -> int:
    from releve.entrypoints.cli import vault_work
    from releve.entrypoints.cli.telling import Answer, outcome
    from releve.entrypoints.cli.vault_session import DEFAULT_KEY

    def one(name: str, default: str) -> str:
        return line.values.get(name, [default])[0]

    key = one("key", os.environ.get("RELEVE_VAULT_KEY_AT") or DEFAULT_KEY)
    lists = {name: line.values.get(name, []) for name in _LISTS}
    where, *more = line.words

    def body() -> Answer:
        match command:
            case "save":
                return vault_work.save(where, key, more, lists["tag"], lists["exclude"])
            case "restore":
                name = more[0] if more else ""
                again = "again" in line.switches
                return vault_work.restore(where, key, name, one("target", ""), lists["path"], again=again)
            case _:
                return vault_work.verify(where, key, quick="quick" in line.switches)

    return outcome("json" in line.switches, body)
