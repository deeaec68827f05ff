"""Bits that flip, files that vanish: found, located, and healed from a second copy."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest

from releve.adapters.vault.healing import heal
from releve.adapters.vault.index import from_json, to_json
from releve.adapters.vault.pack import BlobKind, Placed, header_of
from releve.adapters.vault.pruning import prune
from releve.adapters.vault.repository import Repository, open_vault
from releve.adapters.vault.restore import restore
from releve.adapters.vault.store import FolderStore, Kind
from releve.adapters.vault.verify import verify
from releve.domain.errors import PromiseBroken, ReleveError, Unreachable
from releve.entrypoints.cli.vault_work import said
from tests.vaults import PASSWORD, forget, fresh, keep, now, picture, reopened


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
    """As a disk does it: long after the file was written, and without a date."""
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << (bit % 8)
    path.chmod(0o600)
    path.write_bytes(raw)
    os.utime(path, (0, 0))


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
    """A hundred and twenty bits, anywhere in any file: each time that file is named."""
    _flips(vault, 120)


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


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("copied", [False, True])
def test_one_lost_index_among_several_is_made_again(
    vault: Path, tmp_path: Path, number: int, copied: bool
) -> None:
    """Its packs are in no index: the snapshot that needs them shows it, with a second copy and without."""
    shutil.copytree(vault, tmp_path / "second")
    names = _files(vault / "index")
    assert len(names) == 2
    names[number].unlink()
    assert verify(reopened(vault)).lost
    done = heal(reopened(vault), FolderStore(tmp_path / "second") if copied else None, now=now)
    assert done.after.sound
    assert done.after.unused_packs == []
    assert done.indexed
    again = reopened(vault)
    restore(again, again.snapshot("latest"), str(tmp_path / "out"))
    share = tmp_path / "share"
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)


def test_an_index_lost_with_its_packs_comes_from_the_second_copy(vault: Path, tmp_path: Path) -> None:
    """What the snapshots need is brought and listed, file for file, and nothing that was given up on purpose."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "gone").write_text("given up")
    given_up = keep(reopened(vault), tmp_path / "other").id
    second = tmp_path / "second"
    shutil.copytree(vault, second)
    forget(reopened(vault), given_up)
    prune(reopened(vault), now=now)
    before = {path.name for path in (vault / "data").rglob("?" * 64)}
    for path in [*_files(vault / "index"), *(vault / "data").rglob("?" * 64)]:
        path.unlink()
    done = heal(reopened(vault), FolderStore(second), now=now)
    assert done.after.sound
    assert done.left == []
    assert {path.name for path in (vault / "data").rglob("?" * 64)} == before
    assert len(reopened(vault).snapshots()) == 2


def test_only_snapshots_that_nobody_can_read_are_dropped_and_only_when_asked(
    vault: Path, tmp_path: Path
) -> None:
    """One comes back from the second copy, one is damaged there too, one is garbage: the last two go, nothing else."""
    kept = keep(reopened(vault), tmp_path / "share").id
    second = tmp_path / "second"
    shutil.copytree(vault, second)
    names = sorted(path.name for path in _files(vault / "snapshots"))
    back, bad = [name for name in names if name != kept]
    for side, name in ((vault, back), (vault, bad), (second, bad)):
        _flip(side / "snapshots" / name, 99)
    raw = b"x" * 200
    garbage = hashlib.sha256(raw).hexdigest()
    (vault / "snapshots" / garbage).write_bytes(raw)
    files = {path: path.read_bytes() for path in _files(vault) if path.parent.name != "locks"}
    done = heal(reopened(vault), FolderStore(second), now=now)
    assert (done.unreadable, done.dropped) == (sorted([bad, garbage]), [])
    assert (vault / "snapshots" / bad).exists()
    done = heal(reopened(vault), FolderStore(second), drop_unreadable=True, now=now)
    assert (done.unreadable, done.dropped, done.left) == ([], sorted([bad, garbage]), [])
    assert done.after.sound
    assert {one.id for one in reopened(vault).snapshots()} == {back, kept}
    left = {path: path.read_bytes() for path in _files(vault)}
    gone = {vault / "snapshots" / name for name in (bad, garbage)}
    assert left.keys() == files.keys() - gone
    assert [path for path in left if left[path] != files[path]] == [vault / "snapshots" / back]


