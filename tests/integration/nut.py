"""A real NUT server with NUT's own imaginary UPS, in one folder and on a free port."""

from __future__ import annotations

import contextlib
import getpass
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.pg import free_port
from tests.waiting import until

NAME = "onduleur"
_HOME = Path("/lib/nut")


@contextlib.contextmanager
def nut(folder: Path, told: Mapping[str, str]) -> Iterator[int]:
    """The port of a server that tells these variables of NAME; both processes are ended at the end."""
    port = free_port()
    (folder / "ups.conf").write_text(
        f"[{NAME}]\n  driver = dummy-ups\n  port = {NAME}.dev\n  mode = dummy-once\n"
    )
    (folder / f"{NAME}.dev").write_text("".join(f"{name}: {value}\n" for name, value in told.items()))
    (folder / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {port}\n")
    (folder / "upsd.users").touch(mode=0o600)
    places = dict.fromkeys(("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH"), str(folder))
    environment = {**os.environ, **places}
    me = getpass.getuser()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))

        def start(*argv: str) -> None:
            process = subprocess.Popen(
                argv, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

        start(str(_HOME / "dummy-ups"), "-a", NAME, "-u", me, "-D")
        until(lambda: (folder / f"dummy-ups-{NAME}").exists())
        start(str(_HOME / "upsd"), "-u", me, "-F")

        def heard() -> bool:
            argv = ["upsc", f"{NAME}@127.0.0.1:{port}", "driver.name"]
            return subprocess.run(argv, capture_output=True, check=False).stdout.strip() == b"dummy-ups"

        until(heard)
        yield port
