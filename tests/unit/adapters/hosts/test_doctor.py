"""`releve doctor`: what it finds, how it says it, and when it fails."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import typer
from typer.testing import CliRunner

from releve.adapters.hosts.machine import Ability, State, examine
from releve.domain.errors import Exit
from releve.entrypoints.cli.doctor import register, report

FINE = Ability("python", "Python", State.OK, "3.11.2", required=True)
LIMIT = Ability("clock", "horloge", State.UNKNOWN, "rien", "du flou", "réglez-la")
LACK = Ability("state-folder", "dossier d'état", State.CANNOT, "non", "tout", "un autre", required=True)


def test_every_lack_has_a_cost_and_a_hint(tmp_path: Path) -> None:
    """On this very machine each ability is named once, and what lacks says its cost and a remedy."""
    found = examine(tmp_path, [1])
    assert len({item.id for item in found}) == len(found) > 15
    for item in found:
        assert item.seen
        assert item.state is State.OK or (item.cost and item.hint), item.id
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_seen(tmp_path: Path) -> None:
    """A port that somebody listens on is not free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = next(item for item in examine(tmp_path, [port]) if item.id == f"port-{port}")
    assert taken.state is State.CANNOT


def test_a_limit_is_said_and_does_not_fail() -> None:
    """What is not required costs something and is shown; the command succeeds."""
    found = report([FINE, LIMIT])
    assert found.exit_code is Exit.DONE
    assert found.text == (
        "oui      Python : 3.11.2\n"
        "inconnu  horloge : rien\n"
        "           ce que cela coûte : du flou\n"
        "           conseil : réglez-la\n"
        "\n"
        "Relève peut tourner sur cette machine ; 1 limite ci-dessus"
    )


def test_a_required_lack_fails() -> None:
    """Without something required the command leaves with 6 and names it."""
    found = report([FINE, LACK])
    assert found.exit_code is Exit.NOT_REACHABLE
    assert found.data["usable"] is False
    assert found.text.endswith("il manque le nécessaire : dossier d'état")


def test_the_command_prints_one_json_document(tmp_path: Path) -> None:
    """With --json the whole of stdout is one document with English keys."""
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["--json", "--state", str(tmp_path / "not" / "yet")])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["usable"] is True
    assert {"id", "name", "state", "seen", "cost", "hint", "required"} == set(document["abilities"][0])
