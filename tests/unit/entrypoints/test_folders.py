"""A folder that the user chose: made when missing, refused before anything starts when it cannot be."""

from __future__ import annotations

import pytest

from releve.domain.errors import BadInput
from releve.entrypoints.cli.folders import writable_folder


def test_missing_parents_are_made(tmp_path):
    """A folder whose parents do not exist is made, and left empty."""
    folder = tmp_path / "a" / "b" / "c"
    writable_folder(folder)
    writable_folder(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["fichier", "fichier/dessous", "n" * 300, "nul\0"], ids=["file", "below", "long", "nul"]
)
def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path, name):
    """A file, a path through a file, a name too long, a NUL: bad input, nothing made."""
    (tmp_path / "fichier").write_text("à moi")
    with pytest.raises(BadInput) as caught:
        writable_folder(tmp_path / name)
    assert caught.value.code == "output-unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["fichier"]
