"""The witness of a chain: a small file beside its database, `evidence.head` for the log of evidence.

Written before the entry's commit (what is announced) and again after it (what is sure), each time
whole: temporary file, fsync, rename, fsync of the folder. `domain.evidence.Witness` says what a
crash between the two leaves, and what somebody who may write the database can and cannot do.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from releve.domain.evidence import Head, Witness

FILE = "evidence.head"


class WitnessFile:
    """Reads and writes the witness. Raises OSError."""

    def __init__(self, state_dir: Path, name: str = FILE) -> None:
        self._path = state_dir / name

    def read(self) -> Witness | None:
        """The witness; None when there is none or when it cannot be understood."""
        try:
            found = json.loads(self._path.read_bytes())
            announced = found.get("announced")
            return Witness(_head(found["sure"]), _head(announced) if announced else None)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # a file that says nothing witnesses nothing: the chain will carry the break

    def write(self, witness: Witness) -> None:
        """Replace the file; it is on the disk on return."""
        content = {"sure": witness.sure, "announced": witness.announced}
        temporary = self._path.with_suffix(".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, json.dumps(content).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _head(found: object) -> Head:
    if not isinstance(found, list):
        raise TypeError("a [count, hash] pair was expected")
    count, digest = found
    return int(count), str(digest)