def test_a_damaged_pack_in_no_index_gives_what_still_opens(vault: Path) -> None:
    """Its index lost, a bit flipped in it: one file is lost, and no list names the blob that does not open."""
    packs = [path for path in _files(vault) if path.parent.parent.name == "data"]
    _flip(max(packs, key=lambda path: path.stat().st_size), 50 * 8)
    for path in _files(vault / "index"):
        path.unlink()
    done = heal(reopened_unread(vault), None, now=now)
    assert len({path for _name, path in done.after.lost}) == 1
    healed = reopened(vault)
    for where in healed.index:
        healed.blob(where.blob.id)


def _unlist(vault: Path, kind: BlobKind) -> set[str]:
    """Take the packs of a kind out of the index, as a lost index file would; their names."""
    opened = reopened(vault)
    left: dict[str, list[Placed]] = {}
    gone = set()
    for path in _files(vault / "index"):
        for pack, blobs in from_json(opened.get(Kind.INDEX, path.name)):
            if blobs[0].kind is kind:
                gone.add(pack)
            else:
                left[pack] = blobs
        path.unlink()
    opened.put_plain(Kind.INDEX, to_json(left))
    return gone


@pytest.mark.parametrize("kind", list(BlobKind))
def test_a_pruning_removes_nothing_while_something_is_missing(vault: Path, kind: BlobKind) -> None:
    """Packs in no index may hold the only copy: refused, with the way out; after a healing there is nothing to do."""
    unlisted = _unlist(vault, kind)
    with pytest.raises(PromiseBroken, match="abîmé") as caught:
        prune(reopened(vault), now=now)
    assert "heal" in caught.value.hint
    assert unlisted <= {path.name for path in _files(vault)}
    verdict = verify(reopened(vault))
    assert set(verdict.unused_packs) == unlisted
    assert "prune les retire" not in said(verdict).text
    assert "heal" in said(verdict).text
    assert heal(reopened(vault), None, now=now).after.sound
    assert prune(reopened(vault), now=now).unindexed == ()
    assert verify(reopened(vault)).sound


@pytest.mark.parametrize("how", ["gone", "flipped"])
@pytest.mark.parametrize("kind", [BlobKind.DATA, BlobKind.TREE], ids=["contents", "trees"])
def test_what_a_pack_took_with_it_is_sent_again_by_the_next_saving(
    vault: Path, tmp_path: Path, kind: BlobKind, how: str
) -> None:
    """Healed without a copy, what nothing can give is on no list: the source is still there, and mends the past too."""
    opened = reopened(vault)
    for path in _files(vault / "data"):
        if header_of(path.read_bytes(), opened.key)[0].kind == kind:
            if how == "gone":
                path.unlink()
            else:
                for blob in header_of(path.read_bytes(), opened.key):
                    _flip(path, (blob.offset + 20) * 8)
    done = heal(reopened_unread(vault), None, now=now)
    assert done.unlisted
    assert done.after.lost
    with pytest.raises(PromiseBroken):
        prune(reopened(vault), now=now)
    again = keep(reopened(vault), tmp_path / "share")
    assert not again.tally.unread
    after = verify(reopened(vault))
    assert not [one for one in after.lost if one[0] == again.id]
    if kind is BlobKind.DATA:
        assert not after.lost
    opened = reopened(vault)
    restore(opened, opened.snapshot(again.id), str(tmp_path / "out"))
    share = tmp_path / "share"
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)


def test_a_pack_that_cannot_be_reached_for_a_while_stays_on_the_list(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is down says nothing of what lies behind it: once it is back, all is as before."""
    opened = reopened_unread(vault)
    honest = opened.store.read

    def read(kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        if kind is Kind.DATA:
            raise Unreachable("store-silent", "la liaison est coupée")
        return honest(kind, name, offset, length)

    with monkeypatch.context() as patch:
        patch.setattr(opened.store, "read", read)
        done = heal(opened, None, now=now)
    assert done.left
    assert not done.unlisted
    assert verify(reopened(vault)).sound


def test_a_place_that_is_no_copy_is_said(vault: Path, tmp_path: Path) -> None:
    """Nowhere, an empty folder, another vault: an error; a copy whose config is what was damaged there is one."""
    fresh(tmp_path / "another")
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty", "another"):
        with pytest.raises(ReleveError) as caught:
            heal(reopened(vault), FolderStore(tmp_path / name), now=now)
        assert caught.value.code in {"vault-missing", "heal-no-copy"}
        assert caught.value.hint
    shutil.copytree(vault, tmp_path / "second")
    _flip(tmp_path / "second" / "config", 99)
    assert heal(reopened(vault), FolderStore(tmp_path / "second"), now=now).after.sound


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
