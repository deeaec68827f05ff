"""Owners, modes, times, attributes of a file: read into a node, and put back."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from contextlib import suppress
from functools import lru_cache

from releve.adapters.vault.node import Node, encode, encode_file, kind_of

_NO_XATTRS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENODATA, errno.ELOOP}
_NO_XATTR_KINDS = frozenset({"irregular"})


def node_of(
    name: bytes, path: bytes, facts: os.stat_result, size: int = 0, content: tuple[bytes, ...] = ()
) -> Node:
    """The node of a file; what it holds is given. atime is not kept: it would change every tree at each look."""
    kind = kind_of(facts.st_mode)
    shared = facts.st_nlink > 1 and kind != "dir"
    return Node(
        name=name,
        kind=kind,
        mode=stat.S_IMODE(facts.st_mode),
        mtime=facts.st_mtime_ns,
        atime=facts.st_mtime_ns,
        ctime=facts.st_ctime_ns,
        uid=facts.st_uid,
        gid=facts.st_gid,
        user=user_of(facts.st_uid),
        group=_group(facts.st_gid),
        inode=facts.st_ino,
        device_id=facts.st_dev if shared else 0,
        size=size,
        links=facts.st_nlink if kind in {"file", "symlink", "dev", "chardev"} else 0,
        target=os.readlink(path) if kind == "symlink" else b"",
        xattrs=_xattrs(path),
        device=facts.st_rdev if kind in {"dev", "chardev"} else 0,
        content=content,
    )


def entry_of(name: bytes, path: bytes, facts: os.stat_result, size: int, content: tuple[bytes, ...]) -> bytes:
    """The encoded node of a regular file: as `encode(node_of(...))`."""
    if facts.st_nlink == 1 and size == facts.st_size and not _xattrs(path):
        return encode_file(name, facts, (user_of(facts.st_uid), _group(facts.st_gid)), content)
    return encode(node_of(name, path, facts, size, content))


def facts_of(name: bytes, facts: os.stat_result) -> bytes:
    """The encoded node of a regular file as far as its facts go, its content empty: for a comparison."""
    return encode_file(name, facts, (user_of(facts.st_uid), _group(facts.st_gid)), ())


@lru_cache(maxsize=1024)
def user_of(uid: int) -> str:
    """The name of an account; empty when this machine has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@lru_cache(maxsize=1024)
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise
    found = []
    for name in sorted(names):
        with suppress(OSError):  # taken away since it was listed, or not ours to read
            found.append((name, os.getxattr(path, name, follow_symlinks=False)))
    return tuple(found)


def put_back_open(node: Node, handle: int, path: bytes) -> list[str]:
    """The same as `put_back` for a regular file that is still open for writing: no name is looked up again."""
    try:
        made = os.fstat(handle)
        if (made.st_uid, made.st_gid) != (node.uid, node.gid):
            os.fchown(handle, node.uid, node.gid)
        if stat.S_IMODE(made.st_mode) != node.mode:
            os.fchmod(handle, node.mode)
        for name in _surplus(node, handle):
            os.removexattr(handle, name)
        for name, value in node.xattrs:
            os.setxattr(handle, name, value)
        os.utime(handle, ns=(node.atime, node.mtime))
    except OSError:
        return put_back(node, path)  # which tries each alone, and says what could not be given
    return []


_OURS = (
    "system.posix_acl_",
    "user.",
    "trusted.",
)  # what the system itself gives (security.*) is not ours to take


def _surplus(node: Node, path: bytes | int) -> list[str]:
    """Attributes that stand there and that the node does not have: an older version's, or inherited from the folder."""
    try:
        there = os.listxattr(path) if isinstance(path, int) else os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []  # a disk that knows no attributes
    wanted = {name for name, _ in node.xattrs}
    return [name for name in there if name.startswith(_OURS) and name not in wanted]


def put_back(node: Node, path: bytes) -> list[str]:
    """Give a restored file its owner, attributes, mode and times. Returns what could not be given."""
    missed: list[str] = []

    def attempt(what: str, act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except OSError as error:
            missed.append(f"{what} ({error.strerror})")

    if os.geteuid() == 0:
        attempt("propriétaire", lambda: os.chown(path, node.uid, node.gid, follow_symlinks=False))
    elif (node.uid, node.gid) != (os.geteuid(), os.getegid()):
        missed.append("propriétaire (il faut être root)")
    for name in _surplus(node, path):
        attempt(f"attribut {name} à ôter", lambda n=name: os.removexattr(path, n, follow_symlinks=False))
    for name, value in node.xattrs:
        attempt(f"attribut {name}", lambda n=name, v=value: os.setxattr(path, n, v, follow_symlinks=False))
    if (
        node.kind != "symlink"
    ):  # after an access list, whose mask it sets: a folder that was barred has lost its own
        attempt("droits", lambda: os.chmod(path, node.mode))
    times = (node.atime, node.mtime)
    attempt("dates", lambda: os.utime(path, ns=times, follow_symlinks=False))
    return missed
