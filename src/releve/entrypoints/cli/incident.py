"""`releve incident`: declare, show, close."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer

By = Annotated[str, typer.Option("--by", help="Qui parle : l'identifiant d'un contact du plan.")]


def register(app: typer.Typer) -> None:
    """Add the group to the root."""
    group = typer.Typer(help="Déclarer, suivre et clore un incident.", no_args_is_help=True)
    app.add_typer(group, name="incident")

    @group.command()
    def declare(
        site: Annotated[str, typer.Option("--site", help="Le site touché.")],
        by: By,
        summary: Annotated[str, typer.Option("--summary", help="Ce qui se passe, en une phrase.")],
        began: Annotated[
            str,
            typer.Option("--began", help="Quand cela a commencé (2026-11-23T14:02) ; par défaut maintenant."),
        ] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Déclarer un incident : les deux horloges partent."""

        def body() -> Answer:
            from releve.entrypoints.cli.session import orders, relief_house

            home = relief_house(plan)
            with orders(home) as order:
                found = order("declare", site=site, by=by, summary=summary, began_at=began)
            return Answer(
                found,
                f"incident {found['incident']} déclaré\nensuite : releve switch --incident "
                f"{found['incident']}",
            )

        answer(as_json, body)

    @group.command()
    def show(
        incident: Annotated[
            str, typer.Argument(metavar="INCIDENT", help="L'incident ; le dernier par défaut.")
        ] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Montrer un incident et ses deux horloges."""

        def body() -> Answer:
            from releve.app import utc_now
            from releve.domain.errors import BadInput
            from releve.entrypoints.cli.present import incident_json, incident_text
            from releve.entrypoints.cli.session import relief_house

            home = relief_house(plan)
            known = home.ledger.incidents.all()
            if not incident and not known:
                raise BadInput("no-incident", "aucun incident n'a été déclaré")
            found = home.ledger.incidents.get(incident) if incident else known[0]
            now = utc_now()
            return Answer(incident_json(found, home.plan, now), incident_text(found, home.plan, now))

        answer(as_json, body)

    @group.command()
    def close(
        incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="L'incident à clore.")],
        by: By,
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Clore un incident."""

        def body() -> Answer:
            from releve.entrypoints.cli.session import orders, relief_house

            with orders(relief_house(plan)) as order:
                found = order("close", incident=incident, by=by)
            return Answer(found, f"incident {incident} clos")

        answer(as_json, body)
