"""The exact bytes of the format, and what its readers refuse."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.adapters.vault.clock import from_ns, rfc3339, to_datetime, to_ns
from releve.adapters.vault.index import Index, from_json, to_json
from releve.adapters.vault.keyfile import Cost, describe, unwrap, wrap
from releve.adapters.vault.node import Node, decode, encode, entries, from_entry, outline, tree
from releve.adapters.vault.pack import BlobKind, Draft, Placed, header_of
from releve.adapters.vault.polynomial import DEGREE, draw, irreducible
from releve.adapters.vault.quote import quote, unquote
from releve.adapters.vault.repository import open_vault
from releve.adapters.vault.seal import OVERHEAD, Forged, Key
from releve.adapters.vault.shares import draw as draw_secret
from releve.adapters.vault.shares import join, split
from releve.adapters.vault.store import FolderStore, Kind
from releve.domain.errors import BadInput, Refused
from tests.vaults import CHEAP, fresh, now, reopened

AT = datetime(2026, 11, 24, 10, 0, 0, 120_000, tzinfo=UTC)


@given(st.binary(min_size=1, max_size=40))
def test_every_name_comes_back(name: bytes) -> None:
    """Any bytes of a file name survive the format's escapes, and stay text."""
    text = quote(name)
    assert unquote(text) == name
    text.encode()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.txt", "plain.txt"),
        (b'a"b\\c', 'a\\"b\\\\c'),
        ("café".encode(), "café"),
        (b"\xff\x80", "\\xff\\x80"),
        (b"\t\n\x01\x7f", "\\t\\n\\x01\\x7f"),
        ("\u200b\u00a0".encode(), "\\u200b\\u00a0"),
        ("\U000e0001".encode(), "\\U000e0001"),
    ],
)
def test_names_are_quoted_as_go_does(name: bytes, text: str) -> None:
    """The escapes are those of Go's strconv.Quote."""
    assert quote(name) == text


@pytest.mark.parametrize("name", [rb"\f", rb"a\bureau", b"\x08", b"\x0c", rb"\\f", rb"c:\backup\fiche.txt"])
def test_a_backslash_before_a_letter_stays_what_it_is(name: bytes) -> None:
    """A name with a backslash in it is not read as a control character."""
    raw = tree([encode(Node(name, "file", 0o644, 0))])
    assert [node.name for node in decode(raw)] == [name]


@pytest.mark.parametrize("text", ["\\q", "end\\"])
def test_an_unknown_escape_is_refused(text: str) -> None:
    """A name that nobody could have written is an error, not a guess."""
    with pytest.raises(ValueError, match="escape"):
        unquote(text)


@given(st.integers(min_value=-62_167_219_200 * 10**9, max_value=253_402_300_800 * 10**9 - 1))
def test_times_keep_their_nanoseconds(stamp: int) -> None:
    """From year 0 to 9999, to the nanosecond."""
    assert to_ns(from_ns(stamp)) == stamp


def test_times_beyond_the_format_are_brought_to_its_end() -> None:
    """A file dated beyond the year 9999 is saved all the same."""
    assert from_ns(10**21).startswith("9999-12-31")
    assert from_ns(-(10**21)).startswith("0000-01-01")


def test_times_of_other_zones_are_read() -> None:
    """Restic writes the zone of its machine."""
    assert to_ns("2026-11-24T11:00:00.12+01:00") == to_ns(rfc3339(AT))
    assert to_datetime("2026-11-24T05:00:00.12-05:00") == AT
    with pytest.raises(ValueError, match="not a time"):
        to_ns("yesterday")


