"""The command `releve`: one file a command; `root` lists them."""

import io
import sys


def main() -> None:
    """Entry point of the command."""
    from releve.entrypoints.cli import express

    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # what a terminal has no sign for is "?", and ends no command
            stream.reconfigure(errors="replace")
    work = express.understood(sys.argv[1:])
    if work is not None:
        sys.exit(work())
    from releve.entrypoints.cli.root import run_command

    run_command()
