"""Located nodes -> blocks of the schema, and what is wrong with each block by itself. Pure.

Every block is judged alone, so that one wrong block hides nothing of the others. A block with only
unknown keys is still handed on; one with a wrong value is left out of the draft, and the rules stay
silent about what they cannot see: one mistake, one fault.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from releve.cycle.plan.fields import quote
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.schema import (
    ENGINES,
    LISTS,
    REQUIRED,
    SECTIONS,
    ApplicationBlock,
    ApprovalBlock,
    AssociationBlock,
    Block,
    CalendarBlock,
    ContactBlock,
    DataSetBlock,
    HostBlock,
    ShareBlock,
    SiteBlock,
    VaultBlock,
)
from releve.cycle.plan.source import Mapping, Node, Path, Scalar, Sequence, find, is_null, plain
from releve.domain.names import among, did_you_mean

T = TypeVar("T")

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
    "date_type": "une date",
    "date_parsing": "une date",
    "date_from_datetime_parsing": "une date",
    "date_from_datetime_inexact": "une date",
}
_PATTERNS = {
    "url": ("une adresse http://…, https://… ou tcp://hôte:port", ""),
    "path": ("un chemin qui commence par « / »", ""),
    "finess": ("un numéro FINESS de 9 caractères, ou rien", "celui de l'entité juridique (EJ)"),
}


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A block and where it stands."""

    item: T
    path: Path


@dataclass(slots=True)
class Draft:
    """The blocks that could be read. `root` keeps everything that was written."""

    root: Mapping
    association: AssociationBlock | None = None
    calendars: list[Placed[CalendarBlock]] = field(default_factory=list)
    sites: list[Placed[SiteBlock]] = field(default_factory=list)
    hosts: list[Placed[HostBlock]] = field(default_factory=list)
    contacts: list[Placed[ContactBlock]] = field(default_factory=list)
    vaults: list[Placed[VaultBlock]] = field(default_factory=list)
    data_sets: list[Placed[DataSetBlock | ShareBlock]] = field(default_factory=list)
    applications: list[Placed[ApplicationBlock]] = field(default_factory=list)
    approvals: dict[str, Placed[ApprovalBlock]] = field(default_factory=dict)

    def whole(self, section: str) -> bool:
        """Whether every block of a list could be read: only then may a rule say "there is none"."""
        node = self.root.entries.get(section)
        written = len(node.items) if isinstance(node, Sequence) else 0
        return (node is None or isinstance(node, Sequence)) and len(getattr(self, section)) == written


def shape(root: Node) -> tuple[Draft, list[Finding]]:
    """The draft and the findings. A `root` that is not a mapping gives an empty draft."""
    if not isinstance(root, Mapping):
        finding = Finding(
            (),
            "wrong-type",
            "un plan est un bloc « clé: valeur »",
            "releve init écrit un premier plan commenté",
        )
        return Draft(Mapping(root.mark)), [finding]
    draft = Draft(root)
    findings = list(_sections(root))
    findings += _version(root)
    if "association" in root.entries:
        draft.association, found = _block(root, ("association",), AssociationBlock)
        findings += found
    for section, model in LISTS.items():
        findings += _list(draft, section, model)
    findings += _approvals(draft)
    return draft, findings


def _sections(root: Mapping) -> typing.Iterator[Finding]:
    suggested = set()
    for key in root.entries:
        if key not in SECTIONS:
            near = did_you_mean(key, SECTIONS)
            suggested.add(near)
            yield _unknown((key,), key, near, "le plan", SECTIONS)
    for key in REQUIRED:
        if key not in suggested and is_null(root.entries.get(key, Scalar(root.mark, "", plain=True))):
            yield _missing((key,), key, "le plan", empty=key in root.entries)


def _version(root: Mapping) -> list[Finding]:
    node = root.entries.get("version")
    if node is None or is_null(node) or plain(node) == 1:
        return []
    said = quote(plain(node)) if isinstance(node, Scalar) else "…"
    return [
        Finding(
            ("version",),
            "version-unknown",
            f"version de plan inconnue : « {said} »",
            "cette version de Relève lit « version: 1 »",
        )
    ]


