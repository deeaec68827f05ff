"""`releve audit import`: what was found and is not in the plan, proposed as an edit of its file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from releve.adapters.notes import beside, replace
from releve.domain.errors import BadInput, Refused, Unreachable
from releve.domain.names import among
from releve.domain.os_errors import reason
from releve.domain.units import say_count
from releve.entrypoints.cli.audit_places import Page
from releve.entrypoints.cli.telling import Answer

if TYPE_CHECKING:
    from releve.cycle.audit.additions import Addition

SECTIONS = ("equipment", "suppliers", "holdings", "flows", "applications")
KEPT = ".avant-audit"  # end of the name under which the plan stays as it was


def proposed(found: Page, only: Sequence[str], *, write: bool) -> Answer:
    """The difference, or with `write` the plan edited; the plan as it was is kept beside it.

    Raises `BadInput` where the text cannot be edited, `Refused` when it changed meanwhile or would not be read.
    """
    from releve.cycle.audit.additions import additions
    from releve.cycle.audit.edit import edited

    for section in only:
        if section not in SECTIONS:
            raise BadInput("section-unknown", f"rubrique inconnue : « {section} »", hint=among(SECTIONS))
    estate = found.estate
    wanted = [item for item in additions(estate) if not only or item.section in only]
    path = Path(estate.plan.source)
    before = _read(path)
    day = f"{estate.audit.started.astimezone(ZoneInfo(estate.plan.timezone)):%d/%m/%Y}"
    after = edited(before, wanted, day)
    value: dict[str, object] = {
        "plan": str(path),
        "audit": estate.audit.id,
        "additions": [_value(item) for item in wanted],
        "written": False,
    }
    if not wanted or after == before:
        return Answer(value, "rien à ajouter : tout ce qui a été vu est dans le plan")
    _must_read(after, estate.plan.source, parts=not only)
    diff = "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), str(path), f"{path} (proposé)", lineterm=""
        )
    )
    if not write:
        counted = say_count(len(wanted), "ajout proposé", "ajouts proposés")
        them = "l'" if len(wanted) == 1 else "les "
        return Answer(
            value,
            f"{diff}\n\n{counted} ; releve audit import --write {them}écrit, à compléter ensuite à la main",
        )
    try:
        kept = beside(path, KEPT, before.encode())
        if _read(path) != before:
            raise Refused("plan-changed", f"{path} a changé entre-temps : rien n'a été écrit", retryable=True)
        replace(path, after.encode())
    except OSError as error:
        raise Unreachable("plan-unwritable", f"{path} ne peut pas être écrit : {reason(error)}") from error
    text = f"{diff}\n\nécrit dans {path} ; le plan d'avant est dans {kept} (mv le remet)"
    return Answer({**value, "written": True, "kept": str(kept)}, text)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "ce n'est pas de l'UTF-8"
        raise Unreachable("plan-unreadable", f"{path} ne peut pas être lu : {why}") from error


def _must_read(text: str, name: str, *, parts: bool) -> None:
    """The edited plan is judged before anybody sees it: a plan that was right stays right.

    `parts`: whether it may be tried section by section.
    """
    from releve.cycle.plan.load import judge

    faults = judge(text.encode(), name).faults
    if faults:
        first = faults[0]
        raise Refused(
            "plan-would-break",
            f"l'ajout rendrait le plan faux (ligne {first.line} : {first.sentence}) : rien n'a été écrit",
            hint="releve audit import --only RUBRIQUE propose une rubrique à la fois" if parts else "",
        )


def _value(item: Addition) -> dict[str, object]:
    return {
        "section": item.section,
        "entry": dict(item.entry),
        "why": item.why,
        "needs_an_answer": item.unanswered,
    }
