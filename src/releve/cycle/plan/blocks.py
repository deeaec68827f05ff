"""One located mapping -> one block of a schema, and what is wrong with that block by itself. Pure.

Every file that a person writes for us (the plan, the objectives) is read with these: each fault has a
code, a French sentence and the path where it stands.
"""

from __future__ import annotations

import re
import typing
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from releve.cycle.plan.fields import quote
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Mapping, Node, Path, Scalar, Sequence, find, is_null, plain
from releve.domain.names import among, did_you_mean

T = TypeVar("T")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FRENCH_DAY = re.compile(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{4})")
_CUT_NUMBER = re.compile(r"\d+(?: ?[a-zé]+)?", re.IGNORECASE)  # what follows a comma: "5", "5 Go"

# What people write from habit or from the trade's French, and how it is written here.
_ALIASES = {
    "dmia": "rto",
    "pdma": "rpo",
    "nom": "name",
    "besoin": "tolerance",
    "need": "tolerance",
    "depends_on": "needs",
    "depend": "needs",
    "third_party": "hosted_by",
    "calendrier": "calendar",
    "responsable": "owner",
    "ip": "address",
    "adresse": "address",
    "telephone": "phone",
    "mail": "email",
    "courriel": "email",
    "hostname": "address",
    "fermetures": "closed",
    "closures": "closed",
    "du": "from",
    "au": "to",
    "first": "from",
    "last": "to",
}
_TYPES_FR = {
    "string_type": "un texte",
    "int_type": "un nombre entier",
    "int_parsing": "un nombre entier",
    "int_from_float": "un nombre entier",
    "bool_type": "true ou false",
    "bool_parsing": "true ou false",
    "list_type": "une liste",
    "model_type": "un bloc « clé: valeur »",
    "model_attributes_type": "un bloc « clé: valeur »",
    "dict_type": "un bloc « clé: valeur »",
}
_PATTERNS = {
    "url": ("une adresse http://…, https://… ou tcp://hôte:port", ""),
    "path": ("un chemin qui commence par « / »", ""),
    "currency": (
        "un code de monnaie : trois lettres majuscules",
        "écrivez EUR pour l'euro, CHF pour le franc suisse",
    ),
    "finess": ("un numéro FINESS de 9 caractères, ou rien", "celui de l'entité juridique (EJ)"),
}


class Block(BaseModel):
    """A mapping that a person writes; `TITLE` names it in the sentences that a person reads.

    Numbers are read as text where text is expected (`version: 15`).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, str_strip_whitespace=True
    )
    TITLE: ClassVar[str] = "ce bloc"


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A block and where it stands."""

    item: T
    path: Path


B = TypeVar("B", bound=Block)


def block(root: Node, path: Path, model: type[B]) -> tuple[B | None, list[Finding]]:
    """One block: the model if it can be had, and its findings."""
    node = find(root, path)
    values = plain(node) if node is not None else None
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    findings = _findings(details, path, model, node)
    if any(detail["type"] != "extra_forbidden" for detail in details):
        return None, findings
    for detail in details:
        _drop(values, detail["loc"])
    try:
        return model.model_validate(values), findings
    except ValidationError as error:
        return None, findings + _findings(error.errors(include_url=False), path, model, node)


def _drop(values: Any, loc: Path) -> None:
    for step in loc[:-1]:
        values = values[step]
    del values[loc[-1]]


def _findings(
    details: list[ErrorDetails], path: Path, model: type[Block], node: Node | None
) -> list[Finding]:
    findings: list[Finding] = []
    suggested: set[Path] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            finding, near = _misspelt(detail, path, model)
            findings.append(finding)
            suggested.add((*detail["loc"][:-1], near))
    # A misspelt required key is one mistake, not an unknown key and a missing one.
    others = [d for d in details if d["type"] != "extra_forbidden" and d["loc"] not in suggested]
    findings.extend(_finding(detail, path, model, node) for detail in others)
    return findings


