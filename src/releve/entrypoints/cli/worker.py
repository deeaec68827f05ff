"""`releve worker`: the resident process of a site."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def worker(
        site: Annotated[str, typer.Option("--site", help="Le site de cette machine (identifiant du plan).")],
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Processus résident d'un site : garde des serveurs et, au secours, conduite des bascules."""

        def body() -> Answer:
            from releve.domain.errors import Exit
            from releve.entrypoints.cli.session import plan_of
            from releve.entrypoints.worker.service import run_worker

            code = run_worker(plan_of(plan), site)
            return Answer({"site": site, "stopped": True}, "", Exit(code))

        answer(as_json, body)
