"""`releve objectives choose` and `curve`: the cheapest protections that keep everything, and what shorter costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from releve.domain.errors import BadInput, Exit
from releve.entrypoints.cli.objectives_files import Places, load_all, replace_whole, today
from releve.entrypoints.cli.telling import Answer, columns, talk

if TYPE_CHECKING:
    from releve.cycle.objectives.choice.arbitration import Arbitration
    from releve.cycle.objectives.choice.prices import PriceList
    from releve.cycle.objectives.choice.wishes import Subject, Wish
    from releve.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class _Market:
    """What is asked, and what can be bought."""

    plan: Plan
    subjects: tuple[Subject, ...]
    wishes: tuple[Wish, ...]
    prices: PriceList
    arbitrations: tuple[Arbitration, ...]
    notes: tuple[str, ...]  # what a choice does not weigh


def _market(where: Places) -> _Market:
    from releve.cycle.objectives.buying import left_out, subjects, wishes
    from releve.cycle.objectives.need import needs
    from releve.cycle.objectives.scale import proposed_scale

    plan, objectives, bargain = load_all(where)
    if bargain.prices is None:
        raise BadInput(
            "prices-missing",
            "il n'y a pas de liste de prix : aucun prix de secours n'est publié, chacun a les siens",
            hint="ajoutez « prices: » au fichier d'objectifs (voir docs/guides/objectifs.md)",
        )
    found = subjects(plan, objectives)
    asked = wishes(plan, objectives, needs(plan, objectives, proposed_scale(), year=today().year), found)
    return _Market(
        plan, found, asked, bargain.prices, bargain.arbitrations, left_out(objectives, bargain.prices)
    )


def choose(where: Places, *, why: bool) -> Answer:
    """The choice, or the wishes that cannot all be kept (exit 3)."""
    from releve.cycle.objectives.choice.conflict import Conflict
    from releve.cycle.objectives.choice.reasons import reasons
    from releve.cycle.objectives.choice.show import choice_text, choice_value, conflict_text, conflict_value
    from releve.cycle.objectives.choice.solve import choose as chosen
    from releve.cycle.plan.grid import folded

    market = _market(where)
    found = chosen(
        market.subjects, market.wishes, market.prices, arbitrations=market.arbitrations, today=today()
    )
    if isinstance(found, Conflict):
        return Answer(conflict_value(found), folded(conflict_text(found), columns()), Exit.PROMISE_NOT_KEPT)
    told = reasons(found) if why else None
    return Answer(
        {**choice_value(found, told), "left_out": list(market.notes)},
        folded(choice_text(found, told, market.notes), columns()),
    )


def curve(where: Places, application: str, picture: str) -> Answer:
    """The curve of one application, or of the whole association; `picture`: where its SVG goes."""
    from releve.cycle.objectives.choice.arbitration import arbitrated
    from releve.cycle.objectives.choice.conflict import Conflict
    from releve.cycle.objectives.choice.curve import curve_of, curve_of_all, must_be_known
    from releve.cycle.objectives.choice.picture import svg
    from releve.cycle.objectives.choice.show import conflict_text, conflict_value, curve_text, curve_value
    from releve.cycle.objectives.choice.solve import choose as chosen
    from releve.cycle.plan.grid import folded

    if picture and not Path(picture).absolute().parent.exists():
        raise BadInput(
            "folder-missing",
            f"le dossier de {picture} n'existe pas",
            hint="faites-le, ou donnez un autre chemin",
        )
    market = _market(where)
    if application:
        must_be_known(application, market.subjects)
    talk("calcul de la courbe : un choix optimal par point…")
    relaxed, _reasons = arbitrated(market.wishes, market.arbitrations, today())
    current = chosen(market.subjects, relaxed, market.prices)
    in_hand = None if isinstance(current, Conflict) else current
    if application:
        found = curve_of(application, market.subjects, relaxed, market.prices, today=in_hand)
    else:
        found = curve_of_all(
            market.subjects, relaxed, market.prices, name=market.plan.association.name, today=in_hand
        )
    if isinstance(found, Conflict):
        return Answer(conflict_value(found), folded(conflict_text(found), columns()), Exit.PROMISE_NOT_KEPT)
    text = folded(curve_text(found), columns())
    if picture:
        replace_whole(Path(picture), svg(found))
        text = f"{text.rstrip()}\n\nimage : {picture}\n"
    return Answer({**curve_value(found), "picture": picture or None}, text)
