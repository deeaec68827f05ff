"""`releve init` and the file it writes: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys

import pytest

from releve.domain.errors import BadInput
from releve.entrypoints.cli.init import _write


def test_a_plan_that_is_there_is_not_touched(tmp_path):
    """Without --force an existing plan stays as it is."""
    plan = tmp_path / "plan.yaml"
    _write(plan, "premier", force=False)
    with pytest.raises(BadInput) as caught:
        _write(plan, "second", force=False)
    assert (caught.value.code, plan.read_text()) == ("plan-exists", "premier")


def test_force_replaces_it_and_leaves_nothing_beside(tmp_path):
    """With --force the new plan is alone in the folder."""
    plan = tmp_path / "plan.yaml"
    _write(plan, "premier", force=False)
    _write(plan, "second", force=True)
    assert (plan.read_text(), [path.name for path in tmp_path.iterdir()]) == ("second", ["plan.yaml"])


def test_force_never_replaces_what_is_no_file(tmp_path):
    """A pipe or a device is not a plan: root would otherwise replace /dev/null."""
    pipe = tmp_path / "tuyau"
    os.mkfifo(pipe)
    with pytest.raises(BadInput) as caught:
        _write(pipe, "plan", force=True)
    assert caught.value.code == "plan-unwritable"
    assert pipe.is_fifo()


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["new", "force"])
def test_a_plan_cut_short_is_taken_away(tmp_path, force):
    """When the disk gives no more room, neither half a plan nor a draft is left in the way of the next try."""

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    argv = [
        sys.executable,
        "-P",
        "-m",
        "releve",
        "init",
        "ehpad",
        "--output",
        str(tmp_path / "plan.yaml"),
        *force,
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, preexec_fn=little_room, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )  # fmt: skip
    assert "[plan-unwritable]" in done.stderr
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
