"""Plan + needs -> what the choice of protections works on: subjects and wishes. Pure.

An application is asked what people said of it (the strictest of its establishments); what it stands on is
asked the same minus what comes after. Data that the plan declares keep their own class; data that only a
recovery declares ("volume") become a data set of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from releve.cycle.objectives.choice.prices import PriceList
from releve.cycle.objectives.choice.wishes import Loss, Objective, Subject, SubjectKind, Wish
from releve.cycle.objectives.loss import losable
from releve.cycle.objectives.need import Need, Voice
from releve.domain.objectives import Objectives, Recovery, Settled, Statement
from releve.domain.plan import Application, DataKind, Plan, Sensitivity, SiteRole
from releve.domain.units import MAX_SPAN_SECONDS, Span, say_count, say_seconds

PLAN_SAYS = "valeur du plan, à confirmer par ceux qui s'en servent"
DATA_SUFFIX = "-donnees"  # of the data set of an application that declares only a volume


def subjects(plan: Plan, objectives: Objectives) -> tuple[Subject, ...]:
    """Every application and every data set, declared or implied by a volume."""
    primary = next(site.id for site in plan.sites if site.role is SiteRole.PRIMARY)
    recoveries = {item.application: item for item in objectives.recoveries}
    volumes = _volumes(plan, recoveries)
    here = local(objectives)
    taken = {item.id for item in plan.applications} | {item.id for item in plan.data_sets}
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
            uses = (_free(application.id + DATA_SUFFIX, taken),)
            found.append(_implied(uses[0], application, recovery, primary))
        found.append(
            Subject(
                application.id,
                application.name,
                SubjectKind.APPLICATION,
                primary,
                uses=uses,
                needs=tuple(name for name in application.needs if application.id in here or name not in here),
                bound=application.id in here,
            )
        )
    return tuple(found)


def usual_reaction(objectives: Objectives) -> float:
    """Seconds of detection and decision that the relief declares, one time in two; 0 where nobody said."""
    relief = objectives.relief
    spreads = (relief.detection, relief.decision) if relief is not None else ()
    return sum(spread[1].seconds for spread in spreads if spread is not None)


def left_out(objectives: Objectives, prices: PriceList) -> tuple[str, ...]:
    """What the choice does not weigh, as sentences: nobody must read more into it than it proves."""
    said = []
    usual = usual_reaction(objectives)
    if prices.reaction is not None and prices.reaction < usual:
        said.append(
            f"le secours déclare {say_seconds(usual)} une fois sur deux pour détecter et décider : les délais "
            "promis par les offres doivent le comprendre (predict le compte à part)"
        )
    if objectives.components:
        names = ", ".join(item.name for item in objectives.components[:5])
        more = (
            f" et {say_count(len(objectives.components) - 5, 'autre')}"
            if len(objectives.components) > 5
            else ""
        )
        said.append(
            f"rien n'est acheté pour les composants ({names}{more}) : un secours s'en passe, check et predict "
            "disent ce qu'ils retiennent"
        )
    return tuple(said)


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


def _free(name: str, taken: set[str]) -> str:
    """The name, longer where the plan has one of it already."""
    while name in taken:
        name += DATA_SUFFIX
    taken.add(name)
    return name


def _implied(name: str, application: Application, recovery: Recovery, site: str) -> Subject:
    return Subject(
        name,
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
            objectives.retype_budget,
            with_data=application.id in with_data,
            loss=Loss.MACHINE if application.id in here else Loss.SITE,
        )
    )


def _of(application: str, needs: list[Need], budget: Span, *, with_data: bool, loss: Loss) -> Iterator[Wish]:
    if not needs:
        return
    strictest = _pressing(needs)
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
    least = _freshest(needs)
    if least is not None and with_data:
        who, where = _told_loss(least, budget)
        yield Wish(
            f"{application}:rpo",
            application,
            Objective.RPO,
            int(least.rpo.seconds if least.rpo is not None else 0.0),
            who,
            where,
            loss,
        )


def _pressing(needs: Iterable[Need]) -> Need:
    return min(needs, key=lambda need: need.least)


def _freshest(needs: Iterable[Need]) -> Need | None:
    losses = [need for need in needs if need.rpo is not None and need.rpo.seconds < MAX_SPAN_SECONDS]
    return min(losses, key=lambda need: need.rpo.seconds if need.rpo else 0.0, default=None)


def origin(wish: Wish, needs: Iterable[Need], objectives: Objectives) -> Settled | Statement | None:
    """What was settled or said that a wish comes from; None: the plan's own value, or the class of the data."""
    given = [need for need in needs if need.application == wish.subject]
    if wish.objective is Objective.RTO:
        need = _pressing(given)
        voice = need.decisive
        return need.settled or (voice.answer if voice is not None else None)
    fresh = _freshest(given)
    voice = _loss_voice(fresh, objectives.retype_budget) if fresh is not None else None
    return voice.answer if voice is not None else None


def _loss_voice(need: Need, budget: Span) -> Voice | None:
    """Who said the loss that counts; None: the class of the data asks more than people do."""
    said = ((voice, voice.answer.data) for voice in need.voices)
    return next(
        (voice for voice, data in said if data is not None and losable(data, budget).span == need.rpo), None
    )


def _told(need: Need) -> tuple[str, str]:
    """Who said it, and where: the person who settled, or the strictest voice, or the plan."""
    if need.settled is not None:
        return f"{need.settled.by} ({need.establishment})", f"arrêté le {need.settled.on:%d/%m/%Y}"
    voice = need.decisive
    if voice is None:
        return "", PLAN_SAYS
    return _said(voice, need)


def _told_loss(need: Need, budget: Span) -> tuple[str, str]:
    """The same of the loss, of which who settled an outage or knows it best may have said nothing."""
    if not need.answered:
        return "", PLAN_SAYS
    voice = _loss_voice(need, budget)
    if voice is not None:
        return _said(voice, need)
    return "", next((why for why in reversed(need.loss) if why), "")  # the class of the data asks more


def _said(voice: Voice, need: Need) -> tuple[str, str]:
    return f"{voice.answer.by} ({need.establishment}), le {voice.answer.on:%d/%m/%Y}", voice.answer.source
