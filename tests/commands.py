"""The command in the process of the test: its start, which is the same every time, is not paid again."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from releve.entrypoints.cli import main


def here(
    words: Sequence[str], environment: Mapping[str, str], stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """What `releve` with these words says and gives back, through the same door as the program.

    `encoding`: that of the terminal.
    """
    out, err = _page(encoding=encoding), _page(encoding=encoding)
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["releve", *words]),
        patch.object(sys, "stdin", _page(stdin)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _code()
    return subprocess.CompletedProcess(words, code, _read(out), _read(err))


def _code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _page(text: str = "", encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding=encoding, newline="")


def _read(page: io.TextIOWrapper) -> str:
    page.flush()
    raw = page.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(page.encoding)