def _misspelt(detail: ErrorDetails, path: Path, model: type[Block]) -> tuple[Finding, str]:
    loc = detail["loc"]
    found = _model_at(model, loc[:-1])
    known = [field.alias or name for name, field in found.model_fields.items()]
    key = str(loc[-1])
    near = _ALIASES.get(key.lower(), "")
    near = near if near in known else did_you_mean(key, known)
    return unknown_key((*path, *loc), key, near, found.TITLE, known), near


def unknown_key(path: Path, key: str, near: str, title: str, known: typing.Iterable[str]) -> Finding:
    """A key that does not exist at `path`, with the one that was meant (`near`) or those that exist."""
    hint = f"vouliez-vous dire « {near} » ?" if near else "clés connues : " + ", ".join(known)
    return Finding(path, "unknown-key", f"clé inconnue « {quote(key)} » dans {title}", hint, key=True)


def missing_key(path: Path, key: str, title: str, *, empty: bool) -> Finding:
    """A key that must be there; `empty`: it is, without a value."""
    sentence = f"la clé « {key} » est vide dans {title}" if empty else f"il manque « {key} » dans {title}"
    return Finding(path, "missing-key", sentence, f"ajoutez « {key}: … »", key=empty)


def _finding(detail: ErrorDetails, path: Path, model: type[Block], node: Node | None) -> Finding:
    loc = detail["loc"]
    place = (*path, *loc)
    kind = detail["type"]
    ctx = detail.get("ctx", {})
    if ctx.get("ours"):
        return Finding(place, kind, ctx["sentence"], ctx["hint"])
    key = next((str(step) for step in reversed(loc) if isinstance(step, str)), str(path[0]))
    if kind == "missing":
        here = find(node, loc[:-1]) if node is not None else None
        empty = isinstance(here, Mapping) and key in here.entries
        return missing_key(place, key, _model_at(model, loc[:-1]).TITLE, empty=empty)
    if kind.startswith("date_"):
        return Finding(place, "wrong-type", *_no_date(key, detail["input"]))
    if kind in _TYPES_FR:
        sentence = f"« {key} » : {_TYPES_FR[kind]} est attendu" + ("e" if "une " in _TYPES_FR[kind] else "")
        return Finding(
            place,
            "wrong-type",
            sentence.replace("true ou false est attendu", "true ou false attendu"),
            _type_hint(kind, detail["input"]),
        )
    if kind in {"enum", "literal_error"}:
        return _not_in_list(detail, place, key)
    return Finding(place, "wrong-value", *_value(kind, key, ctx, detail["input"]))


def _no_date(key: str, given: Any) -> tuple[str, str]:
    """What is wrong with a date: its day does not exist, or it is written another way."""
    usual = "une date s'écrit 2027-12-31"
    if not isinstance(given, str):
        return f"« {key} » : une date est attendue", usual
    said = quote(given)
    if _ISO_DAY.fullmatch(given.strip()):
        return f"« {key} » : le jour {said} n'existe pas", "vérifiez le jour et le mois : année-mois-jour"
    french = _FRENCH_DAY.fullmatch(given.strip())
    if french is not None:
        day, month, year = (int(part) for part in french.groups())
        with suppress(ValueError):  # the day may not exist either
            usual = f"écrivez {date(year, month, day).isoformat()}"
    return f"« {key} » : une date est attendue, pas « {said} »", usual


def _type_hint(kind: str, given: Any) -> str:
    if kind == "list_type":
        return "écrivez [a, b], ou un tiret par ligne"
    if kind == "string_type" and isinstance(given, bool):
        return "mettez le mot entre guillemets si c'est un texte"
    return ""


def _not_in_list(detail: ErrorDetails, place: Path, key: str) -> Finding:
    words = [word.strip("'\" ") for word in str(detail["ctx"]["expected"]).replace(" or ", ",").split(",")]
    near = did_you_mean(str(detail["input"]), words)
    hint = f"vouliez-vous dire « {near} » ? " if near else ""
    return Finding(
        place, "wrong-value", f"« {key} » : valeur inconnue « {quote(detail['input'])} »", hint + among(words)
    )


