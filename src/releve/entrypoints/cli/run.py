"""`releve run`: show, approve, refuse, abort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

if TYPE_CHECKING:
    from releve.app import House
    from releve.domain.runbook import RunRecord

By = Annotated[str, typer.Option("--by", help="Qui répond : l'identifiant d'un contact du plan.")]
Words = Annotated[str, typer.Option("--words", help="Ce que vous dites, et comment vous le savez.")]
Run = Annotated[str, typer.Argument(metavar="DÉROULÉ", help="Le déroulé.")]
Task = Annotated[str, typer.Argument(metavar="TÂCHE", help="La tâche qui pose la question.")]


def register(app: typer.Typer) -> None:
    """Add the group to the root."""
    group = typer.Typer(help="Suivre un déroulé, répondre à ses questions, l'arrêter.", no_args_is_help=True)
    app.add_typer(group, name="run")

    @group.command()
    def show(
        run: Annotated[
            str, typer.Argument(metavar="DÉROULÉ", help="Le déroulé ; le dernier par défaut.")
        ] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Montrer un déroulé : où il en est, qui a décidé, ce qu'il attend."""

        def body() -> Answer:
            from releve.domain.errors import BadInput
            from releve.entrypoints.cli.present import run_json, run_text
            from releve.entrypoints.cli.session import relief_house

            home = relief_house(plan)
            known = home.ledger.runs.all()
            if not run and not known:
                raise BadInput("no-run", "aucun déroulé n'a été lancé")
            record = home.ledger.runs.get(run) if run else known[0]
            return Answer(run_json(record), run_text(record))

        answer(as_json, body)

    @group.command()
    def approve(
        run: Run,
        task: Task,
        by: By,
        words: Words,
        since: Annotated[
            str,
            typer.Option("--since", help="Depuis quand c'est ainsi, si vous le savez (2026-11-23T14:02)."),
        ] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Répondre oui à la question d'une tâche."""
        answer(as_json, lambda: _decide(plan, run, task, by, words, since, yes=True))

    @group.command()
    def refuse(
        run: Run, task: Task, by: By, words: Words, plan: PlanFile = "plan.yaml", as_json: Json = False
    ) -> None:
        """Répondre non : le déroulé s'arrête là."""
        answer(as_json, lambda: _decide(plan, run, task, by, words, "", yes=False))

    @group.command()
    def abort(run: Run, by: By, words: Words, plan: PlanFile = "plan.yaml", as_json: Json = False) -> None:
        """Arrêter un déroulé ; ce qui n'a pas encore basculé est rendu au site quitté."""

        def body() -> Answer:
            from releve.entrypoints.cli.session import orders, relief_house

            with orders(relief_house(plan)) as order:
                found = order("abort", run=run, by=by, words=words)
            said = found["said"]
            lines = [str(item) for item in said] if isinstance(said, list) else []
            return Answer(found, "\n".join([f"déroulé {run} arrêté", *lines]))

        answer(as_json, body)


def _decide(plan: str, run: str, task: str, by: str, words: str, since: str, *, yes: bool) -> Answer:
    from releve.domain.errors import BadInput
    from releve.entrypoints.cli.present import run_json, run_text
    from releve.entrypoints.cli.session import follow, orders, relief_house

    home = relief_house(plan)
    runbook = home.ledger.runs.get(run).runbook
    try:
        question = runbook.task(task).question
    except KeyError as error:
        known = ", ".join(item.id for item in runbook.tasks if item.question)
        raise BadInput(
            "unknown-task", f"tâche inconnue : « {task} »", hint=f"celles qui questionnent : {known}"
        ) from error
    keys = [item.key for item in question.answers if item.goes_on is yes] if question else []
    with orders(home) as order:
        order("decide", run=run, task=task, by=by, words=words, since=since, answer=keys[0] if keys else "")
        record = _taken(home, run, task, by)
        if not order.resident:
            record = follow(home, run, 3600.0)
    return Answer(run_json(record), run_text(record))


def _taken(home: House, run: str, task: str, by: str) -> RunRecord:
    """The run once the owner has taken the answer of `by` into account."""
    import time

    from releve.domain.errors import Unreachable
    from releve.domain.runbook import TaskState
    from releve.entrypoints.cli.session import POLL

    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        record = home.ledger.runs.get(run)
        written = record.record(task)
        given = written.outcome.facts.get("given") if written.outcome else None
        if written.state is not TaskState.WAITING or (isinstance(given, list) and by in given):
            return record
        time.sleep(POLL)
    raise Unreachable(
        "answer-not-taken",
        "la réponse est notée, mais le déroulé ne l'a pas encore reprise",
        hint=f"« releve run show {run} »",
    )
