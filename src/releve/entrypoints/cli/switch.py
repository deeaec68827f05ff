"""`releve switch` and `releve return`: the same run, two directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

if TYPE_CHECKING:
    from releve.domain.runbook import Direction, RunRecord
    from releve.entrypoints.cli.session import Orders

By = Annotated[str, typer.Option("--by", help="Qui parle : l'identifiant d'un contact du plan.")]
Show = Annotated[bool, typer.Option("--show", help="Montrer le déroulé et ses durées, sans rien faire.")]
To = Annotated[str, typer.Option("--to", help="Le site où aller ; déduit du plan par défaut.")]
Limit = Annotated[float, typer.Option("--timeout", min=0, help="Secondes d'attente avant de rendre la main.")]


def register(app: typer.Typer) -> None:
    """Add both commands to the root."""

    @app.command("switch")
    def switch(
        incident: Annotated[
            str, typer.Option("--incident", help="L'incident ; le dernier ouvert par défaut.")
        ] = "",
        by: By = "",
        stopped: Annotated[
            str,
            typer.Option("--stopped", help="Comment vous savez que l'ancien serveur est arrêté (avec --by)."),
        ] = "",
        since: Annotated[
            str, typer.Option("--since", help="Depuis quand il est arrêté, si vous le savez.")
        ] = "",
        accept_loss: Annotated[
            str, typer.Option("--accept-loss", help="Pourquoi la perte est acceptée (avec --by).")
        ] = "",
        to: To = "",
        show: Show = False,
        timeout: Limit = 3600.0,
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Basculer sur le site de secours."""

        def body() -> Answer:
            from releve.cycle.recover.conduct import relief_of
            from releve.domain.runbook import Direction, TaskKind
            from releve.entrypoints.cli.session import relief_house

            home = relief_house(plan)
            words: dict[str, dict[str, str]] = {}
            if stopped:
                words[TaskKind.CONFIRM_FENCE] = {
                    "by": by,
                    "words": stopped,
                    "since": since,
                    "answer": "stopped",
                }
            if accept_loss:
                words[TaskKind.ACCEPT_LOSS] = {"by": by, "words": accept_loss, "answer": "accept"}
            opened = [item.id for item in home.ledger.incidents.all() if item.closed_at is None]
            about = incident or (opened[0] if opened else "")
            return _go(
                plan,
                Direction.SWITCH,
                to or relief_of(home.plan),
                about,
                words,
                show=show,
                timeout=timeout,
                interactive=not as_json,
            )

        answer(as_json, body)

    @app.command("return")
    def go_back(
        to: To = "",
        show: Show = False,
        timeout: Limit = 3600.0,
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Revenir, sans urgence et sans rien perdre (dans un sens ou dans l'autre, avec --to)."""

        def body() -> Answer:
            from releve.cycle.recover.conduct import primary_of
            from releve.domain.runbook import Direction
            from releve.entrypoints.cli.session import relief_house

            home = relief_house(plan)
            opened = [item.id for item in home.ledger.incidents.all() if item.closed_at is None]
            return _go(
                plan,
                Direction.RETURN,
                to or primary_of(home.plan),
                opened[0] if opened else "",
                {},
                show=show,
                timeout=timeout,
                interactive=not as_json,
            )

        answer(as_json, body)


def _go(
    plan: str,
    direction: Direction,
    target: str,
    incident: str,
    words: dict[str, dict[str, str]],
    *,
    show: bool,
    timeout: float,
    interactive: bool,
) -> Answer:
    from releve.cycle.recover.conduct import prepare_runbook
    from releve.domain.errors import BadInput
    from releve.domain.runbook import Direction as Way
    from releve.entrypoints.cli.present import runbook_json, runbook_text
    from releve.entrypoints.cli.session import follow, orders, relief_house

    home = relief_house(plan)
    if target not in [site.id for site in home.plan.sites]:
        raise BadInput("unknown-site", f"site inconnu : « {target} »")
    if show:
        runbook = prepare_runbook(home.plan, home.ledger, direction, target, incident, "déroulé")
        return Answer(runbook_json(runbook), runbook_text(runbook))
    if direction is Way.SWITCH and not incident:
        raise BadInput(
            "no-incident",
            "aucun incident ouvert à l'origine de cette bascule",
            hint="« releve incident declare », ou « releve return --to … » pour un passage prévu",
        )
    with orders(home) as order:
        run = str(
            order("launch", direction=str(direction), target=target, incident=incident, words=words)["run"]
        )
        record = follow(home, run, timeout, tell=interactive)
        while interactive and _asked(record, order):
            record = follow(home, run, timeout)
    return _ended(record)


def _asked(record: RunRecord, order: Orders) -> bool:
    """Ask the open questions at the terminal; False when nobody sits there or nothing is open."""
    import sys

    from releve.entrypoints.cli.present import open_questions
    from releve.entrypoints.cli.speech import talk

    questions = open_questions(record)
    if not questions or not sys.stdin.isatty():
        return False
    asked = questions[0]
    talk(f"\n{asked['question']}")
    answers = asked["answers"]
    for key, label in answers.items() if isinstance(answers, dict) else ():
        talk(f"  {key} : {label}")
    order(
        "decide",
        run=record.runbook.run,
        task=asked["task"],
        answer=typer.prompt("réponse", err=True),
        by=typer.prompt("qui êtes-vous (identifiant)", err=True),
        words=typer.prompt("comment le savez-vous", err=True),
    )
    return True


def _ended(record: RunRecord) -> Answer:
    from releve.domain.errors import Exit
    from releve.domain.runbook import RunState, TaskState
    from releve.entrypoints.cli.present import run_json, run_text

    states = {item.state for item in record.tasks}
    if record.state is RunState.DONE:
        code = Exit.DONE
    elif record.state is RunState.WAITING:
        code = Exit.WAITS_FOR_PERSON
    elif TaskState.REFUSED in states or TaskState.FAILED not in states:
        code = Exit.REFUSED_FOR_SAFETY
    else:
        code = Exit.NOT_REACHABLE
    return Answer(run_json(record), run_text(record), code)