def _value(kind: str, key: str, ctx: dict[str, Any], given: Any) -> tuple[str, str]:
    said = quote(given)
    match kind:
        case "greater_than_equal":
            return f"« {key} » : {said} est trop petit, le minimum est {ctx['ge']}", ""
        case "less_than_equal":
            return f"« {key} » : {said} est trop grand, le maximum est {ctx['le']}", ""
        case "string_too_short":
            return f"« {key} » est vide", "écrivez une valeur"
        case "string_too_long":
            return f"« {key} » est trop long (plus de {ctx['max_length']} caractères)", ""
        case "string_pattern_mismatch":
            if key not in _PATTERNS:
                return f"« {key} » : « {said} » n'a pas la forme attendue", f"elle est : {ctx['pattern']}"
            what, hint = _PATTERNS[key]
            return f"« {key} » : « {said} » n'est pas {what}", hint
        case _:
            return f"« {key} » : valeur incorrecte « {said} »", ""


def _model_at(model: type[Block], loc: Path) -> type[Block]:
    """The model of the block at `loc` below `model`."""
    current = model
    for step in loc:
        if isinstance(step, str) and step in current.model_fields:
            current = _inner(current.model_fields[step].annotation) or current
    return current


def _inner(annotation: Any) -> type[Block] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return typing.cast("type[Block]", annotation)
    for argument in typing.get_args(annotation):
        found = _inner(argument)
        if found is not None:
            return found
    return None


def sections(
    root: Mapping, title: str, known: typing.Sequence[str], required: typing.Sequence[str]
) -> typing.Iterator[Finding]:
    """What is wrong with the keys at the top of a file: unknown ones, and those that must be there."""
    suggested = set()
    for key in root.entries:
        if key not in known:
            near = did_you_mean(key, known)
            suggested.add(near)
            yield unknown_key((key,), key, near, title, known)
    for key in required:
        if key not in suggested and is_null(root.entries.get(key, Scalar(root.mark, "", plain=True))):
            yield missing_key((key,), key, title, empty=key in root.entries)


def version(root: Mapping, wanted: int) -> list[Finding]:
    """A file of another version is not guessed at."""
    node = root.entries.get("version")
    if node is None or is_null(node) or plain(node) == wanted:
        return []
    said = quote(plain(node)) if isinstance(node, Scalar) else "…"
    return [
        Finding(
            ("version",),
            "version-unknown",
            f"version inconnue : « {said} »",
            f"cette version de Relève lit « version: {wanted} »",
        )
    ]


def listed(
    root: Mapping, section: str, model: typing.Callable[[Path], type[B]]
) -> tuple[list[Placed[B]], list[Finding]]:
    """The blocks of a list, each judged alone by the model of its path, and the findings."""
    node = root.entries.get(section)
    if node is None or is_null(node):
        return [], []
    if not isinstance(node, Sequence):
        return [], [
            Finding(
                (section,),
                "wrong-type",
                f"« {section} » : une liste est attendue",
                "chaque élément commence par un tiret : « - id: … »",
            )
        ]
    items: list[Placed[B]] = []
    findings: list[Finding] = []
    for index in range(len(node.items)):
        path = (section, index)
        item, found = block(root, path, model(path))
        findings += found
        if item is not None:
            items.append(Placed(item, path))
    return items, findings


def decimal_commas(root: Node) -> typing.Iterator[Finding]:
    """Numbers cut in two: between braces and brackets, YAML reads "0,3" as 0, then a key "3" without a value."""
    pending: list[tuple[Path, Node]] = [((), root)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, Sequence):
            pending += [((*path, index), item) for index, item in enumerate(node.items)]
        elif isinstance(node, Mapping):
            before = ""
            for key, item in node.entries.items():
                if _CUT_NUMBER.fullmatch(key) and is_null(item):
                    yield Finding(
                        (*path, key),
                        "decimal-comma",
                        f"entre accolades, la virgule sépare : « {before},{quote(key)} » se lit en deux morceaux",
                        f'écrivez {before}.{quote(key)}, ou "{before},{quote(key)}" entre guillemets',
                        key=True,
                    )
                before = quote(item.text) if isinstance(item, Scalar) else ""
                pending.append(((*path, key), item))
