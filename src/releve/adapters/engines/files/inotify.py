"""Changes of folders watched one by one: what an account that is not root may hear.

A folder is covered before it is read, so that nothing falls between the two. When the kernel's queue
overflows, or when it allows no more folders, that is said, and the share is compared instead.
"""

from __future__ import annotations

import errno
import os
import time

from inotify_simple import INotify, flags

from releve.adapters.engines.files.events import Hints, How

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
        self._scan_every = scan_every  # seconds, once some folders could not be watched
        self._next_scan = 0.0
        self._said = Hints()
        self.uncovered = 0  # folders that the kernel refused to watch

    @property
    def how(self) -> How:
        """By events, as long as every folder is heard."""
        return How.SCAN if self.uncovered else How.INOTIFY

    def cover(self, folder: bytes) -> None:
        """See `Watcher`. A watch that exists already is the same watch under its new path."""
        try:
            watch = self._inotify.add_watch(os.path.join(self._root, folder), _WANTED)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return  # gone since it was seen: the folder above says so
            self.uncovered += 1  # fs.inotify.max_user_watches, or a folder that we may not read
            return
        self._folders[watch] = folder

    def wait(self, seconds: float) -> bool:
        """See `Watcher`."""
        if self._said:
            return True
        if self.uncovered:
            seconds = max(0.0, min(seconds, self._next_scan - time.monotonic()))
        self._listen(int(seconds * 1000))
        return bool(self._said) or self._due()

    def gather(self) -> Hints:
        """See `Watcher`."""
        self._listen(0)
        found, self._said = self._said, Hints()
        if self._due():
            found.everything = True
            self.uncovered = 0  # the comparison covers again whatever it can
            self._next_scan = time.monotonic() + self._scan_every
        return found

    def close(self) -> None:
        """See `Watcher`."""
        self._inotify.close()

    def _due(self) -> bool:
        return bool(self.uncovered) and time.monotonic() >= self._next_scan

    def _listen(self, timeout: int) -> None:
        for event in self._inotify.read(timeout=timeout):
            if event.mask & flags.Q_OVERFLOW:
                self._said.everything = True
            elif event.mask & flags.IGNORED:
                self._folders.pop(event.wd, None)
            elif (folder := self._folders.get(event.wd)) is not None:
                self._hear(event.mask, folder, os.fsencode(event.name))

    def _hear(self, mask: int, folder: bytes, name: bytes) -> None:
        if not name:  # the folder itself
            above, _, own = folder.rpartition(b"/")
            folder, name = above, own
        (self._said.spots if mask & _SETTLED else self._said.writing).add((folder, name))
