"""Mounts that tell nothing: found by the kernel's own list, the last mount on a point being the one that counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from releve.adapters.engines.files.mounts import Mounts, deaf_mount

MOUNTS = r"""23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 23 0:35 / /srv/partage\040commun rw - cifs //nas/commun rw
41 23 0:36 / /srv/partage rw - nfs4 nas:/partage rw
42 41 0:37 / /srv/partage/local rw shared:7 - ext4 /dev/vdb rw
43 23 0:38 / /mnt/nuage rw - fuse.rclone distant: rw
44 23 0:39 / /srv/caché rw - ext4 /dev/vdc rw
45 44 0:40 / /srv/caché rw - cifs //nas/c rw
""".encode()


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("/srv", "ext4"),
        ("/srv/partage", "nfs4"),
        ("/srv/partage/a/b", "nfs4"),
        ("/srv/partage commun/x", "cifs"),
        ("/srv/partagé", "ext4"),
        ("/srv/partage/local/x", "ext4"),
        ("/mnt/nuage", "fuse.rclone"),
        ("/srv/caché/x", "cifs"),
    ],
)
def test_the_mount_of_a_folder_is_found(root: str, kind: str) -> None:
    """The longest mount point above it; names with spaces as the kernel writes them."""
    mount = Mounts.read(MOUNTS).at(os.fsencode(root))
    assert mount is not None
    assert mount.kind == kind


def test_a_place_is_the_same_under_every_name() -> None:
    """The same device mounted twice, once from a folder of it: one file, one place."""
    text = MOUNTS + b"46 23 254:0 /srv/docs /data rw - ext4 /dev/vda rw\n"
    mounts = Mounts.read(text)
    assert mounts.place(b"/data/a") == mounts.place(b"/srv/docs/a") == (b"254:0", b"/srv/docs/a")
    assert mounts.below(b"/data/a", mounts.place(b"/srv/docs"))
    assert not mounts.below(b"/srv/docs2/a", mounts.place(b"/srv/docs"))
    assert not mounts.below(b"/srv/partage/docs", mounts.place(b"/srv"))


def test_a_folder_of_this_machine_can_be_heard(tmp_path: Path) -> None:
    """Where the tests run, nothing is a far mount."""
    assert deaf_mount(os.fsencode(tmp_path)) == ""
