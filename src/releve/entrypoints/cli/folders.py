"""Seeing, before any work is done, that a folder the user chose can be written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from releve.domain.os_errors import unwritable


def writable_folder(folder: Path) -> None:
    """Make `folder` and see that a file can be made in it. Raises as `unwritable` says."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise unwritable(folder, error) from error
