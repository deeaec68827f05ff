"""Which folders tell nothing of what others change in them: those that another machine really holds.

fanotify(7) and inotify(7) report what happens through this machine's kernel; what a client changes on a
file server's disk is not heard on a mount of it.
"""

from __future__ import annotations

import re
from pathlib import Path

_FAR = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "afs", "davfs"}
)
_FAR_FUSE = ("fuse.",)  # sshfs, rclone, glusterfs, s3fs: what is behind may change without us
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def kind_of_mount(root: bytes, mounts: bytes) -> str:
    """The file system type on which `root` (absolute, resolved) stands. `mounts`: text of mountinfo (proc(5))."""
    best, found = -1, ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(b" - ")
        point = _ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), fields.split(b" ")[4])
        inside = root == point or root.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= best:  # a later mount on the same point hides the earlier one
            best, found = len(point), rest.split(b" ")[0].decode()
    return found


def deaf_mount(root: bytes) -> str:
    """The type of a mount that tells nothing of changes; empty where changes can be heard."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return ""  # no Linux: no fanotify either, and inotify itself will say that it is missing
    kind = kind_of_mount(root, mounts)
    return kind if kind in _FAR or kind.startswith(_FAR_FUSE) else ""
