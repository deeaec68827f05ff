"""The command line: what is loaded for one word answers as the whole does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from releve.entrypoints.cli.root import command_line


def commands(word: str = "") -> TyperGroup:
    """What the command line that begins so can reach, built."""
    found = get_command(command_line(word))
    assert isinstance(found, TyperGroup)
    return found


WHOLE = commands()


@pytest.mark.parametrize("word", WHOLE.commands)
def test_a_word_loads_its_own_command_whole(word: str) -> None:
    """Every command of the help is found by its first word, with the same parameters and commands below."""
    alone, among = commands(word).commands[word], WHOLE.commands[word]
    assert [one.name for one in alone.params] == [one.name for one in among.params]
    assert isinstance(alone, TyperGroup) == isinstance(among, TyperGroup)
    if isinstance(alone, TyperGroup) and isinstance(among, TyperGroup):
        assert list(alone.commands) == list(among.commands)
    assert len(commands(word).commands) <= 2


@pytest.mark.parametrize("word", ["", "--help", "--json", "audti", "root", "os"])
def test_any_other_word_is_judged_by_all_the_commands(word: str) -> None:
    """Help, the list, a misspelt name, the name of a module that is no command."""
    assert list(commands(word).commands) == list(WHOLE.commands)


def test_a_page_of_help_loads_no_other_command() -> None:
    """The start of a command is not the start of all."""
    program = (
        "import sys; sys.argv = ['releve', 'status', '--help']\n"
        "from releve.entrypoints.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([one for one in ('vault', 'audit', 'status') if f'releve.entrypoints.cli.{one}' in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "['status']"
