"""The root of the command: every group is registered here; heavy imports live inside the commands."""

from __future__ import annotations

import sys

import typer

from releve import __version__
from releve.domain.errors import BadInput
from releve.entrypoints.cli import (
    demo,
    doctor,
    evidence,
    incident,
    init,
    plan,
    protect,
    reopen,
    report,
    run,
    status,
    switch,
    worker,
)
from releve.entrypoints.cli.speech import print_error

app = typer.Typer(
    name="releve",
    help="Relève : un plan de reprise d'activité exécutable, mesuré et prouvé.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"releve {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="La version."),
) -> None:
    pass


for _command in (
    demo,
    init,
    plan,
    doctor,
    protect,
    worker,
    reopen,
    status,
    incident,
    switch,
    run,
    report,
    evidence,
):
    _command.register(app)


def _sentence(error: Exception) -> str:
    say = getattr(error, "format_message", error.__str__)
    return str(say())


def run_command() -> None:
    """Run the command line and leave with its exit code. Usage errors follow the same table and the same JSON."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        wrong = BadInput("usage", _sentence(error), hint="releve --help, ou releve COMMANDE --help")
        print_error(wrong, as_json="--json" in sys.argv[1:])
        sys.exit(int(wrong.exit_code))
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
