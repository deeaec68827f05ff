"""The few calls of the Linux kernel that the standard library of Python 3.11 lacks: namespaces, mounts, prctl.

Everything raises OSError with the kernel's own number. Sources: unshare(2), mount(2), prctl(2), unix(7).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
from pathlib import Path

NEW_MOUNTS, NEW_NAME, NEW_IPC, NEW_PIDS, NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
READ_ONLY, REMOUNT = 0x1, 0x20
BIND, MOVE, RECURSIVE, PRIVATE = 0x1000, 0x2000, 0x4000, 1 << 18
_PDEATHSIG, _SET_NAME = 1, 15
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones (processes: for the children to come)."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """One mount, in this mount namespace."""
    words = [text.encode() or None for text in (source, str(target), kind)]
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), str(target))


def root_at(folder: Path) -> None:
    """Make the mount at `folder` the root of this mount namespace; what was there is out of reach."""
    os.chdir(folder)
    mount(".", Path("/"), flags=MOVE)
    os.chroot(".")
    os.chdir("/")


def die_with_parent() -> None:
    """SIGKILL to this process when the thread that made it ends, kill -9 included."""
    _checked(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def call_me(name: str) -> None:
    """The name of this process in /proc/PID/comm (15 bytes)."""
    _checked(_libc.prctl(_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def with_senders(end: socket.socket) -> None:
    """From now on `received` tells who wrote: the kernel adds it, in the numbers of our own PID namespace."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def received(end: socket.socket) -> tuple[bytes, int]:
    """One message and the process that sent it; no bytes when nobody is left to write."""
    message, extra, _flags, _address = end.recvmsg(65_536, socket.CMSG_SPACE(_CREDENTIALS.size))
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return message, _CREDENTIALS.unpack_from(data)[0]
    return message, 0
