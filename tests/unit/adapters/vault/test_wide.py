"""What is too large for the memory is passed through in pieces: the tree of a wide folder, its names, its past."""

from __future__ import annotations

import random
import subprocess
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.adapters.vault import names, repository, rows, scratch
from releve.adapters.vault.healing import _lacking
from releve.adapters.vault.merging import reached
from releve.adapters.vault.names import Names, in_order
from releve.adapters.vault.node import Node, decode, differences, encode, entries, outline, tree
from releve.adapters.vault.pack import BlobKind, header_of
from releve.adapters.vault.past import LongPast, Past, past_of
from releve.adapters.vault.pruning import used_blobs
from releve.adapters.vault.repository import open_long
from releve.adapters.vault.restore import restore
from releve.adapters.vault.scratch import Scratch
from releve.adapters.vault.seal import Forged, Key
from releve.adapters.vault.store import Kind
from releve.adapters.vault.verify import verify
from releve.adapters.vault.writer import Writer
from releve.domain.errors import PromiseBroken, Unreachable
from tests.vaults import fresh, keep, picture, reopened

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

ODD = [
    Node(b"a", "file", 0o644, 1, xattrs=(("user.x", b"1"), ("user.y", b"2")), content=(b"c" * 32,)),
    Node(b'b},{"name":"', "file", 0o644, 1, size=5),
    Node(b"c\\\n\xff", "symlink", 0o777, 1, target=b"x"),
    Node(b"d", "dir", 0o755, 2, subtree=b"s" * 32),
    Node("é".encode(), "file", 0o600, 3, xattrs=(("user.z", b""),), content=(b"d" * 32, b"e" * 32)),
]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is wide: pieces of a few bytes, files at once."""
    monkeypatch.setattr(repository, "LONG", 0)
    monkeypatch.setattr("releve.adapters.vault.verify.LONG", 0)
    for one in ("scratch", "seal", "repository"):
        monkeypatch.setattr(f"releve.adapters.vault.{one}.PIECE", 7)
    monkeypatch.setattr(repository, "_FETCH", 100)
    monkeypatch.setattr(scratch, "_HELD", 10)
    monkeypatch.setattr(rows, "_WIDE", 2)
    monkeypatch.setattr(names, "_WIDE", 2)


def _aside(raw: bytes) -> Scratch:
    held = Scratch()
    held.write(raw)
    return held


@pytest.mark.usefixtures("narrow")
def test_a_long_tree_is_read_as_a_short_one() -> None:
    """Entry by entry from pieces of seven bytes: with attributes, with names that look like anything, in any spelling."""
    for some in (ODD, ODD[1:], ODD[:1], []):
        raw = tree([encode(one) for one in some])
        for spelt in (raw, raw.replace(b'{"nodes":[', b'{"nodes": [')):
            long = _aside(spelt)
            assert list(entries(long)) == list(entries(raw))
            assert list(decode(long)) == some
            assert list(outline(long)) == list(outline(raw))
            past = past_of(long)
            assert len(past) == len(some)
            for one in (*some, *reversed(some), *ODD):
                assert past.node(one.name) == Past(raw).node(one.name)
            assert past.node(b"no such name") is None


@pytest.mark.usefixtures("narrow")
def test_long_trees_differ_as_short_ones_do() -> None:
    """What came, went and changed, in the order of the names; names in disorder are refused, for a copy would lose files."""
    chance = random.Random(7)
    for _ in range(50):
        old = sorted(chance.sample(ODD, chance.randrange(6)), key=lambda one: one.name)
        new = sorted(chance.sample(ODD, chance.randrange(6)), key=lambda one: one.name)
        new = [
            Node(one.name, "file", 0o600, chance.randrange(2)) if chance.random() < 0.3 else one
            for one in new
        ]
        raws = [tree([encode(one) for one in nodes]) for nodes in (old, new)]
        wanted = list(differences(*raws))
        assert list(differences(_aside(raws[0]), _aside(raws[1]))) == wanted
        assert list(differences(raws[0], _aside(raws[1]))) == wanted
    upside_down = _aside(tree([encode(one) for one in reversed(ODD)]))
    with pytest.raises(ValueError, match="order"):
        list(differences(b"", upside_down))


def test_names_are_in_order_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a list has them, by number and one after the other."""
    monkeypatch.setattr(names, "_WIDE", 2)
    some = [b"b", b"", b"a\xff", b"ab", b"a"]
    found = in_order(some)
    assert isinstance(found, Names)
    assert list(found) == [found[number] for number in range(5)] == sorted(some)
    with pytest.raises(IndexError):
        found[5]
    assert in_order(some[:2]) == [b"", b"b"]
    chance = random.Random(9)
    for count in range(12):
        many = [chance.randbytes(chance.randrange(3)) for _ in range(count)]
        assert list(in_order(iter(many))) == sorted(many)


