"""`python -m releve`: the same command."""

from releve.entrypoints.cli import main

main()
