"""Under which names the folder of a share may be given, and which folders may be one."""

from __future__ import annotations

import os
from contextlib import chdir
from pathlib import Path

import pytest

from releve.adapters.engines.files.cache import Cache
from releve.adapters.engines.files.capture import Capture, Share
from releve.adapters.engines.files.events import Hints, Scans
from releve.adapters.engines.files.live import Freshness
from releve.adapters.engines.files.place import elsewhere
from releve.adapters.vault.repository import Repository
from releve.adapters.vault.restore import restore
from releve.domain.errors import BadInput
from releve.entrypoints.worker.share import Post, capturing, dated, followed
from tests.features import CURRENT_RESTIC
from tests.keepers import HERE, THERE, two_ends
from tests.shares import inside
from tests.vaults import fresh, now, reopened, restic

PROGRAMS = [
    pytest.param("restic", marks=pytest.mark.needs("restic"), id="debian12"),
    pytest.param(str(CURRENT_RESTIC), marks=pytest.mark.needs("restic-current"), id="current"),
]


class Place:
    """A share with one document, and the vault that it goes to."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "real" / "docs"
        self.root.mkdir(parents=True)
        (self.root / "a.txt").write_text("a")
        fresh(base / "vault")

    def vault(self) -> Repository:
        return reopened(self.base / "vault")

    def captured(self, root: Path) -> Freshness:
        """One run of a capture that was given `root`."""
        with capturing(self.vault(), Post("documents", root, self.base / "state")) as live:
            live.finish()
            assert live.freshness.troubled == ""
            return live.freshness

    def followed(self) -> dict[bytes, tuple[object, ...]]:
        """What a copy holds after one look."""
        post = Post("documents", self.base / "hot", self.base / "relief")
        post.state.mkdir(exist_ok=True)
        with followed(self.vault(), post, dated(post)) as copy:
            copy.turn()
            assert copy.trouble is None
        return inside(self.base / "hot")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place of which a link, « srv », leads to the share's folder."""
    made = Place(tmp_path)
    (tmp_path / "srv").symlink_to("real")
    return made


@pytest.mark.parametrize("given", ["srv/docs", "../real/docs", "lien"])
def test_a_share_under_a_link_is_restored_and_followed(place: Place, given: str) -> None:
    """By a link above it, by « .. », by a link of its own: what the vault holds is the folder, and it comes back."""
    (place.base / "lien").symlink_to("real/docs")
    (place.base / "ici").mkdir()
    with chdir(place.base / "ici" if given.startswith("..") else place.base):
        seen = place.captured(Path(given))
    vault = place.vault()
    vault.load_index()
    restore(vault, vault.snapshot(seen.snapshot), str(place.base / "back"))
    back = place.base / "back" / place.root.relative_to("/")
    assert inside(back) == inside(place.root)
    assert place.followed() == inside(place.root)


def test_a_capture_that_went_through_a_link_goes_on_and_is_followed(place: Place) -> None:
    """The snapshots of before hold nothing of the share: the next one does, under the number that comes next."""
    vault = place.vault()
    vault.load_index()
    cache = Cache(place.base / "cache.db", "essai")
    old = Capture(
        vault,
        Share("documents", os.fsencode(place.base / "srv" / "docs"), "essai"),
        cache,
        cover=Scans(60.0).cover,
        now=now,
    )
    assert old.take(Hints(everything=True)) is not None
    old.close()
    cache.close()
    assert place.captured(place.base / "srv" / "docs").number == 2
    assert place.followed() == inside(place.root)


def test_a_keeper_whose_folder_is_under_a_link_saves_and_is_followed(tmp_path: Path) -> None:
    """The same of the share of a plan, at both ends: captured, followed, opened at the other end."""
    with two_ends(tmp_path) as rig:
        for site in (HERE, THERE):
            (tmp_path / f"vers-{site}").symlink_to(tmp_path / site)
            rig.roots[site] = tmp_path / f"vers-{site}" / "documents"
        rig.write(HERE, "un")
        rig.protect()
        rig.until_equal()


@pytest.mark.parametrize("state", ["real/docs", "real/docs/.état", "srv/docs/.état"])
def test_a_state_in_the_share_is_refused(place: Place, state: str) -> None:
    """It would be saved, and change by that, for ever."""
    post = Post("documents", place.root, place.base / state)
    with pytest.raises(BadInput, match="dossier d'état"), capturing(place.vault(), post):
        pass
    with pytest.raises(BadInput, match="dossier d'état"), followed(place.vault(), post, dated(post)):
        pass


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_share_whose_path_is_no_text_is_saved_as_restic_saves_it(tmp_path: Path, program: str) -> None:
    """Each byte that is no UTF-8 is U+FFFD in the list, and the very byte in the tree; the copy follows it."""
    place = Place(tmp_path / os.fsdecode(b"p\xe9\xe2\x82"))
    seen = place.captured(place.root)
    vault = place.vault()
    assert place.followed() == inside(place.root)
    said = (place.base / "state" / "capture.json").read_text(encoding="utf-8")
    assert r"p\\xe9" in said
    folder = place.base / "vault"
    restic(program, folder, "backup", str(place.root))
    restic(program, folder, "check")
    restic(program, folder, "restore", seen.snapshot, "--target", str(tmp_path / "back"))
    assert inside(tmp_path / "back" / place.root.relative_to("/")) == inside(place.root)
    ours, theirs = sorted(vault.snapshots(), key=lambda one: one.program != "releve")
    assert ours.id == seen.snapshot
    assert ours.paths == theirs.paths


def test_sentences_bear_any_name(place: Place) -> None:
    """A share that is not there, of a path that is no text: the sentence can be written anywhere."""
    gone = place.base / os.fsdecode(b"\xe9t\xe9")
    with pytest.raises(BadInput, match=r"xe9t.{1,2}xe9") as refused:
        place.captured(gone)
    refused.value.sentence.encode()
    assert "xe9" in str(elsewhere(os.fsencode(gone), b"\xff", "").sentence.encode())
