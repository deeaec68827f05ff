"""How the client of a machine is asked: by which account, at which place, and where the password never stands."""

from __future__ import annotations

import pytest

from releve.adapters.survey.databases import holding_bases
from releve.domain.inventory import Holding, HoldingKind
from releve.domain.ports import Completed
from releve.domain.secret import SecretRef
from tests.fakes.hosts import Call, FakeHost

WORD = "mot de passe"
NOTHING = Completed(0, b"", b"")


def called(program: str, **changes: object) -> Call:
    """The first call of a client for a holding."""
    engine = HoldingKind.POSTGRESQL if program == "psql" else HoldingKind.MARIADB
    holding = Holding("paie", "Paie", engine, "srv", **changes)  # type: ignore[arg-type]
    host = FakeHost(programs={program: lambda _: NOTHING})
    found = holding_bases(host, holding, secret=lambda _: WORD, pause=0)
    assert [gap.code for gap in found.gaps] == ["answer-unclear"]  # it said nothing
    return host.calls[0]


def test_by_a_socket_without_password_the_client_runs_as_the_servers_account() -> None:
    """Peer authentication knows accounts by their number: the usual one, unless the plan names another."""
    assert called("psql").user == "postgres"
    assert called("psql", user="nobody").user == "nobody"
    assert called("mariadb").user == "root"


@pytest.mark.parametrize(("program", "variable"), [("psql", "PGPASSWORD"), ("mariadb", "MYSQL_PWD")])
def test_a_password_stands_in_the_environment_alone(program: str, variable: str) -> None:
    """Not in an argument, which every account can read; and no other account is needed then."""
    call = called(program, port=4000, user="lecteur", password=SecretRef("env", "PAIE"))
    assert (call.env[variable], call.user) == (WORD, "")
    assert not [part for part in call.argv if WORD in part]
    assert WORD.encode() not in call.stdin
    assert any("4000" in part for part in call.argv)


@pytest.mark.parametrize(
    ("socket", "place"),
    [
        ("/run/postgresql", ("-h", "/run/postgresql", "-p", "5432")),
        ("/run/postgresql/.s.PGSQL.5433", ("-h", "/run/postgresql", "-p", "5433")),
    ],
)
def test_a_socket_is_given_as_its_folder_or_as_its_file(socket: str, place: tuple[str, ...]) -> None:
    """Libpq wants the folder and the port that the name of the file ends with."""
    argv = called("psql", socket=socket).argv
    assert argv[argv.index("-h") :][:4] == place


@pytest.mark.parametrize("program", ["psql", "mariadb"])
def test_every_question_begins_by_forbidding_itself_to_write(program: str) -> None:
    """The session is read-only and bounded before anything is asked."""
    before, _, after = called(program).stdin.decode().partition("SELECT")
    assert "read_only = on" in before or "TRANSACTION READ ONLY" in before
    assert "timeout" in before
    assert after


def test_an_old_machine_has_the_client_under_its_old_name() -> None:
    """Where `mariadb` does not exist, `mysql` is run with the same arguments."""
    assert "--no-defaults" in called("mysql").argv


def test_a_machine_without_any_client_is_a_gap() -> None:
    """The gap names the program that is missing."""
    holding = Holding("paie", "Paie", HoldingKind.POSTGRESQL, "srv")
    found = holding_bases(FakeHost(), holding, secret=lambda _: WORD, pause=0)
    assert (found.facts, [gap.code for gap in found.gaps]) == ((), ["program-missing"])
