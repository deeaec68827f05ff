"""Bytes -> located YAML nodes, safely: one pass over the parser's events, no recursion, early stop.

A plan may come from anybody, and is read in a crisis: what could make the reader slow, hungry or
surprising is refused before anything is built. Anchors and aliases (a 1 kB file can describe a
billion nodes), language tags (`!!python/...`), nesting without end, several documents, and keys
written twice (YAML would silently keep one) are faults with a place.

Numbers are read only where they are unmistakable: `0612345678` and `9.10` stay the text that was
written. `yes`, `no`, `on`, `off` are text too (YAML 1.2).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from releve.cycle.plan.yaml_faults import say_yaml_error
from releve.domain.errors import Fault

MAX_BYTES = 1_000_000  # a plan of 60 establishments takes about 100 kB
MAX_LINE = 100_000  # characters; the parser's time on one token grows with the square of its length
MAX_DEPTH = 24  # levels; the deepest place of the schema is at level 8
MAX_NODES = 40_000  # values and keys together; bounds time (about 1 s) and memory
MAX_FAULTS = 50  # beyond, the file is not a plan and the list helps nobody

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text, 1-based."""

    line: int
    column: int


@dataclass(slots=True)
class Scalar:
    """A text, with what a plain (unquoted) one stands for."""

    mark: Mark
    text: str
    plain: bool

    @property
    def value(self) -> str | int | bool | None:
        """The value: None, a boolean, an integer or the text itself."""
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _BOOLEANS:
            return _BOOLEANS[self.text]
        return int(self.text) if _INTEGER.fullmatch(self.text) else self.text


@dataclass(slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """A mapping; `keys` says where each key was written. The first of two equal keys is kept."""

    mark: Mark
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Source:
    """What the text holds. `root` is None when it could not be read to the end."""

    root: Node | None
    faults: tuple[Fault, ...]


@lru_cache(maxsize=8)
def read_source(data: bytes, name: str) -> Source:
    """The nodes of a YAML text and every fault of its form. Never raises for bad input.

    The same text again gives the same nodes, unread: a command judges a plan for more than one of its parts.
    Nobody changes a node.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    fault = _unsafe(data, name)
    if fault is not None:
        return Source(None, (fault,))
    return _Composer(name).compose(data.decode("utf-8"))


def _unsafe(data: bytes, name: str) -> Fault | None:
    """What can be refused without parsing."""
    if len(data) > MAX_BYTES:
        return Fault(
            name,
            0,
            0,
            "file-too-big",
            f"le fichier dépasse {MAX_BYTES // 10**6} Mo, un plan tient en quelques dizaines de ko",
            "vérifiez que c'est bien le plan, et non une sauvegarde ou un export",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        mark = _mark_of(before, len(before))
        return Fault(
            name,
            mark.line,
            mark.column,
            "not-utf8",
            f"le fichier n'est pas en UTF-8 (octet 0x{data[error.start]:02x})",
            "enregistrez-le en UTF-8 (dans l'éditeur : « Enregistrer avec l'encodage… »)",
        )
    if not text.strip():
        return Fault(
            name, 0, 0, "file-empty", "le fichier est vide", "releve init écrit un premier plan commenté"
        )
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        mark = _mark_of(text, bad.start())
        return Fault(
            name,
            mark.line,
            mark.column,
            "control-character",
            f"caractère interdit U+{ord(bad[0]):04X} (caractère de contrôle)",
            "supprimez-le ; un plan est un texte simple",
        )
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            return Fault(
                name,
                number,
                1,
                "line-too-long",
                f"la ligne compte {len(line)} caractères, le maximum est {MAX_LINE}",
                "vérifiez que c'est bien un plan, écrit pour être lu",
            )
    return None


def _mark_of(text: str, index: int) -> Mark:
    start = text.rfind("\n", 0, index) + 1
    return Mark(text.count("\n", 0, index) + 1, index - start + 1)


@dataclass(slots=True)
class _Frame:
    """An open list or mapping; `key` waits for its value, `keep` is False for a key written twice."""

    node: Sequence | Mapping
    key: str | None = None
    keep: bool = True


class _Composer:
    """Builds the nodes from the events, with its own stack: depth costs no Python frame."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._faults: list[Fault] = []
        self._stack: list[_Frame] = []
        self._root: Node | None = None
        self._mark = Mark(1, 1)
        self._stop = False

    def compose(self, text: str) -> Source:
        count = 0
        try:
            for event in _events(text):
                count += 1
                self._mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
                if count > MAX_NODES:
                    self._fatal(
                        "too-many-nodes",
                        f"le fichier compte plus de {MAX_NODES} éléments",
                        "vérifiez que c'est bien un plan",
                    )
                self._take(event)
                if self._stop or len(self._faults) >= MAX_FAULTS:
                    return Source(None, tuple(self._faults))
        except _PARSER_FAILURES as error:
            self._faults.append(say_yaml_error(error, self._name, self._mark.line, self._mark.column))
            return Source(None, tuple(self._faults))
        if self._root is None:
            fault = Fault(
                self._name,
                0,
                0,
                "file-empty",
                "le fichier ne contient que des commentaires",
                "releve init écrit un premier plan commenté",
            )
            return Source(None, (*self._faults, fault))
        return Source(self._root, tuple(self._faults))

    def _fault(self, code: str, sentence: str, hint: str) -> None:
        self._faults.append(Fault(self._name, self._mark.line, self._mark.column, code, sentence, hint))

    def _fatal(self, code: str, sentence: str, hint: str) -> None:
        if not self._stop:
            self._fault(code, sentence, hint)
        self._stop = True

    def _take(self, event: Any) -> None:
        match type(event).__name__:
            case "DocumentStartEvent" if self._root is not None:
                self._fatal(
                    "several-documents",
                    "le fichier contient plusieurs documents (« --- »)",
                    "gardez un seul document : un plan par fichier",
                )
            case "AliasEvent":
                self._no_anchor(f"*{event.anchor}")
            case "ScalarEvent":
                self._refuse(event)
                plain = event.style is None or event.style == ""
                self._place(Scalar(self._mark, event.value, plain), opens=False)
            case "SequenceStartEvent":
                self._refuse(event)
                self._place(Sequence(self._mark), opens=True)
            case "MappingStartEvent":
                self._refuse(event)
                self._place(Mapping(self._mark), opens=True)
            case "SequenceEndEvent" | "MappingEndEvent":
                self._stack.pop()
            case _:
                pass  # beginning and end of the stream or of the document

    def _no_anchor(self, written: str) -> None:
        self._fatal(
            "alias-refused",
            f"les ancres et les renvois YAML (« {written[:40]} ») ne sont pas acceptés",
            "écrivez la valeur en toutes lettres : on doit pouvoir lire le plan en pleine crise",
        )

    def _refuse(self, event: Any) -> None:
        if event.anchor is not None:
            self._no_anchor(f"&{event.anchor}")
        if event.tag is not None:
            self._fault(
                "tag-refused",
                f"les étiquettes de type YAML (« {_short_tag(str(event.tag))} ») ne sont pas acceptées",
                "supprimez l'étiquette ; le type de chaque valeur est connu",
            )

    def _place(self, node: Node, *, opens: bool) -> None:
        """Attach `node` where it stands: as the root, an item, a key or the value of a key."""
        frame = self._stack[-1] if self._stack else None
        if frame is None:
            self._root = node
        elif isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            self._key(frame, node)
        else:
            if frame.keep:
                frame.node.entries[frame.key] = node
            frame.key = None
        if not opens or isinstance(node, Scalar):
            return
        self._stack.append(_Frame(node))
        if len(self._stack) > MAX_DEPTH:
            self._fatal(
                "too-deep",
                f"plus de {MAX_DEPTH} niveaux imbriqués",
                "vérifiez l'indentation et les crochets ; un plan n'a pas plus de 8 niveaux",
            )

    def _key(self, frame: _Frame, node: Node) -> None:
        if not isinstance(node, Scalar) or not isinstance(frame.node, Mapping):
            self._fatal(
                "key-not-text",
                "une clé doit être un mot",
                "si c'est un texte qui commence par « { » ou « [ », mettez-le entre guillemets",
            )
            return
        frame.key = node.text
        first = frame.node.keys.get(node.text)
        frame.keep = first is None
        if first is None:
            frame.node.keys[node.text] = node.mark
            return
        self._fault(
            "duplicate-key",
            f"la clé « {node.text[:60]} » est écrite deux fois : ligne {first.line}, colonne {first.column},"
            f" puis ligne {node.mark.line}, colonne {node.mark.column}",
            "gardez une seule des deux",
        )


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:40]


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    # The pure parser: the same on every machine, and it never builds an object.
    yield from YAML(typ="safe", pure=True).parse(text)


