"""A file that somebody writes into while it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from releve.adapters.vault.pack import BlobKind
from releve.adapters.vault.reading import Reader
from releve.adapters.vault.writer import Writer
from tests.vaults import fresh

SIZES = [5_000, 3_000_000]


class Meddled:
    """A writer during whose first `times` savings somebody changes what was already read."""

    def __init__(self, writer: Writer, path: Path, times: int) -> None:
        self._writer = writer
        self._path = path
        self._left = times
        self.saved = 0

    def save(self, kind: BlobKind, plain: bytes | memoryview) -> bytes:
        self.saved += 1
        if self._left:
            self._left -= 1
            facts = self._path.stat()
            with self._path.open("r+b") as file:
                file.write(b"%09d" % self._left)
            os.utime(self._path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
        return self._writer.save(kind, plain)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, size: int) -> None:
    """What is kept is one state of the file, the last, and not the beginning of one and the end of another."""
    vault = fresh(tmp_path / "vault")
    path = tmp_path / "dossier.odt"
    path.write_bytes(os.urandom(size))
    writer = Writer(vault)
    reader = Reader(Meddled(writer, path, 1))  # type: ignore[arg-type]
    content, length, facts, settled = reader.content(os.fsencode(path))
    reader.close()
    writer.flush()
    writer.close()
    assert settled
    assert b"".join(vault.blob(one) for one in content) == path.read_bytes()
    assert (length, facts.st_mtime_ns) == (size, path.stat().st_mtime_ns)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_never_holds_still_is_said_so(tmp_path: Path, size: int) -> None:
    """Three readings, each of another state: it is kept as it was read, and called unsettled."""
    vault = fresh(tmp_path / "vault")
    path = tmp_path / "journal"
    path.write_bytes(os.urandom(size))
    writer = Writer(vault)
    meddled = Meddled(writer, path, 1_000)
    reader = Reader(meddled)  # type: ignore[arg-type]
    *_, settled = reader.content(os.fsencode(path))
    reader.close()
    writer.close()
    assert not settled
    assert meddled.saved >= 3
