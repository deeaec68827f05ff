"""The command line speaks French: its help pages, its usage errors, and what it says when nothing is asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest
import typer
from typer._click.core import Command
from typer.core import TyperGroup
from typer.main import get_command

from releve.domain.errors import BadInput
from releve.entrypoints.cli.french import in_french, usage_error
from releve.entrypoints.cli.root import command_line, run_command

ENGLISH = re.compile(
    r"\b(usage(?= ?:)|commands|required|default|env var|show|message|exit|try|for help|such|missing|got|"
    r"extra|argument\(s\)|requires?|does|did you mean|invalid|value|should|possible|str|int|float|range|list)(?!\w)",
    re.IGNORECASE,
)
OURS = re.compile(
    r"--[\w-]+|\breleve [\w ]+|^ {2}[a-z]+ {2,}", re.MULTILINE
)  # names of ours, English on purpose


def whole() -> Command:
    """The command as it is run."""
    return in_french(get_command(command_line()))


def every(command: Command, *path: str) -> Iterator[list[str]]:
    """The words of each command, groups and root included."""
    yield list(path)
    for name, child in command.commands.items() if isinstance(command, TyperGroup) else ():
        yield from every(child, *path, name)


def printed(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """(exit code, stdout, stderr) of the command line `words`."""
    monkeypatch.setattr(sys, "argv", ["releve", *words])
    with pytest.raises(SystemExit) as left:
        run_command()
    seen = capsys.readouterr()
    return left.value.code, seen.out, seen.err


def refused(*words: str) -> BadInput:
    """The usage error of that command line, in French."""
    with pytest.raises(typer.TyperException) as caught:
        whole()(list(words), prog_name="releve", standalone_mode=False)
    return usage_error(caught.value)


@pytest.mark.parametrize("words", list(every(whole())), ids=lambda words: " ".join(words) or "releve")
def test_no_english_in_a_help_page(words, monkeypatch, capsys):
    """Each help page goes to stdout, exit 0, without a word of Typer's."""
    code, out, err = printed([*words, "--help"], monkeypatch, capsys)
    assert (code, err) == (0, "")
    assert out.startswith("Utilisation : releve")
    assert "Montrer cette aide." in out
    assert ENGLISH.findall(OURS.sub("", out)) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "chek"], "commande inconnue : « chek » ; la plus proche : 'check'"),
        (["xyzzy"], "commande inconnue : « xyzzy »"),
        (["--jsn"], "option inconnue : --jsn"),
        (["plan", "check", "-z"], "option inconnue : -z"),
        (["init"], "il manque l'argument PROFIL"),
        (["run", "approve", "a"], "il manque l'argument TÂCHE"),
        (["run", "abort", "a", "--words", "vu"], "il manque l'option --by"),
        (["demo", "là", "bas"], "ceci est en trop : là bas"),
        (["demo", "--output"], "l'option --output attend une valeur"),
        (["demo", "--json=3"], "l'option --json ne prend pas de valeur"),
        (
            ["demo", "--seconds", "abc"],
            "la valeur donnée à l'option --seconds ne convient pas : un nombre est attendu",
        ),
        (["demo", "--seconds", "601"], "la valeur donnée à l'option --seconds ne convient pas : au plus 600"),
        (
            ["demo", "--seconds", "0.1"],
            "la valeur donnée à l'option --seconds ne convient pas : au moins 0.5",
        ),
        (
            ["doctor", "--port", "x"],
            "la valeur donnée à l'option --port ne convient pas : un nombre entier est attendu",
        ),
        (["doctor", "--port", "65536"], "la valeur donnée à l'option --port ne convient pas : au plus 65535"),
    ],
    ids=" ".join,
)
def test_a_usage_error_is_one_french_sentence(words, sentence):
    """What was wrong is said in French, whatever way Typer says it."""
    assert refused(*words).sentence == sentence


def test_the_hint_names_the_help_and_the_nearest_option():
    """Whoever mistyped an option sees the one that was meant, and where to read more."""
    assert (
        refused("plan", "check", "--jso").hint
        == "releve plan check --help ; l'option la plus proche : --json"
    )


def test_a_message_that_we_do_not_know_is_not_shown_in_english():
    """A sentence that a later Typer may bring becomes a plain French one."""
    assert usage_error(typer.BadParameter("Something new.")).sentence.startswith("la valeur donnée")
    assert usage_error(typer.TyperException("Something new.")).sentence == "la commande n'est pas comprise"


@pytest.mark.parametrize("words", [[], ["plan"], ["run"], ["incident"], ["evidence"]], ids=" ".join)
def test_nothing_asked_is_no_error(words, monkeypatch, capsys):
    """The command or a group alone prints its help on stdout, exit 0."""
    asked = printed([*words, "--help"], monkeypatch, capsys)
    assert printed(words, monkeypatch, capsys) == asked
    assert asked[0] == 0


def test_json_alone_lists_the_commands(monkeypatch, capsys):
    """`releve --json` is one JSON document: every command, each with its French line."""
    code, out, err = printed(["--json"], monkeypatch, capsys)
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert {"demo", "init", "switch", "return", "evidence"} <= set(found["commands"])
    assert all(found["commands"].values())


def test_json_before_the_command_is_said(monkeypatch, capsys):
    """`releve --json status` runs nothing: one JSON error says where the option goes."""
    code, out, _ = printed(["--json", "status"], monkeypatch, capsys)
    assert (code, json.loads(out)["error"]["code"]) == (2, "usage")
    assert "après la commande" in json.loads(out)["error"]["message"]


def test_no_plan_is_not_a_wrong_plan(tmp_path, monkeypatch, capsys):
    """Without a plan file the command says where it looked and how to make one, exit 2, for a person and in JSON."""
    path = tmp_path / "nulle-part.yaml"
    code, out, err = printed(["plan", "check", "--plan", str(path)], monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"erreur : il n'y a pas de plan à cet endroit : {path} [plan-missing]\n")
    assert "releve init" in err
    code, out, _ = printed(["status", "--plan", str(path), "--json"], monkeypatch, capsys)
    assert (code, json.loads(out)["error"]["code"]) == (2, "plan-missing")


def test_a_wrong_plan_still_counts_its_faults(tmp_path, monkeypatch, capsys):
    """A plan that is there and wrong keeps its list of faults."""
    path = tmp_path / "plan.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    code, out, _ = printed(["plan", "check", "--plan", str(path), "--json"], monkeypatch, capsys)
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (2, "plan-invalid")
    assert error["faults"]
