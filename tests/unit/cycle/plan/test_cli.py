"""`releve init`, `releve plan check`, `releve plan show`: what is printed and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from releve.entrypoints.cli import init, plan

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests/golden/plan"


def run(*arguments: str) -> Result:
    """Run a command of this part of the root."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    init.register(app)
    plan.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_a_first_plan_can_be_checked_and_shown(tmp_path: Path) -> None:
    """The three commands follow each other, and remarks do not fail."""
    path = str(tmp_path / "plan.yaml")
    assert run("init", "ehpad", "--output", path, "--name", "Les Tilleuls").exit_code == 0
    checked = run("plan", "check", "--plan", path)
    assert checked.exit_code == 0
    assert checked.stdout.startswith("plan correct : 2 sites, 18 applications, 1 jeu de données\n")
    assert "contact-unreachable" in checked.stdout
    shown = run("plan", "show", "--plan", path)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Les Tilleuls\n")


def test_a_plan_of_somebody_is_not_overwritten(tmp_path: Path) -> None:
    """An existing file is left alone with exit code 2, and replaced only when forced."""
    path = tmp_path / "plan.yaml"
    path.write_text("à moi", encoding="utf-8")
    refused = run("init", "ehpad", "--output", str(path))
    assert refused.exit_code == 2
    assert "existe déjà" in refused.stderr
    assert path.read_text(encoding="utf-8") == "à moi"
    assert run("init", "ehpad", "--output", str(path), "--force").exit_code == 0
    assert path.read_text(encoding="utf-8").startswith("# Plan de reprise")
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """A place that cannot be written is bad input, with its reason."""
    result = run("init", "ehpad", "--output", str(tmp_path / "nulle/part.yaml"))
    assert result.exit_code == 2
    assert "le dossier n'existe pas" in result.stderr


def test_a_bad_plan_prints_every_fault_and_exits_2() -> None:
    """Faults go to stderr as file, line, column, code, sentence, hint; stdout stays empty."""
    path = str(GOLDEN / "many.yaml")
    result = run("plan", "check", "--plan", path)
    assert (result.exit_code, result.stdout) == (2, "")
    golden = (GOLDEN / "many.txt").read_text(encoding="utf-8").split("remarques")[0]
    assert result.stderr.startswith(golden.replace("plan.yaml:", f"{path}:"))
    assert "rien n'a été touché" in result.stderr


@pytest.mark.parametrize("verb", ["check", "show"])
def test_errors_are_json_when_json_is_asked(verb: str) -> None:
    """One JSON document on stdout with every fault, the same exit code, nothing else."""
    result = run("plan", verb, "--plan", str(GOLDEN / "many.yaml"), "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["exit_code"], result.stderr) == (2, 2, "")
    assert {fault["code"] for fault in error["faults"]} >= {"duplicate-id", "unknown-key", "duration"}
    assert all(fault["line"] > 0 and fault["column"] > 0 for fault in error["faults"])


def test_a_good_plan_is_json_when_json_is_asked() -> None:
    """Check gives a verdict with the fingerprint, show gives the plan."""
    path = str(ROOT / "examples/ehpad.yaml")
    checked = json.loads(run("plan", "check", "--plan", path, "--json").stdout)
    shown = json.loads(run("plan", "show", "--plan", path, "--json").stdout)
    assert (checked["valid"], checked["faults"], checked["remarks"]) == (True, [], [])
    assert checked["fingerprint"] == shown["fingerprint"]
    assert shown["association"]["name"] == "Association fictive Les Tilleuls"


def test_init_says_in_json_what_it_wrote(tmp_path: Path) -> None:
    """The path, the profile and how many applications."""
    path = tmp_path / "p.yaml"
    written = json.loads(run("init", "siege", "-o", str(path), "--json").stdout)
    assert written["written"] == str(path)
    assert written["applications"] > 10
