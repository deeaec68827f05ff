"""Programs that still write into a folder: real ones, that do what servers do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.adapters.engines.files.writers import Look, open_writers

BUSY = """
import os, sys, threading, time
held = os.open(sys.argv[1], os.O_RDWR)
os.dup2(held, 60)
os.close(held)
def churn():
    while True:
        os.close(os.open("/dev/null", os.O_RDONLY))
for _ in range(2):
    threading.Thread(target=churn, daemon=True).start()
print("prêt", flush=True)
sys.stdin.read()
"""
MAPPED = """
import ctypes, os, sys
held = os.open(sys.argv[1], os.O_RDWR)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
assert libc.mmap(None, ctypes.c_size_t(4096), 3, 1, held, ctypes.c_long(0)) != ctypes.c_void_p(-1).value
os.close(held)
print("prêt", flush=True)
sys.stdin.read()
"""
HELD = """
import os, sys
held = os.open(sys.argv[1], os.O_RDWR)
print("prêt", flush=True)
sys.stdin.read()
"""
LOOK = """
import os, sys
from releve.adapters.engines.files.writers import open_writers
os.setuid(65534)
look = open_writers(os.fsencode(sys.argv[1]))
print(len(look.writers), look.hidden)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of a share."""
    made = tmp_path / "share" / "dossier" / "fiche.odt"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"x" * 4096)
    return made


@contextmanager
def program(script: str, path: Path, *within: str) -> Iterator[int]:
    """It runs until the block ends; its process number."""
    argv = [*within, sys.executable, "-c", script, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        try:
            yield running.pid
        finally:
            running.communicate()


def looked(file: Path) -> Look:
    """One look at the share that the file is in."""
    return open_writers(os.fsencode(file.parents[1].resolve()))


def test_a_writer_among_files_that_come_and_go_is_always_seen(file: Path) -> None:
    """A server opens and closes other files all the time: no look misses the one that it holds."""
    with program(BUSY, file) as pid:
        for _ in range(60):
            assert [(one.pid, one.path) for one in looked(file).writers] == [(pid, os.fsencode(file))]
    assert looked(file).writers == ()
    assert os.geteuid() != 0 or not looked(file).hidden


def test_a_file_that_is_mapped_for_writing_is_seen(file: Path) -> None:
    """A mapping outlives the descriptor that it was made from."""
    with program(MAPPED, file) as pid:
        assert [one.pid for one in looked(file).writers] == [pid]


@pytest.mark.needs("mount-namespace")
def test_a_writer_in_a_container_is_seen_under_its_other_name(file: Path, tmp_path: Path) -> None:
    """Another mount namespace, where the share is called differently."""
    inside = tmp_path / "data"
    inside.mkdir()
    script = f'mount --bind "{file.parents[1]}" "{inside}" && exec "$@"'
    with program(
        HELD, inside / "dossier" / "fiche.odt", "unshare", "--mount", "--", "sh", "-c", script, "sh"
    ):
        (one,) = looked(file).writers
        assert one.path == os.fsencode(inside / "dossier" / "fiche.odt")


@pytest.mark.skipif(os.geteuid() != 0, reason="another account is taken by root alone")
def test_programs_that_may_not_be_looked_at_are_counted(file: Path) -> None:
    """Another account sees no writer, and says how many programs it did not see."""
    with program(HELD, file):
        argv = [sys.executable, "-c", LOOK, str(file.parents[1])]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "0"
    assert int(said[1]) > 0


def test_a_reader_is_no_writer(file: Path) -> None:
    """A file open for reading keeps nobody."""
    with file.open("rb"), program(HELD.replace("O_RDWR", "O_RDONLY"), file):
        assert looked(file).writers == ()
