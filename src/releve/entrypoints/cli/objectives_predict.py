"""`releve objectives predict` and `releve what-if`: whether it will hold, and what one failure would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from releve.domain.work import MAX_SEED, SEED
from releve.entrypoints.cli.objectives_files import (
    AnswersFolder,
    ObjectivesFile,
    Places,
    load_all,
    places,
    today,
)
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer, talk
from releve.entrypoints.cli.telling import columns

if TYPE_CHECKING:
    from releve.cycle.objectives.means import Beside, Change
    from releve.cycle.objectives.predict import Situation
    from releve.cycle.objectives.what_if import Supposition

Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=MAX_SEED,
        help="Quels tirages au sort : le même nombre redonne les mêmes chiffres, un autre dit ce qui tient au hasard.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command `what-if` to the root."""

    @app.command(name="what-if")
    def what_if(
        what: str = typer.Argument(
            help="Ce qui arrive : « srv-dui en panne », « principal perdu », ou un scénario : S10."
        ),
        at: str = typer.Option("", "--at", help="À quel instant : 2026-11-30T10:00 ; sinon maintenant."),
        people: int = typer.Option(
            0, "--people", min=0, max=100, help="La même chose avec tant de personnes de plus."
        ),
        relief_times: float = typer.Option(
            1.0, "--relief-times", min=0.1, max=100.0, help="… avec un secours tant de fois plus grand."
        ),
        second_link: bool = typer.Option(False, "--second-link", help="… avec un second lien."),
        seed: Seed = SEED,
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Et si… ? Ce qui s'arrête, qui est touché, quand cela revient, que décider et avant quand ; ne touche à rien."""

        def body() -> Answer:
            from releve.cycle.objectives.means import Change

            return _what_if(
                places(plan, objectives, answers), what, at, Change(people, relief_times, second_link), seed
            )

        answer(as_json, body)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to compute: disasters in all, of which year, the scheduler's limit for each scenario, which draws."""

    draws: int
    year: int
    limit: float
    seed: int


def situation(where: Places) -> tuple[Situation, str]:
    """What every prediction starts from, and the currency of its costs; the ledger's measures when this machine has them.

    Raises `BadInput`.
    """
    from releve.app import recovery_runbook
    from releve.cycle.objectives.flow import graph
    from releve.cycle.objectives.history import history
    from releve.cycle.objectives.need import needs
    from releve.cycle.objectives.predict import Situation
    from releve.cycle.objectives.scale import proposed_scale
    from releve.domain.errors import BadInput
    from releve.entrypoints.cli.session import ledger_here

    plan, objectives, bargain = load_all(where)
    if objectives.relief is None:
        raise BadInput(
            "relief-missing",
            "les moyens du secours ne sont pas déclarés : rien ne peut être estimé",
            hint="ajoutez « relief: {processors: …, memory: …, throughput: …, people: …} » au fichier d'objectifs",
        )
    ledger = ledger_here(plan)
    known = history(ledger.runs.all(), ledger.incidents.all()) if ledger is not None else history([], [])
    based = Situation(
        plan,
        objectives,
        objectives.relief,
        needs(plan, objectives, proposed_scale(), year=today().year),
        graph(plan, objectives),
        known,
        recovery_runbook(plan, ledger),
        bargain.arbitrations,
    )
    return based, bargain.prices.currency if bargain.prices is not None else "EUR"


def predicted(where: Places, wanted: Sequence[str], effort: Effort) -> Answer:
    """Every scenario, or those wanted."""
    from releve.cycle.objectives.choice.arbitration import say_arbitration
    from releve.cycle.objectives.predict import predict_all
    from releve.cycle.objectives.scenarios import scenarios
    from releve.cycle.objectives.show.figures import coarse_value, whole
    from releve.cycle.objectives.show.prediction import (
        chance_value,
        chances,
        chances_text,
        fewest,
        prediction_value,
    )
    from releve.cycle.plan.grid import folded
    from releve.domain.errors import BadInput
    from releve.domain.units import say_count

    known = scenarios()
    unknown = [code for code in wanted if code.upper() not in known]
    if unknown:
        raise BadInput("scenario-unknown", f"scénario inconnu : « {unknown[0]} »", hint=", ".join(known))
    base, currency = situation(where)
    chosen = [known[code.upper()] for code in wanted] or list(known.values())
    talk(f"{whole(effort.draws)} sinistres simulés sur {say_count(len(chosen), 'scénario')}…")
    found = predict_all(
        base, chosen, year=effort.year, draws=effort.draws, seed=effort.seed, limit=effort.limit
    )
    if not found:
        raise BadInput("hits-nothing", "aucun de ces scénarios ne touche une application de ce plan")
    rows = chances(base.plan, found)
    accepted = base.accepted((row.application for row in rows), today())
    return Answer(
        {
            "seed": effort.seed,
            "currency": currency,
            "coarse": coarse_value(fewest(found)),
            "accepted": [f"{item.subject}: {say_arbitration(item)}" for item in accepted],
            "applications": [chance_value(row) for row in rows],
            "scenarios": [prediction_value(item) for item in found],
        },
        folded(
            chances_text(
                rows, found, seed=effort.seed, currency=currency, accepted=accepted, width=columns()
            ),
            columns(),
        ),
    )


def _what_if(where: Places, what: str, at: str, change: Change, seed: int) -> Answer:
    from releve.cycle.objectives.means import Beside, beside, changed
    from releve.cycle.objectives.show.supposition import supposition_value
    from releve.cycle.objectives.what_if import understood, what_if
    from releve.domain.errors import BadInput

    base, _currency = situation(where)
    instant = _instant(at, base.plan.timezone)
    supposed = understood(what, base)

    def asked(means: Change) -> Supposition:
        return what_if(*changed(base, supposed, means), instant, seed=seed)

    if not change.any:
        found = what_if(base, supposed, instant, seed=seed)
        return Answer(supposition_value(found), _told(found, base.plan.timezone))
    before, refused = None, ""
    try:
        before = what_if(base, supposed, instant, seed=seed)
    except BadInput as error:  # what there is now cannot hold it: that is why other means are tried
        if error.code != "relief-too-small":
            raise
        refused = error.sentence
    with_it = asked(change)
    if before is None:
        aside = Beside(change, None)
    else:
        aside = beside(base, change, before, lambda means: with_it if means == change else asked(means))
    text = _told(with_it, base.plan.timezone, aside)
    return Answer(
        {
            **supposition_value(with_it),
            "without_change": supposition_value(before) if before is not None else None,
            "without_change_refused": refused or None,
            "changes_nothing": list(aside.idle),
        },
        f"Sans {change.words} : {refused}.\n\n{text}" if refused else text,
    )


def _told(found: Supposition, timezone: str, aside: Beside | None = None) -> str:
    from releve.cycle.objectives.show.supposition import supposition_text
    from releve.cycle.plan.grid import folded

    return folded(supposition_text(found, timezone, aside, width=columns()), columns())


def _instant(text: str, timezone: str) -> datetime:
    from releve.app import utc_now
    from releve.domain.errors import BadInput
    from releve.domain.instants import EXAMPLES, NotOneInstant, read_instant, zone_of

    if not text:
        return utc_now()
    try:
        return read_instant(text, zone_of(timezone))
    except NotOneInstant as error:
        raise BadInput("instant", str(error), hint=f"écrivez {' ou '.join(error.instead)}") from error
    except ValueError as error:
        raise BadInput("instant", str(error), hint=f"écrivez {EXAMPLES}") from error
