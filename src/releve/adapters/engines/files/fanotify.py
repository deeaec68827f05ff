"""Every change of a file system, as the kernel tells it (Linux 5.9 or newer, root).

Source: fanotify(7), fanotify_init(2), fanotify_mark(2), open_by_handle_at(2), <linux/fanotify.h>.
One mark on the whole file system, so that folders made a moment ago are heard too. Events carry the
handle of a folder and a name in it; the handle is turned into a path once and remembered until some
folder is renamed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

from releve.adapters.engines.files.events import Hints, How, Unheard
from releve.domain.errors import Unreachable
from releve.domain.os_errors import reason

_CLOEXEC, _NONBLOCK, _DIR_FID, _NAME = 0x1, 0x2, 0x400, 0x800
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _ONDIR = 0x4000, 0x40000000
_WANTED = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONDIR
_SETTLED = _WANTED & ~(_MODIFY | _ONDIR)
_HEAD = struct.Struct("=IBBHQii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
_INFO = struct.Struct("=BBH")  # type, pad, length
_HANDLE = struct.Struct("=Ii")  # handle_bytes, handle_type
_FSID = 8
_TYPES = {2, 3}  # FAN_EVENT_INFO_TYPE_DFID_NAME, FAN_EVENT_INFO_TYPE_DFID
_AT_FDCWD = -100
_BATCH = 256 * 1024
_REMEMBERED = 50_000  # handles whose path is kept


class Fanotify:
    """Listens to the file system that holds `root`, through a thread that keeps its queue short."""

    def __init__(self, root: bytes, scan_every: float = 60.0) -> None:
        """`scan_every`: seconds between two comparisons of everything, once another disk is mounted inside.

        Raises `Unreachable` where the kernel or our rights do not allow it.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.fanotify_mark.argtypes = [
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint64,
            ctypes.c_int,
            ctypes.c_char_p,
        ]
        self._fd = self._libc.fanotify_init(_CLOEXEC | _NONBLOCK | _DIR_FID | _NAME, os.O_RDONLY)
        if self._fd < 0:
            raise _denied()
        self._root = os.path.realpath(root)
        self._mount = -1
        self.unheard = Unheard(scan_every)
        try:
            self._mark()
            self._mount = self._open_root()
            self._try_handle()
        except BaseException:
            self._shut()
            raise
        self._gate = threading.Lock()
        self._hints = Hints()
        self._some = threading.Event()
        self._paths: dict[bytes, bytes | None] = {}
        self._closed = threading.Event()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._broken: Exception | None = None  # what ended the thread: told to whoever gathers
        self._thread = threading.Thread(target=self._listen, name="fanotify", daemon=True)
        self._thread.start()

    def _mark(self) -> None:
        flags = _MARK_ADD | _MARK_FILESYSTEM
        if self._libc.fanotify_mark(self._fd, flags, _WANTED, _AT_FDCWD, self._root):
            raise _denied()

    def cover(self, folder: bytes) -> None:
        """The whole file system is heard; another one has come in its place when its disk was mounted again."""
        if folder:
            self._inside(folder)
            return
        with self._gate:
            if not os.path.sameopenfile(self._mount, opened := self._open_root()):
                self._mark()
                self._mount, opened = opened, self._mount
                self._paths.clear()
            os.close(opened)

    def _inside(self, folder: bytes) -> None:
        """A folder of another file system, mounted inside the share, is not heard."""
        with suppress(OSError):  # gone since: the folder above says so
            if os.lstat(os.path.join(self._root, folder)).st_dev != os.fstat(self._mount).st_dev:
                self.unheard.folders += 1

    @property
    def how(self) -> How:
        """By events, as long as the share is on one file system."""
        return How.SCAN if self.unheard.folders else How.FANOTIFY

    def _open_root(self) -> int:
        return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def wait(self, seconds: float) -> bool:
        """See `Watcher`."""
        return self._some.wait(self.unheard.left(seconds)) or self.unheard.due()

    def gather(self) -> Hints:
        """See `Watcher`: the kernel's queue is emptied first, so what ended before the call is in."""
        with self._gate:
            if self._broken is not None:
                raise self._broken
            self._drain()
            found, self._hints = self._hints, Hints()
            self._some.clear()
        if self.unheard.due():
            found.everything = True
            self.unheard.begin()
        return found

    def close(self) -> None:
        """See `Watcher`."""
        self._closed.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        self._shut()

    def _shut(self) -> None:
        os.close(self._fd)
        if self._mount >= 0:
            os.close(self._mount)

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._closed.is_set():
            if poll.poll():
                try:
                    with self._gate:
                        self._drain()
                except Exception as error:  # noqa: BLE001 - raised again by `gather`, in the thread that can act
                    self._broken = error
                    self._some.set()
                    return
                self._closed.wait(0.005)  # let events gather: one look for many is cheaper

    def _drain(self) -> None:
        while True:
            try:
                raw = os.read(self._fd, _BATCH)
            except BlockingIOError:
                break
            for mask, handle, name in _events(raw):
                self._hear(mask, handle, name)
        if self._hints:
            self._some.set()

    def _hear(self, mask: int, handle: bytes, name: bytes) -> None:
        if mask & _OVERFLOW:
            self._hints.everything = True
            return
        if mask & _ONDIR and mask & (_MOVED_FROM | _MOVED_TO):
            self._paths.clear()
        folder = self._folder(handle)
        if folder is None:
            return
        spot = (folder, name)
        if name in {b"", b"."}:  # the folder itself
            above, _, own = folder.rpartition(b"/")
            spot = (above, own)
        if mask & _SETTLED:
            self._hints.spots.add(spot)
        else:
            self._hints.writing.add(spot)

    def _folder(self, handle: bytes) -> bytes | None:
        """The path of a folder from the share's root; None when it is outside of it, or gone."""
        try:
            return self._paths[handle]
        except KeyError:
            pass
        try:
            opened = self._open_handle(handle)
        except OSError as error:
            if error.errno not in {errno.ESTALE, errno.ENOENT}:
                self._hints.everything = True  # seen: ENOMEM for a folder that is being removed
            return None  # removed since: the folder above told so
        try:
            path = os.readlink(b"/proc/self/fd/%d" % opened)
        finally:
            os.close(opened)
        found = _below(self._root, path)
        if len(self._paths) >= _REMEMBERED:
            self._paths.clear()
        self._paths[handle] = found
        return found

    def _open_handle(self, handle: bytes) -> int:
        opened = self._libc.open_by_handle_at(
            self._mount, ctypes.create_string_buffer(handle), os.O_PATH | os.O_CLOEXEC
        )
        if opened < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return int(opened)

    def _try_handle(self) -> None:
        """Open the root by its handle once, to know that we may."""
        room = ctypes.create_string_buffer(_HANDLE.pack(128, 0), _HANDLE.size + 128)
        mount = ctypes.c_int()
        if self._libc.name_to_handle_at(_AT_FDCWD, self._root, room, ctypes.byref(mount), 0):
            raise _denied()
        size = _HANDLE.unpack_from(room.raw)[0]
        try:
            os.close(self._open_handle(room.raw[: _HANDLE.size + size]))
        except PermissionError:
            raise _denied() from None


def _below(root: bytes, path: bytes) -> bytes | None:
    if path == root:
        return b""
    above = root.rstrip(b"/") + b"/"
    return path[len(above) :] if path.startswith(above) else None


def _events(raw: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(mask, handle of the folder, name) of each event; the overflow has neither handle nor name."""
    at = 0
    while at < len(raw):
        length, _, _, head, mask, _, _ = _HEAD.unpack_from(raw, at)
        if mask & _OVERFLOW:
            yield mask, b"", b""
        inside, end = at + head, at + length
        while inside < end:
            kind, _, size = _INFO.unpack_from(raw, inside)
            if kind in _TYPES:
                start = inside + _INFO.size + _FSID
                handle_end = start + _HANDLE.size + _HANDLE.unpack_from(raw, start)[0]
                name = raw[handle_end : inside + size].split(b"\0", 1)[0]
                yield mask, raw[start:handle_end], name
            inside += size
        at = end


def _denied() -> Unreachable:
    error = OSError(ctypes.get_errno(), "")
    return Unreachable(
        "no-fanotify",
        f"le système ne permet pas d'entendre tout ce volume : {reason(error)}",
        hint="il faut être root, et Linux 5.9 ou plus récent ; sinon les dossiers sont écoutés un à un",
    )
