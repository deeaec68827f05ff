"""What `releve database` says when a name or an account is wrong: never green, never in English."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.archives import NAME, Archive, archive
from tests.integration.pg import no_templates_left  # noqa: F401


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
