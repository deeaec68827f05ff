"""A share of which some files cannot be read: the others are saved, and those are named."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest

from tests.vaults import fresh, keep

NOBODY = 65534


@pytest.mark.needs("root")
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_saved() -> None:
    """As an ordinary account: a closed file and a closed folder are in `unread`, nothing else is missing."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        (place / "first").mkdir()
        keep(fresh(place / "loaded"), place / "first")  # Python itself may lie where the child may not read
        os.chown(place, NOBODY, NOBODY)
        source, sink = os.pipe()
        child = os.fork()
        if not child:
            _as_nobody(place, sink)
        os.close(sink)
        with os.fdopen(source, encoding="utf-8") as said:
            answer = json.loads(said.read())
        assert os.waitpid(child, 0)[1] == 0
        assert answer["unread"] == [
            [str(place / "s/closed.txt"), "droits insuffisants"],
            [str(place / "s/shut"), "droits insuffisants"],
        ]
        assert answer["files"] == 2
    finally:
        shutil.rmtree(place)


def _as_nobody(place: Path, sink: int) -> None:
    """In a child of its own: give up root for good, save, tell what was seen, leave without cleaning up."""
    code = 1
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        share = place / "s"
        (share / "shut").mkdir(parents=True)
        for name in ("closed.txt", "open.txt", "shut/in", "other"):
            (share / name).write_text(name)
        (share / "closed.txt").chmod(0)
        (share / "shut").chmod(0)
        tally = keep(fresh(place / "v"), share).tally
        os.write(sink, json.dumps({"unread": sorted(tally.unread), "files": tally.files}).encode())
        (share / "shut").chmod(0o700)
        code = 0
    except BaseException:  # noqa: BLE001 (a forked child: nothing may climb back into pytest)
        traceback.print_exc()
    finally:
        os._exit(code)
