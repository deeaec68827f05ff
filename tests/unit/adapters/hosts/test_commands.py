"""What is typed to service managers and to ssh, word for word."""

from __future__ import annotations

import shlex

import pytest

from releve.adapters.hosts.agent import Failed
from releve.adapters.hosts.commands import Status, status_of, verbs
from releve.adapters.hosts.failures import error_of
from releve.adapters.hosts.link import BOOTSTRAP, LinkDown
from releve.adapters.hosts.ssh import refusal, ssh_argv
from releve.domain.errors import BadInput
from releve.domain.plan import Manager, ServiceSpec, SshSpec
from releve.domain.ports import Completed
from releve.domain.terminal import orders

SSH = SshSpec("srv2.exemple.test", 2222, "releve", "/etc/releve/id", "/etc/releve/known hosts", 2.5)


def test_systemd_verbs() -> None:
    """A unit is a word after `--`, and nobody is asked for a password."""
    found = verbs(ServiceSpec(Manager.SYSTEMD, unit="postgresql@15-main.service"))
    assert found.start == ("systemctl", "--no-ask-password", "start", "--", "postgresql@15-main.service")
    assert found.stop == ("systemctl", "--no-ask-password", "stop", "--", "postgresql@15-main.service")
    assert found.status == (
        "systemctl",
        "show",
        "--property=LoadState,ActiveState",
        "--",
        "postgresql@15-main.service",
    )


def test_pg_ctlcluster_verbs() -> None:
    """A cluster of Debian is stopped fast, and left to systemd where systemd owns it."""
    found = verbs(ServiceSpec(Manager.PG_CTLCLUSTER, version="15", cluster="main"))
    assert found.start == ("pg_ctlcluster", "15", "main", "start")
    assert found.stop == ("pg_ctlcluster", "15", "main", "stop", "-m", "fast")
    assert found.status == ("pg_ctlcluster", "15", "main", "status")


def test_command_verbs_are_the_plan_s_own() -> None:
    """The three lists of the plan are used as they are."""
    spec = ServiceSpec(Manager.COMMAND, start=("a", "b c"), stop=("d",), status=("e", "f"))
    found = verbs(spec)
    assert (found.start, found.stop, found.status) == (("a", "b c"), ("d",), ("e", "f"))


@pytest.mark.parametrize(
    "spec",
    [
        ServiceSpec(Manager.SYSTEMD),
        ServiceSpec(Manager.PG_CTLCLUSTER, version="15"),
        ServiceSpec(Manager.COMMAND, start=("a",), stop=("b",)),
    ],
)
def test_an_incomplete_service_is_bad_input(spec: ServiceSpec) -> None:
    """A service that lacks a part is refused before anything is run."""
    with pytest.raises(BadInput) as caught:
        verbs(spec)
    assert caught.value.code == "service-incomplete"


@pytest.mark.parametrize(
    ("load", "active", "status"),
    [
        ("loaded", "active", Status.RUNNING),
        ("loaded", "reloading", Status.RUNNING),
        ("loaded", "inactive", Status.STOPPED),
        ("loaded", "failed", Status.STOPPED),
        ("loaded", "activating", Status.MOVING),
        ("loaded", "deactivating", Status.MOVING),
        ("loaded", "maintenance", Status.UNKNOWN),
        ("not-found", "inactive", Status.ABSENT),
        ("not-found", "active", Status.RUNNING),  # its file was removed while it runs
    ],
)
def test_systemd_states(load: str, active: str, status: Status) -> None:
    """Each state of systemd means one thing; a unit that does not exist is not a stopped one."""
    seen = Completed(0, f"ActiveState={active}\nLoadState={load}\n".encode(), b"")
    assert status_of(Manager.SYSTEMD, seen) is status


def test_a_silent_systemd_is_unknown() -> None:
    """No answer of systemd is never read as stopped."""
    assert status_of(Manager.SYSTEMD, Completed(1, b"", b"Failed to connect to bus")) is Status.UNKNOWN
    assert status_of(Manager.SYSTEMD, Completed(0, b"", b"")) is Status.UNKNOWN


@pytest.mark.parametrize("manager", [Manager.PG_CTLCLUSTER, Manager.COMMAND])
def test_exit_codes_of_a_status(manager: Manager) -> None:
    """0 runs, 3 is stopped, and everything else (4: no data folder) tells nothing."""
    seen = [status_of(manager, Completed(code, b"", b"")) for code in (0, 3, 1, 2, 4, 127, -9)]
    assert seen == [Status.RUNNING, Status.STOPPED, *[Status.UNKNOWN] * 5]


