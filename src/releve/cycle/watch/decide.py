"""What the resident process of a site must do about its own servers. Pure.

The invariant, for one data set: *at most one site acknowledges writes, under the highest epoch.*
A server is held open only by the start that the guard itself opened (its `identity`), and a start
is opened only after the holder of the epochs (the relief's worker) confirmed that the epoch still
belongs here and that no run claims it. No answer means: do not open; do not close what is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releve.domain.plan import DataSet, ShareEnd
from releve.domain.protection import (
    Contact,
    ServerFacts,
    ServerState,
    SlotState,
    Suspension,
    SyncState,
    Tenure,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the holder of the epochs says: who may write, and the run that is changing it, if any.

    `claimed_for`: the site that this run opens; that site's guard leaves its server to the run.
    """

    tenure: Tenure
    claimed_by: str = ""
    claimed_for: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What the guard of `site` knows of one data set at one instant.

    `opened_identity`: the start that this guard opened last. `statement` None: no answer.
    `last_reply`: when the local server last heard of its standby (kept by the guard, since a lost
    standby leaves no trace in the server). `opening`: the run that was opening this site when the
    holder of the epochs was last heard, if one was.
    """

    site: str
    data_set: DataSet
    facts: ServerFacts
    tenure: Tenure | None
    opened_identity: str
    statement: Statement | None
    suspension: Suspension | None
    last_reply: datetime | None
    opening: str = ""


class Act(StrEnum):
    """What to do."""

    OPEN = "open"
    CLOSE = "close"
    ADOPT = "adopt"  # the start is confirmed: hold it as ours
    RELAX = "relax"
    RESTORE = "restore"
    STAY_CLOSED = "stay-closed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Action:
    """One action and its reason, for the evidence."""

    act: Act
    reason: str


def guard(view: View, now: datetime) -> Action:
    """The one thing to do now."""
    statement, state = view.statement, view.facts.state
    if statement is not None and statement.claimed_by and statement.claimed_for == view.site:
        return Action(Act.NOTHING, f"une bascule ouvre ce site ({statement.claimed_by})")
    if statement is None and view.opening:
        # It fenced the other side before it opened this one, and nothing but it lifts the gate here.
        return Action(
            Act.NOTHING, f"le secours se tait pendant une bascule qui ouvre ce site ({view.opening})"
        )
    if statement is None and view.tenure is None:
        # Production that was never taken in charge must not stop because we are being installed.
        return Action(Act.NOTHING, "pas encore prise en charge")
    if statement is not None and not _ours(view, statement):
        return _close_if_open(state, _why_not_ours(view, statement))
    if state is ServerState.OPEN:
        if view.facts.identity == view.opened_identity:
            return _mind_the_relief(view, now)
        if statement is not None:
            return Action(Act.ADOPT, "époque confirmée : ce démarrage est tenu pour ouvert")
        return Action(Act.CLOSE, "démarré sans que l'époque soit confirmée")
    if state is ServerState.UNKNOWN or view.facts.following:
        return Action(Act.NOTHING, "rien à faire d'ici")
    if not _holds_here(view):
        return Action(Act.NOTHING, "un autre site tient ces données")
    if statement is None:
        return Action(Act.STAY_CLOSED, "le site de secours ne répond pas : l'époque n'est pas confirmée")
    return Action(Act.OPEN, f"époque {statement.tenure.epoch} confirmée")


def _ours(view: View, statement: Statement) -> bool:
    return statement.tenure.site == view.site and not statement.claimed_by


def _why_not_ours(view: View, statement: Statement) -> str:
    if statement.tenure.site != view.site:
        return f"l'époque {statement.tenure.epoch} appartient au site {statement.tenure.site}"
    return f"une bascule est en cours ({statement.claimed_by})"


def _close_if_open(state: ServerState, reason: str) -> Action:
    return Action(Act.CLOSE, reason) if state is ServerState.OPEN else Action(Act.NOTHING, reason)


def _holds_here(view: View) -> bool:
    if view.statement is not None:
        return view.statement.tenure.site == view.site
    return (view.tenure.site if view.tenure else view.data_set.primary_site) == view.site


def _mind_the_relief(view: View, now: datetime) -> Action:
    protection, standby = view.data_set.protection, view.facts.standby
    if not protection.synchronous:
        return Action(Act.NOTHING, "copie sans attente")
    if view.facts.sync_armed:
        if protection.on_relief_lost.wait:
            return Action(Act.NOTHING, "le plan fait attendre")
        silence = now - (view.last_reply or now)
        if silence >= timedelta(seconds=protection.on_relief_lost.degrade_after):
            return Action(Act.RELAX, f"le secours se tait depuis {silence.total_seconds():.0f} s")
        if view.suspension is not None and standby.sync is SyncState.SYNC:
            return Action(Act.RESTORE, "la suspension écrite n'a plus d'objet")
        return Action(Act.NOTHING, "copie synchrone")
    if view.suspension is None:
        return Action(Act.NOTHING, "copie synchrone pas encore demandée")
    caught_up = standby.sync is not SyncState.ABSENT and standby.slot is not SlotState.LOST
    if caught_up and (standby.reply_age or 0.0) < protection.on_relief_lost.degrade_after:
        return Action(Act.RESTORE, "le secours suit de nouveau")
    return Action(Act.NOTHING, "engagement suspendu, le secours ne suit pas")


class Promise(StrEnum):
    """What may be said of "RPO 0" now."""

    HELD = "held"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"
    NOT_PROMISED = "not-promised"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the promise of a data set holds, since when, and why."""

    promise: Promise
    reason: str
    since: datetime | None = None


