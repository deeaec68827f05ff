"""The short road of the vault's commands says and does what the long one does."""

import pytest
from typer.main import get_command

from releve.entrypoints.cli import express
from releve.entrypoints.cli.root import command_line


@pytest.mark.parametrize("command", sorted(express.KNOWN))
def test_the_short_road_knows_exactly_the_options_of_the_long_one(command: str) -> None:
    """An option added to one of the two alone fails here; help is left to the long road."""
    vault = get_command(command_line()).commands["vault"].commands[command]  # type: ignore[attr-defined]
    declared = {word for one in vault.params for word in one.opts if word.startswith("-")} - {"--help"}
    _, options, switches = express.KNOWN[command]
    assert declared == {*options, *switches}
    flags = {word for one in vault.params if getattr(one, "is_flag", False) for word in one.opts} - {"--help"}
    assert flags == set(switches)


@pytest.mark.parametrize(
    "line",
    [
        "vault",
        "vault save --help",
        "vault save coffre",
        "vault save coffre dossier --unknown",
        "vault save coffre dossier --key",
        "vault save coffre dossier --key=env:A",
        "vault save coffre dossier --key env:A --key env:B",
        "vault save coffre dossier -- -x",
        "vault verify coffre autre",
        "vault restore coffre latest autre",
        "vault snapshots coffre",
        "plan check",
    ],
)
def test_what_the_short_road_does_not_know_is_left_to_the_long_one(line: str) -> None:
    """Help, mistakes and everything unusual keep the sentences that they always had."""
    assert express.understood(line.split()) is None


def test_a_vault_named_by_the_environment_is_left_to_the_long_road(monkeypatch: pytest.MonkeyPatch) -> None:
    """With RELEVE_VAULT set, the first word may be a folder to save: Typer decides."""
    monkeypatch.setenv("RELEVE_VAULT", "/coffre")
    assert express.understood(["vault", "save", "a", "b"]) is None


def test_the_short_road_prints_errors_and_exit_codes_of_the_same_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is nowhere: exit 2, one JSON document that says so."""
    monkeypatch.delenv("RELEVE_VAULT", raising=False)
    monkeypatch.delenv("RELEVE_NO_KEY", raising=False)
    work = express.understood(["vault", "verify", "/coffre", "-k", "env:RELEVE_NO_KEY", "--json"])
    assert work is not None
    assert work() == 2
    assert '"secret-absent"' in capsys.readouterr().out
