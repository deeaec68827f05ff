"""What may be believed of a fence, and what a switch would lose. Pure: `now` is an argument.

Never "nothing lost" without a proof a person can check. The proofs, in the order they are tried:

1. the old server was seen stopped and the relief holds everything up to its last position;
2. the old side is blocked for want of its standby and the plan says that it waits (`wait`);
3. the last contact proved that the promise held, and writes became impossible on the old side
   before it could have gone on alone: `asked_at - reply_age + degrade_after`, minus a margin.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from releve.domain.plan import DataSet
from releve.domain.protection import Contact, Fence, FenceKind, Loss, LossKind, ServerFacts, ServerState
from releve.domain.units import say_count, say_span

# The instants of proof 3 come from one clock (the relief's), except a person's word, which comes
# from a wall or a watch: 2 s covers NTP drift and the guard's own tick, in the careful direction.
MARGIN = timedelta(seconds=2)


def blocked_is_a_fence(data_set: DataSet, contact: Contact | None) -> bool:
    """Whether a primary cut from its relief may be held unable to acknowledge.

    Only under the policy `wait`, when the last contact showed it synchronous, and when no role or
    database weakens `synchronous_commit` (such a session acknowledges alone).
    """
    return (
        data_set.protection.on_relief_lost.wait
        and data_set.protection.synchronous
        and contact is not None
        and contact.synchronous
        and contact.suspended_since is None
        and not contact.overriding_roles
    )


def safe_until(data_set: DataSet, contact: Contact) -> datetime | None:
    """Until when the old side cannot have acknowledged a write alone; None: no limit (policy `wait`)."""
    lost = data_set.protection.on_relief_lost
    if lost.wait:
        return None
    return (
        contact.asked_at
        - timedelta(seconds=contact.reply_age)
        + timedelta(seconds=lost.degrade_after)
        - MARGIN
    )


def assess_loss(
    data_set: DataSet, fence: Fence, contact: Contact | None, target: ServerFacts, now: datetime
) -> Loss:
    """What switching `data_set` to `target` would lose of what users were told is safe."""
    if target.state not in (ServerState.CLOSED, ServerState.OPEN):
        return Loss(
            LossKind.UNKNOWN,
            "le dossier de secours n'a pas pu être lu"
            if data_set.shared
            else "le serveur de secours n'a pas pu être interrogé",
        )
    if fence.final_position is not None and target.position >= fence.final_position:
        return Loss(
            LossKind.NONE,
            "l'ancien dossier a été vu fermé et tout ce qu'il avait est arrivé"
            if data_set.shared
            else "l'ancien serveur a été vu arrêté et tout ce qu'il avait écrit est arrivé",
        )
    if data_set.protection.synchronous:
        kept = _promise_kept(data_set, fence, contact, target, now)
        if kept.kind is LossKind.NONE:
            return kept
    else:
        kept = _freshly_copied(data_set, fence, contact, target, now)
    if data_set.shared:
        return kept
    if fence.final_position is not None:
        missing = fence.final_position - target.position
        return Loss(
            LossKind.BOUNDED,
            f"il manque {say_count(missing, 'octet')} de journal au secours",
            kept.since,
            missing,
        )
    return kept


def _freshly_copied(
    data_set: DataSet, fence: Fence, contact: Contact | None, target: ServerFacts, now: datetime
) -> Loss:
    """What a copy that makes nobody wait may lack: what was written after an instant, when one is known.

    4. (of a share) At the last contact, everything closed before an instant was in a snapshot that the relief
    holds. If the old side fell silent no later than the plan's RPO after it, the loss is one that the users have
    accepted beforehand.
    """
    told = contact.safe_until if contact is not None else None
    if contact is not None and told is not None and target.position >= contact.position:
        silent = (fence.since or now) - told
        allowed = (
            fence.kind is not FenceKind.NONE and silent.total_seconds() <= data_set.protection.rpo.seconds
        )
        return Loss(
            LossKind.BOUNDED,
            "tout ce qui était enregistré avant cet instant est au secours"
            + (f" ; le plan admet {say_span(data_set.protection.rpo)} de perte" if allowed else ""),
            told,
            allowed=allowed,
        )
    if target.safe_until is not None:
        return Loss(
            LossKind.BOUNDED,
            "tout ce qui était enregistré avant cet instant (à l'horloge du site quitté) est au secours",
            target.safe_until,
        )
    since = contact.asked_at if contact else None
    return Loss(LossKind.UNKNOWN, "copie non synchrone : les dernières écritures ont pu ne pas partir", since)


def _promise_kept(
    data_set: DataSet, fence: Fence, contact: Contact | None, target: ServerFacts, now: datetime
) -> Loss:
    if contact is None:
        return Loss(LossKind.UNKNOWN, "le secours n'a jamais constaté que la copie était synchrone")
    if contact.suspended_since or target.suspended_since:
        since = contact.suspended_since or target.suspended_since
        return Loss(LossKind.UNKNOWN, "l'engagement « zéro perte » était suspendu", since)
    if not contact.synchronous:
        return Loss(LossKind.UNKNOWN, "au dernier contact, la copie n'était pas synchrone", contact.asked_at)
    if contact.overriding_roles:
        names = ", ".join(contact.overriding_roles)
        return Loss(LossKind.UNKNOWN, f"des comptes écrivent sans attendre le secours : {names}")
    if fence.kind is FenceKind.NONE:
        return Loss(LossKind.UNKNOWN, "rien ne prouve que l'ancien serveur est arrêté")
    limit = safe_until(data_set, contact)
    if limit is None:
        return Loss(LossKind.NONE, "le plan fait attendre le site principal : il n'a rien pu confirmer seul")
    stopped = fence.since or now
    if stopped <= limit:
        return Loss(
            LossKind.NONE,
            "la copie était synchrone, et l'ancien serveur s'est tu avant de pouvoir continuer seul",
        )
    return Loss(
        LossKind.UNKNOWN,
        "le site principal a pu continuer seul après la perte de contact ; personne ne sait ce qu'il a confirmé",
        limit,
    )
