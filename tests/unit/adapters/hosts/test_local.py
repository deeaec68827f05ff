"""What only this machine can show: limits of its disk, its lock, its secrets, its own death."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from releve.adapters.hosts import open_host
from releve.adapters.hosts.agent import Failed, account_of
from releve.adapters.hosts.local import LocalHost
from releve.adapters.hosts.lock import hold
from releve.adapters.hosts.secrets import resolve
from releve.adapters.hosts.ssh import SshHost
from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable
from releve.domain.plan import HostSpec, Reach, SshSpec
from releve.domain.secret import SecretRef
from tests.contract.test_host import dead

LIMITED = """
import resource, sys
from releve.adapters.hosts.local import LocalHost
from releve.domain.errors import Unreachable
from releve.domain.plan import HostSpec, Reach
host = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
host.write(sys.argv[1], b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    host.write(sys.argv[1], b"x" * 100_000)
except Unreachable as error:
    print(error.code)
"""

TIED = """
import sys
from releve.adapters.hosts.local import LocalHost
from releve.domain.plan import HostSpec, Reach
host = LocalHost(HostSpec("ici", "principal", Reach.LOCAL))
script = 'echo $$ > "$0"; exec sleep 600'
host.run(["sh", "-c", script, sys.argv[1]], user=sys.argv[2], timeout=600)
"""

HOLDER = """
import sys
from releve.adapters.hosts.lock import hold
with hold(sys.argv[1], "le veilleur du secours"):
    print("held", flush=True)
    sys.stdin.read()
"""


def script(text: str, *words: str, **options: object) -> subprocess.Popen[bytes]:
    """Another process of ours."""
    return subprocess.Popen([sys.executable, "-c", text, *words], **options)  # type: ignore[call-overload,no-any-return]


def local(root: str = "") -> LocalHost:
    """This machine."""
    return LocalHost(HostSpec("ici", "principal", Reach.LOCAL, root=root))


def test_without_room_the_old_content_stands(tmp_path: Path) -> None:
    """A write that finds no room says so, keeps the old file whole and leaves nothing beside it."""
    path = tmp_path / "f"
    process = script(LIMITED, str(path), stdout=subprocess.PIPE)
    assert process.communicate(timeout=20)[0] == b"disk-full\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("user", ["", pytest.param("nobody", marks=pytest.mark.needs("root"))])
def test_programs_die_with_us_even_by_kill_9(user: str) -> None:
    """When our process is killed outright, the program that it ran is killed too, whoever ran it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _dies_with_us(Path(folder, "pid"), user)


def _dies_with_us(fifo: Path, user: str) -> None:
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    process = script(TIED, str(fifo), user)
    pid = int(fifo.read_text())  # waits for the program
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert dead(pid)


def test_a_missing_root_is_a_lost_machine(tmp_path: Path) -> None:
    """A host whose root folder does not exist answers nothing: it is lost, not empty."""
    host = local(str(tmp_path / "site"))
    acts = (
        lambda: host.run(["true"]),
        lambda: host.read("/etc/passwd"),
        lambda: host.write(f"{tmp_path}/f", b""),
        lambda: host.remove(f"{tmp_path}/f"),
    )
    for act in acts:
        with pytest.raises(Unreachable) as caught:
            act()
        assert caught.value.code == "host-gone"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_executed_is_said(tmp_path: Path) -> None:
    """A program without the right to be executed is told from one that does not exist."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(Unreachable) as caught:
        local().run([str(program)])
    assert caught.value.code == "program-denied"


def test_only_root_becomes_somebody_else() -> None:
    """An account that is ours needs nothing; another one needs root."""
    assert account_of("", 1000) is None
    assert account_of("root", 0) is None
    found = account_of("nobody", 0)
    assert found is not None
    assert account_of("nobody", found.pw_uid) is None
    with pytest.raises(Failed) as caught:
        account_of("root", found.pw_uid)
    assert caught.value.code == "user-refused"
    assert caught.value.detail == {"user": "root", "me": "nobody"}


def test_a_link_at_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    """Writing over a symbolic link leaves what it pointed at untouched."""
    (tmp_path / "target").write_bytes(b"untouched")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    local().write(str(tmp_path / "link"), b"new")
    assert (tmp_path / "target").read_bytes() == b"untouched"
    assert (tmp_path / "link").read_bytes() == b"new"
    assert not (tmp_path / "link").is_symlink()


def test_a_host_of_the_plan_is_opened_as_it_is_reached() -> None:
    """The plan says local or ssh; ssh without its entry is bad input, and nothing is connected yet."""
    ssh = SshSpec("nulle-part.test", 22, "releve", "/k", "/h")
    assert isinstance(open_host(HostSpec("a", "s", Reach.LOCAL)), LocalHost)
    assert isinstance(open_host(HostSpec("b", "s", Reach.SSH, ssh)), SshHost)
    with pytest.raises(BadInput):
        open_host(HostSpec("c", "s", Reach.SSH))


def test_missing_key_files_are_said_before_any_connection(tmp_path: Path) -> None:
    """A key or a known_hosts file that does not exist is named, with what to do."""
    key = tmp_path / "key"
    host = SshHost(
        HostSpec("b", "s", Reach.SSH, SshSpec("a.test", 22, "r", str(key), str(tmp_path / "known")))
    )
    for code in ("ssh-key-missing", "known-hosts-missing"):
        with pytest.raises(Unreachable) as caught:
            host.read("/f")
        assert caught.value.code == code
        key.write_text("")


@pytest.mark.parametrize(
    ("known", "why"), [("/dev/null", "n'est pas un fichier ordinaire"), ("/x/y", "n'existe pas")]
)
def test_what_is_no_file_is_not_said_to_be_missing(tmp_path: Path, known: str, why: str) -> None:
    """A device, or a folder, is there: it is told for what it is."""
    key = tmp_path / "key"
    key.write_text("")
    host = SshHost(HostSpec("b", "s", Reach.SSH, SshSpec("a.test", 22, "r", str(key), known)))
    with pytest.raises(Unreachable, match=why):
        host.read("/f")


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    """A second holder is refused, in the same process too, and told who, which process and since when."""
    path = tmp_path / "state" / "lock"
    with hold(path, "le worker du secours"):
        with pytest.raises(Refused) as caught, hold(path, "un autre"):
            pytest.fail("held twice")
        assert caught.value.code == "already-running"
        assert caught.value.sentence.startswith(
            f"le worker du secours tourne déjà (processus {os.getpid()}, depuis"
        )
        assert caught.value.context["since"].endswith("+00:00")
    with hold(path, "un autre"):
        assert json.loads(path.read_text())["who"] == "un autre"


def test_a_lock_is_freed_by_kill_9(tmp_path: Path) -> None:
    """A holder killed outright leaves no lock behind, and its programs do not hold it either."""
    path = tmp_path / "lock"
    process = script(HOLDER, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(Refused, match=f"processus {process.pid}"), hold(path, "nous"):
        pytest.fail("held twice")
    process.kill()
    process.communicate()
    with hold(path, "nous"):
        pass


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A place where no file can be made is an error about the place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable) as caught, hold(tmp_path / "file" / "lock", "nous"):
        pytest.fail("held")
    assert caught.value.code == "lock-failed"


VALUE = "s3cret-à-ne-pas-montrer"


def secret_file(folder: Path, data: bytes = VALUE.encode() + b"\n", mode: int = 0o600) -> SecretRef:
    """A file of a secret."""
    path = folder / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return SecretRef("file", str(path))


def test_a_secret_is_found_where_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable, file and program give the same value, without their final line end."""
    monkeypatch.setenv("RELEVE_TEST_SECRET", VALUE)
    reference = secret_file(tmp_path, mode=0o640)
    assert resolve(SecretRef("env", "RELEVE_TEST_SECRET")) == VALUE
    assert resolve(reference) == VALUE
    assert resolve(SecretRef("command", f"cat '{reference.target}'")) == VALUE


def test_a_secret_command_has_no_shell() -> None:
    """Signs of a shell in a command are plain characters."""
    assert resolve(SecretRef("command", "printf %s '$HOME;`id`'")) == "$HOME;`id`"


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_secret_open_to_all_is_refused(tmp_path: Path, mode: int) -> None:
    """A file that everybody can read or change is refused, and its value is not shown."""
    with pytest.raises(Refused) as caught:
        resolve(secret_file(tmp_path, mode=mode))
    assert caught.value.code == "secret-exposed"
    assert "chmod 640" in caught.value.hint


@pytest.mark.parametrize(
    ("scheme", "target", "code"),
    [
        ("env", "RELEVE_NO_SUCH_VARIABLE", "secret-absent"),
        ("file", "/nowhere/secret", "secret-absent"),
        ("file", "/tmp", "secret-absent"),
        ("command", "false", "secret-command-failed"),
        ("command", "releve-no-such-program x", "secret-command-failed"),
        ("command", "printf '\\377'", "secret-invalid"),
        ("command", "true", "secret-empty"),
        ("command", "echo 'unfinished", "secret-command"),
        ("vault", "x", "secret-scheme"),
    ],
)
def test_a_secret_that_cannot_be_had_is_said(scheme: str, target: str, code: str) -> None:
    """Each way in which a secret is not there has its code."""
    with pytest.raises(ReleveError) as caught:
        resolve(SecretRef(scheme, target))
    assert caught.value.code == code


def test_no_error_holds_the_value(tmp_path: Path) -> None:
    """Whatever goes wrong once the value was read, no part of the error shows it."""
    leaks = (
        secret_file(tmp_path, VALUE.encode() + b"\xff"),
        SecretRef("command", f"sh -c 'echo {VALUE}; echo {VALUE} >&2; exit 1'"),
        SecretRef("command", f"releve-no-such-program {VALUE}"),
    )
    for reference in leaks:
        with pytest.raises(ReleveError) as caught:
            resolve(reference)
        told: BaseException | None = caught.value
        while told is not None:
            assert "s3cret" not in repr(told.args) + repr(vars(told))
            told = told.__cause__ or told.__context__


def test_a_lock_on_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be made and not written: said, and the next one holds it."""
    with monkeypatch.context() as full:

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, "no room")

        full.setattr("releve.adapters.hosts.lock.os.pwrite", refuse)
        with pytest.raises(Unreachable, match="plein"), hold(tmp_path / "one.lock", "l'essai"):
            pass
    with hold(tmp_path / "one.lock", "l'essai"):
        pass
