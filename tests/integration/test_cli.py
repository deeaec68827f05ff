"""The command as a program calls it: one JSON document for every command, the exit codes of the table, help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from releve.entrypoints.cli.root import command_line

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/deux-serveurs.yaml"
BY = ["--by", "directrice"]
WORDS = ["--words", "vu sur place"]


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """The two-server example, with its state in a folder of the test; none of its machines exists."""
    return _plan(tmp_path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, for commands that change nothing."""
    return _plan(tmp_path_factory.mktemp("plan"))


def _plan(folder: Path) -> str:
    path = folder / "plan.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "state: /var/lib/releve" in text
    path.write_text(text.replace("state: /var/lib/releve", f"state: {folder}/etat"), encoding="utf-8")
    return str(path)


def releve(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("RELEVE_", "DATABASE_URL"))}
    argv = [sys.executable, "-P", "-m", "releve", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, timeout=60, check=False
    )


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """The one document on stdout, which must be an error with the exit code of the process."""
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == done.returncode, done.stderr
    assert error["message"]
    return dict(error)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "show"], "no-run"),
        (["run", "show", "bascule-0"], "run-unknown"),
        (["run", "approve", "bascule-0", "confirm-fence:dossiers", *BY, *WORDS], "run-unknown"),
        (["run", "refuse", "bascule-0", "confirm-fence:dossiers", *BY, *WORDS], "run-unknown"),
        (["incident", "show"], "no-incident"),
        (["incident", "show", "inc-0"], "incident-unknown"),
        (["report"], "no-incident"),
        (["switch"], "no-incident"),
        (["switch", "--show", "--to", "ailleurs"], "unknown-site"),
        (["return", "--show", "--to", "ailleurs"], "unknown-site"),
        (["worker", "--site", "ailleurs"], "unknown-site"),
    ],
    ids=" ".join,
)
def test_bad_input(untouched: str, words: list[str], code: str) -> None:
    """Nothing there, unknown names: exit 2, its code in one JSON document."""
    done = releve(*words, "--plan", untouched, "--json")
    assert (error_of(done)["code"], done.returncode) == (code, 2)


@pytest.mark.parametrize("words", [["status"], ["switch", "--show"], ["plan", "check"], ["run", "show"]])
def test_plan_that_cannot_be_read(tmp_path: Path, words: list[str]) -> None:
    """A missing plan, or a broken one: exit 2 and every fault, in JSON; and nothing on disk."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nsites: [\n", encoding="utf-8")
    for path in (tmp_path / "absent.yaml", broken):
        done = releve(*words, "--plan", str(path), "--json")
        error = error_of(done)
        assert done.returncode == 2
        assert error["faults"], error
    assert [item.name for item in tmp_path.iterdir()] == ["broken.yaml"]


@pytest.mark.parametrize(
    "words",
    [
        ["nulle-part", "--json"],
        ["status", "--json", "--inconnu"],
        ["incident", "declare", "--json"],
        ["switch", "--timeout", "longtemps", "--json"],
    ],
    ids=" ".join,
)
def test_usage_errors(words: list[str]) -> None:
    """An unknown command or option, a missing or ill-typed value: exit 2, one JSON document."""
    done = releve(*words)
    assert (error_of(done)["code"], done.returncode) == ("usage", 2)


def test_errors_for_people(plan: str) -> None:
    """Without --json an error is on stderr with its code, and stdout stays empty."""
    done = releve("run", "show", "--plan", plan)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[no-run]" in done.stderr


def test_status_without_worker(plan: str) -> None:
    """No worker: status says that nothing is watched and promises nothing."""
    done = releve("status", "--plan", plan, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["worker"], found["incidents"], found["runs"]) == (0, False, [], [])
    (item,) = found["data_sets"]
    assert (item["holder"], item["epoch"], item["protected"], item["promise"]) == (
        "principal",
        0,
        False,
        "unknown",
    )
    assert "rien n'est surveillé" in releve("status", "--plan", plan).stdout


def test_switch_show_is_the_dry_run(plan: str) -> None:
    """The runbook with its expected times, and no run recorded."""
    shown = json.loads(releve("switch", "--show", "--plan", plan, "--json").stdout)
    assert (shown["source"], shown["target"], shown["epochs"]) == ("principal", "secours", {"dossiers": 1})
    assert all(task["seconds"] > 0 for task in shown["tasks"])
    assert releve("run", "show", "--plan", plan).returncode == 2


def test_incident_from_declaration_to_close(plan: str) -> None:
    """Without a worker the command takes its place: still one JSON document on stdout."""
    declare = ["incident", "declare", "--site", "principal", *BY, "--summary", "exercice fictif"]
    done = releve(*declare, "--plan", plan, "--json")
    assert done.returncode == 0, done.stderr
    assert "prend sa place" in done.stderr
    incident = json.loads(done.stdout)["incident"]
    shown = json.loads(releve("incident", "show", "--plan", plan, "--json").stdout)
    assert (shown["id"], shown["major"], shown["closed_at"]) == (incident, False, None)
    closed = releve("incident", "close", incident, *BY, "--plan", plan, "--json")
    assert (closed.returncode, json.loads(closed.stdout)["incident"]) == (0, incident)
    verified = json.loads(releve("evidence", "verify", "--plan", plan, "--json").stdout)
    assert (verified["sound"], verified["count"]) == (True, 2)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    """Every command below, with its full name."""
    found: list[tuple[str, click.Command]] = []
    for name, command in sorted(group.commands.items()):
        here = (*path, name)
        found.append((" ".join(here), command))
        if hasattr(command, "commands"):
            found += commands(command, here)  # type: ignore[arg-type]
    return found


def test_everything_has_a_help_text() -> None:
    """Every command, option and argument says what it is for; every command but init-like groups takes --json."""
    found = commands(typer.main.get_command(command_line()))  # type: ignore[arg-type]
    assert len(found) > 15
    silent = [name for name, command in found if not command.help]
    for name, command in found:
        silent += [f"{name} {item.name}" for item in command.params if not getattr(item, "help", None)]
    assert silent == []
    leaves = [(name, command) for name, command in found if not hasattr(command, "commands")]
    assert [name for name, command in leaves if "as_json" not in {item.name for item in command.params}] == []
