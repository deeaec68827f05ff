"""What a pruning and a verification remember of a million blobs."""

from __future__ import annotations

import hashlib

from releve.adapters.vault.listing import Ids, Listing
from releve.adapters.vault.pack import BlobKind, Placed


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
