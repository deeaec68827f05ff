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
    subject, currency = home.subjects[pick[0]], home.prices.currency
    others = [o for o in home.direct(subject) if o.id not in basket.chosen[subject.id]]
    said = []
    gone = basket.drop(pick)
    without = basket.broken_by(gone)
    if without:
        said.append(f"sans cette protection, ne tient plus : {_demands(home, without)}")
    for other in others:
        swap = (subject.id, other.id)
        new = basket.add(swap)
        lost = basket.broken_by([*gone, *new])
        after = basket.cost([*gone, *new])
        basket.drop(swap)
        basket.add(pick)
        less = basket.cost([*gone, *new]) - after
        basket.drop(pick)
        if lost and less > 0:
            saved = f"{say_money(less, currency)} de moins sur {home.prices.years} ans"
            said.append(f"« {other.name} », {saved}, ne tient pas : {_demands(home, lost)}")
        elif not lost and alone(home, swap) < alone(home, pick):
            said.append(f"« {other.name} » {_dearer(-less, currency)}")
    basket.add(pick)
    return said


def _dearer(more: int, currency: str) -> str:
    if more > 0:
        return f"suffirait, et coûterait {say_money(more, currency)} de plus : ce que d'autres partagent est déjà payé"
    return "suffirait au même prix" if more == 0 else "suffirait : la preuve n'est pas complète"


def _demands(home: Estate, lost: Sequence[Demand]) -> str:
    named = " ; ".join(say_demand(demand, home.subjects) for demand in lost[:_SHOWN])
    more = len(lost) - _SHOWN
    return named + (f" ; et {more} autre{'s' if more > 1 else ''}" if more > 0 else "")
