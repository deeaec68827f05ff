"""Who accepted which gap, why, and until when. Pure.

A wish that costs more than it is worth is not forgotten: a person accepts less, with a reason, to a date.
Fields: initial and yearly cost, what would be obtained, loss avoided, decision, who, date, risk accepted
until.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated

from pydantic import Field

from releve.cycle.objectives.choice.money import Cents
from releve.cycle.objectives.choice.wishes import Objective, Wish
from releve.cycle.plan.blocks import Block
from releve.cycle.plan.fields import Id, Name, Text, WallDuration
from releve.cycle.plan.finding import Finding
from releve.cycle.plan.source import Path
from releve.domain.names import nearest
from releve.domain.units import say_seconds


class ArbitrationBlock(Block):
    """A gap that somebody accepted. `initial`, `yearly`: what keeping the wish would have cost."""

    TITLE = "un arbitrage"
    subject: Id
    objective: Objective
    wanted: WallDuration
    accepted: WallDuration
    who: Name
    why: Text = ""
    decided_on: date
    until: date
    initial: Cents | None = None
    yearly: Cents | None = None
    obtained: WallDuration | None = None
    loss_per_hour: Cents | None = None
    decision: Annotated[str, Field(max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Arbitration:
    """An accepted gap. `wanted` < `accepted`, seconds; in force from `decided_on` to `until`, both included.

    `initial`, `yearly`: cents that keeping the wish would cost; `obtained`: seconds it would give;
    `loss_per_hour`: cents that an hour of gap costs. None where nobody said.
    """

    subject: str
    objective: Objective
    wanted: int
    accepted: int
    who: str
    why: str
    decided_on: date
    until: date
    initial: int | None = None
    yearly: int | None = None
    obtained: int | None = None
    loss_per_hour: int | None = None
    decision: str = ""

    @property
    def avoided_loss(self) -> int | None:
        """What keeping the wish would save at each outage, in cents: loss of an hour × gap, rounded down."""
        if self.loss_per_hour is None:
            return None
        return self.loss_per_hour * (self.accepted - self.wanted) // 3600

    def in_force(self, today: date) -> bool:
        """Whether it holds on a day."""
        return self.decided_on <= today <= self.until

    def covers(self, seconds: int) -> bool:
        """Whether it speaks of a wish of that length: what became stricter since then is a new question."""
        return self.wanted <= seconds < self.accepted


def build_arbitration(block: ArbitrationBlock) -> Arbitration:
    """The value. What was wanted is rounded down to a whole second, what is accepted too."""
    return Arbitration(
        block.subject,
        block.objective,
        int(block.wanted.seconds),
        int(block.accepted.seconds),
        block.who,
        block.why,
        block.decided_on,
        block.until,
        block.initial,
        block.yearly,
        None if block.obtained is None else int(block.obtained.seconds),
        block.loss_per_hour,
        block.decision,
    )


def judge_arbitrations(
    blocks: Sequence[ArbitrationBlock], subjects: frozenset[str], today: date | None
) -> Iterator[Finding]:
    """What is wrong with a list of arbitrations; paths start at the list: (0, "until"). No day: no dates judged."""
    seen: set[tuple[str, Objective]] = set()
    for index, block in enumerate(blocks):
        path: Path = (index,)
        about = f"{block.subject} ({block.objective.value.upper()})"
        if block.subject not in subjects:
            yield Finding(
                (*path, "subject"),
                "subject-unknown",
                f"arbitrage sur « {block.subject} », que le plan ne connaît pas",
                nearest(block.subject, subjects, "le plan n'a ni application ni jeu de données"),
            )
        if (block.subject, block.objective) in seen:
            yield Finding(
                path, "arbitration-twice", f"deux arbitrages sur {about}", "gardez le dernier décidé"
            )
        seen.add((block.subject, block.objective))
        if block.accepted.seconds <= block.wanted.seconds:
            yield Finding(
                (*path, "accepted"),
                "arbitration-no-gap",
                f"{about} : ce qui est accepté n'est pas plus long que ce qui était demandé",
                "un arbitrage accepte moins bien ; sinon, changez le besoin",
            )
        if not block.why:
            yield Finding(
                path,
                "arbitration-no-reason",
                f"{about} : pourquoi cet écart est-il accepté ?",
                "ajoutez « why: … »",
            )
        if block.until < block.decided_on:
            yield Finding(
                (*path, "until"),
                "arbitration-dates",
                f"{about} : il finit avant d'être décidé",
                "vérifiez les deux dates",
            )
        elif today is not None and block.until < today:
            yield Finding(
                (*path, "until"),
                "arbitration-expired",
                f"{about} : accepté jusqu'au {block.until:%d/%m/%Y}, échu, à décider de nouveau",
                f"demandez à {block.who} ; d'ici là, le besoin d'origine est repris",
                grave=False,
            )
        if today is not None and block.decided_on > today:
            yield Finding(
                (*path, "decided_on"),
                "arbitration-future",
                f"{about} : décidé le {block.decided_on:%d/%m/%Y}, qui n'est pas encore venu",
                "un arbitrage compte du jour où il est décidé",
                grave=False,
            )


def arbitrated(
    wishes: Iterable[Wish], arbitrations: Iterable[Arbitration], today: date | None
) -> tuple[list[Wish], dict[str, tuple[Wish, Arbitration]]]:
    """The wishes, loosened by the arbitrations in force, and for each loosened one what it was and by whom.

    An arbitration speaks of what was wanted when it was decided: a wish that became stricter since then
    is a new question, and stays whole.
    """
    asked = list(wishes)
    if today is None:
        return asked, {}
    force = in_force(arbitrations, today)
    found, reasons = [], {}
    for wish in asked:
        fitting = [
            item for item in force.get((wish.subject, wish.objective), ()) if item.covers(wish.seconds)
        ]
        if not fitting:
            found.append(wish)
            continue
        last = newest(fitting)
        found.append(replace(wish, seconds=last.accepted))
        reasons[wish.id] = (wish, last)
    return found, reasons


def in_force(
    arbitrations: Iterable[Arbitration], today: date
) -> dict[tuple[str, Objective], list[Arbitration]]:
    """Those that hold on a day, by what they speak of."""
    found: dict[tuple[str, Objective], list[Arbitration]] = {}
    for item in arbitrations:
        if item.in_force(today):
            found.setdefault((item.subject, item.objective), []).append(item)
    return found


def newest(arbitrations: Iterable[Arbitration]) -> Arbitration:
    """The one decided last; of one day, the one that accepts most. Raises ValueError when there is none."""
    return max(arbitrations, key=lambda item: (item.decided_on, item.accepted))


def say_arbitration(item: Arbitration) -> str:
    """One sentence: what was accepted instead of what, by whom, why, until when."""
    what = "arrêt" if item.objective is Objective.RTO else "perte de données"
    return (
        f"{what} de {say_seconds(item.accepted)} accepté{'' if item.objective is Objective.RTO else 'e'} "
        f"au lieu de {say_seconds(item.wanted)} par {item.who} le {item.decided_on:%d/%m/%Y}, "
        f"jusqu'au {item.until:%d/%m/%Y} : {item.why}"
    )
