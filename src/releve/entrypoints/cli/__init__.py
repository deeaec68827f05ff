"""The command `releve`: one file a command; `root` lists them."""


def main() -> None:
    """Entry point of the command."""
    from releve.entrypoints.cli.root import run_command

    run_command()
