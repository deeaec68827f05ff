"""`releve report`: the report of an incident, in PDF."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def report(
        incident: Annotated[
            str, typer.Argument(metavar="INCIDENT", help="L'incident ; le dernier par défaut.")
        ] = "",
        output: Annotated[str, typer.Option("--output", "-o", help="Le fichier PDF à écrire.")] = "",
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Écrire le compte rendu d'un incident."""

        def body() -> Answer:
            from pathlib import Path

            from releve.domain.errors import BadInput
            from releve.entrypoints.cli.session import relief_house
            from releve.entrypoints.reporting import write_report

            home = relief_house(plan)
            known = home.ledger.incidents.all()
            if not incident and not known:
                raise BadInput("no-incident", "aucun incident n'a été déclaré")
            found = home.ledger.incidents.get(incident) if incident else known[0]
            path = write_report(home, found.id, Path(output or f"compte-rendu-{found.id}.pdf"))
            return Answer({"incident": found.id, "document": str(path)}, f"compte rendu : {path}")

        answer(as_json, body)
