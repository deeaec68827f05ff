"""Finding PostgreSQL, and the copy made when its account cannot read it."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from releve.demo.programs import postgresql_programs, readable_by_all, run_as, server_account
from releve.domain.errors import Refused, Unreachable

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="root: only root runs the servers under another account"
)


@pytest.fixture
def place():
    """A folder that everybody can walk to, as /tmp is."""
    with tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def hidden(place):
    """Programs below a folder of mode 700, as in a home folder."""
    source = place / "home" / "pg"
    for part in ("bin", "lib", "share"):
        (source / part).mkdir(parents=True)
    (source / "bin" / "postgres").write_text("#!/bin/sh\necho 16\n")
    (source / "bin" / "postgres").chmod(0o700)
    (source / "share" / "sample").write_text("x")
    (place / "home" / "two.so").write_text("library")
    (source / "lib" / "one.so").symlink_to(place / "home" / "two.so")
    (place / "home").chmod(0o700)
    return source


def test_the_wheel_is_found_and_runs():
    """The programs of the installed wheel run under the account chosen, which is never root."""
    found = postgresql_programs()
    assert found.os_user != "root"
    account = run_as(found.os_user)
    user, group = account or (None, None)
    said = subprocess.run(
        [found.bin_dir / "initdb", "--version"],
        user=user,
        group=group,
        capture_output=True,
        check=True,
        cwd="/",
    )
    assert b" 16." in said.stdout


@as_root
def test_hidden_programs_are_copied_once_and_it_is_said(hidden, place):
    """The account gets a copy that it can run; a second call uses it again."""
    first = postgresql_programs(source=hidden, cache=place / "cache")
    copied = first.bin_dir.parent
    assert readable_by_all(copied)
    assert (copied / "lib" / "one.so").read_text() == "library"
    assert server_account() in first.note
    stamp = copied.stat().st_ino
    assert postgresql_programs(source=hidden, cache=place / "cache").bin_dir.parent.stat().st_ino == stamp
    assert [path.name for path in (place / "cache").iterdir()] == [copied.name]


@as_root
def test_another_version_gets_another_copy(hidden, place):
    """Its name holds the sizes: an upgrade never runs yesterday's programs."""
    first = postgresql_programs(source=hidden, cache=place / "cache")
    (hidden / "share" / "sample").write_text("longer")
    assert postgresql_programs(source=hidden, cache=place / "cache").bin_dir != first.bin_dir


@as_root
@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o777), lambda path: os.chown(path, 12345, 12345)])
def test_a_cache_that_others_may_change_is_refused(hidden, place, spoil):
    """We would run as root's own what somebody else could have put there."""
    made = postgresql_programs(source=hidden, cache=place / "cache").bin_dir.parent
    spoil(made)
    with pytest.raises(Refused) as caught:
        postgresql_programs(source=hidden, cache=place / "cache")
    assert caught.value.code == "demo-cache-not-ours"


def test_programs_that_do_not_run_are_told(place):
    """A folder without PostgreSQL is an error with a hint, not a surprise in the middle of the demo."""
    (place / "bin").mkdir()
    with pytest.raises(Unreachable) as caught:
        postgresql_programs(source=place, cache=place / "cache")
    assert caught.value.code == "demo-postgresql-unusable"
    assert caught.value.hint
