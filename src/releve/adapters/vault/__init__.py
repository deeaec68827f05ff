"""The encrypted store: a restic repository, format 2, written and read by us."""
