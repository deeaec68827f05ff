"""Needs that no protection of the price list can keep, each at the place where somebody wrote it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from releve.cycle.objectives.buying import origin, subjects, wishes
from releve.cycle.objectives.choice.arbitration import arbitrated
from releve.cycle.objectives.choice.conflict import out_of_reach
from releve.cycle.objectives.choice.estate import estate
from releve.cycle.objectives.need import Need
from releve.cycle.objectives.read import PRICED, Judgement, in_order_of_file
from releve.domain.errors import Fault
from releve.domain.objectives import Objectives
from releve.domain.plan import Plan


def unreachable(
    plan: Plan, objectives: Objectives, needs: Iterable[Need], judgement: Judgement, name: str, today: date
) -> tuple[Fault, ...]:
    """As faults of the answer or of the settled need that asks for it; else of the price list, in the file `name`.

    Nothing without a price list. What somebody accepted (arbitrations in force) is asked no more.
    """
    prices, arbitrations = judgement.bargain.prices, judgement.bargain.arbitrations
    if prices is None:
        return ()
    asked = tuple(needs)
    things = subjects(plan, objectives)
    relaxed, _reasons = arbitrated(wishes(plan, objectives, asked, things), arbitrations, today)
    by_id = {wish.id: wish for wish in relaxed}
    found = []
    for finding in out_of_reach(estate(things, relaxed, prices), lambda wish: (wish.id,)):
        source = origin(by_id[str(finding.path[0])], asked, objectives)
        place = judgement.place(source if source is not None else PRICED, name)
        found.append(
            Fault(place.file, place.line, place.column, finding.code, finding.sentence, finding.hint)
        )
    return in_order_of_file(found)
