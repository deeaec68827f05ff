"""A real snmpd, asked with a community and with accounts."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from releve.adapters.survey.snmp import ask, snmp
from releve.domain.audit import Found
from releve.domain.inventory import Device, Equipment, Snmp, SnmpVersion
from releve.domain.secret import SecretRef
from releve.domain.seen import Agent, Port

SECRETS = {
    "community": "essai",
    "auth": "motdepasse-un",
    "privacy": "motdepasse-deux",
    "wrong": "motdepasse-faux",
}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an snmpd of our own."""
    folder = tmp_path_factory.mktemp("snmpd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.bind(("127.0.0.1", 0))
        number = int(handle.getsockname()[1])
    conf = folder / "snmpd.conf"
    conf.write_text(
        f"agentAddress udp:127.0.0.1:{number}\n"
        f"rocommunity {SECRETS['community']} 127.0.0.1\n"
        f"createUser releve SHA {SECRETS['auth']} AES {SECRETS['privacy']}\n"
        "rouser releve priv\n"
        "sysDescr serveur d'essai\nsysName essai\n"
    )
    env = {"PATH": PATH, "SNMP_PERSISTENT_DIR": str(folder / "persistent")}
    argv = ["snmpd", "-m", "", "-f", "-Lo", "-C", "-c", str(conf)]
    agent = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert agent.stdout is not None
        assert any("NET-SNMP version" in line for line in agent.stdout), "snmpd did not start"
        yield number
    finally:
        agent.kill()
        agent.communicate()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent on 127.0.0.1 answers at once or never."""
    monkeypatch.setattr(ask, "TIMEOUT", 0.4)


def look(spec: Snmp, *, pause: float = 0.0) -> Found:
    """One look at the agent."""
    device = Equipment("serveur", "Serveur", Device.SERVER, "siege", "127.0.0.1", spec)
    return snmp(device, secret=lambda ref: SECRETS[ref.target], pause=pause)


def ref(name: str) -> SecretRef:
    """Where a secret of the test is."""
    return SecretRef("env", name)


@pytest.mark.needs("snmpd")
def test_a_community_and_an_account_see_the_same(port: int) -> None:
    """Version 2c and version 3 with both secrets: the same agent, the machine's own interfaces, two readings."""
    plain = look(Snmp(SnmpVersion.V2C, port, ref("community")), pause=0.5)
    coded = look(Snmp(SnmpVersion.V3, port, None, "releve", ref("auth"), ref("privacy")))
    names = []
    for found in (plain, coded):
        (said,) = [fact for fact in found.facts if isinstance(fact, Agent)]
        assert (said.description, said.name, said.simulated) == ("serveur d'essai", "essai", False)
        names.append({fact.name for fact in found.facts if isinstance(fact, Port)})
    assert names[0] == names[1] <= set(os.listdir("/sys/class/net")) - {"lo"}  # noqa: PTH208
    read = [fact.seconds for fact in plain.facts if isinstance(fact, Port)]
    assert all(seconds > 0 for seconds in read) or "snmp-cached" in {gap.code for gap in plain.gaps}


@pytest.mark.needs("snmpd")
@pytest.mark.parametrize(
    ("version", "community", "user", "auth", "privacy", "code"),
    [
        ("2c", "wrong", "", "", "", "snmp-silent"),
        ("3", "", "inconnu", "auth", "privacy", "snmp-user"),
        ("3", "", "releve", "wrong", "privacy", "snmp-password"),
        ("3", "", "releve", "auth", "wrong", "snmp-silent"),
        ("3", "", "releve", "auth", "", "snmp-refused"),
    ],
)
def test_a_wrong_secret_is_a_gap_that_says_which(
    port: int, version: str, community: str, user: str, auth: str, privacy: str, code: str
) -> None:
    """No fact, one reason, and no secret in it; a wrong cipher key is met with silence, as agents do."""
    words = [ref(word) if word else None for word in (community, auth, privacy)]
    found = look(Snmp(SnmpVersion(version), port, words[0], user, words[1], words[2]))
    assert found.facts == ()
    assert [gap.code for gap in found.gaps] == [code]
    assert not any(value in repr(found) for value in SECRETS.values() if value != "essai")


@pytest.mark.needs("snmpd")
def test_nobody_at_that_address_is_a_gap() -> None:
    """A closed port is a silence, in bounded time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.bind(("127.0.0.1", 0))
        closed = int(handle.getsockname()[1])
    found = look(Snmp(SnmpVersion.V2C, closed, ref("community")))
    assert [gap.code for gap in found.gaps] == ["snmp-silent"]