GOLDEN_SSH = """\
ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes
-o UserKnownHostsFile="/etc/releve/known hosts" -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no
-o VerifyHostKeyDNS=no -o CheckHostIP=no -o CanonicalizeHostname=no -o IdentitiesOnly=yes
-o IdentityAgent=none -o IdentityFile="/etc/releve/id" -o PreferredAuthentications=publickey
-o ConnectTimeout=3 -o ConnectionAttempts=1 -o ServerAliveInterval=3 -o ServerAliveCountMax=3
-o ControlMaster=no -o ControlPath=none -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no
-o RequestTTY=no -o EscapeChar=none -o LogLevel=ERROR -p 2222 -l releve -- srv2.exemple.test"""


def test_the_ssh_command_line() -> None:
    """Strict keys, one identity, no configuration of the account, no forwarding, one constant command."""
    argv = ssh_argv(SSH)
    assert argv[-1] == BOOTSTRAP
    assert " ".join(argv[:-1]) == GOLDEN_SSH.replace("\n", " ")


def test_the_remote_command_is_one_constant_word_of_python() -> None:
    """A shell reads exactly: exec python3, isolated, one program; nothing in it comes from a plan."""
    words = shlex.split(BOOTSTRAP)
    assert words[:6] == ["exec", "python3", "-X", "utf8", "-I", "-c"]
    assert len(words) == 7
    compile(words[6], "bootstrap", "exec")


@pytest.mark.parametrize(
    "change",
    [
        {"address": "-oProxyCommand=id"},
        {"address": "a b"},
        {"address": "ssh://x"},
        {"address": ""},
        {"user": "-v"},
        {"user": "a;b"},
        {"key": 'a"b'},
        {"key": "/a\nb"},
        {"key": "/a${HOME}"},
        {"known_hosts": "relative"},
    ],
)
def test_values_that_ssh_would_read_otherwise_are_refused(change: dict[str, str]) -> None:
    """An address, account or path that ssh could take for something else is bad input."""
    values = {
        "address": SSH.address,
        "user": SSH.user,
        "key": SSH.key,
        "known_hosts": SSH.known_hosts,
        **change,
    }
    with pytest.raises(BadInput):
        ssh_argv(SshSpec(port=22, **values))


@pytest.mark.parametrize(
    ("said", "exit_code", "code", "retryable"),
    [
        (
            "No ED25519 host key is known for x.\nHost key verification failed.",
            255,
            "host-key-refused",
            False,
        ),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", 255, "host-key-refused", False),
        ("releve@x: Permission denied (publickey).", 255, "ssh-auth-refused", False),
        ("ssh: connect to host x port 22: Connection refused", 255, "host-unreachable", True),
        ("ssh: connect to host x port 22: Connection timed out", 255, "host-unreachable", True),
        ("sh: 1: exec: python3: not found", 127, "python-missing", False),
        ("", 96, "python-missing", False),
        ("", None, "host-unreachable", True),
    ],
)
def test_what_ssh_says_has_one_meaning(said: str, exit_code: int | None, code: str, retryable: bool) -> None:
    """Each way in which ssh fails has its code, and only those that can pass by themselves are retryable."""
    error = refusal("srv2", SSH, LinkDown("coupée", exit_code, said))
    assert (error.code, error.retryable) == (code, retryable)
    assert error.hint


@pytest.mark.parametrize(
    ("exit_code", "said", "end"),
    [
        (255, "\x1b[2JVeuillez appeler le 00 00 00 00 00", "connexion refusée (code 255)"),
        (1, "Bienvenue\n\x1b]0;titre\x07", "connexion refusée (code 1)"),
        (None, "\x1b[2JBienvenue", "coupée"),
        (255, "\x1b[2J Connection refused", "aucun service n'écoute sur ce port"),
    ],
)
def test_the_words_of_the_other_end_stand_in_no_sentence(exit_code: int | None, said: str, end: str) -> None:
    """A banner may say anything: it is kept beside, without what a terminal would obey."""
    error = refusal("srv2", SSH, LinkDown("coupée", exit_code, said))
    assert error.sentence.endswith(f"n'est pas joignable : {end}")
    assert error.context["said"]
    assert not orders(error.context["said"].replace("\n", ""))


def test_the_words_of_an_agent_do_not_order_a_terminal() -> None:
    """Its reason is told on one line, without what a terminal would obey."""
    error = error_of("srv2", Failed("file-failed", path="/x", reason="un\x1b[2J\ndeux"))
    assert error.sentence == "/x n'a pas pu être lu ou écrit sur srv2 : un\ufffd[2J deux"
