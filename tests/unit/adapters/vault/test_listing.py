"""What a pruning and a verification remember of a million blobs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from releve.adapters.vault.listing import Ids, Listing
from releve.adapters.vault.merging import reached
from releve.adapters.vault.node import Node, encode, tree
from releve.adapters.vault.pack import BlobKind, Placed
from releve.adapters.vault.pruning import used_blobs
from releve.adapters.vault.writer import Writer
from tests.vaults import fresh


def test_a_set_of_ids_is_a_set() -> None:
    """Through its growth, with ids that begin alike: what was added is in it once, nothing else is."""
    alike = [bytes(8) + hashlib.sha256(str(n).encode()).digest()[8:] for n in range(50)]
    ids = [*alike, *(hashlib.sha256(f"x{n}".encode()).digest() for n in range(5000))]
    some = Ids(4)
    some.update(ids[::2])
    some.update(ids[::2])
    assert len(some) == len(ids[::2])
    assert set(some) == set(ids[::2])
    assert all(one in some for one in ids[::2])
    assert not any(one in some for one in ids[1::2])


def test_a_listing_gives_back_what_each_pack_holds() -> None:
    """The last word on a pack counts; of an unknown one nothing is said."""
    blobs = [Placed(b"a" * 32, BlobKind.DATA, 0, 50, 100), Placed(b"b" * 32, BlobKind.TREE, 50, 40, 0)]
    listing = Listing()
    listing.add("p", blobs[:1])
    listing.add("p", blobs)
    assert listing["p"] == blobs
    assert listing.get("q") is None
    assert set(listing.names()) == {"p"}


def test_what_is_below_a_tree_is_used_even_when_a_file_holds_the_bytes_of_that_tree(tmp_path: Path) -> None:
    """Who can read a folder can write the bytes of its tree into a file beside it: a pruning must not lose the folder."""
    vault = fresh(tmp_path / "vault")
    writer = Writer(vault)
    held = writer.save(BlobKind.DATA, b"precious")
    below = writer.save(BlobKind.TREE, tree([encode(Node(b"f", "file", 0o644, 1, size=8, content=(held,)))]))
    nodes = [
        Node(b"a", "file", 0o644, 1, content=(below,)),
        Node(b"b", "dir", 0o755, 1, subtree=below),
    ]
    root = writer.save(BlobKind.TREE, tree([encode(one) for one in nodes]))
    writer.flush()
    writer.close()
    assert set(used_blobs(vault, [root])) == set(reached(vault, [root])[0]) == {root, below, held}
