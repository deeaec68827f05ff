"""What `releve database` says when a name or an account is wrong: never green, never in English."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from releve.adapters.engines.postgresql.connection import Connections, denied
from releve.domain.errors import Unreachable
from tests.archives import NAME, Archive, archive
from tests.commands import here
from tests.integration import pg
from tests.integration.pg import no_templates_left  # noqa: F401
from tests.waiting import until


@pytest.fixture(scope="module")
def rig() -> Iterator[Archive]:
    """A server whose archiver ran for a while, and was told to stop."""
    with archive() as made:
        archiver = made.start()
        made.until_safe(made.write("a"))
        archiver.send_signal(signal.SIGTERM)
        assert archiver.wait(20) == 0
        yield made


def test_a_misspelt_database_is_refused_with_the_nearest(rig: Archive) -> None:
    """Forgetting, and asking what can be reached: the name that was meant, and nothing is made on the disk."""
    state = rig.root / "neuf"
    asked = (["times"], ["forget", "--state", str(state)], ["restore", "--target", str(rig.root / "retour")])
    for verb, *more in asked:
        code, said = rig.invoke("database", verb, rig.address, "-d", "dosiers", *more)
        assert (code, said["error"]["code"]) == (2, "unknown-database"), said
        assert said["error"]["hint"] == f"vouliez-vous dire « {NAME} » ? noms connus : {NAME}"
    assert not state.exists()
    assert rig.run("forget", "--state", str(state))[0] == 0
    assert rig.run("forget", "--state", str(rig.state))[0] == 0


def test_a_slot_that_is_not_there_is_not_given_back(rig: Archive) -> None:
    """Releasing a misspelt name refuses, with those for which the server does keep WAL; then the right one, once."""

    def release(name: str) -> tuple[int, dict[str, object]]:
        code, said = rig.invoke("database", "release", "-d", name, *rig.where())
        return code, said.get("error") or said

    code, said = release("dosiers")
    assert (code, said["code"]) == (2, "unknown-database")
    assert f"vouliez-vous dire « {NAME} » ?" in str(said["hint"])
    code, said = release(NAME)
    assert (code, said["dropped"]) == (0, True)
    code, said = release(NAME)
    assert (code, said["hint"]) == (2, "il ne retient rien pour Relève : il n'y a rien à rendre")


def _where(rig: Archive, *more: str) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(rig.server.port), *more]


@pytest.mark.parametrize(
    "account",
    [
        ("--password-at", "env:WRONG"),
        (),
        pytest.param(("--user", "personne"), marks=pytest.mark.torture),
    ],
)
def test_a_refused_account_is_said_in_french(rig: Archive, account: tuple[str, ...]) -> None:
    """A wrong password, none, an account that does not exist: what the server does, and where the password comes from."""
    environment = {**rig.environment(), "WRONG": "un autre", "HOME": str(rig.root)}
    user = account[1] if "--user" in account else "postgres"
    sentence = (
        f"erreur : le serveur PostgreSQL 127.0.0.1:{rig.server.port} refuse le compte « {user} » [pg-denied]"
    )
    state = ["--state", str(rig.root / "refus")]
    for words in (
        ["base", rig.address, "-d", NAME, *state],
        ["archive", rig.address, "-d", NAME, *state],
        ["release", "-d", NAME],
    ):
        ran = subprocess.run(
            [*rig.releve, "database", *words, *_where(rig, *account)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ran.returncode == 4, ran.stderr
        assert ran.stderr.startswith(sentence)
        assert "--password-at" in ran.stderr
        assert "~/.pgpass" in ran.stderr
        assert "Traceback" not in ran.stderr
    told = here(["database", "status", str(rig.root / "refus")], environment)
    assert (told.returncode, "refuse le compte" in told.stdout) == (3, True)


@pytest.mark.parametrize("source", ["PGPASSWORD", "PGPASSFILE"])
def test_without_an_option_the_password_is_found_where_libpq_does(rig: Archive, source: str) -> None:
    """For our questions to the server and for pg_basebackup alike."""
    secret = pg.SECRETS["admin"]
    file = rig.root / "pgpass"
    file.write_text("*:*:*:*:" + secret.replace("\\", "\\\\").replace(":", "\\:") + "\n")
    file.chmod(0o600)
    environment = {**rig.environment(), source: secret if source == "PGPASSWORD" else str(file)}
    words = ["database", "base", rig.address, "-d", NAME, "--state", str(rig.state), *_where(rig)]
    ran = here(words, environment)
    assert ran.returncode == 0, ran.stderr


def test_a_server_closed_to_replication_is_said_and_taken_up_once_it_is_open(rig: Archive) -> None:
    """Our questions are answered, the two programs of PostgreSQL are not let in: the same words for the same fault."""
    access = rig.server.data / "pg_hba.conf"
    before = access.read_text()
    access.write_text("".join(one for one in before.splitlines(True) if "replication" not in one))
    rig.server.sql("SELECT pg_reload_conf()")
    code, said = rig.run("base", "--state", str(rig.state), *rig.where())
    assert (code, said["error"]["code"]) == (4, "pg-denied"), said
    archiver = rig.start()
    until(lambda: "pg-denied" in str(rig.said().get("troubled")))
    access.write_text(before)
    rig.server.sql("SELECT pg_reload_conf()")
    rig.until_safe(rig.write("b"))
    archiver.send_signal(signal.SIGTERM)
    assert archiver.wait(20) == 0


def test_a_server_of_the_plan_that_refuses_the_account_is_not_said_to_be_silent(rig: Archive) -> None:
    """It answers: the hint is about the password that the plan gives, no longer about whether it runs."""
    wrong = {"host": "127.0.0.1", "port": rig.server.port, "user": "postgres", "password": "un autre"}
    with pytest.raises(Unreachable) as met:
        Connections(lambda _site: wrong).run("principal", lambda link: link.execute("SELECT 1"))
    assert met.value.code == "pg-denied"
    assert "refuse le compte" in met.value.sentence


def test_a_refusal_is_known_in_the_language_of_the_server() -> None:
    """What PostgreSQL 15 says in English and in French (its own catalogue), and what is another trouble."""
    assert all(
        denied(f"connection failed: FATAL:  {said}")
        for said in (
            'password authentication failed for user "a"',
            "authentification par mot de passe échouée pour l'utilisateur  « a »",
            "Échec de l'authentification Ident pour l'utilisateur « a »",
            'no pg_hba.conf entry for host "::1", user "a", database "b", no encryption',
            "aucune entrée dans pg_hba.conf pour la connexion de la réplication à partir de\nl'hôte « ::1 »",
            'role "a" does not exist',
            "le rôle « a » n'existe pas",
            "le rôle « a » n'est pas autorisé à se connecter",
        )
    )
    assert not any(
        denied(said)
        for said in (
            "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "FATAL:  the database system is starting up",
            'FATAL:  database "b" does not exist',
            "FATAL:  sorry, too many clients already",
        )
    )
