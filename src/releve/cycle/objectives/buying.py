"""Plan + needs -> what the choice of protections works on: subjects and wishes. Pure.

An application is asked what people said of it (the strictest of its establishments); what it stands on is
asked the same minus what comes after. Data that the plan declares keep their own class; data that only a
recovery declares ("volume") become a data set of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from releve.cycle.objectives.choice.wishes import Loss, Objective, Subject, SubjectKind, Wish
from releve.cycle.objectives.need import Need
from releve.domain.objectives import Objectives, Recovery
from releve.domain.plan import Application, DataKind, Plan, Sensitivity, SiteRole
from releve.domain.units import MAX_SPAN_SECONDS

DATA_SUFFIX = "-donnees"  # of the data set of an application that declares only a volume


def subjects(plan: Plan, objectives: Objectives) -> tuple[Subject, ...]:
    """Every application and every data set, declared or implied by a volume."""
    primary = next(site.id for site in plan.sites if site.role is SiteRole.PRIMARY)
    recoveries = {item.application: item for item in objectives.recoveries}
    volumes = _volumes(plan, recoveries)
    here = local(objectives)
    found = [
        Subject(
            data.id,
            data.name,
            SubjectKind.DATA_SET,
            data.primary_site,
            data.kind,
            data.sensitivity,
            volumes.get(data.id, 0),
        )
        for data in plan.data_sets
    ]
    for application in plan.applications:
        recovery = recoveries.get(application.id)
        uses = application.data
        if not uses and recovery is not None and recovery.volume:
            uses = (application.id + DATA_SUFFIX,)
            found.append(_implied(application, recovery, primary))
        found.append(
            Subject(
                application.id,
                application.name,
                SubjectKind.APPLICATION,
                primary,
                uses=uses,
                needs=tuple(name for name in application.needs if application.id in here or name not in here),
            )
        )
    return tuple(found)


def local(objectives: Objectives) -> frozenset[str]:
    """Applications that have no sense away from their site; the relief has its own power and network."""
    return frozenset(item.application for item in objectives.recoveries if item.local)


def _volumes(plan: Plan, recoveries: Mapping[str, Recovery]) -> dict[str, int]:
    """By data set, the largest volume that an application which uses it declares."""
    found: dict[str, int] = {}
    for application in plan.applications:
        recovery = recoveries.get(application.id)
        for name in application.data:
            if recovery is not None and recovery.volume:
                found[name] = max(found.get(name, 0), recovery.volume)
    return found


def _implied(application: Application, recovery: Recovery, site: str) -> Subject:
    return Subject(
        application.id + DATA_SUFFIX,
        f"Données de « {application.name} »",
        SubjectKind.DATA_SET,
        site,
        recovery.kind or DataKind.OTHER,
        recovery.sensitivity or Sensitivity.STANDARD,
        recovery.volume or 0,
    )


def wishes(
    plan: Plan, objectives: Objectives, needs: Iterable[Need], asked_for: Iterable[Subject]
) -> tuple[Wish, ...]:
    """What is asked of each application: the strictest outage and the strictest loss, with who said it.

    Lengths are the shortest on the clock: the wish must hold whenever the outage begins. An application
    without data has no wish on its loss. What is local must survive a machine, everything else the site.
    """
    with_data = {subject.id for subject in asked_for if subject.uses}
    given: dict[str, list[Need]] = {}
    for need in needs:
        given.setdefault(need.application, []).append(need)
    here = local(objectives)
    return tuple(
        wish
        for application in plan.applications
        for wish in _of(
            application.id,
            given.get(application.id, []),
            with_data=application.id in with_data,
            loss=Loss.MACHINE if application.id in here else Loss.SITE,
        )
    )


def _of(application: str, needs: list[Need], *, with_data: bool, loss: Loss) -> Iterator[Wish]:
    if not needs:
        return
    strictest = min(needs, key=lambda need: need.least)
    who, where = _told(strictest)
    yield Wish(
        f"{application}:rto",
        application,
        Objective.RTO,
        int(strictest.least.total_seconds()),
        who,
        where,
        loss,
    )
    losses = [need for need in needs if need.rpo is not None and need.rpo.seconds < MAX_SPAN_SECONDS]
    if losses and with_data:
        least = min(losses, key=lambda need: need.rpo.seconds if need.rpo is not None else 0.0)
        who, where = _told(least)
        yield Wish(
            f"{application}:rpo",
            application,
            Objective.RPO,
            int(least.rpo.seconds if least.rpo is not None else 0.0),
            who,
            where,
            loss,
        )


def _told(need: Need) -> tuple[str, str]:
    """Who said it, and where: the person who settled, or the strictest voice, or the plan."""
    if need.settled is not None:
        return f"{need.settled.by} ({need.establishment})", f"arrêté le {need.settled.on:%d/%m/%Y}"
    voice = need.decisive
    if voice is None:
        return "", "valeur du plan, à confirmer par ceux qui s'en servent"
    return f"{voice.answer.by} ({need.establishment}), le {voice.answer.on:%d/%m/%Y}", voice.answer.source
