"""The root of the command: every command is named here; its module is loaded when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module

import typer
from typer._click.core import Command
from typer._click.exceptions import NoArgsIsHelpError
from typer.core import TyperGroup
from typer.main import get_command

from releve import __version__
from releve.domain.errors import BadInput
from releve.entrypoints.cli.french import in_french, usage_error
from releve.entrypoints.cli.speech import Answer, answer, print_error

# The first word of a command line, and the module that answers to it; the order is that of the help.
_MODULES: Mapping[str, str] = {
    "demo": "demo",
    "init": "init",
    "plan": "plan",
    "audit": "audit",
    "objectives": "objectives",
    "what-if": "objectives_predict",
    "doctor": "doctor",
    "protect": "protect",
    "worker": "worker",
    "reopen": "reopen",
    "status": "status",
    "incident": "incident",
    "switch": "switch",
    "return": "switch",
    "run": "run",
    "report": "report",
    "evidence": "evidence",
    "vault": "vault",
    "share": "share",
    "database": "database",
}


def command_line(word: str = "") -> typer.Typer:
    """The commands to which a line that begins with `word` may speak: those of one module, or all.

    All where `word` is none of them: help, the list of commands, a name that was misspelt. Loading and
    building them all was nearly half of the processor time of `releve status --help`.
    """
    app = typer.Typer(
        name="releve",
        help="Relève : un plan de reprise d'activité exécutable, mesuré et prouvé.",
        rich_markup_mode=None,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    wanted = [_MODULES[word]] if word in _MODULES else dict.fromkeys(_MODULES.values())
    for name in wanted:
        import_module(f"releve.entrypoints.cli.{name}").register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"releve {__version__}\n")
        raise typer.Exit


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


@cache  # the modules are imported once; what is built from them can be used again
def _built(word: str) -> Command:
    return in_french(get_command(command_line(word)))


def run_command() -> None:
    """Run the command line and leave with its exit code. Usage errors follow the same table and the same JSON."""
    try:
        code = _built(next(iter(sys.argv[1:]), ""))(prog_name="releve", standalone_mode=False)
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
