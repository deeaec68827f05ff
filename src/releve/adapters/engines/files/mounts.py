"""What is mounted where; which folders tell nothing of what others change in them, as another machine holds them.

fanotify(7) and inotify(7) report what happens through this machine's kernel; what a client changes on a
file server's disk is not heard on a mount of it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_FAR = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "afs", "davfs"}
)
_FAR_FUSE = ("fuse.",)  # sshfs, rclone, glusterfs, s3fs: what is behind may change without us
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo (proc(5)): `root` of the device (major:minor) is seen at `point`."""

    device: bytes
    root: bytes
    point: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Mounts:
    """What one process sees mounted, in the order of mounting."""

    every: tuple[Mount, ...]

    @classmethod
    def of(cls, process: bytes) -> Mounts:
        """Those of a process ("self": ours). Raises `OSError`."""
        return cls.read(Path(os.fsdecode(b"/proc/" + process + b"/mountinfo")).read_bytes())

    @classmethod
    def read(cls, text: bytes) -> Mounts:
        """From the text of mountinfo."""
        found = []
        for line in text.splitlines():
            fields, _, rest = line.partition(b" - ")
            words = fields.split(b" ")
            root, point = (_ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), one) for one in words[3:5])
            found.append(Mount(words[2], root, point, rest.split(b" ")[0].decode()))
        return cls(tuple(found))

    def at(self, path: bytes) -> Mount | None:
        """The mount on which `path` (absolute, resolved) stands; a later one on the same point hides the earlier."""
        best: Mount | None = None
        for one in self.every:
            if _within(path, one.point) and (best is None or len(one.point) >= len(best.point)):
                best = one
        return best

    def place(self, path: bytes) -> tuple[bytes, bytes]:
        """(device, path on that device): the same wherever the device is mounted."""
        mount = self.at(path)
        if mount is None:
            return b"", path
        rest = path[len(mount.point.rstrip(b"/")) :]
        return mount.device, (mount.root.rstrip(b"/") + rest) or b"/"

    def below(self, path: bytes, place: tuple[bytes, bytes]) -> bool:
        """Whether `path` lies in the folder that is at `place`."""
        device, inside = self.place(path)
        return device == place[0] and inside != place[1] and _within(inside, place[1])


def _within(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def mounted_inside(root: bytes) -> bool:
    """Whether something is mounted below `root` (absolute, resolved)."""
    try:
        every = Mounts.of(b"self").every
    except OSError:
        return False
    return any(one.point != root and _within(one.point, root) for one in every)


def deaf_mount(root: bytes) -> str:
    """The type of a mount that tells nothing of changes; empty where changes can be heard."""
    try:
        mount = Mounts.of(b"self").at(root)
    except OSError:
        return ""  # no Linux: no fanotify either, and inotify itself will say that it is missing
    kind = mount.kind if mount is not None else ""
    return kind if kind in _FAR or kind.startswith(_FAR_FUSE) else ""