def test_a_tree_has_these_exact_bytes() -> None:
    """Order of fields, omitted zeros, HTML escapes, empty content, final newline."""
    file = Node(
        b"<a&b>", "file", 0o640, 1, ctime=2_000_000_000, atime=1, uid=0, gid=5, user="root", size=0, links=1
    )
    folder = Node(b"d", "dir", 0o1755, 0, subtree=b"\x01" * 32)
    link = Node(b"l", "symlink", 0o777, 0, target=b"\xff/x", links=1)
    raw = tree([encode(file), encode(folder), encode(link)])
    assert raw == (
        b'{"nodes":[{"name":"\\u003ca\\u0026b\\u003e","type":"file","mode":416,'
        b'"mtime":"1970-01-01T00:00:00.000000001Z","atime":"1970-01-01T00:00:00.000000001Z",'
        b'"ctime":"1970-01-01T00:00:02Z","uid":0,"gid":5,"user":"root","links":1,"content":[]},'
        b'{"name":"d","type":"dir","mode":2148532717,"mtime":"1970-01-01T00:00:00Z",'
        b'"atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z","uid":0,"gid":0,"content":null,'
        b'"subtree":"' + b"01" * 32 + b'"},'
        b'{"name":"l","type":"symlink","mode":134218239,"mtime":"1970-01-01T00:00:00Z",'
        b'"atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z","uid":0,"gid":0,"links":1,'
        b'"linktarget":"\\ufffd/x","linktarget_raw":"/y94","content":null}]}\n'
    )
    assert list(decode(raw)) == [file, folder, link]


@given(st.binary(max_size=3000))
def test_what_is_sealed_comes_back(plain: bytes) -> None:
    """A seal adds 32 bytes and hides nothing from its key."""
    key = Key.new()
    sealed = key.seal(plain)
    assert len(sealed) == len(plain) + OVERHEAD
    assert key.unseal(sealed) == plain


@given(st.binary(max_size=300), st.data())
def test_no_bit_of_a_seal_can_change(plain: bytes, data: st.DataObject) -> None:
    """One flipped bit anywhere, IV included, is seen."""
    key = Key.new()
    sealed = bytearray(key.seal(plain))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(Forged):
        key.unseal(bytes(sealed))


def test_a_key_file_opens_with_its_password_alone() -> None:
    """The same key comes out; another password is refused; a file that is no key says so."""
    key = Key.new()
    raw = wrap(key, "le bon mot", at=AT, cost=Cost(2, 8, 1), hostname="srv")
    assert unwrap(raw, "le bon mot") == key
    assert describe(raw).hostname == "srv"
    with pytest.raises(Forged):
        unwrap(raw, "un autre")
    with pytest.raises(ValueError, match="not a key file"):
        unwrap(b'{"kdf":"scrypt"}', "x")


def test_a_pack_lists_what_it_holds() -> None:
    """Its header gives every blob its place; its name is its hash; a changed tail is refused."""
    key, draft = Key.new(), Draft(BlobKind.DATA)
    blobs = [b"one", b"two" * 500, b""]
    for plain in blobs:
        draft.add(hashlib.sha256(plain).digest(), [key.seal(plain)], 0)
    name, parts = draft.close(key)
    raw = b"".join(parts)
    assert hashlib.sha256(raw).hexdigest() == name
    held = header_of(raw, key)
    assert held == draft.blobs
    assert [key.unseal(raw[b.offset : b.offset + b.length]) for b in held] == blobs
    for cut in (raw[:-1], raw[:20], raw[:-4] + b"\xff\xff\xff\x7f"):
        with pytest.raises(Forged):
            header_of(cut, key)


def test_the_index_finds_everything_that_it_was_told() -> None:
    """Across its quick dictionary and its sorted runs; the first place of a blob stays."""
    index = Index()
    ids = [hashlib.sha256(str(n).encode()).digest() for n in range(70_000)]
    for start in range(0, len(ids), 500):
        placed = [Placed(one, BlobKind.DATA, n * 10, 42, n) for n, one in enumerate(ids[start : start + 500])]
        index.add(f"{start:064x}", placed)
    index.add("f" * 64, [Placed(ids[3], BlobKind.TREE, 7, 7, 7)])
    assert len(index) == len(ids)
    assert {where.blob.id for where in index} == set(ids)
    found = index.find(ids[40_123])
    assert found is not None
    assert (found.pack, found.blob.offset) == (f"{40_000:064x}", 1230)
    assert index.find(ids[3]).pack == f"{0:064x}"  # type: ignore[union-attr]
    assert index.find(b"\0" * 32) is None