def standing(
    data_set: DataSet, contact: Contact | None, suspension: Suspension | None, now: datetime
) -> Standing:
    """What may be said of the promise of `data_set`: never HELD on an old look.

    Of a share: that what was closed before an instant, no older than its RPO, is in the vault.
    """
    if not data_set.protection.synchronous:
        if isinstance(data_set.ends[data_set.primary_site], ShareEnd):
            return _fresh(data_set, contact, now)
        return Standing(Promise.NOT_PROMISED, "le plan n'y promet pas zéro perte")
    if suspension is not None and suspension.ended_at is None:
        return Standing(Promise.SUSPENDED, suspension.reason, suspension.started_at)
    if contact is None:
        return Standing(Promise.UNKNOWN, "jamais constaté")
    if contact.suspended_since is not None:
        return Standing(Promise.SUSPENDED, "le site principal continue seul", contact.suspended_since)
    age = now - contact.asked_at
    if age > timedelta(seconds=data_set.protection.on_relief_lost.degrade_after):
        return Standing(Promise.SUSPENDED, "sans contact depuis plus que le délai du plan", contact.asked_at)
    if not contact.synchronous:
        return Standing(
            Promise.UNKNOWN, "la copie n'était pas synchrone au dernier contact", contact.asked_at
        )
    if contact.overriding_roles:
        return Standing(
            Promise.UNKNOWN, "des comptes écrivent sans attendre : " + ", ".join(contact.overriding_roles)
        )
    if age > timedelta(seconds=5):  # the watch looks several times a second: 5 s without a look is news
        return Standing(Promise.UNKNOWN, "dernier constat trop ancien", contact.asked_at)
    return Standing(Promise.HELD, "copie synchrone constatée", contact.asked_at)


def _fresh(data_set: DataSet, contact: Contact | None, now: datetime) -> Standing:
    safe = contact.safe_until if contact is not None else None
    if contact is None or safe is None:
        return Standing(Promise.UNKNOWN, "rien n'a encore été vu dans le coffre")
    rpo = timedelta(seconds=data_set.protection.rpo.seconds)
    if now - safe <= rpo:
        return Standing(Promise.HELD, "tout ce qui était enregistré à cet instant est à l'abri", safe)
    if now - contact.asked_at > timedelta(seconds=5):  # as above: the site itself says nothing any more
        return Standing(Promise.UNKNOWN, "dernier constat trop ancien", safe)
    return Standing(Promise.SUSPENDED, "plus rien n'arrive au coffre depuis plus que le délai du plan", safe)
