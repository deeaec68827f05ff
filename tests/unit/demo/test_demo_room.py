"""Room on the disk: asked for, looked at, and blamed only when it was the cause."""

import errno
import os
from pathlib import Path

import psycopg
import pytest

from releve.demo.room import NEEDED, SPARE, blamed, disk_full, free_bytes, require
from releve.domain.errors import BadInput, ReleveError, Unreachable

HERE = Path("/somewhere")


def failing(error, free):
    """What comes out when `error` is raised inside, with `free` bytes left."""
    with pytest.raises(Exception) as caught, blamed(lambda: [HERE], free=lambda _: free):
        raise error
    return caught.value


def test_too_little_room_is_said_with_figures():
    """One sentence: where, what is left, what is needed."""
    with pytest.raises(Unreachable) as caught:
        require([HERE], free=lambda _: NEEDED - 1)
    assert caught.value.code == "disk-full"
    assert str(HERE) in caught.value.sentence
    assert str(NEEDED // 10**6) in caught.value.sentence


def test_the_poorest_disk_decides():
    """The sites may stand on another disk than the folder: each is looked at."""
    free = {Path("/a"): NEEDED, Path("/b"): 0}
    require([Path("/a")], free=free.__getitem__)
    with pytest.raises(Unreachable, match="/b"):
        require(free, free=free.__getitem__)


def test_a_folder_that_is_not_there_yet_counts_as_its_parent(tmp_path):
    """Room is asked for before the folder is made."""
    assert free_bytes(tmp_path / "pas" / "encore") > 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        psycopg.errors.DiskFull("could not extend file"),
        Unreachable("demo-postgresql", f"initdb a échoué : {os.strerror(errno.ENOSPC)}"),
        Unreachable("clone-failed", "le clone a échoué", context={"said": os.strerror(errno.ENOSPC)}),
    ],
    ids=["disk", "quota", "postgresql", "sentence", "context"],
)
def test_an_error_that_says_full_is_believed(error):
    """Even when what failed took its files away with it, so that there is room again."""
    found = failing(error, free=10 * NEEDED)
    assert isinstance(found, Unreachable)
    assert (found.code, found.__cause__) == ("disk-full", error)


@pytest.mark.parametrize(
    "error", [ReleveError("demo-witness", "le témoin a failli"), ValueError("line 3: damaged record")]
)
def test_a_silent_failure_on_a_full_disk_is_the_disk(error):
    """A witness that fails or a file cut short, with no room left: the cause is named."""
    assert failing(error, free=SPARE - 1).code == "disk-full"


@pytest.mark.parametrize("error", [ReleveError("x", "défaut"), OSError(errno.EACCES, "non"), ValueError("x")])
def test_a_failure_with_room_left_keeps_its_own_words(error):
    """The disk is not blamed for what it did not do."""
    assert failing(error, free=SPARE) is error


def test_what_was_asked_for_at_the_start_is_what_is_said():
    """The lack seen before anything began keeps its own figure."""
    error = disk_full(HERE, "il reste 1 Mo, il en faut 400")
    assert failing(error, free=0) is error


@pytest.mark.parametrize("error", [BadInput("x", "entrée"), KeyError("x")])
def test_a_cause_that_is_known_or_a_fault_of_ours_is_never_hidden(error):
    """A wrong argument names its cause; a fault of ours must be seen, full disk or not."""
    assert failing(error, free=0) is error
