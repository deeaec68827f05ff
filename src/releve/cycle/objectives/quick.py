"""The shape in which answers are written, read without a YAML parser. Pure.

Sixty establishments answer for forty applications: 2,400 answers, 200,000 YAML events, five seconds of
parsing. Nearly all of them stand as `written.py` wrote them: one key a line, a text in quotes or a few
levels in brackets behind it. Those lines are read here, to the very nodes and marks of `read_source`
(`test_quick` holds the two together); at the first line of any other shape the whole file goes to the
parser, which alone judges what is wrong.
"""

from __future__ import annotations

import re

from releve.cycle.plan.source import MAX_BYTES, MAX_NODES, Mapping, Mark, Node, Scalar, Sequence

_WORD = "[0-9A-Za-zàâçéèêëîïôùûü][0-9A-Za-zàâçéèêëîïôùûü'’.,_-]*"
_LINE = re.compile(
    r"(?P<lead> *)(?P<dash>- )?(?P<key>[A-Za-z_]{1,60}):"
    rf"(?:(?P<gap> +)(?:\"(?P<text>[^\"\\]*)\"|\[(?P<levels>[0-9](?:, [0-9])*)\]|(?P<plain>{_WORD}(?: {_WORD})*)))?"
)
_DEEP = 12  # containers inside one another; beyond, let the parser count them
_LONG = 10_000  # characters of a line


def quick_source(data: bytes) -> Mapping | None:
    """The nodes of a text of that shape; None when it has any other."""
    if len(data) > MAX_BYTES:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return _Lines().read(text)


class _Lines:
    """Builds the nodes line by line. `_open`: the containers that may still grow, each with its column."""

    def __init__(self) -> None:
        self._open: list[tuple[int, Mapping | Sequence]] = []
        self._root: Mapping | None = None
        self._waiting: tuple[Mapping, str] | None = None  # a key without its value yet
        self._nodes = 0

    def read(self, text: str) -> Mapping | None:
        for number, line in enumerate(text.split("\n"), start=1):
            if not line or line.startswith("#"):
                if not line.isprintable():
                    return None
                continue
            match = _LINE.fullmatch(line) if len(line) <= _LONG and line.isprintable() else None
            if match is None or not self._take(match, number):
                return None
        return None if self._waiting is not None or self._nodes > MAX_NODES // 2 else self._root

    def _take(self, match: re.Match[str], number: int) -> bool:
        column = len(match["lead"])
        if match["dash"]:
            found = self._at(column, Sequence(Mark(number, column + 1)))
            if not isinstance(found, Sequence):
                return False
            column += 2
            mapping = Mapping(Mark(number, column + 1))
            found.items.append(mapping)
            self._open.append((column, mapping))
        else:
            there = self._at(column, Mapping(Mark(number, column + 1)))
            if not isinstance(there, Mapping):
                return False
            mapping = there
        return len(self._open) <= _DEEP and self._entry(mapping, match, Mark(number, column + 1))

    def _at(self, column: int, fresh: Mapping | Sequence) -> Mapping | Sequence | None:
        """The container that stands at that column; `fresh` when a key waits for one; None when neither fits."""
        while self._open and self._open[-1][0] > column:
            self._open.pop()
        above = self._open[-1] if self._open else None
        if self._waiting is not None:
            mapping, key = self._waiting
            if above is None or above[1] is not mapping or above[0] >= column:
                return None
            mapping.entries[key] = fresh
            self._waiting = None
        elif above is not None:
            return above[1] if above[0] == column else None
        elif self._root is None and isinstance(fresh, Mapping):
            self._root = fresh
        else:
            return None
        self._open.append((column, fresh))
        self._nodes += 1
        return fresh

    def _entry(self, mapping: Mapping, match: re.Match[str], mark: Mark) -> bool:
        key = match["key"]
        if key in mapping.keys:
            return False
        mapping.keys[key] = mark
        self._nodes += 1
        if match["gap"] is None:
            self._waiting = (mapping, key)
            return True
        mapping.entries[key] = self._value(match, mark.line)
        return True

    def _value(self, match: re.Match[str], line: int) -> Node:
        begin = match.end("gap") + 1
        self._nodes += 1
        if match["text"] is not None:
            return Scalar(Mark(line, begin), match["text"], plain=False)
        if match["plain"] is not None:
            return Scalar(Mark(line, begin), match["plain"], plain=True)
        levels = match["levels"].split(", ")
        self._nodes += len(levels)
        items: list[Node] = [
            Scalar(Mark(line, begin + 1 + 3 * index), level, plain=True) for index, level in enumerate(levels)
        ]
        return Sequence(Mark(line, begin), items)
