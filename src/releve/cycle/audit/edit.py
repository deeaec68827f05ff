"""The plan's text with entries added: every other character stays, comments included. Pure.

The places come from the YAML reader (ruamel.yaml); the text itself is never written again by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from releve.cycle.audit.additions import Addition
from releve.domain.errors import BadInput

_PLAIN = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ0-9 ()/'_.-]*[A-Za-zÀ-ÿ0-9)]|[A-Za-z]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|[\r\n])|.+", re.DOTALL)  # as the reader counts them
_NULL = re.compile(r"(?:~|null|Null|NULL)?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def edited(text: str, wanted: Iterable[Addition], day: str) -> str:
    """`text` with the additions at the end of their sections; sections that are not there are added at the end.

    `day`: when it was seen, as the comments say it. Raises `BadInput` (plan-not-editable) where no place can be
    found without changing what is written.
    """
    sections: dict[str, list[Addition]] = {}
    for addition in wanted:
        sections.setdefault(addition.section, []).append(addition)
    for section, items in sections.items():
        text = _with(text, section, items, day)
    return text


def _with(text: str, section: str, items: Sequence[Addition], day: str) -> str:
    root, key, node = _section(text, section)
    lines = _LINE.findall(text)
    if key is None:
        if root.flow_style:
            raise BadInput(
                "plan-not-editable",
                f"le plan est écrit entre accolades et n'a pas de « {section} »",
                hint=f"ajoutez-y « {section}: [] » à la main, puis recommencez",
            )
        lead = root.start_mark.column
        added = ["\n", f"{' ' * lead}{section}:\n", *_block(items, lead + 2, day)]
        return _at(lines, _end(root, lines), added)
    if node.id == "scalar" and node.style is None and _NULL.fullmatch(node.value):
        before = text[: node.start_mark.index].rstrip(" \t")
        after = text[node.end_mark.index :]
        if root.flow_style:
            return f"{before} [{_entries(items)}]{after}"
        lines = _LINE.findall(before + after)
        return _at(lines, key.end_mark.line + 1, _block(items, key.start_mark.column + 2, day))
    if node.id != "sequence":
        raise BadInput(
            "plan-not-editable",
            f"« {section} » n'est pas une liste : rien ne peut y être ajouté",
            hint="corrigez-la (releve plan check), puis recommencez",
        )
    if node.flow_style:
        return _in_flow(text, node, items)
    at = _below(lines, _last_line(node) + 1, node.start_mark.column)
    return _at(lines, at, _block(items, node.start_mark.column, day))


def _at(lines: Sequence[str], at: int, added: Sequence[str]) -> str:
    """The text with lines added before line `at`, in the newline of the file."""
    newline = next(("\r\n" if line.endswith("\r\n") else "\n" for line in lines if line[-1] == "\n"), "\n")
    before = list(lines[:at])
    if before and before[-1][-1] not in "\r\n":
        before[-1] += newline
    return "".join([*before, *(line.replace("\n", newline) for line in added), *lines[at:]])


def _end(root: Any, lines: Sequence[str]) -> int:
    """The line where the plan ends: that of its "..." where it has one."""
    at = int(root.end_mark.line)
    return at if at < len(lines) and re.match(r"\.\.\.(\s|$)", lines[at]) else len(lines)


def _below(lines: Sequence[str], at: int, column: int) -> int:
    """The line after the comments that belong to the last entry: those further in than its dash."""
    here = at
    for number, line in enumerate(lines[at:], at + 1):
        told = line.strip()
        if told and not (told[0] == "#" and len(line) - len(line.lstrip()) > column):
            break
        if told:
            here = number
    return here


def _section(text: str, section: str) -> tuple[Any, Any, Any]:
    """The plan's node, those of a key and of its value; None where there is none."""
    from ruamel.yaml import YAML

    root: Any = YAML(typ="rt", pure=True).compose(StringIO(text))
    if root is None or root.id != "mapping":
        raise BadInput("plan-not-editable", "un plan est un bloc « clé: valeur »")
    return next(((root, key, value) for key, value in root.value if key.value == section), (root, None, None))


def _last_line(node: Any) -> int:
    """The last line (0-based) that holds something of a node; trailing comments are below it."""
    if node.id == "scalar" or node.flow_style or not node.value:
        first, last = int(node.start_mark.line), int(node.end_mark.line)
        return last if node.end_mark.column else max(first, last - 1)
    child = node.value[-1]
    if isinstance(child, tuple):
        key, value = child
        return max(_last_line(key), _last_line(value))
    return _last_line(child)


def _block(items: Sequence[Addition], indent: int, day: str) -> list[str]:
    lead = " " * indent
    lines = []
    for item in items:
        lines.append(f"{lead}# vu le {day} : {_one_line(item.why)}\n")
        mark = "# " if item.proposal else ""
        lines.append(f"{lead}{mark}- {_flow(item.entry)}\n")
    return lines


def _one_line(text: str) -> str:
    """What was seen may hold anything (the name of a program): in a comment it is one line, that can be printed."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _in_flow(text: str, node: Any, items: Sequence[Addition]) -> str:
    """After the last entry, wherever commas and comments stand. A proposal is a comment, and has no place in a line."""
    added = _entries(items)
    if not added:
        return text
    if not node.value:
        at = node.start_mark.index + 1
        return text[:at] + added + text[at:]
    at = node.value[-1].end_mark.index
    return f"{text[:at]}, {added}{text[at:]}"


def _entries(items: Sequence[Addition]) -> str:
    return ", ".join(_flow(item.entry) for item in items if not item.proposal)


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in quoted)