def test_an_index_file_reads_back() -> None:
    """Lengths of compressed and of plain blobs both; garbage is refused."""
    blobs = [Placed(b"a" * 32, BlobKind.DATA, 0, 50, 100), Placed(b"b" * 32, BlobKind.TREE, 50, 40, 0)]
    raw = to_json({"c" * 64: blobs})
    assert list(from_json(raw)) == [("c" * 64, blobs)]
    with pytest.raises(ValueError, match="not an index"):
        list(from_json(b'{"packs":[{"id":"x"}]}'))


def test_a_polynomial_is_irreducible() -> None:
    """Known cases (the AES polynomial, a product), and what is drawn."""
    assert irreducible(0b100011011)
    assert not irreducible(0b101)  # (x+1)^2
    drawn = draw()
    assert drawn.bit_length() == DEGREE + 1
    assert irreducible(drawn)
    assert irreducible(0x3DA3358B4DC173)  # the default of restic's chunker


def test_two_of_three_people_have_the_key() -> None:
    """Any two, in any order; one alone, or a wrong word, is told so."""
    secret, password = draw_secret()
    shares = split(secret)
    assert len(shares) == 3
    assert join([shares[2], shares[0]]) == password
    assert join([f"  {shares[1].upper()} ", shares[2]]) == password
    words = shares[0].split()
    words[5] = "academic" if words[5] != "academic" else "acid"
    for few in ([shares[0]], [" ".join(words), shares[1]], []):
        with pytest.raises(BadInput) as caught:
            join(few)
        assert caught.value.code == "words-wrong"
    with pytest.raises(BadInput):
        split(secret, threshold=4, people=3)


def test_the_entries_of_a_tree_are_the_same_at_once_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With attributes, whose names look like entries, and with names that look like anything."""
    nodes = [
        Node(b"a", "file", 0o644, 1, xattrs=(("user.x", b"1"), ("user.y", b"2")), content=(b"c" * 32,)),
        Node(b'b},{"name":"', "file", 0o644, 1, size=5),
        Node(b"d", "dir", 0o755, 2, subtree=b"s" * 32),
    ]
    for some in (nodes, nodes[1:], nodes[:1], []):
        raw = tree([encode(one) for one in some])
        assert list(decode(raw)) == some
        wanted = [(one.name, one.kind, one.size, list(one.content), one.subtree) for one in some]
        assert list(outline(raw)) == wanted
        with monkeypatch.context() as patched:
            patched.setattr("releve.adapters.vault.node._WIDE", 0)
            patched.setattr("releve.adapters.vault.node._AT_ONCE", 0)
            assert list(decode(raw)) == some
            assert list(outline(raw)) == wanted
        assert [from_entry(one) for one in entries(raw)] == some


def test_a_vault_takes_no_more_keys_than_restic_tries(tmp_path: Path) -> None:
    """The twenty-first is refused; those that another program added all open it, whatever their place in the folder."""
    vault = fresh(tmp_path / "vault")
    for number in range(19):
        vault.add_key(f"une-autre-cle-d-essai-{number}", now(), CHEAP)
    with pytest.raises(Refused, match="déjà 20 clés"):
        vault.add_key("une-cle-de-trop-d-essai", now(), CHEAP)
    for number in range(19, 30):
        raw = wrap(vault.key, f"une-autre-cle-d-essai-{number}", at=now(), cost=CHEAP)
        vault.store.write(Kind.KEYS, hashlib.sha256(raw).hexdigest(), [raw])
    for number in range(30):
        open_vault(FolderStore(tmp_path / "vault"), f"une-autre-cle-d-essai-{number}")
    assert reopened(tmp_path / "vault").id == vault.id
