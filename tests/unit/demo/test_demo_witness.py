"""The witness's process: how it begins anew, and how it ends when nobody is left to speak to."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from releve.demo.journal import read_journal
from releve.demo.layout import free_ports
from releve.demo.witness import JOURNAL, Witness


@pytest.fixture
def nowhere() -> str:
    """An address where nothing listens."""
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def test_killed_starter_while_the_witness_starts(tmp_path, nowhere):
    """Its starter is dead before it says "ready": it leaves at once, its journal closed, no fault shown."""
    reading, writing = os.pipe()
    os.close(reading)  # what SIGKILL to the demo does to the pipe between both
    argv = [sys.executable, "-P", "-m", "releve.demo.witness", "--folder", str(tmp_path), nowhere]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    try:
        assert process.wait(20) == 0  # its standard input is still open: only "ready" told it
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / JOURNAL).exists()


def test_a_witness_without_room_says_so_by_its_exit_code(tmp_path, nowhere):
    """Its disk is full, so that no log can be written either: the starter learns it all the same."""
    (tmp_path / "live.json.new").symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        Witness.start((nowhere,), tmp_path, writers=1)
    assert caught.value.errno == errno.ENOSPC


def test_a_witness_begins_with_an_empty_journal(tmp_path, nowhere):
    """What an earlier demo left in the folder is not counted: it would all be "lost" for the next one."""
    (tmp_path / JOURNAL).write_bytes(b'{"kind": "ack", "id": "of another estate"}\n')
    with Witness.start((nowhere,), tmp_path, writers=1) as witness:
        assert witness.live().acknowledged == 0
    assert read_journal(tmp_path / JOURNAL)[0] == []
