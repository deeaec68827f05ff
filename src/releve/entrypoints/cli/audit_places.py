"""Where an audit is kept, from where it looks, and the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.audit import Acceptance, in_force
from releve.domain.audit import Answer as Said
from releve.domain.errors import BadInput, ReleveError, Unreachable
from releve.domain.names import nearest
from releve.domain.os_errors import reason
from releve.entrypoints.cli.telling import talk

if TYPE_CHECKING:
    from releve.app import House
    from releve.cycle.audit.estate import Estate
    from releve.cycle.audit.verdict import Verdict
    from releve.domain.audit import Audit, Errand, Look
    from releve.domain.plan import Plan

Note = Said | Acceptance
StateDir = Annotated[
    str,
    typer.Option(
        "--state",
        envvar="RELEVE_STATE",
        help="Le dossier où l'audit est gardé ; par défaut celui du site de secours du plan.",
    ),
]
SiteHere = Annotated[
    str,
    typer.Option("--site", help="Le site d'où l'on regarde ; par défaut le site de secours, ou le premier."),
]
AuditName = Annotated[
    str, typer.Argument(help="L'audit (« releve audit list ») ; sans lui, le dernier.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Page:
    """What was known after an audit, and just before it began: `before` is empty for the first.

    `audit`: the one that is asked for; `notes`, `notes_before`: what people had said by then. `before`: from the newest
    looks, from those that brought something, from those that left nothing out; each only where it differs. `lately`:
    what was met in passing before, the newest first.
    """

    audit: Audit
    estate: Estate
    notes: tuple[Note, ...]
    before: tuple[Estate, ...] = ()
    notes_before: tuple[Note, ...] = ()
    lately: Callable[[], Iterable[Look]] = tuple

    def verdict(self) -> Verdict:
        """All that is to be said of it."""
        from releve.cycle.audit.verdict import verdict

        return verdict(self.estate, self.notes, self.before, self.notes_before, self.lately())


def audit_house(plan_path: str, state: str, site: str, *, reads: bool = False) -> House:
    """The plan seen from `site`, with the ledger in which audits are kept.

    `reads`: nothing new is kept, so that a named folder must hold a ledger. Raises `BadInput` for an unknown site,
    a folder that holds none, or a plan that gives none, `Unreachable` when the folder of the relief is not on this
    machine: a ledger made here would be one that nobody reads.
    """
    from releve.app import House
    from releve.entrypoints.cli.session import kept, ledger_house, plan_of

    plan = plan_of(plan_path)
    if state:
        folder = Path(state)
        if reads and not kept(folder):
            raise BadInput(
                "state-absent",
                f"aucun audit n'est gardé dans le dossier {folder}",
                hint="releve audit run --state DOSSIER le fait",
            )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unreachable(
                "state-folder", f"le dossier {folder} ne peut pas être fait : {reason(error)}"
            ) from error
        return House(plan, plan.site(site_here(plan, site)), folder)
    try:
        found = ledger_house(plan_path)
    except BadInput as error:
        raise BadInput(
            "state-unknown",
            "le plan ne dit pas où garder un audit",
            hint="donnez un dossier : --state DOSSIER (ou RELEVE_STATE)",
        ) from error
    return replace(found, site=plan.site(site_here(plan, site))) if site else found


def holders_known(plan: Plan, plan_path: str, state: str) -> dict[str, str]:
    """The site that holds each data set that moved, as the ledger of the audits says; none is made to be asked.

    One that cannot be read is told, and nothing has moved then: saying what would be looked at needs no ledger.
    """
    from releve.app import holders
    from releve.entrypoints.cli.session import kept

    reliefs = [site.worker.state for site in plan.sites if site.worker and site.role.value == "relief"]
    try:
        if not any(kept(Path(folder)) for folder in ([state] if state else reliefs)):
            return {}
        return holders(plan, audit_house(plan_path, state, "", reads=True).ledger)
    except (OSError, ReleveError) as error:
        why = error.sentence if isinstance(error, ReleveError) else reason(error)
        talk(f"le registre n'est pas lu : {why} ; toutes les données sont supposées à leur site principal")
        return {}


def site_here(plan: Plan, site: str) -> str:
    """The site from which one looks: the one named, else the relief, else the first. Raises `BadInput`."""
    known = {item.id: item for item in plan.sites}
    if site and site not in known:
        raise BadInput("unknown-site", f"site inconnu : « {site} »", hint=nearest(site, known, ""))
    relief = [item.id for item in plan.sites if item.role.value == "relief"]
    return site or next(iter(relief), plan.sites[0].id)


def chosen(home: House, name: str) -> Audit:
    """The audit of that name, or the last one. Raises `BadInput`."""
    audits = home.ledger.audits.all()
    if not audits:
        raise BadInput(
            "audit-none",
            "aucun audit n'a encore été fait",
            hint="releve audit run regarde ce qui est vraiment là, sans rien changer",
        )
    if not name:
        return audits[0]
    known = {audit.id: audit for audit in audits}
    if name not in known:
        raise BadInput("audit-unknown", f"aucun audit « {name} »", hint=nearest(name, known, ""))
    return known[name]


def page(home: House, name: str) -> Page:
    """What was known after the audit of that name, or is known now; and before the audit began. Raises `BadInput`.

    The last audit is read with the plan and the words of today; an older one with those that were in force until
    the next one began.
    """
    from releve.app import utc_now
    from releve.cycle.audit.estate import brought, complete

    audits = home.ledger.audits.all()
    index = audits.index(chosen(home, name))
    after = audits[index - 1] if index else None
    (estate,), notes = _known(home, audits[index:], after, utc_now(), _any)
    older = audits[index + 1 :]
    if not older:
        return Page(audits[index], estate, notes)
    every, said = _known(home, older, audits[index], utc_now(), _any, brought, complete)
    before = [every[0], *(one for newer, one in pairwise(every) if one.looks != newer.looks)]
    estate = replace(estate, earlier=_earlier(home, older, estate))
    return Page(audits[index], estate, notes, tuple(before), said, partial(_lately, home, older, estate.now))


def _lately(home: House, older: Sequence[Audit], now: datetime) -> Iterator[Look]:
    from releve.cycle.audit.picture import KEPT, PASSING

    for audit in older:
        if now - audit.started <= KEPT:
            yield from home.ledger.audits.looks(audit.id, PASSING)


def _any(_look: Look) -> bool:
    return True


def _earlier(home: House, older: Sequence[Audit], estate: Estate) -> tuple[Look, ...]:
    """The looks of the audits before, back to a finished one that is old enough for growth to show."""
    from releve.cycle.audit.rules.data import APART

    found: list[Look] = []
    for audit in older:
        found += home.ledger.audits.looks(audit.id)
        if audit.ended is not None and estate.now - audit.started >= 2 * APART:
            break
    return tuple(found)


def _known(
    home: House,
    audits: Sequence[Audit],
    after: Audit | None,
    now: datetime,
    *goods: Callable[[Look], bool],
) -> tuple[tuple[Estate, ...], tuple[Note, ...]]:
    """The estate after the first of `audits` (the newest first) and until another was begun `after`; None: now, with today's plan.

    One for each of `goods`, as in `newest`. What is compared with prefers looks that brought something: a point that was last seen
    three audits ago, on a machine that has not answered since, is still "not seen again" and never forgotten.
    """
    from releve.app import holders
    from releve.cycle.audit.errands import errands, held_at
    from releve.cycle.audit.estate import Estate, brought
    from releve.cycle.audit.picture import dropped, newest
    from releve.cycle.plan.load import parse_plan

    def looks(wanted: Sequence[Errand], *goods: Callable[[Look], bool]) -> tuple[tuple[Look, ...], ...]:
        return newest(wanted, ((audit, kept.looks(audit.id)) for audit in audits if wanted), *goods)

    last = audits[0]
    old = after is not None and last.fingerprint != home.plan.fingerprint and last.plan
    plan = parse_plan(last.plan.encode(), home.plan.source) if old else home.plan
    kept = home.ledger.audits
    held = holders(plan, home.ledger) if after is None else held_at(last.errands)
    asked = errands(plan, last.site or home.site.id, held)
    (known,) = looks(dropped(plan, asked, audits), brought)
    left = tuple(look for look in known if brought(look))
    notes = tuple(kept.notes(after.id if after is not None else ""))
    until = after.started if after is not None else now
    audit = replace(last, errands=(*asked, *(look.errand for look in left)))
    found = tuple(
        Estate(plan, audit, (*one, *left), until, in_force(notes), dropped=left)
        for one in looks(asked, *goods)
    )
    return found, notes
