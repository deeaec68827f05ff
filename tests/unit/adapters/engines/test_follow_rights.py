"""Rights and attributes that were taken back on the share are taken back on its copy: it may be opened to its people."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shares import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A share and its copy."""
    made = Rig(tmp_path, "inotify")
    yield made
    made.close()


def _acl(rights: str, *paths: Path) -> None:
    subprocess.run(["setfacl", *rights.split(), *paths], check=True)


def _attributes(path: Path) -> set[str]:
    return {name for name in os.listxattr(path) if not name.startswith("security.")}


def test_what_was_taken_back_on_the_share_is_taken_back_on_the_copy(rig: Rig) -> None:
    """Access lists and attributes of a file and of a folder; a new folder has none of the one whose place it takes."""
    folder, file, empty = rig.root / "dossier", rig.root / "fichier", rig.root / "vide"
    folder.mkdir()
    empty.mkdir()
    file.write_text("texte")
    _acl("-m u:1234:rwx", folder, file, empty)
    _acl("-d -m u:1234:rwx", folder)
    os.setxattr(file, "user.secret", b"oui")
    rig.take()
    rig.follow()
    assert _attributes(rig.hot / "fichier") == {"system.posix_acl_access", "user.secret"}
    assert _attributes(rig.hot / "dossier") == {"system.posix_acl_access", "system.posix_acl_default"}
    _acl("-b", file)
    _acl("-x u:1234", folder)
    os.removexattr(file, "user.secret")
    empty.rmdir()
    (rig.root / "neuf").mkdir()
    for made in (folder / "dedans", folder / "plus bas"):
        made.mkdir()
        _acl("-b", made)
    (folder / "dedans" / "x").write_text("x")
    rig.take()
    rig.follow()
    for place in ("fichier", "dossier", "neuf", "dossier/dedans", "dossier/dedans/x", "dossier/plus bas"):
        assert _attributes(rig.hot / place) == _attributes(rig.root / place), place
        assert (rig.hot / place).stat().st_mode == (rig.root / place).stat().st_mode, place
    assert _attributes(rig.hot / "fichier") == set()
    assert _attributes(rig.hot / "neuf") == set()


def test_what_the_copy_could_not_be_given_is_told_until_it_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a disk without attributes, say: in the position, for the processes to come too, until all is compared again."""

    def refused(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    (rig.root / "fichier").write_text("texte")
    os.setxattr(rig.root / "fichier", "user.secret", b"oui")
    rig.take()
    with monkeypatch.context() as patch:
        patch.setattr(os, "setxattr", refused)
        rig.follow()
    (rig.root / "autre").write_text("texte")
    rig.take()
    rig.follow()
    for following in (rig.following, rig.new_following()):
        position = following.lag.position
        assert position.ungiven == 1
        assert ["fichier : attribut user.secret" in one for one in position.ungiven_of] == [True]
    rig.following._copy.close()
    rig.following = rig.new_following(boot="2")
    (rig.root / "encore").write_text("texte")
    rig.take()
    rig.follow()
    assert (rig.following.lag.position.ungiven, list(rig.following.lag.position.ungiven_of)) == (0, [])
    assert _attributes(rig.hot / "fichier") == {"user.secret"}
