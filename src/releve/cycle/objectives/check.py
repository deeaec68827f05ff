"""Everything that is to be said of the objectives once they can be read: what `objectives check` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from releve.cycle.objectives.buying import usual_reaction
from releve.cycle.objectives.choice.arbitration import Arbitration
from releve.cycle.objectives.contradictions import Contradiction, contradictions
from releve.cycle.objectives.flow import graph, mended, required
from releve.cycle.objectives.gaps import gaps, idle, tolerated
from releve.cycle.objectives.need import Need, needs
from releve.cycle.objectives.reach import unreachable
from releve.cycle.objectives.read import PRICED, Judgement, Place, in_order_of_file
from releve.cycle.objectives.scale import Scale
from releve.domain.errors import Fault
from releve.domain.objectives import Objectives
from releve.domain.plan import Plan
from releve.domain.units import say_seconds


@dataclass(frozen=True, slots=True)
class Clash:
    """A contradiction, and where what it speaks of was written (None: in the plan)."""

    found: Contradiction
    place: Place | None


@dataclass(frozen=True, slots=True)
class Checked:
    """`beyond`: what nothing on the price list can keep; `accepted`: gaps in force; `remarks` forbid nothing."""

    objectives: Objectives
    needs: tuple[Need, ...]
    beyond: tuple[Fault, ...]
    clashes: tuple[Clash, ...]
    accepted: tuple[Arbitration, ...]
    remarks: tuple[Fault, ...]

    @property
    def grave(self) -> bool:
        """Whether a need cannot be kept as things are."""
        return bool(self.beyond) or any(clash.found.grave for clash in self.clashes)


def checked(
    plan: Plan, objectives: Objectives, judgement: Judgement, name: str, scale: Scale, today: date
) -> Checked:
    """The whole check of objectives that have no fault; `name`: their file. Gaps accepted are no longer asked."""
    found = needs(plan, objectives, scale, year=today.year)
    arbitrations = judgement.bargain.arbitrations
    accepted = gaps(found, arbitrations, today)
    left = tuple(tolerated(need, accepted) for need in found)
    stood = graph(plan, objectives)
    asked = required(mended(stood, left), left)
    clashes = contradictions(plan, objectives, stood, asked, left, year=today.year)
    return Checked(
        objectives,
        found,
        unreachable(plan, objectives, found, judgement, name, today),
        tuple(
            Clash(item, judgement.place(item.about, name) if item.about is not None else None)
            for item in clashes
        ),
        tuple(dict.fromkeys(accepted.values())),
        in_order_of_file(
            (
                *judgement.remarks,
                *_idle(found, judgement, name, today),
                *_reaction(objectives, judgement, name),
            )
        ),
    )


def _idle(found: Iterable[Need], judgement: Judgement, name: str, today: date) -> Iterator[Fault]:
    for item in idle(found, judgement.bargain.arbitrations, today):
        place = judgement.place(item.arbitration, name)
        yield Fault(place.file, place.line, place.column, "arbitration-unasked", item.sentence, item.hint)


def _reaction(objectives: Objectives, judgement: Judgement, name: str) -> Iterator[Fault]:
    """The relief says what detecting and deciding takes, and the price list counts nothing for it."""
    prices, usual = judgement.bargain.prices, usual_reaction(objectives)
    if prices is None or prices.reaction is not None or not usual:
        return
    place = judgement.place(PRICED, name)
    yield Fault(
        place.file,
        place.line,
        place.column,
        "reaction-missing",
        f"les prix ne comptent rien pour détecter et décider ; le secours déclare {say_seconds(usual)} une fois sur deux",
        f"dans les prix : « reaction: {say_seconds(usual)} », ou « reaction: 0 » si les délais des secours le comprennent",
    )
