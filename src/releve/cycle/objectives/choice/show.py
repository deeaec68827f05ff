"""A choice, a conflict, a curve: as French text for a terminal, and as values for `--json`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releve.cycle.objectives.choice.arbitration import say_arbitration
from releve.cycle.objectives.choice.conflict import Conflict, Member
from releve.cycle.objectives.choice.curve import Curve
from releve.cycle.objectives.choice.estate import Pick
from releve.cycle.objectives.choice.measure import Line
from releve.cycle.objectives.choice.money import say_money
from releve.cycle.objectives.choice.prices import KIND_FR
from releve.cycle.objectives.choice.solve import Choice, Kept
from releve.cycle.objectives.choice.wishes import Duty, Objective, Wish, say_rule
from releve.domain.units import say_count, say_promise, say_seconds

_OBJECTIVE_FR = {Objective.RTO: "arrêt", Objective.RPO: "perte"}


def choice_text(
    choice: Choice, why: Mapping[Pick, Sequence[str]] | None = None, notes: Sequence[str] = ()
) -> str:
    """The choice as text. `why`: sentences of `reasons`, shown under each protection; `notes`: what it leaves out."""
    currency, years = choice.home.prices.currency, choice.home.prices.years
    said = [
        f"Le choix le moins cher : {say_money(choice.total, currency)} sur {years} ans",
        f"  à l'achat {say_money(choice.initial, currency)}, puis {say_money(choice.yearly, currency)} par an",
        "  " + proof(choice),
    ]
    gaps = dict.fromkeys(kept.arbitration for kept in choice.kept if kept.arbitration is not None)
    if gaps:
        said.append(f"  dont {say_count(len(gaps), 'écart accepté', 'écarts acceptés')} : voir en bas")
    if choice.home.prices.reaction is None:
        said.append("  temps de détection et de décision : non déclaré, compté pour rien")
    else:
        said.append(
            f"  temps de détection et de décision : {say_seconds(choice.home.reaction)}, compté une fois"
        )
    said += [f"  {note}" for note in notes]
    said += ["", "Pour chacun"]
    for subject in choice.home.subjects.values():
        picks = [pick for pick in choice.picks if pick[0] == subject.id]
        if picks:
            said.append(f"  {subject.name}")
        for pick in picks:
            offer = choice.home.offers[pick[1]]
            said.append(f"    {offer.name} ({KIND_FR[offer.kind]}) — {_paid(choice, pick)}")
            said += [f"      {sentence}" for sentence in (why or {}).get(pick, ())]
    if choice.shared:
        said += ["", "Partagé"]
    for line in choice.shared:
        units = "" if line.units == 1 else f" × {line.units}"
        where = f" ({line.scope})" if line.scope else ""
        said.append(
            f"  {choice.home.offers[line.offer].name}{units}{where} — {say_money(line.total, currency)}, "
            f"pour {say_count(len(line.users), 'utilisateur')}"
        )
    said += ["", "Ce que chacun obtiendrait (rien n'est prouvé avant un essai)"]
    said += [f"  {_kept(choice, kept)}" for kept in choice.kept]
    return "\n".join(said) + "\n"


def proof(choice: Choice) -> str:
    """Whether it is the best, in one line."""
    if choice.proven:
        return "prouvé : rien de moins cher ne tient tous les objectifs des applications et toutes les règles"
    percent = f"{choice.gap * 100:.2f}".replace(".", ",")
    saved = say_money(choice.total - choice.bound, choice.home.prices.currency)
    return f"à {percent} % du mieux possible, prouvé : on n'économiserait jamais plus de {saved}"


def _paid(choice: Choice, pick: Pick) -> str:
    line = _line(choice, pick)
    if not choice.home.offers[line.offer].each:
        return "partagé, voir plus bas"
    return f"{say_money(line.total, choice.home.prices.currency)} sur {choice.home.prices.years} ans"


def _line(choice: Choice, pick: Pick) -> Line:
    scope = choice.home.scope(pick)
    return next(line for line in choice.lines if line.offer == pick[1] and line.scope == scope)


def _kept(choice: Choice, kept: Kept) -> str:
    what = _OBJECTIVE_FR[kept.wish.objective]
    none = "aucun" if kept.wish.objective is Objective.RTO else "aucune"
    got = f"{what} de {say_seconds(kept.obtained)} au plus" if kept.obtained else f"{none} {what}"
    name = choice.home.subjects[kept.wish.subject].name
    if kept.instead_of is None or kept.arbitration is None:
        return f"{name} : {got} (besoin : {say_seconds(kept.wish.seconds)}) : tiendrait"
    holds = kept.obtained <= kept.instead_of.seconds
    return (
        f"{name} : {got} (besoin : {say_seconds(kept.instead_of.seconds)}) : "
        f"{'tiendrait' if holds else 'ne tiendrait que l’écart accepté'} — arbitrage : "
        f"{say_arbitration(kept.arbitration)}"
    )


def choice_value(choice: Choice, why: Mapping[Pick, Sequence[str]] | None = None) -> dict[str, Any]:
    """The choice, JSON-ready. Amounts in cents, durations in seconds."""
    return {
        "currency": choice.home.prices.currency,
        "years": choice.home.prices.years,
        "initial_cents": choice.initial,
        "yearly_cents": choice.yearly,
        "total_cents": choice.total,
        "bound_cents": choice.bound,
        "gap": choice.gap,
        "proven": choice.proven,
        "reaction_seconds": choice.home.prices.reaction,
        "protections": [
            {
                "subject": subject,
                "offer": offer,
                "kind": choice.home.offers[offer].kind.value,
                "why": list((why or {}).get((subject, offer), ())),
            }
            for subject, offer in choice.picks
        ],
        "lines": [
            {
                "offer": line.offer,
                "scope": line.scope,
                "shared": not choice.home.offers[line.offer].each,
                "users": list(line.users),
                "units": line.units,
                "initial_cents": line.initial,
                "yearly_cents": line.yearly,
                "total_cents": line.total,
            }
            for line in choice.lines
        ],
        "objectives": [_kept_value(kept) for kept in choice.kept],
    }


def _kept_value(kept: Kept) -> dict[str, Any]:
    value = _wish_value(kept.wish) | {"obtained_seconds": kept.obtained}
    if kept.arbitration is not None and kept.instead_of is not None:
        item = kept.arbitration
        value["arbitration"] = {
            "wanted_seconds": kept.instead_of.seconds,
            "accepted_seconds": item.accepted,
            "who": item.who,
            "why": item.why,
            "decided_on": item.decided_on.isoformat(),
            "until": item.until.isoformat(),
            "avoided_loss_cents": item.avoided_loss,
        }
    return value


def _wish_value(wish: Wish) -> dict[str, Any]:
    return {
        "id": wish.id,
        "subject": wish.subject,
        "objective": wish.objective.value,
        "seconds": wish.seconds,
        "said_by": wish.said_by,
        "source": wish.source,
        "loss": wish.loss.value,
    }


def conflict_text(conflict: Conflict) -> str:
    """Why nothing that is offered will do, as text."""
    said = ["Aucun choix ne tient tous les objectifs."]
    alone = [core.members[0] for core in conflict.cores if len(core.members) == 1]
    if alone:
        each = (
            "À lui seul, ceci ne peut"
            if len(alone) == 1
            else f"Chacun de ces {len(alone)}, à lui seul, ne peut"
        )
        said += ["", f"{each} pas être tenu :", *_alone(alone)]
    for core in conflict.cores:
        if len(core.members) > 1:
            said += [
                "",
                "Ensemble, ceux-ci ne peuvent pas être tenus ; sans l'un d'eux, quel qu'il soit, les autres le peuvent :",
                *(line for member in core.members for line in _member(member)),
            ]
    if conflict.more:
        said += ["", f"… et {say_count(conflict.more, 'autre objectif')} hors d'atteinte."]
    said += [
        "",
        "conseil : changez un besoin, faites-le arbitrer, ou ajoutez une protection à la liste de prix",
    ]
    return "\n".join(said) + "\n"


def _alone(members: Sequence[Member]) -> list[str]:
    """Demands that fail each by itself: a rule that fails for several subjects is said once, with their names."""
    rules: dict[str, list[str]] = {}
    for member in members:
        if isinstance(member.demand, Duty):
            rule = say_rule(member.demand.rule)
            rules.setdefault(rule, []).append(member.sentence.removesuffix(f" : {rule}"))
    said = [line for member in members if isinstance(member.demand, Wish) for line in _member(member)]
    for rule, names in rules.items():
        if len(names) == 1:
            said.append(f"  {names[0]} : {rule}")
        else:
            said += [f"  {rule}, pour :", *(f"    {name}" for name in names)]
    return said


def _member(member: Member) -> list[str]:
    said = [f"  {member.sentence}"]
    if member.best is not None:
        said.append(f"    le mieux possible : {say_seconds(member.best)}")
    elif isinstance(member.demand, Wish):
        said.append("    rien de ce qui est proposé ne le remet en route")
    return said


def conflict_value(conflict: Conflict) -> dict[str, Any]:
    """The conflict, JSON-ready. `best_seconds` null: a rule, or nothing brings it back."""
    return {
        "cores": [
            [
                {
                    "id": member.demand.id,
                    "kind": "rule" if isinstance(member.demand, Duty) else "wish",
                    "subject": member.demand.subject,
                    "sentence": member.sentence,
                    "best_seconds": member.best,
                }
                for member in core.members
            ]
            for core in conflict.cores
        ],
        "more": conflict.more,
    }


def curve_text(curve: Curve) -> str:
    """The figures of a curve, from long to short, with what each step adds, and whose cost it is."""
    said = [*_whose(curve), ""]
    before: int | None = None
    for point in curve.legible:
        more = "" if before is None else f"   + {say_money(point.total - before, curve.currency)}"
        chosen = "   ← le choix" if curve.today is not None and curve.today[1] == point.total else ""
        said.append(
            f"  {say_promise(point.seconds):>14}   {say_money(point.total, curve.currency):>18}{more}{chosen}"
        )
        before = point.total
    if curve.points:
        said += ["", _why_no_slower(curve)]
    if curve.need is not None:
        whose = "" if curve.subject else " de l'application la plus pressée"
        best = curve.points[-1].seconds if curve.points and curve.complete else 0
        beyond = f", hors d'atteinte : le mieux possible est {say_promise(best)}" if best > curve.need else ""
        said.append(f"besoin{whose} : {say_seconds(curve.need)}{beyond}")
    if not curve.complete:
        said.append("la suite de la courbe n'a pas été calculée")
    if not curve.proven:
        said.append("preuve incomplète : un délai pourrait coûter un peu moins")
    return "\n".join(said) + "\n"


def _whose(curve: Curve) -> list[str]:
    if not curve.subject:
        return [
            f"{curve.name} : ce que coûte chaque délai de reprise (sur {curve.years} ans)",
            "Tous les délais bougent ensemble ; celui de la ligne est celui de l'application la plus pressée.",
        ]
    return [
        f"Ce que coûte à toute l'association chaque délai de reprise de « {curve.name} » (sur {curve.years} ans)",
        "Chaque montant est celui de tout ce que l'association achète, les autres besoins étant tenus.",
        f"Ce n'est pas le prix de « {curve.name} » seul ; ce qu'un délai plus court ajoute suit le signe +.",
    ]


def _why_no_slower(curve: Curve) -> str:
    first = say_promise(curve.points[0].seconds)
    why = (
        f"ce qui est acheté pour le reste ramène déjà « {curve.name} » en {first}"
        if curve.subject
        else f"ce qu'il faut acheter de toute façon (règles, données à ne pas perdre) donne déjà {first} ou mieux"
    )
    return f"rien de plus lent n'est montré : {why} ; attendre plus n'économiserait rien"


def curve_value(curve: Curve) -> dict[str, Any]:
    """The curve, JSON-ready: points from long to short, cents and seconds."""
    return {
        "subject": curve.subject,
        "name": curve.name,
        "currency": curve.currency,
        "years": curve.years,
        "need_seconds": curve.need,
        "today": None if curve.today is None else {"seconds": curve.today[0], "total_cents": curve.today[1]},
        "proven": curve.proven,
        "complete": curve.complete,
        "points": [
            {
                "seconds": point.seconds,
                "total_cents": point.total,
                "initial_cents": point.initial,
                "yearly_cents": point.yearly,
                "factor": point.factor,
            }
            for point in curve.points
        ],
    }
