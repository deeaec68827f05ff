"""Performs the jobs that protect a data set."""

from __future__ import annotations

from collections.abc import Callable

from releve.cycle.protect.daily import note_copy
from releve.cycle.protect.decide import Job, JobKind, jobs
from releve.domain.errors import Refused, Unreachable
from releve.domain.plan import DataSet
from releve.domain.ports import Ledger, Now, Protectable
from releve.domain.protection import ServerState, Tenure


def plan_protection(data_set: DataSet, engine: Protectable, ledger: Ledger) -> tuple[Job, ...]:
    """What there is to do now. Raises `Unreachable` when the holder's server is not open."""
    holder = _holder(data_set, ledger)
    source = engine.facts(holder)
    if source.state is not ServerState.OPEN:
        raise Unreachable(
            "source-not-open",
            f"« {data_set.id} » n'est pas ouvert à l'écriture sur le site « {holder} »",
            context={"state": source.state},
            hint="démarrez-y ce qui doit l'être, ou lisez « releve status »",
        )
    return jobs(data_set, holder, source, engine.facts(data_set.other(holder)))


def protect(
    data_set: DataSet, engine: Protectable, ledger: Ledger, now: Now, say: Callable[[str], None]
) -> tuple[Job, ...]:
    """Do all that is needed so that `data_set` is protected; returns what was done."""
    if ledger.tenures.claimed(data_set.id):
        raise Refused("data-set-claimed", f"une bascule de « {data_set.id} » est en cours")
    todo = plan_protection(data_set, engine, ledger)
    holder = _holder(data_set, ledger)
    for job in todo:
        say(f"{data_set.name} : {job.reason} ({job.site})")
        if job.kind is JobKind.PREPARE:
            engine.prepare(job.site)
            if ledger.tenures.current(data_set.id) is None:
                # Its database may carry an epoch that our ledger has lost: never begin again below it.
                ledger.tenures.take(Tenure(data_set.id, engine.facts(holder).epoch, holder, at=now()))
        elif job.kind is JobKind.SAVE:
            note_copy(data_set, engine.save(job.site), ledger, now())
        elif job.kind is JobKind.FOLLOW:
            engine.rebuild(job.site, holder)
        else:
            engine.arm(job.site)
        ledger.evidence.append(
            "protected",
            {"data_set": data_set.id, "job": job.kind, "site": job.site, "reason": job.reason},
            now(),
        )
    return todo


def _holder(data_set: DataSet, ledger: Ledger) -> str:
    tenure = ledger.tenures.current(data_set.id)
    return tenure.site if tenure else data_set.primary_site
