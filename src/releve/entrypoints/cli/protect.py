"""`releve protect`: put the plan's real-time protections in place."""

from __future__ import annotations

from typing import Annotated

import typer

from releve.entrypoints.cli.speech import Answer, Json, PlanFile, answer, talk


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def protect(
        show: Annotated[
            bool, typer.Option("--show", help="Montrer ce qui reste à faire, sans le faire.")
        ] = False,
        plan: PlanFile = "plan.yaml",
        as_json: Json = False,
    ) -> None:
        """Mettre en place (ou remettre) la copie de chaque jeu de données, en temps réel ou du jour."""

        def body() -> Answer:
            from releve.app import utc_now
            from releve.cycle.protect.act import plan_protection
            from releve.cycle.protect.act import protect as carry_out
            from releve.cycle.protect.decide import JobKind
            from releve.entrypoints.cli.present import JOB_FR
            from releve.entrypoints.cli.session import relief_house

            home = relief_house(plan)
            found: list[dict[str, object]] = []
            for item in home.plan.data_sets:
                engine = home.engines[item.id]
                if show:
                    todo = plan_protection(item, engine, home.ledger)
                else:
                    todo = carry_out(item, engine, home.ledger, utc_now, _doing)
                found += [
                    {"data_set": j.data_set, "job": j.kind, "site": j.site, "reason": j.reason} for j in todo
                ]
            verb = "à faire" if show else "fait"
            text = "\n".join(
                f"{verb} : {JOB_FR[JobKind(str(j['job']))]} — {j['data_set']}, site {j['site']} (pourquoi : {j['reason']})"
                for j in found
            )
            return Answer({"done": not show, "jobs": found}, text or "rien à faire : tout est en place")

        answer(as_json, body)


def _doing(reason: str) -> None:
    """A job begins; `reason` says why it is needed, which alone would read as a failure."""
    talk(f"mise en place — {reason}")
