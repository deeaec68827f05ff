"""How every command answers: data on stdout, talk on stderr, one exit-code table.

A command builds an `Answer` and hands it to `answer`, which alone prints and exits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from releve.entrypoints.cli.telling import Answer, outcome, print_error, talk

Json = Annotated[bool, typer.Option("--json", help="Un seul document JSON sur la sortie (clés en anglais).")]
PlanFile = Annotated[
    str, typer.Option("--plan", "-p", envvar="RELEVE_PLAN", help="Le plan (fichier YAML).", show_default=True)
]


def answer(as_json: bool, body: Callable[[], Answer]) -> None:
    """Run `body`, print its answer or its error, and leave with the exit code of the table."""
    if code := outcome(as_json, body):
        raise typer.Exit(code)


__all__ = ["Answer", "Json", "PlanFile", "answer", "print_error", "talk"]
