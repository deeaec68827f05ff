"""What retention decides of each snapshot, as the commands that thin say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from releve.cycle.protect.retention import COPIED, LATE, Policy
from releve.domain.errors import BadInput
from releve.domain.plan import ShareEnd
from releve.domain.units import parse_span, say_count

if TYPE_CHECKING:
    from releve.cycle.protect.retention import Held, Ruling
    from releve.domain.plan import Plan

CopiesToo = Annotated[
    bool,
    typer.Option(
        "--copies-too",
        help="Juger aussi, à la date de la copie, ce qui est arrivé avec une copie du coffre faite sans ses dates.",
    ),
]

Beside = Annotated[
    list[str] | None,
    typer.Option(
        "--beside",
        metavar="ÉTAT",
        show_default=False,
        help="Le dossier d'état d'autres données du même coffre : ce que leur liste a reste aussi (répétable).",
    ),
]

_SAME = timedelta(minutes=1)  # a snapshot that arrived within that of its own date needs no second one


def policy_of(counts: Mapping[str, int], minimum: str) -> Policy:
    """What a person asked to keep. Raises `BadInput`."""
    try:
        age = timedelta(seconds=parse_span(minimum).wall.total_seconds())
        return Policy(**counts, minimum_age=age)
    except ValueError as error:
        raise BadInput(
            "usage", f"--minimum-age : {error}", hint="par exemple : --minimum-age « 7 j »"
        ) from error


def lists_beside(plan: Plan, site: str, address: str, own: str) -> list[str]:
    """The options that name the other lists that a site keeps of one vault."""
    from releve.entrypoints.worker.history import folder_of

    found: list[str] = []
    worker = plan.site(site).worker
    for one in plan.data_sets:
        place, end = one.vault.get(site), one.ends.get(site)
        if place is None or place.address != address:
            continue
        if isinstance(end, ShareEnd):
            found.append(end.state)
        elif worker is not None:
            found.append(str(folder_of(worker.state, one.id)))
    return [word for state in found if state != own for word in ("--beside", state)]


def say_rulings(rulings: Sequence[Ruling]) -> list[str]:
    """One line a snapshot: its own date, that of its arrival where it is another and is what is judged, and why."""
    return [
        f"{'garder ' if one.keep else 'retirer'}  {one.snapshot.id[:8]}  {_shown(one.snapshot.claimed)}  "
        f"{_arrival(one.snapshot)}{', '.join(one.reasons)}"
        for one in rulings
    ]


def say_going(rulings: Sequence[Ruling], *, done: bool) -> str:
    """How many go, or would."""
    going = sum(not one.keep for one in rulings)
    what = f"{say_count(going, 'instantané')} sur {len(rulings)}"
    return f"retiré : {what}" if done else f"à retirer : {what} (rien n'est fait sans --yes)"


def say_copied(rulings: Sequence[Ruling]) -> list[str]:
    """What is kept only since the vault was copied without its dates, and how to say that it may go."""
    count = sum(one.reasons == (COPIED,) for one in rulings)
    what = say_count(count, "instantané gardé, arrivé", "instantanés gardés, arrivés")
    return (
        [f"{what} avec une copie du coffre faite sans ses dates : --copies-too les juge aussi"]
        if count
        else []
    )


def say_past(rulings: Sequence[Ruling]) -> list[str]:
    """What is kept only since its epoch ended, and how to say that it may go."""
    count = sum(LATE in one.reasons for one in rulings)
    what = say_count(count, "instantané gardé", "instantanés gardés")
    return (
        [f"{what}, d'une époque passée et jamais appliqués à la copie : --past-too les juge aussi"]
        if count
        else []
    )


def ruling_values(rulings: Sequence[Ruling]) -> list[dict[str, object]]:
    """The same, JSON-ready. `claimed_at`: its writer's word; `seen_at`: by which it is judged."""
    return [
        {
            "snapshot": one.snapshot.id,
            "claimed_at": one.snapshot.claimed.isoformat(),
            "seen_at": one.snapshot.seen.isoformat() if one.snapshot.seen else None,
            "keep": one.keep,
            "reasons": list(one.reasons),
        }
        for one in rulings
    ]


def _arrival(one: Held) -> str:
    if one.seen is None or abs(one.seen - one.claimed) <= _SAME:
        return ""
    return f"(arrivé le {_shown(one.seen)})  "


def _shown(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
