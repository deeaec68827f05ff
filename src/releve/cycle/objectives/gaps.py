"""Which needs somebody accepted to leave unmet, until when; and acceptances that nothing asks for. Pure.

The need stays what people said: a gap is shown beside it, and only what follows from a need (what is
bought, what contradicts it) takes the accepted length instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from releve.cycle.objectives.choice.arbitration import Arbitration, in_force, newest
from releve.cycle.objectives.choice.wishes import Objective
from releve.cycle.objectives.need import Need
from releve.domain.units import Span, say_seconds

Key = tuple[str, str, Objective]  # application, establishment, what
Accepted = Mapping[Key, Arbitration]  # the gaps in force, by need; where there is none the need holds whole


@dataclass(frozen=True, slots=True)
class Idle:
    """An arbitration in force that changes nothing, or not everything: `sentence` says why, `hint` what to do."""

    arbitration: Arbitration
    sentence: str
    hint: str


def accepted_of(accepted: Accepted, application: str, establishment: str) -> tuple[Arbitration, ...]:
    """What was accepted of one need: of its outage, then of its loss."""
    found = (accepted.get((application, establishment, objective)) for objective in Objective)
    return tuple(item for item in found if item is not None)


def tolerated(need: Need, accepted: Accepted) -> Need:
    """The need that is left: what was accepted takes the place of what was asked."""
    rto = accepted.get((need.application, need.establishment, Objective.RTO))
    rpo = accepted.get((need.application, need.establishment, Objective.RPO))
    if rto is not None:
        least = timedelta(seconds=rto.accepted)
        need = replace(need, rto=Span(rto.accepted), least=least, worst=max(least, need.worst), rto_in={})
    return need if rpo is None else replace(need, rpo=Span(rpo.accepted))


def gaps(needs: Iterable[Need], arbitrations: Iterable[Arbitration], today: date) -> Accepted:
    """The gaps in force at a date."""
    force = in_force(arbitrations, today)
    found: dict[Key, Arbitration] = {}
    for need in needs:
        for objective, seconds in _asked(need):
            fitting = [item for item in force.get((need.application, objective), ()) if item.covers(seconds)]
            if fitting:
                found[need.application, need.establishment, objective] = newest(fitting)
    return found


def idle(needs: Iterable[Need], arbitrations: Iterable[Arbitration], today: date) -> Iterator[Idle]:
    """Arbitrations in force of which the needs want something else."""
    asked: dict[tuple[str, Objective], list[int]] = {}
    for need in needs:
        for objective, seconds in _asked(need):
            asked.setdefault((need.application, objective), []).append(seconds)
    for (subject, objective), items in in_force(arbitrations, today).items():
        least = min(asked.get((subject, objective), ()), default=None)
        for item in items:
            about = f"{subject} ({objective.value.upper()})"
            if least is None:
                yield Idle(
                    item,
                    f"{about} : un écart est accepté, et personne n'y demande rien",
                    "un écart porte sur une application dont quelqu'un a besoin ; retirez-le ou corrigez « subject »",
                )
            elif least >= item.accepted:
                yield Idle(
                    item,
                    f"{about} : un écart accepte {say_seconds(item.accepted)}, et personne ne demande moins "
                    f"(le plus strict : {say_seconds(least)})",
                    "retirez-le, ou corrigez « wanted » et « accepted »",
                )
            elif least < item.wanted:
                yield Idle(
                    item,
                    f"{about} : l'écart a été accepté quand il fallait {say_seconds(item.wanted)} ; "
                    f"il faut maintenant {say_seconds(least) if least else 'que ce soit aussitôt'}",
                    f"à décider de nouveau par {item.who} ; d'ici là, ce besoin reste entier",
                )
            elif least > item.wanted:
                yield Idle(
                    item,
                    f"{about} : l'écart a été accepté quand il fallait "
                    f"{say_seconds(item.wanted) if item.wanted else 'que ce soit aussitôt'} ; le plus strict demande "
                    f"maintenant {say_seconds(least)}",
                    "corrigez « wanted » : un écart porte sur ce qui est demandé",
                )


def _asked(need: Need) -> Iterator[tuple[Objective, int]]:
    """What a need asks, as the choice of protections counts it: the shortest on the clock, whole seconds."""
    yield Objective.RTO, int(need.least.total_seconds())
    if need.rpo is not None:
        yield Objective.RPO, int(need.rpo.seconds)
