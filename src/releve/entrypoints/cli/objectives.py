"""`releve objectives …`: what people say, what follows from it, what it costs, whether it will hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from releve.domain.units import say_count
from releve.domain.work import SEED
from releve.entrypoints.cli.objectives_files import (
    AnswersFolder,
    ObjectivesFile,
    judged,
    load,
    load_all,
    places,
    today,
)
from releve.entrypoints.cli.objectives_predict import Seed
from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer
from releve.entrypoints.cli.telling import columns

if TYPE_CHECKING:
    from releve.cycle.objectives.gaps import Accepted
    from releve.cycle.objectives.need import Need
    from releve.domain.objectives import Objectives
    from releve.domain.plan import Plan
    from releve.entrypoints.cli.objectives_files import Places


def register(app: typer.Typer) -> None:
    """Add the group `objectives` to the root."""
    group = typer.Typer(
        help="Les objectifs : combien de temps s'en passer, ce qu'on peut perdre, ce que cela coûte.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(group, name="objectives")

    @group.command()
    def init(
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        as_json: Json = False,
    ) -> None:
        """Écrit un premier fichier d'objectifs à partir du plan, commenté, à compléter."""
        answer(as_json, lambda: _init(places(plan, objectives, "")))

    @group.command()
    def ask(
        application: str = typer.Argument(help="L'application (identifiant du plan)."),
        establishment: str = typer.Option(
            "", "--establishment", "-e", help="L'établissement ; inutile s'il n'y en a qu'un."
        ),
        by: str = typer.Option(..., "--by", help="Qui répond : une fonction (« infirmière coordinatrice »)."),
        on: str = typer.Option("", "--on", help="La date de la réponse (2026-10-05) ; sinon aujourd'hui."),
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Pose les questions du bilan d'impact et garde les réponses ; s'interrompt et se reprend à tout moment."""

        def body() -> Answer:
            from releve.entrypoints.cli.objectives_ask import ask as asked

            return asked(places(plan, objectives, answers), application, establishment, by, _date(on))

        answer(as_json, body)

    @group.command()
    def check(
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Dit tout ce qui ne va pas : fautes avec leur ligne, réponses qui manquent, besoins et engagements qui se contredisent."""
        answer(as_json, lambda: _check(places(plan, objectives, answers)))

    @group.command()
    def show(
        application: str = typer.Argument(
            "", help="Une application : tout ce qu'il y a derrière son délai ; sinon, toutes."
        ),
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Combien de temps on peut s'en passer, ce qu'on peut perdre, et qui l'a dit."""
        answer(as_json, lambda: _show(places(plan, objectives, answers), application))

    @group.command()
    def priorities(
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """L'ordre de reprise, de P0 à P3, avec la raison de chaque rang."""
        answer(as_json, lambda: _priorities(places(plan, objectives, answers)))

    @group.command()
    def compare(
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Besoin, engagement et mesure côte à côte ; ce qui n'a pas été mesuré est dit « jamais prouvé »."""
        answer(as_json, lambda: _compare(places(plan, objectives, answers)))

    @group.command()
    def choose(
        why: bool = typer.Option(
            True, "--why/--no-why", help="Dire, pour chaque achat, pourquoi moins cher ne suffit pas."
        ),
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Le choix de protections le moins cher qui tient chaque objectif et chaque règle, avec vos prix."""

        def body() -> Answer:
            from releve.entrypoints.cli.objectives_buy import choose as chosen

            return chosen(places(plan, objectives, answers), why=why)

        answer(as_json, body)

    @group.command()
    def curve(
        application: str = typer.Argument(
            "", help="Une application ou un jeu de données ; sinon, toute l'association."
        ),
        svg: str = typer.Option("", "--svg", help="Écrire aussi l'image dans ce fichier."),
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Ce que coûte chaque délai plus court : en chiffres, et en image avec --svg."""

        def body() -> Answer:
            from releve.entrypoints.cli.objectives_buy import curve as drawn

            return drawn(places(plan, objectives, answers), application, svg)

        answer(as_json, body)

    @group.command()
    def predict(
        scenario: list[str] = typer.Option(
            [], "--scenario", "-s", help="Seulement ce scénario (S01 à S20), répétable."
        ),
        draws: int = typer.Option(
            10_000, "--draws", min=100, max=1_000_000, help="Combien de sinistres simuler, en tout."
        ),
        year: int = typer.Option(
            0, "--year", min=0, max=2100, help="L'année des sinistres ; sinon celle qui court."
        ),
        effort: float = typer.Option(
            0.05,
            "--effort",
            min=0.01,
            max=100.0,
            help="Effort pour chaque ordre de reprise (1 : environ une seconde).",
        ),
        seed: Seed = SEED,
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Est-ce que cela tiendra ? Des milliers de sinistres simulés, à tout instant de l'année."""

        def body() -> Answer:
            from releve.entrypoints.cli.objectives_predict import Effort, predicted

            return predicted(
                places(plan, objectives, answers),
                scenario,
                Effort(draws, year or today().year, effort, seed),
            )

        answer(as_json, body)

    @group.command()
    def record(
        plan: PlanFile = "plan.yaml",
        objectives: ObjectivesFile = "",
        answers: AnswersFolder = "",
        as_json: Json = False,
    ) -> None:
        """Inscrit les réponses au registre du secours : qui a dit quoi, quand, pour de bon."""
        answer(as_json, lambda: _record(places(plan, objectives, answers)))

    @group.command()
    def export(
        file: str = typer.Argument(help="Le fichier de réponses à écrire ; il ne doit pas exister."),
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Écrit en YAML les réponses inscrites au registre."""
        answer(as_json, lambda: _export(plan, Path(file)))


def _date(text: str) -> date:
    from releve.domain.errors import BadInput

    if not text:
        return today()
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise BadInput("date", f"« {text} » n'est pas une date", hint="écrivez 2026-10-05") from error
    if found > today():  # the newest answer counts: one of the year 2062 would count for ever
        raise BadInput("date", f"« {text} » n'est pas encore arrivé", hint="la date où la personne a répondu")
    return found


def _needs(where: Places) -> tuple[Plan, Objectives, tuple[Need, ...], Accepted]:
    from releve.cycle.objectives.gaps import gaps
    from releve.cycle.objectives.need import needs
    from releve.cycle.objectives.scale import proposed_scale

    plan, objectives, bargain = load_all(where)
    found = needs(plan, objectives, proposed_scale(), year=today().year)
    return plan, objectives, found, gaps(found, bargain.arbitrations, today())


def _init(where: Places) -> Answer:
    from releve.cycle.objectives.init import first_objectives
    from releve.cycle.plan.load import read_plan
    from releve.domain.errors import BadInput
    from releve.entrypoints.cli.objectives_files import replace_whole

    if where.objectives.exists():
        raise BadInput(
            "file-exists",
            f"{where.objectives} existe déjà : rien n'est écrasé",
            hint="donnez un autre nom avec --objectives",
        )
    replace_whole(where.objectives, first_objectives(read_plan(where.plan)))
    return Answer(
        {"file": str(where.objectives)},
        f"écrit dans {where.objectives} : complétez les établissements, puis releve objectives ask",
    )


def _check(where: Places) -> Answer:
    from releve.cycle.objectives.check import checked
    from releve.cycle.objectives.scale import proposed_scale
    from releve.cycle.objectives.show.check import check_text, check_value
    from releve.cycle.plan.grid import folded
    from releve.domain.errors import Exit, PlanError

    plan, judgement = judged(where)
    if judgement.objectives is None:
        raise PlanError(judgement.faults, noun="les objectifs contiennent", code="objectives-invalid")
    found = checked(plan, judgement.objectives, judgement, str(where.objectives), proposed_scale(), today())
    status = Exit.PROMISE_NOT_KEPT if found.grave else Exit.DONE
    return Answer(check_value(found), folded(check_text(found), columns()), status)


def _show(where: Places, application: str) -> Answer:
    from releve.cycle.objectives.scale import proposed_scale
    from releve.cycle.objectives.show.needs import need_text, need_value, needs_text
    from releve.cycle.plan.grid import folded
    from releve.domain.errors import BadInput
    from releve.domain.names import nearest

    plan, objectives, found, accepted = _needs(where)
    if not application:
        return Answer(
            {"needs": [need_value(need, accepted) for need in found]},
            folded(needs_text(plan, objectives, found, accepted, width=columns()), columns()),
        )
    known = [item.id for item in plan.applications]
    if application not in known:
        raise BadInput(
            "application-unknown",
            f"application inconnue : « {application} »",
            hint=nearest(application, known, ""),
        )
    chosen = [need for need in found if need.application == application]
    scale = proposed_scale()
    text = "\n\n".join(
        [
            plan.application(application).name,
            *(need_text(need, objectives, scale, accepted) for need in chosen),
        ]
    )
    return Answer({"needs": [need_value(need, accepted) for need in chosen]}, folded(text, columns()))


def _priorities(where: Places) -> Answer:
    from releve.cycle.objectives.flow import graph, required
    from releve.cycle.objectives.priority import ranked
    from releve.cycle.objectives.show.needs import rank_value, ranks_text

    plan, objectives, found, _accepted = _needs(where)
    stood = graph(plan, objectives)
    ranks = ranked(stood, required(stood, found), found, objectives)
    return Answer({"ranks": [rank_value(rank) for rank in ranks]}, ranks_text(ranks, width=columns()))


def _compare(where: Places) -> Answer:
    from releve.app import utc_now
    from releve.cycle.objectives.compare import compared
    from releve.cycle.objectives.history import lost
    from releve.cycle.objectives.show.compare import compared_text, compared_value
    from releve.entrypoints.cli.session import ledger_here

    plan, objectives, found, accepted = _needs(where)
    ledger = ledger_here(plan)
    incidents = ledger.incidents.all() if ledger is not None else ()
    gone = lost(ledger.runs.all(), incidents) if ledger is not None else {}
    lines = compared(plan, objectives, found, incidents, gone, utc_now())
    return Answer(
        {"lines": [compared_value(line, accepted) for line in lines]},
        compared_text(lines, objectives, accepted, width=columns()),
    )


def _record(where: Places) -> Answer:
    from releve.app import utc_now
    from releve.cycle.objectives.read import read_answers
    from releve.entrypoints.cli.session import ledger_house

    plan, _objectives = load(where)
    home = ledger_house(where.plan)
    now = utc_now()
    # every answer, and not only each person's newest: what was said before stays said
    said = [
        item for file in where.answer_files() for item in read_answers(file, where.objectives, plan, today())
    ]
    new = sum(home.ledger.statements.record(statement, now) for statement in said)
    if new:
        home.ledger.evidence.append(
            "answers-recorded", {"new": new, "files": [str(path) for path in where.answer_files()]}, now
        )
    known = len(said) - new
    return Answer(
        {"new": new, "known": known},
        f"{say_count(new, 'réponse inscrite', 'réponses inscrites')} au registre, {known} y {'étaient' if known > 1 else 'était'} déjà",
    )


def _export(plan: str, file: Path) -> Answer:
    from releve.cycle.objectives.read import last_recorded
    from releve.cycle.objectives.written import HEAD, parts, written
    from releve.domain.errors import BadInput
    from releve.entrypoints.cli.objectives_files import replace_whole
    from releve.entrypoints.cli.session import ledger_house

    # what a later row of the day corrected stays in the ledger: files could not tell which came last
    kept = list(last_recorded(ledger_house(plan).ledger.statements.all()))
    # "_": the names sort in the order of what was said, and so are they read
    pieces = {
        file if number == 1 else file.with_name(f"{file.stem}_{number:03}{file.suffix}"): part
        for number, part in enumerate(parts(kept), start=1)
    }
    for path in pieces:
        if path.exists():
            raise BadInput(
                "file-exists", f"{path} existe déjà : rien n'est écrasé", hint="donnez un autre nom"
            )
    for path, part in pieces.items():
        replace_whole(path, HEAD + written(part))
    more = f" et {say_count(len(pieces) - 1, 'autre')}" if len(pieces) > 1 else ""
    return Answer(
        {"file": str(file), "files": [str(path) for path in pieces], "statements": len(kept)},
        f"{say_count(len(kept), 'réponse écrite')} dans {file}{more}",
    )
