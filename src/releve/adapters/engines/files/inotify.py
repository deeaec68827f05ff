"""Changes of folders watched one by one: what an account that is not root may hear.

A folder is covered before it is read, so that nothing falls between the two. When the kernel's queue
overflows, or when it allows no more folders, that is said, and the share is compared instead.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from inotify_simple import INotify, flags

from releve.adapters.engines.files.events import Hints, How, Unheard
from releve.adapters.engines.files.mounts import deaf_mount

_WANTED = (
    flags.MODIFY
    | flags.ATTRIB
    | flags.CLOSE_WRITE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.CREATE
    | flags.DELETE
    | flags.ONLYDIR
    | flags.DONT_FOLLOW
)
_SETTLED = flags.ATTRIB | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO | flags.CREATE | flags.DELETE


class Inotify:
    """Listens to the folders of `root` that it was told to cover."""

    def __init__(self, root: bytes, scan_every: float) -> None:
        self._root = root
        self._inotify = INotify(nonblocking=True)
        self._folders: dict[int, bytes] = {}
        self._top: int | None = None  # the watch of the root
        self._device = os.lstat(os.path.realpath(root)).st_dev
        self._said = Hints()
        self.unheard = Unheard(
            scan_every
        )  # folders that the kernel refuses to watch, or of which it knows little

    @property
    def how(self) -> How:
        """By events, as long as every folder is heard."""
        return How.SCAN if self.unheard.folders else How.INOTIFY

    def cover(self, folder: bytes) -> None:
        """See `Watcher`. A watch that exists already is the same watch under its new path."""
        path = os.path.join(self._root, folder)
        try:
            watch = self._inotify.add_watch(path, _WANTED)
            if not folder and self._top not in {None, watch}:
                self._leave(but=watch)
            self._top = self._top if folder else watch
            if os.lstat(path).st_dev != self._device and deaf_mount(os.path.realpath(path)):
                self.unheard.folders += 1  # another machine's disk, mounted inside the share
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return  # gone since it was seen: the folder above says so
            self.unheard.folders += 1  # fs.inotify.max_user_watches, or a folder that we may not read
            return
        self._folders[watch] = folder

    def _leave(self, but: int) -> None:
        """Another folder has come in the place of the root: nothing below the former one is the share any more."""
        for watch in self._folders.keys() - {but}:
            with suppress(OSError):  # gone by itself
                self._inotify.rm_watch(watch)
        self._folders.clear()

    def wait(self, seconds: float) -> bool:
        """See `Watcher`."""
        if self._said:
            return True
        self._listen(int(self.unheard.left(seconds) * 1000))
        return bool(self._said) or self.unheard.due()

    def gather(self) -> Hints:
        """See `Watcher`."""
        self._listen(0)
        found, self._said = self._said, Hints()
        if self.unheard.due():
            found.everything = True
            self.unheard.begin()
        return found

    def close(self) -> None:
        """See `Watcher`."""
        self._inotify.close()

    def _listen(self, timeout: int) -> None:
        for event in self._inotify.read(timeout=timeout):
            if event.mask & flags.Q_OVERFLOW:
                self._said.everything = True
            elif event.mask & flags.IGNORED:
                if self._folders.pop(event.wd, None) == b"":
                    self._said.everything = True  # the root itself is gone: another may be there already
            elif (folder := self._folders.get(event.wd)) is not None:
                self._hear(event.mask, folder, os.fsencode(event.name))

    def _hear(self, mask: int, folder: bytes, name: bytes) -> None:
        if not name:  # the folder itself
            above, _, own = folder.rpartition(b"/")
            folder, name = above, own
        (self._said.spots if mask & _SETTLED else self._said.writing).add((folder, name))
