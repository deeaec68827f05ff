"""The demo's shared documents: saved whole, found again by their id, closed when the folder is barred."""

from __future__ import annotations

import pytest

from releve.demo.documents import Documents, read_documents
from releve.demo.dossier_store import NotWritten


def line(number: int) -> dict[str, object]:
    """One save."""
    return {"id": f"id-{number}", "author": "Veilleur de nuit 1", "resident": "x", "text": "y", "seq": number}


@pytest.fixture
def share(tmp_path):
    """A folder that its users may enter."""
    root = tmp_path / "documents"
    root.mkdir(mode=0o775)
    root.chmod(0o775)
    return root


def test_what_was_saved_is_read_again_and_never_twice(share):
    """Each line once, over several notebooks, whoever sends it again."""
    store = Documents(str(share))
    assert all(store.save(line(number)).created for number in range(60))
    assert not store.save(line(3)).created
    assert sorted(row["seq"] for row in read_documents(share)) == list(range(60))
    assert len(list(share.glob("*/cahier *.txt"))) == 3
    assert [row["seq"] for row in store.last(2)] == [59, 58]


def test_a_barred_folder_is_closed_to_its_users(share):
    """As a file server with the rights of its users: no entry, no acknowledgement."""
    store = Documents(str(share))
    share.chmod(0o700)
    assert store.state() == "closed"
    with pytest.raises(NotWritten):
        store.save(line(1))
    share.chmod(0o775)
    assert store.state() == "open"
    share.rmdir()
    assert store.state() == "unreachable"
