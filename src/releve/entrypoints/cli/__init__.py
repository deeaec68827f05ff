"""The command `releve`: one file a command; `root` lists them."""

import sys


def main() -> None:
    """Entry point of the command."""
    from releve.entrypoints.cli import express

    work = express.understood(sys.argv[1:])
    if work is not None:
        sys.exit(work())
    from releve.entrypoints.cli.root import run_command

    run_command()
