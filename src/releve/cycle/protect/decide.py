"""Plan + what is there -> jobs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from releve.domain.plan import DataSet, ProtectionMode, ShareEnd
from releve.domain.protection import ServerFacts, ServerState, SlotState


class JobKind(StrEnum):
    """What protecting a data set takes, in order."""

    PREPARE = "prepare"
    SAVE = "save"
    FOLLOW = "follow"
    ARM = "arm"


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do, and why. `site`: where it is done."""

    kind: JobKind
    data_set: str
    site: str
    reason: str


def jobs(data_set: DataSet, holder: str, source: ServerFacts, standby: ServerFacts) -> tuple[Job, ...]:
    """What must still be done so that `data_set`, held by `holder`, is protected.

    PREPARE is always first on an open source: it compares, and writes only what differs from the plan.
    """
    share = isinstance(data_set.ends[holder], ShareEnd)
    daily = data_set.protection.mode is ProtectionMode.DAILY
    if source.state is not ServerState.OPEN or (daily and not share):
        return ()
    other = data_set.other(holder)
    what = "capture par le coffre" if share else "réglages, tables de suivi, emplacement de réplication"
    found = [Job(JobKind.PREPARE, data_set.id, holder, what)]
    if daily and not source.position:
        found.append(Job(JobKind.SAVE, data_set.id, holder, "aucune copie du jour n'a encore été faite"))
    if source.standby.slot is SlotState.LOST:
        found.append(Job(JobKind.FOLLOW, data_set.id, other, "trop longtemps absent : à recopier en entier"))
    elif standby.following != holder:
        found.append(Job(JobKind.FOLLOW, data_set.id, other, "ne suit pas encore"))
    if not source.sync_armed and data_set.protection.synchronous:
        found.append(Job(JobKind.ARM, data_set.id, holder, "zéro perte pas encore en vigueur"))
    return tuple(found)
