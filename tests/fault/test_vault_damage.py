"""Bits that flip, files that vanish: found, located, and healed from a second copy."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from releve.adapters.vault.healing import heal
from releve.adapters.vault.repository import Repository, open_vault
from releve.adapters.vault.restore import restore
from releve.adapters.vault.store import FolderStore
from releve.adapters.vault.verify import verify
from releve.domain.errors import ReleveError
from tests.vaults import PASSWORD, fresh, keep, now, picture, reopened


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """A vault of one share, two snapshots."""
    chance = random.Random(5)
    share = tmp_path / "share"
    for number in range(20):
        (share / f"d{number % 4}").mkdir(parents=True, exist_ok=True)
        (share / f"d{number % 4}" / f"f{number}").write_bytes(chance.randbytes(chance.randrange(9000)))
    made = fresh(tmp_path / "vault")
    keep(made, share)
    (share / "d1" / "more").write_text("more")
    keep(made, share)
    return tmp_path / "vault"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _flip(path: Path, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << (bit % 8)
    path.chmod(0o600)
    path.write_bytes(raw)


def _found(folder: Path, path: Path) -> bool:
    """Whether a verification names that very file."""
    try:
        verdict = verify(reopened(folder))
    except ReleveError as error:
        told = f"{error.sentence} {error.context}"
        return path.name in told or path.name[:8] in told or (path.parent.name == "keys" and "clé" in told)
    return path.name in {one.name for one in verdict.troubles}


def _flips(vault: Path, count: int) -> None:
    seed = random.SystemRandom().randrange(10**9)
    chance = random.Random(seed)
    files = _files(vault)
    sizes = [path.stat().st_size for path in files]
    for _ in range(count):
        path = chance.choice(files) if chance.random() < 0.5 else chance.choices(files, sizes)[0]
        before = path.read_bytes()
        bit = chance.randrange(len(before) * 8)
        _flip(path, bit)
        assert _found(vault, path), (seed, path, bit)
        path.write_bytes(before)
    assert verify(reopened(vault)).sound


def test_every_flipped_bit_is_found_and_located(vault: Path) -> None:
    """Four hundred bits, anywhere in any file: each time that file is named."""
    _flips(vault, 400)


@pytest.mark.torture
def test_ten_thousand_flipped_bits_are_found_and_located(vault: Path) -> None:
    """Ten thousand."""
    _flips(vault, 10_000)


def test_flipped_bits_are_healed_from_the_second_copy(vault: Path, tmp_path: Path) -> None:
    """Every file but the keys and the config damaged at once: all put back, the restore identical."""
    shutil.copytree(vault, tmp_path / "second")
    for path in _files(vault):
        if path.parent.name not in {"keys", vault.name}:
            _flip(path, random.Random(path.name).randrange(path.stat().st_size * 8))
    opened = reopened_unread(vault)
    assert not verify(opened).sound
    done = heal(opened, FolderStore(tmp_path / "second"), now=now)
    assert done.left == []
    assert done.after.sound
    again = reopened(vault)
    restore(again, again.snapshot("latest"), str(tmp_path / "out"))
    share = tmp_path / "share"
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)


@pytest.mark.torture
def test_ten_thousand_flipped_bits_are_healed_from_the_second_copy(vault: Path, tmp_path: Path) -> None:
    """Ten thousand, some dozens at once: every damaged file named, and byte for byte as before once healed."""
    second = FolderStore(tmp_path / "second")
    shutil.copytree(vault, second.root)
    seed = random.SystemRandom().randrange(10**9)
    chance = random.Random(seed)
    whole = {
        path: path.read_bytes() for path in _files(vault) if path.parent.name not in {"keys", vault.name}
    }
    sizes = [len(raw) for raw in whole.values()]
    flips = 0
    while flips < 10_000:
        for path in chance.choices(list(whole), sizes, k=chance.randrange(1, 60)):
            _flip(path, chance.randrange(len(whole[path]) * 8))
            flips += 1
        damaged = {path.name for path, raw in whole.items() if path.read_bytes() != raw}
        named = {one.name for one in verify(reopened_unread(vault)).troubles}
        assert damaged <= named, (seed, flips)
        assert heal(reopened_unread(vault), second, now=now).left == [], (seed, flips)
        assert all(path.read_bytes() == raw for path, raw in whole.items()), (seed, flips)


def reopened_unread(folder: Path) -> Repository:
    """The vault, its index not read: it may be damaged."""
    return open_vault(FolderStore(folder), PASSWORD)


def test_a_second_copy_that_is_damaged_too_is_not_believed(vault: Path, tmp_path: Path) -> None:
    """The same file damaged on both sides stays damaged, and is named."""
    shutil.copytree(vault, tmp_path / "second")
    pack = next(path for path in _files(vault) if path.parent.parent.name == "data")
    for side in (vault, tmp_path / "second"):
        _flip(side / pack.relative_to(vault), 100)
    done = heal(reopened(vault), FolderStore(tmp_path / "second"), now=now)
    assert done.left == [f"data/{pack.name}"]
    assert not done.after.sound


@pytest.mark.parametrize("loss", ["flip", "unlink"])
def test_a_lost_index_is_made_again_from_the_packs(vault: Path, tmp_path: Path, loss: str) -> None:
    """Without a second copy: every blob is listed again from the packs' own tables."""
    for path in _files(vault / "index"):
        if loss == "unlink":
            path.unlink()
        else:
            _flip(path, 77)
    done = heal(reopened_unread(vault), None, now=now)
    assert done.after.sound
    assert len(done.indexed) >= 2


def test_a_damaged_file_does_not_stop_the_restore_of_the_others(vault: Path, tmp_path: Path) -> None:
    """What is lost is listed and no half file is left; everything else comes back."""
    packs = [path for path in _files(vault) if path.parent.parent.name == "data"]
    data = max(packs, key=lambda path: path.stat().st_size)
    _flip(data, 50 * 8)
    opened = reopened(vault)
    done = restore(opened, opened.snapshot("latest"), str(tmp_path / "out"))
    assert len(done.lost) == 1
    assert not Path(done.lost[0][0]).exists()
    assert done.files == 20
    assert verify(opened).lost
