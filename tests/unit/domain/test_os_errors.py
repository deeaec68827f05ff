"""A path that could not be written: the exit code and the French of each reason."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from releve.domain.errors import Exit, Unreachable
from releve.domain.os_errors import unwritable


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_something_needed_that_is_lacking(tmp_path, number):
    """A full disk or quota: exit 6, for the argument was right."""
    error = unwritable(tmp_path, OSError(number, os.strerror(number)))
    assert (error.exit_code, error.code) == (Exit.NOT_REACHABLE, "disk-full")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR])
def test_a_wrong_place_is_a_wrong_argument(tmp_path, number):
    """No rights, read-only, too long, below a file: exit 2, in French."""
    error = unwritable(tmp_path, OSError(number, os.strerror(number)), "plan-unwritable")
    assert (error.exit_code, error.code) == (Exit.BAD_INPUT, "plan-unwritable")
    assert os.strerror(number) not in error.sentence


def test_a_folder_without_room_is_seen_before_anything_starts():
    """/dev/full's law on a real device: making a file there fails for want of room, exit 6."""
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert isinstance(unwritable(Path("/dev/full"), caught.value), Unreachable)
