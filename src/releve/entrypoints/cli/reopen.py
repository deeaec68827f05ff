"""`releve reopen`: a person opens a server whose epoch nobody can confirm any more."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def reopen(
        site: Annotated[str, typer.Option("--site", help="Le site de cette machine.")],
        data: Annotated[str, typer.Option("--data", help="Le jeu de données à rouvrir.")],
        by: Annotated[str, typer.Option("--by", help="Qui en répond : l'identifiant d'un contact du plan.")],
        words: Annotated[
            str, typer.Option("--words", help="Comment vous savez que le secours n'a pas pris la suite.")
        ],
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Rouvrir un serveur resté fermé parce que le site de secours ne répond plus."""

        def body() -> Answer:
            from releve.app import house
            from releve.cycle.watch.act import reopen_on_word
            from releve.domain.errors import BadInput
            from releve.entrypoints.cli.session import plan_of
            from releve.entrypoints.worker.service import ask_relief

            home = house(plan_of(plan), site)
            if by not in [item.id for item in home.plan.contacts]:
                raise BadInput("unknown-person", f"personne inconnue : « {by} »")
            if data not in home.engines:
                raise BadInput(
                    "unknown-data-set",
                    f"jeu de données inconnu : « {data} »",
                    hint=f"connus : {', '.join(home.engines)}",
                )
            reopen_on_word(
                site, home.plan.data_set(data), home.engines[data], home.ledger, ask_relief(home), by, words
            )
            return Answer(
                {"site": site, "data_set": data, "opened": True}, f"« {data} » est rouvert sur {site}"
            )

        answer(as_json, body)
