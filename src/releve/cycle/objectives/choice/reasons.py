"""Why each protection was chosen: what breaks without it, and with each cheaper one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from releve.cycle.objectives.choice.basket import Basket
from releve.cycle.objectives.choice.estate import Estate, Pick
from releve.cycle.objectives.choice.money import say_money
from releve.cycle.objectives.choice.solve import Choice, alone
from releve.cycle.objectives.choice.wishes import Demand, say_demand

_SHOWN = 2  # demands named in one sentence; the rest is counted


def reasons(choice: Choice) -> Mapping[Pick, tuple[str, ...]]:
    """For each pick, French sentences: first what fails without it, then why each cheaper one would not do.

    Each names the wish or the rule that it breaks, with who said it or where it is written. A cheaper
    one that breaks nothing is dearer once what is shared is counted, or the proof is not complete.
    """
    home = choice.home
    basket = Basket(home, choice.picks, home.demands)
    return {pick: tuple(_of(home, basket, pick)) for pick in choice.picks}


def _of(home: Estate, basket: Basket, pick: Pick) -> list[str]:
    subject = home.subjects[pick[0]]
    others = [o for o in home.direct(subject) if o.id not in basket.chosen[subject.id]]
    cheaper = sorted(
        (o for o in others if alone(home, (subject.id, o.id)) < alone(home, pick)), key=lambda o: o.id
    )
    gone = basket.drop(pick)
    said = []
    without = basket.broken_by(gone)
    if without:
        said.append(f"sans elle, ne tient plus : {_demands(home, without)}")
    for other in cheaper:
        swap = (subject.id, other.id)
        new = basket.add(swap)
        lost = basket.broken_by([*gone, *new])
        if lost:
            less = alone(home, pick) - alone(home, swap)
            said.append(
                f"« {other.name} », {say_money(less, home.prices.currency)} de moins sur {home.prices.years} ans, "
                f"ne tient pas : {_demands(home, lost)}"
            )
        else:
            said.append(_shared(home, basket, pick, swap, (gone, new)))
        basket.drop(swap)
    basket.add(pick)
    return said


def _shared(
    home: Estate, basket: Basket, pick: Pick, swap: Pick, moved: tuple[list[Pick], list[Pick]]
) -> str:
    both = [*moved[0], *moved[1]]
    after = basket.cost(both)
    basket.drop(swap)
    basket.add(pick)
    more = after - basket.cost(both)
    basket.drop(pick)
    basket.add(swap)
    name = home.offers[swap[1]].name
    if more > 0:
        return f"« {name} » suffirait, et coûterait {say_money(more, home.prices.currency)} de plus, ce qui est partagé étant déjà payé"
    return (
        f"« {name} » suffirait au même prix"
        if more == 0
        else f"« {name} » suffirait : la preuve n'est pas complète"
    )


def _demands(home: Estate, lost: Sequence[Demand]) -> str:
    named = " ; ".join(say_demand(demand, home.subjects) for demand in lost[:_SHOWN])
    more = len(lost) - _SHOWN
    return named + (f" ; et {more} autre{'s' if more > 1 else ''}" if more > 0 else "")
