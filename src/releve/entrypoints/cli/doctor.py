"""`releve doctor`: what this machine can and cannot do, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from releve.domain.errors import Exit
from releve.domain.units import say_count
from releve.entrypoints.cli.speech import Answer, Json, answer

if TYPE_CHECKING:
    from releve.adapters.hosts.machine import Ability

_MARK = {"ok": "oui    ", "cannot": "NON    ", "unknown": "inconnu"}


def register(app: typer.Typer) -> None:
    """Add the command to the root."""

    @app.command()
    def doctor(
        state: str = typer.Option(".", "--state", help="Le dossier où Relève garderait son état."),
        port: list[int] = typer.Option(
            [], "--port", min=1, max=65535, help="Un port qui doit être libre (répétable)."
        ),
        as_json: Json = False,
    ) -> None:
        """Ce que cette machine peut et ne peut pas faire, et ce que cela coûte."""

        def body() -> Answer:
            from pathlib import Path

            from releve.adapters.hosts.machine import examine

            return report(examine(Path(state), port))

        answer(as_json, body)


def report(abilities: Sequence[Ability]) -> Answer:
    """The answer of the command: exit code 6 only when something required is missing. Pure."""
    missing = [item for item in abilities if item.required and item.state == "cannot"]
    lacking = sum(item.state != "ok" for item in abilities)
    lines: list[str] = []
    for item in abilities:
        lines.append(f"{_MARK[item.state]}  {item.name} : {item.seen}")
        if item.state != "ok":
            lines.append(f"           ce que cela coûte : {item.cost}")
            lines.append(f"           conseil : {item.hint}")
    lines.append("")
    if missing:
        lines.append("il manque le nécessaire : " + ", ".join(item.name for item in missing))
    else:
        rest = f" ; {say_count(lacking, 'limite')} ci-dessus" if lacking else ""
        lines.append(f"Relève peut tourner sur cette machine{rest}")
    return Answer(
        {"usable": not missing, "abilities": [item.as_json() for item in abilities]},
        "\n".join(lines),
        Exit.NOT_REACHABLE if missing else Exit.DONE,
    )
