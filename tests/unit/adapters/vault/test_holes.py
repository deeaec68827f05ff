"""A sparse file: its holes are not read, come back as holes, and its content is what a reading would give."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from releve.adapters.vault import reading
from releve.adapters.vault.restore import restore
from tests.vaults import fresh, keep, reopened


def test_a_hole_is_neither_read_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 MB with three islands and a hole at its end: some MB are read, the same bytes and few blocks come back."""
    place, chance, size = tmp_path / "share" / "image", random.Random(1), 300_000_123
    place.parent.mkdir()
    with place.open("wb") as file:
        for at in (12_345, 100_000_000, 222_222_222):
            file.seek(at)
            file.write(chance.randbytes(1_300_000))
        file.truncate(size)
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(reading.os, "pread", lambda *given: read.append(given[1]) or pread(*given))
    vault = fresh(tmp_path / "vault")
    keep(vault, place.parent)
    assert sum(read) < 150_000_000
    monkeypatch.undo()
    vault = reopened(tmp_path / "vault")
    restore(vault, vault.snapshot("latest"), str(tmp_path / "out"))
    back = tmp_path / "out" / place.relative_to("/")
    assert back.stat().st_size == size
    assert back.stat().st_blocks * 512 < size // 10
    with place.open("rb") as one, back.open("rb") as other:
        while block := one.read(1 << 24):
            assert block == other.read(1 << 24)