@pytest.mark.usefixtures("narrow")
def test_a_vault_of_wide_folders_is_as_any_other(tmp_path: Path) -> None:
    """Saved, saved again with changes by one process or two, verified, brought back, its blobs counted."""
    share = tmp_path / "share"
    for folder in ("", "x", "y", "y/z"):
        (share / folder).mkdir(parents=True, exist_ok=True)
        for name in ("a", 'b"\\', "é\n", "m"):
            (share / folder / name).write_bytes(f"{folder}{name}".encode() * 20)
    vault = fresh(tmp_path / "vault")
    keep(vault, share)
    (share / "y" / "m").unlink()
    (share / "x" / "b").write_text("new")
    (share / "x" / "m").write_text("changed")
    for processes in (1, 2):
        tally = keep(vault, share, processes=processes).tally
        assert (tally.files_new, tally.files_changed) == ((1, 1) if processes == 1 else (0, 0))
        assert tally.files_same == (14 if processes == 1 else 16)
    again = reopened(tmp_path / "vault")
    verdict = verify(again)
    assert (verdict.sound, verdict.unused_packs) == (True, [])
    last = again.snapshot("latest")
    assert restore(again, last, str(tmp_path / "out")).files == 16
    assert picture(tmp_path / "out" / share.relative_to("/")) == picture(share)
    roots = [one.tree for one in again.snapshots()]
    used, missing = reached(again, roots)
    assert len(missing) == 0
    assert set(used) == set(used_blobs(again, roots)) == {one.blob.id for one in again.index}


@pytest.mark.usefixtures("narrow")
def test_nothing_of_a_long_blob_is_given_before_its_seal_is_right(tmp_path: Path) -> None:
    """Any flipped byte is found before the first piece; a sound blob in the place of another, before it is believed."""
    vault = fresh(tmp_path / "vault")
    writer = Writer(vault)
    plain = random.Random(3).randbytes(90)
    one, other = (
        writer.save_parts(BlobKind.TREE, lambda raw=raw: iter([raw[:50], raw[50:]]))
        for raw in (plain, plain[::-1])
    )
    writer.flush()
    writer.close()
    where = vault.where(one)
    sealed = vault.store.read(repository.Kind.DATA, where.pack, where.blob.offset, where.blob.length)

    def opened(raw: bytes, blob: repository.Placed) -> Iterator[bytes]:
        return open_long(vault.key, lambda at, length: raw[at : at + length], blob, "here")

    assert b"".join(opened(sealed, where.blob)) == plain
    for at in range(len(sealed)):
        flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(PromiseBroken, match="sceau"):
            next(opened(flipped, where.blob))
    wrong = where.blob._replace(id=other)
    with pytest.raises(PromiseBroken, match="contenu annoncé"):
        list(opened(sealed, wrong))
    for cut in range(len(sealed)):
        with pytest.raises(Forged):
            next(vault.key.unseal_pieces(lambda at, length, end=cut: sealed[:end][at : at + length], cut))


def test_a_seal_in_pieces_is_a_seal() -> None:
    """What is sealed in pieces opens at once, and the other way."""
    key, plain = Key.new(), bytes(range(256)) * 9
    assert key.unseal(b"".join(key.seal_pieces([plain[:100], b"", plain[100:]]))) == plain
    sealed = key.seal(plain)
    assert b"".join(key.unseal_pieces(lambda at, length: sealed[at : at + length], len(sealed))) == plain


