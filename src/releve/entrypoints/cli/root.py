"""The root of the command: every group is registered here; heavy imports live inside the commands."""

from __future__ import annotations

import sys

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer.core import TyperGroup
from typer.main import get_command

from releve import __version__
from releve.domain.errors import BadInput
from releve.entrypoints.cli import (
    database,
    demo,
    doctor,
    evidence,
    incident,
    init,
    objectives,
    objectives_predict,
    plan,
    protect,
    reopen,
    report,
    run,
    share,
    status,
    switch,
    vault,
    worker,
)
from releve.entrypoints.cli.french import in_french, usage_error
from releve.entrypoints.cli.speech import Answer, answer, print_error

app = typer.Typer(
    name="releve",
    help="Relève : un plan de reprise d'activité exécutable, mesuré et prouvé.",
    rich_markup_mode=None,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"releve {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _shown: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="La version."),
    as_json: bool = typer.Option(False, "--json", help="La liste des commandes, en JSON."),
) -> None:
    if context.invoked_subcommand is None:
        answer(as_json, lambda: _commands(context))
    elif as_json:
        raise BadInput("usage", "l'option --json se met après la commande", hint="releve COMMANDE --json")


def _commands(context: typer.Context) -> Answer:
    """What the command alone says: its help."""
    group = context.command
    children = group.commands if isinstance(group, TyperGroup) else {}
    return Answer(
        {"version": __version__, "commands": {name: item.help for name, item in children.items()}},
        context.get_help(),
    )


for _command in (
    demo,
    init,
    plan,
    objectives,
    objectives_predict,
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
    vault,
    share,
    database,
):
    _command.register(app)


def run_command() -> None:
    """Run the command line and leave with its exit code. Usage errors follow the same table and the same JSON."""
    try:
        code = in_french(get_command(app))(prog_name="releve", standalone_mode=False)
    except NoArgsIsHelpError as asked:  # a group alone: its help was wanted, and `message` is that help
        sys.stdout.write(f"{asked.message}\n")
        sys.exit(0)
    except (typer.TyperException, BadInput) as error:
        wrong = error if isinstance(error, BadInput) else usage_error(error)
        print_error(wrong, as_json="--json" in sys.argv[1:])
        sys.exit(int(wrong.exit_code))
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
