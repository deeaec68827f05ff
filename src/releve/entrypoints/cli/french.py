"""Typer's own words in French: the frame of its help pages and its usage errors.

Typer 0.29 writes most of them as constants, beyond the reach of gettext. It leaves three seams, and
they are what is used here: the class of a command's context, which chooses who writes the help; the
text of the `--help` option; and the exceptions, which say what was wrong by their type.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

import typer
from typer._click.core import Command, Context
from typer._click.exceptions import BadOptionUsage, BadParameter, MissingParameter, NoSuchOption, UsageError
from typer._click.formatting import HelpFormatter
from typer.core import TyperGroup

from releve.domain.errors import BadInput
from releve.entrypoints.cli.vault_session import NAMED, WHOLE

_HEADINGS = {"Arguments": "Arguments", "Options": "Options", "Commands": "Commandes"}
_TYPES = {
    "str": "texte",
    "int": "entier",
    "int range": "entier",
    "float": "nombre",
    "float range": "nombre",
    "list[int]": "entier",
    "list[str]": "texte",
}
_EXTRAS: Sequence[tuple[str, str]] = (
    (r"env var: (.+)", r"variable \1"),
    (r"default: (.+)", r"par défaut : \1"),
    (r"required", "obligatoire"),
    (r"x>=(.+)", r"au moins \1"),
    (r"x<=(.+)", r"au plus \1"),
    (r"(.+)<=x<=(.+)", r"de \1 à \2"),
)
# What Typer says in words only, with no type or attribute to read it from.
_SENTENCES: Sequence[tuple[str, str]] = (
    (r"No such command '(.*)'\. Did you mean (.+)\?", r"commande inconnue : « \1 » ; la plus proche : \2"),
    (r"No such command '(.*)'\.", r"commande inconnue : « \1 »"),
    (r"Missing command\.", "il manque le nom de la commande"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"ceci est en trop : \1"),
)
# The reasons of pydantic, which reads the values; `{…}` are the facts that it gives.
_REASONS = {
    "float_parsing": "un nombre est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "less_than_equal": "au plus {le:g}",
    "greater_than_equal": "au moins {ge:g}",
}


def in_french(command: Command) -> Command:
    """The same command, with all those below it, once its help pages speak French."""
    command.context_class = _Context
    option = command.get_help_option(_Context(command))
    if option is not None:
        option.help = "Montrer cette aide."
    if isinstance(command, TyperGroup):
        command.subcommand_metavar = "COMMANDE [ARGUMENTS]..."
        for child in command.commands.values():
            in_french(child)
    return command


def usage_error(error: typer.TyperException) -> BadInput:
    """What Typer found wrong in a command line, as an error of ours: exit code 2, one French sentence."""
    path = error.ctx.command_path if isinstance(error, UsageError) and error.ctx else "releve"
    near = ", ".join(error.possibilities or ()) if isinstance(error, NoSuchOption) else ""
    hint = f"{path} --help" + (f" ; l'option la plus proche : {near}" if near else "")
    if isinstance(error, MissingParameter) and _vault_named_by_environment(error):
        hint += f" ; {WHOLE}"
    return BadInput("usage", _sentence(error), hint=hint)


def _vault_named_by_environment(error: MissingParameter) -> bool:
    """Whether the word that was given may be the one that is missing, taken for the vault."""
    known = error.ctx.command.params if error.ctx else ()
    return bool(os.environ.get(NAMED)) and any(one.envvar == NAMED for one in known)


def _sentence(error: typer.TyperException) -> str:
    match error:
        case NoSuchOption():
            return f"option inconnue : {error.option_name}"
        case MissingParameter():
            return f"il manque {_name(error)}"
        case BadParameter():
            return f"la valeur donnée à {_name(error)} ne convient pas{_reason(error)}"
        case BadOptionUsage():
            lacking = "requires" in error.message
            return f"l'option {error.option_name} " + (
                "attend une valeur" if lacking else "ne prend pas de valeur"
            )
    return _said(_SENTENCES, error.message) or "la commande n'est pas comprise"


def _name(error: BadParameter) -> str:
    """The option or the argument in question, as the user writes it."""
    param = error.param
    if param is None:
        return "un argument"
    if param.param_type_name == "option":
        return f"l'option {max(param.opts, key=len)}"
    return f"l'argument {param.display_name_raw}"


def _reason(error: BadParameter) -> str:
    """Why the value was refused, led by a colon; empty when that is not one of the usual reasons."""
    found: Callable[[], list[dict[str, object]]] | None = getattr(error.__cause__, "errors", None)
    if found is None:
        return ""
    first = found()[0]
    facts = first.get("ctx")
    reason = _REASONS.get(str(first["type"]), "").format_map(facts if isinstance(facts, dict) else {})
    return f" : {reason}" if reason else ""


def _said(table: Sequence[tuple[str, str]], english: str) -> str:
    """The French of a text, by the first pattern that fits it whole; empty when none does."""
    return next(
        (found.expand(french) for pattern, french in table if (found := re.fullmatch(pattern, english))), ""
    )


class _Formatter(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or "Utilisation : ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(f"{_HEADINGS.get(heading, heading)} ")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_types(first), _extras(second)) for first, second in rows], col_max, col_spacing)


class _Context(Context):
    formatter_class = _Formatter


def _types(column: str) -> str:
    return re.sub(r"<([^<>]+)>", lambda found: f"<{_TYPES.get(found[1], found[1])}>", column)


def _extras(column: str) -> str:
    """The column of explanations; what Typer adds between brackets at its end is put in French."""
    found = re.fullmatch(r"(.*?)( {2})?\[([^\[\]]*)\]", column, re.DOTALL)
    if found is None:
        return column
    said = [_said(_EXTRAS, part) or part for part in found[3].split("; ")]
    return f"{found[1]}{found[2] or ''}[{' ; '.join(said)}]"