@pytest.mark.usefixtures("narrow")
def test_no_room_for_what_is_wide_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a fault of ours nor damage of the vault: the error says where room is wanted."""
    share = tmp_path / "share"
    share.mkdir()
    for name in "abcd":
        (share / name).write_text(name)
    vault = fresh(tmp_path / "vault")
    keep(vault, share)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    for act in (lambda: keep(vault, share), lambda: verify(vault)):
        with pytest.raises(Unreachable, match="très large") as caught:
            act()
        assert "TMPDIR" in caught.value.hint


def test_a_verification_holds_one_list_of_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list that was known is let go before the one of now is read: of a million files each is 53 MB."""
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "a").write_text("a")
    keep(fresh(tmp_path / "vault"), tmp_path / "share")
    vault = reopened(tmp_path / "vault")
    known, left = weakref.ref(vault.index), []
    read = vault.get

    def get(kind: Kind, name: str) -> bytes:
        left.append(kind is Kind.INDEX and known() is not None)
        return read(kind, name)

    monkeypatch.setattr(vault, "get", get)
    assert verify(vault).sound
    assert left == [False, False]  # a snapshot, a list


def _many(count: int) -> Iterator[bytes]:
    chance = random.Random(11)
    for number in range(count):
        held = (chance.randbytes(32),)
        yield encode(
            Node(b"document-%07d.txt" % number, "file", 0o644, number, size=24, inode=number, content=held)
        )


def _piled(count: int) -> Callable[[], Iterator[bytes]]:
    def parts() -> Iterator[bytes]:
        lead = b'{"nodes":['
        for entry in _many(count):
            yield lead + entry
            lead = b","
        yield b"]}\n"

    return parts


def _peak(act: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_a_wide_tree_is_never_whole_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tree of 3.3 MB each way to write or read it takes at most 8 MB; whole in memory up to 18.

    Peaks in MB, of a tree of 11 MB, now (before): a past 4.7 (40.5), entries 5.0 (34.7), differences 6.7 (60.0),
    reached 6.6 (14.8), lacking 5.5 (18.9), verify 6.8 (30.4).
    """
    monkeypatch.setattr(repository, "LONG", 1 << 20)
    monkeypatch.setattr("releve.adapters.vault.verify.LONG", 1 << 20)
    monkeypatch.setattr(scratch, "_HELD", 1 << 20)
    monkeypatch.setattr(repository, "_FETCH", 1 << 20)
    count = 12_000
    vault = fresh(tmp_path / "vault")
    writer = Writer(vault)
    saved: list[bytes] = []

    def save(much: int) -> None:
        saved.append(writer.save_parts(BlobKind.TREE, _piled(much)))
        writer.flush()

    took = {"save": _peak(lambda: save(count))}
    save(count - 1)
    writer.close()
    whole, less = saved

    def compare() -> None:
        past = past_of(vault.listing(whole))
        assert isinstance(past, LongPast)
        for entry in _many(count):
            assert past.same(entry[: entry.index(b'"content":[') + len(b'"content":[')] + b"]}")

    def differ() -> None:
        assert len(list(vault.differences(less, whole))) == 1

    took["past"] = _peak(compare)
    took["nodes"] = _peak(lambda: [None for _ in vault.nodes(whole)])
    took["differences"] = _peak(differ)
    took["reached"] = _peak(lambda: reached(vault, [whole]))
    took["lacking"] = _peak(lambda: _lacking(vault, [whole]))
    took["verify"] = _peak(lambda: verify(reopened(tmp_path / "vault")))
    assert max(took.values()) <= 8, took


def test_a_folder_of_many_floors_is_verified(tmp_path: Path) -> None:
    """Lawful, and deeper than our own stack: what is lost at its end is named too."""
    top = end = tmp_path / "share"
    top.mkdir()
    for _ in range(900):
        end /= "a"
        end.mkdir()
    (end / "f").write_bytes(b"contenu")
    vault = fresh(tmp_path / "vault")
    saved = keep(vault, top)
    opened = reopened(tmp_path / "vault")
    assert verify(opened).sound
    for path in (tmp_path / "vault" / "data").glob("*/*"):
        if header_of(path.read_bytes(), opened.key)[0].kind == BlobKind.DATA:
            path.unlink()
    assert verify(reopened(tmp_path / "vault")).lost == [(saved.id, str(end / "f"))]
    subprocess.run(["rm", "-rf", str(top)], check=True)  # Python's own removal has a stack too