def _parser_failures() -> tuple[type[Exception], ...]:
    from ruamel.yaml.error import YAMLError

    # Besides its own errors the parser lets these escape on hostile texts (an escape beyond
    # U+10FFFF, a version number of a thousand digits…): the text is wrong, not the program.
    return (YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError)


_PARSER_FAILURES = _parser_failures()


def find(root: Node, path: Path) -> Node | None:
    """The node at `path`, or None when there is none."""
    node: Node | None = root
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.entries.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def mark_of(root: Node, path: Path, *, key: bool = False) -> Mark:
    """Where `path` was written (its key when `key`); the nearest thing above it when it is absent."""
    node: Node = root
    mark = root.mark
    for depth, step in enumerate(path):
        below = find(node, (step,))
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.keys:
            last = depth == len(path) - 1
            if below is None or (last and key):
                return node.keys[step]
        if below is None:
            return mark
        node, mark = below, below.mark
    return mark


def plain(node: Node) -> Any:
    """The node as Python values. A key left without a value counts as not written."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key: plain(item) for key, item in node.entries.items() if not is_null(item)}


def is_null(node: Node | None) -> bool:
    """Whether the node is an empty value (`key:` with nothing behind)."""
    return isinstance(node, Scalar) and node.value is None


def scalars(root: Node) -> Iterator[tuple[Path, Scalar]]:
    """Every text of the tree with its path, in file order."""
    pending: list[tuple[Path, Node]] = [((), root)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, Scalar):
            yield path, node
        elif isinstance(node, Sequence):
            pending.extend([((*path, index), item) for index, item in enumerate(node.items)][::-1])
        else:
            pending.extend([((*path, key), item) for key, item in node.entries.items()][::-1])