def _list(draft: Draft, section: str, model: type[Block]) -> list[Finding]:
    node = draft.root.entries.get(section)
    if node is None or is_null(node):
        return []
    if not isinstance(node, Sequence):
        return [
            Finding(
                (section,),
                "wrong-type",
                f"« {section} » : une liste est attendue",
                "chaque élément commence par un tiret : « - id: … »",
            )
        ]
    findings: list[Finding] = []
    target: list[Any] = getattr(draft, section)
    for index in range(len(node.items)):
        path = (section, index)
        item, found = _block(draft.root, path, _model(draft.root, path) if section == "data_sets" else model)
        findings += found
        if item is not None:
            target.append(Placed(item, path))
    return findings


def _model(root: Node, path: Path) -> type[Block]:
    """What a data set is judged by: its engine says how it is written."""
    engine = find(root, (*path, "engine"))
    return ENGINES.get(engine.text.strip() if isinstance(engine, Scalar) else "", DataSetBlock)


def _approvals(draft: Draft) -> list[Finding]:
    node = draft.root.entries.get("approvals")
    if node is None or is_null(node):
        return []
    if not isinstance(node, Mapping):
        return [
            Finding(("approvals",), "wrong-type", "« approvals » : un bloc « question: {…} » est attendu", "")
        ]
    findings: list[Finding] = []
    for question in node.entries:
        item, found = _block(draft.root, ("approvals", question), ApprovalBlock)
        findings += found
        if item is not None:
            draft.approvals[question] = Placed(item, ("approvals", question))
    return findings


B = TypeVar("B", bound=Block)


def _block(root: Node, path: Path, model: type[B]) -> tuple[B | None, list[Finding]]:
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
            finding, near = _unknown_key(detail, path, model)
            findings.append(finding)
            suggested.add((*detail["loc"][:-1], near))
    # A misspelt required key is one mistake, not an unknown key and a missing one.
    others = [d for d in details if d["type"] != "extra_forbidden" and d["loc"] not in suggested]
    findings.extend(_finding(detail, path, model, node) for detail in others)
    return findings


def _unknown_key(detail: ErrorDetails, path: Path, model: type[Block]) -> tuple[Finding, str]:
    loc = detail["loc"]
    block = _model_at(model, loc[:-1])
    known = [field.alias or name for name, field in block.model_fields.items()]
    key = str(loc[-1])
    near = _ALIASES.get(key.lower(), "")
    near = near if near in known else did_you_mean(key, known)
    return _unknown((*path, *loc), key, near, block.TITLE, known), near


def _unknown(path: Path, key: str, near: str, title: str, known: typing.Iterable[str]) -> Finding:
    hint = f"vouliez-vous dire « {near} » ?" if near else "clés connues : " + ", ".join(known)
    return Finding(path, "unknown-key", f"clé inconnue « {quote(key)} » dans {title}", hint, key=True)


def _missing(path: Path, key: str, title: str, *, empty: bool) -> Finding:
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
        return _missing(place, key, _model_at(model, loc[:-1]).TITLE, empty=empty)
    if kind in _TYPES_FR:
        sentence = f"« {key} » : {_TYPES_FR[kind]} est attendu" + ("e" if "une " in _TYPES_FR[kind] else "")
        hint = "une date s'écrit 2027-12-31" if kind.startswith("date") else _type_hint(kind, detail["input"])
        return Finding(
            place, "wrong-type", sentence.replace("true ou false est attendu", "true ou false attendu"), hint
        )
    if kind in {"enum", "literal_error"}:
        return _not_in_list(detail, place, key)
    return Finding(place, "wrong-value", *_value(kind, key, ctx, detail["input"]))


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
            what, hint = _PATTERNS.get(key, ("une autre forme", ""))
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
