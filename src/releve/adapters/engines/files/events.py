"""What the system says has changed in a share. Never the truth: a hint of where to compare.

A hint too many costs a look; a hint too few would be a change not seen. So whoever is not sure says
`everything`, and the capture compares the whole share.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class How(StrEnum):
    """How changes are noticed."""

    FANOTIFY = "fanotify"  # every change of the file system, folders to come included
    INOTIFY = "inotify"  # every change of the folders that are watched one by one
    SCAN = "scan"  # nothing says anything: the share is compared at intervals


Spot = tuple[bytes, bytes]  # folder (path from the share's root, b"" is the root itself), name in it


def join(path: bytes, name: bytes) -> bytes:
    """The path of a name in a folder, both from the share's root."""
    return path + b"/" + name if path else name


@dataclass(slots=True)
class Hints:
    """Where to compare. `writing`: files that somebody still holds open and writes into; `folders`: whole ones."""

    spots: set[Spot] = field(default_factory=set)
    folders: set[bytes] = field(default_factory=set)
    writing: set[Spot] = field(default_factory=set)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.spots or self.writing or self.folders or self.everything)

    def merge(self, other: Hints) -> None:
        """Add what another look said."""
        self.spots |= other.spots
        self.writing |= other.writing
        self.folders |= other.folders
        self.everything = self.everything or other.everything


class Watcher(Protocol):
    """Listens to a share."""

    @property
    def how(self) -> How:
        """How, at this moment."""
        ...

    def cover(self, folder: bytes) -> None:
        """Hear of changes in this folder too; called before the folder is read."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to gather; False when the time has passed."""
        ...

    def gather(self) -> Hints:
        """Everything that was said until now, once."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Unheard:
    """Folders of which nothing is heard, and when the whole share is to be compared for their sake."""

    def __init__(self, interval: float) -> None:
        self._interval = interval  # seconds
        self._next = 0.0
        self.folders = 0

    def left(self, seconds: float) -> float:
        """Seconds until the comparison is due; `seconds` at most."""
        return max(0.0, min(seconds, self._next - time.monotonic())) if self.folders else seconds

    def due(self) -> bool:
        """Whether everything is to be compared now."""
        return bool(self.folders) and time.monotonic() >= self._next

    def begin(self) -> None:
        """It is: the comparison counts anew what it cannot hear."""
        self.folders = 0
        self._next = time.monotonic() + self._interval


class Scans:
    """Says "everything" at intervals: for a mount that tells nothing (a NAS, some network drives)."""

    how = How.SCAN

    def __init__(self, interval: float) -> None:
        self.interval = interval  # seconds
        self._next = time.monotonic()

    def cover(self, folder: bytes) -> None:
        """Nothing to do."""

    def wait(self, seconds: float) -> bool:
        """Sleep, at most until the next scan is due."""
        time.sleep(max(0.0, min(seconds, self._next - time.monotonic())))
        return time.monotonic() >= self._next

    def gather(self) -> Hints:
        """Everything, when it is time."""
        if time.monotonic() < self._next:
            return Hints()
        self._next = time.monotonic() + self.interval
        return Hints(everything=True)

    def close(self) -> None:
        """Nothing to do."""
