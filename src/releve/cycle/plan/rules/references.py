"""Who names whom: identifiers, references, dependency cycles.

Read from what was written and not from the blocks: a block with a fault elsewhere still has its
name, and the references to it are right. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from releve.cycle.plan.fields import quote
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Mapping, Path, Scalar, Sequence, find, is_null
from releve.domain.names import among, did_you_mean

# section, path below the item ("*" = each item of a list), section that is named
_REFERENCES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("hosts", ("site",), "sites"),
    ("data_sets", ("primary", "host"), "hosts"),
    ("data_sets", ("relief", "host"), "hosts"),
    ("data_sets", ("vault",), "vaults"),
    ("applications", ("owner",), "contacts"),
    ("applications", ("needs", "*"), "applications"),
    ("applications", ("data", "*"), "data_sets"),
    ("applications", ("tolerance", "calendar"), "calendars"),
    ("applications", ("commitment", "calendar"), "calendars"),
    ("applications", ("primary", "host"), "hosts"),
    ("applications", ("relief", "host"), "hosts"),
    ("approvals", ("who", "*"), "contacts"),
    ("networks", ("site",), "sites"),
    ("links", ("site",), "sites"),
    ("equipment", ("site",), "sites"),
    ("equipment", ("ups",), "equipment"),
    ("hosts", ("ups",), "equipment"),
    ("sockets", ("site",), "sites"),
    ("suppliers", ("applications", "*"), "applications"),
    ("holdings", ("host",), "hosts"),
)
_OF = {
    "sites": "site",
    "hosts": "machine",
    "contacts": "contact",
    "applications": "application",
    "data_sets": "jeu de données",
    "calendars": "calendrier",
    "vaults": "coffre",
    "networks": "réseau",
    "links": "lien",
    "equipment": "équipement",
    "suppliers": "fournisseur",
    "holdings": "données repérées",
}


def references(root: Mapping) -> Iterator[Finding]:
    """Duplicate identifiers, names of nothing, cycles of needs."""
    names = {section: _names(root, section) for section in _OF}
    for section in _OF:
        yield from _duplicates(root, section)
    for section, below, named in _REFERENCES:
        for path, word in _words(root, section, below):
            known = names[named]
            if known is not None and word not in known:
                yield _dangling(path, word, named, known)
        if below[-1] == "*":
            yield from _twice(root, section, below)
    yield from _cycles(root)


def _items(root: Mapping, section: str) -> Iterator[Path]:
    node = root.entries.get(section)
    if isinstance(node, Sequence):
        yield from ((section, index) for index in range(len(node.items)))
    elif isinstance(node, Mapping):
        yield from ((section, key) for key in node.entries)


def _id(root: Mapping, path: Path) -> str | None:
    node = find(root, (*path, "id"))
    return node.text.strip() if isinstance(node, Scalar) and node.text.strip() else None


def _names(root: Mapping, section: str) -> set[str] | None:
    """Every identifier of a section; None when one cannot be read: then nothing is "unknown"."""
    node = root.entries.get(section)
    if node is not None and not isinstance(node, Sequence) and not is_null(node):
        return None
    found = [_id(root, path) for path in _items(root, section)]
    return None if None in found else {name for name in found if name is not None}


def _words(root: Mapping, section: str, below: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for item in _items(root, section):
        steps = below[:-1] if below[-1] == "*" else below
        node = find(root, (*item, *steps))
        nodes = list(enumerate(node.items)) if isinstance(node, Sequence) else []
        if below[-1] != "*" and isinstance(node, Scalar) and node.value is not None and node.text.strip():
            yield (*item, *steps), node.text.strip()
        for index, word in nodes:
            if isinstance(word, Scalar) and word.value is not None:
                yield (*item, *steps, index), word.text.strip()


def _duplicates(root: Mapping, section: str) -> Iterator[Finding]:
    first: dict[str, Path] = {}
    for path in _items(root, section):
        name = _id(root, path)
        if name is None:
            continue
        if name in first:
            before = find(root, (*first[name], "id"))
            line = before.mark.line if before is not None else 0
            yield Finding(
                (*path, "id"),
                "duplicate-id",
                f"deux fois « {quote(name)} » dans {section} : déjà écrit ligne {line}",
                "chaque identifiant est unique dans sa liste",
            )
        first.setdefault(name, path)


def _dangling(path: Path, word: str, named: str, known: set[str]) -> Finding:
    near = did_you_mean(word, known)
    what = _OF[named]
    unknown = "inconnue" if what in {"machine", "application"} else "inconnu"
    hint = f"vouliez-vous dire « {near} » ?" if near else among(known) or f"déclarez-le dans « {named} »"
    return Finding(path, "unknown-reference", f"{what} {unknown} : « {quote(word)} »", hint)


def _twice(root: Mapping, section: str, below: tuple[str, ...]) -> Iterator[Finding]:
    seen: set[tuple[Path, str]] = set()
    for path, word in _words(root, section, below):
        if (path[:-1], word) in seen:
            yield Finding(
                path,
                "duplicate-reference",
                f"« {quote(word)} » est nommé deux fois dans la même liste",
                "gardez-en un",
            )
        seen.add((path[:-1], word))


def _cycles(root: Mapping) -> Iterator[Finding]:
    """One finding a cycle found, as a path "a → b → a", at the need that closes it.

    Depth-first with its own stack: a chain of thousands of needs costs no Python frame. Each need
    is walked once, so that a knot of many cycles shows some of them and never all combinations.
    """
    needs: dict[str, list[tuple[str, Path]]] = {}
    for item in _items(root, "applications"):
        name = _id(root, item)
        if name is not None:
            needs.setdefault(name, [])
    for path, word in _words(root, "applications", ("needs", "*")):
        name = _id(root, path[:2])
        if name in needs and word in needs:
            needs[name].append((word, path))
    done: set[str] = set()
    for start, wanted in needs.items():
        if start in done:
            continue
        trail = [start]
        iterators = [iter(wanted)]
        on_trail = {start}
        while iterators:
            step = next(iterators[-1], None)
            if step is None:
                iterators.pop()
                done.add(trail[-1])
                on_trail.discard(trail.pop())
                continue
            word, path = step
            if word in on_trail:
                loop = [*trail[trail.index(word) :], word]
                yield Finding(
                    path,
                    "cycle",
                    f"ces applications ont besoin l'une de l'autre en rond : {_arrows(loop)}",
                    "retirez un de ces besoins : l'une doit pouvoir redémarrer la première",
                )
            elif word not in done:
                trail.append(word)
                on_trail.add(word)
                iterators.append(iter(needs[word]))


def _arrows(loop: list[str]) -> str:
    shown = loop if len(loop) <= 12 else [*loop[:6], "…", *loop[-5:]]
    return " → ".join(quote(name) for name in shown)
