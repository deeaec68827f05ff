"""What a folder holds, counted where it lies. Read-only: no file is opened, no access time changes.

Sent as source to `python3 -I -` with a last line `main({...})`; one JSON document comes back on the standard
output, progress on the standard error. Two processes where there are two cores: the first folders are looked
at by one, then both take from the list of those that are left. Memory is bounded: kinds and ages are counters,
the largest files a small heap that knows their sort only, and sizes are kept (8 bytes each) only from `twin` bytes on.

Asked: place, kinds (extension -> kind), ages (days, rising), largest, twin, seconds, hidden, mail.
Symbolic links are counted and never followed; other file systems below are counted and not entered. No name of what
lies below the place leaves this machine: folders bear people's names.
"""

# ruff: noqa: PTH110, PTH112, PTH116, PTH118, PTH119, PTH123, B905, PLR1730 - names are bytes; a call a file is what this must not cost

from __future__ import annotations

import array
import errno
import heapq
import json
import os
import stat
import sys
import time
from typing import Any, Callable  # noqa: UP035 - Python 3.8

_SPREAD = 512  # folders to have at hand before the second process is started
_TICKETS = 1000  # of 4 bytes: what any pipe holds (4096 bytes, pipe(7))
_SORTED = 1_000_000  # sizes compared together: what a sorted list of them weighs (40 MB) is the bound
_BEAT = 2.0  # seconds between two lines of progress
_LOOK = 4096  # entries between two looks at the clock
_DAY = 86_400.0
_FOWNER = 3  # include/uapi/linux/capability.h
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # it was replaced or removed while we walked: no fault
_KEEPS_ACCESS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "jfs"})
_MAIL_ROOTS = (
    ".thunderbird",
    ".icedove",
    ".claws-mail",
    "evolution",
    "akonadi",
)  # the last two: .local/share
_MAIL_FOLDERS = frozenset({b"cur", b"new"})  # of a Maildir: names there end with flags


class Count:
    """What one process has counted. `plain` and `add` carry it to the other one."""

    def __init__(self) -> None:
        self.files = self.folders = self.links = self.others = self.bytes = self.foreign = 0
        self.kinds: dict[str, list[int]] = {}
        self.ages: list[list[int]] = []
        self.largest: list[tuple[int, str]] = []
        self.sizes = array.array("Q")
        self.unopened = [0, 0]
        self.newest = float("-inf")
        self.oldest = float("inf")
        self.trouble: dict[str, int] = {}
        self.vanished = 0
        self.cut = False

    def blame(self, sort: str) -> None:
        """Count a folder that could not be looked at."""
        self.trouble[sort] = self.trouble.get(sort, 0) + 1

    def plain(self) -> dict[str, Any]:
        """As JSON-ready values, without the sizes."""
        return {name: value for name, value in self.__dict__.items() if name != "sizes"}

    def add(self, other: dict[str, Any], sizes: bytes, largest: int) -> None:
        """Take in what the other process counted."""
        for name in ("files", "folders", "links", "others", "bytes", "foreign", "vanished"):
            setattr(self, name, getattr(self, name) + other[name])
        for kind, (files, size) in other["kinds"].items():
            own = self.kinds.setdefault(kind, [0, 0])
            own[0] += files
            own[1] += size
        for own, theirs in zip(self.ages, other["ages"]):
            own[0] += theirs[0]
            own[1] += theirs[1]
        whole = self.largest + [(size, kind) for size, kind in other["largest"]]
        self.largest = heapq.nlargest(largest, whole)
        self.sizes.frombytes(sizes)
        self.unopened = [mine + its for mine, its in zip(self.unopened, other["unopened"])]
        self.newest = max(self.newest, other["newest"])
        self.oldest = min(self.oldest, other["oldest"])
        for sort, number in other["trouble"].items():
            self.trouble[sort] = self.trouble.get(sort, 0) + number
        self.cut = self.cut or other["cut"]


class Walk:
    """One process at work: folders go in, counts come out."""

    def __init__(self, asked: dict[str, Any], device: int, until: float) -> None:
        self.count = Count()
        self._kinds = asked["kinds"]
        self._now = time.time()
        self._limits = [self._now - days * _DAY for days in asked["ages"]]  # instants, falling
        self.count.ages = [[0, 0] for _ in range(len(self._limits) + 1)]
        self._keep = asked["largest"]
        self._twin = asked["twin"]
        self._hidden = asked["hidden"]
        self._own = os.geteuid()
        self._device = device
        self._until = until
        self._said = time.monotonic()

    def folder(self, path: bytes, *, root: bool = False) -> list[bytes]:
        """Count what a folder holds; the folders that it holds. Trouble is kept, never raised."""
        try:
            handle = _opened(path)
        except OSError as error:
            self._trouble(error, root=root)
            return []
        try:
            if os.fstat(handle).st_dev != self._device:
                self.count.blame("elsewhere")
                return []
            self.count.folders += 1
            return self._entries(path, handle)
        except OSError as error:
            self._trouble(error, root=root)
            return []
        finally:
            os.close(handle)

    def _trouble(self, error: OSError, *, root: bool) -> None:
        if error.errno in _GONE and not root:
            self.count.vanished += 1
        elif isinstance(error, PermissionError):
            self.count.blame("denied")
        else:
            self.count.blame("failed")

    def _entries(self, path: bytes, handle: int) -> list[bytes]:  # noqa: PLR0915 - one loop, no call in it
        """The loop that costs: one lstat and a few counters a file. `os.scandir` on a handle saves the path."""
        count, below = self.count, []
        kinds, tallies, limits, ages = self._kinds, count.kinds, self._limits, count.ages
        keep, largest, twin, sizes = self._keep, count.largest, self._twin, count.sizes
        maildir = os.path.basename(path) in _MAIL_FOLDERS
        bare, unknown = "mail" if maildir or _in_mail(path) else "none", "mail" if maildir else "other"
        settled, own, foreign = self._now - _DAY, self._own, 0
        smallest = largest[0][0] if keep and len(largest) >= keep else -1
        files = total = seen = idle = idle_bytes = 0
        newest, oldest = count.newest, count.oldest
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    seen += 1
                    if not seen % _LOOK and self._late(files):
                        break
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if self._hidden or _peoples(path, name):
                            below.append(os.fsencode(name))
                        continue
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        if error.errno in _GONE:
                            count.vanished += 1
                            continue
                        raise
                    if found.st_mode & 0o170000 != stat.S_IFREG:
                        if stat.S_ISLNK(found.st_mode):
                            count.links += 1
                        else:
                            count.others += 1
                        continue
                    size, changed = found.st_size, found.st_mtime
                    files += 1
                    total += size
                    if found.st_uid != own:
                        foreign += 1
                    dot = name.rfind(".")
                    kind = kinds.get(name[dot + 1 :].lower(), unknown) if dot > 0 else bare
                    tally = tallies.get(kind)
                    if tally is None:
                        tallies[kind] = [1, size]
                    else:
                        tally[0] += 1
                        tally[1] += size
                    place = 0
                    for limit in limits:
                        if changed >= limit:
                            break
                        place += 1
                    age = ages[place]
                    age[0] += 1
                    age[1] += size
                    if changed > newest:
                        newest = changed
                    if changed < oldest:
                        oldest = changed
                    if found.st_atime <= changed < settled:
                        idle += 1
                        idle_bytes += size
                    if size >= twin:
                        sizes.append(size)
                    if size > smallest and keep:
                        heapq.heappush(largest, (size, kind))
                        if len(largest) > keep:
                            heapq.heappop(largest)
                        if len(largest) == keep:
                            smallest = largest[0][0]
        finally:  # a folder that fails midway has counted what it gave
            count.files += files
            count.bytes += total
            count.foreign += foreign
            count.newest, count.oldest = newest, oldest
            count.unopened[0] += idle
            count.unopened[1] += idle_bytes
        self._late(0)
        return [os.path.join(path, name) for name in below]

    def _late(self, more: int) -> bool:
        """Whether the time is over. Says how far we are now and then."""
        now = time.monotonic()
        if now > self._until:
            self.count.cut = True
        if now - self._said > _BEAT:
            self._said = now
            sys.stderr.write(f"progress {self.count.files + more}\n")
            sys.stderr.flush()
        return self.count.cut

    def deep(self, start: bytes) -> None:
        """A folder and all that is below it."""
        stack = [start]
        while stack and not self.count.cut:
            stack.extend(self.folder(stack.pop()))


def survey(asked: dict[str, Any]) -> dict[str, Any]:
    """The whole answer, JSON-ready; why not when the place cannot be entered, or a disk is missing there."""
    until = time.monotonic() + asked["seconds"]
    try:
        place = os.path.realpath(os.fsencode(asked["place"]))
        handle = _opened(place)  # what is mounted when somebody comes (autofs) is mounted now
    except OSError as error:
        plain = os.path.exists(asked["place"]) and not os.path.isdir(asked["place"])
        return {
            "absent": error.errno in _GONE and not plain,
            "denied": isinstance(error, PermissionError),
            "plain": plain,
        }
    first = os.fstat(handle)
    os.close(handle)
    mounts = _read("/proc/self/mountinfo")
    if away := unmounted(_text(place), _read("/etc/fstab"), mounts):
        return {"absent": False, "denied": False, "plain": False, "unmounted": away}
    walk = Walk(asked, first.st_dev, until)
    waiting, spread = walk.folder(place, root=True), _SPREAD if _cores() > 1 else 0
    while waiting and len(waiting) < spread and not walk.count.cut:
        waiting = [below for folder in waiting for below in walk.folder(folder)]
    if spread and len(waiting) > 1 and not walk.count.cut:
        _share(walk, waiting, asked["largest"], lambda: Walk(asked, first.st_dev, until))
    else:
        for folder in waiting:
            walk.deep(folder)
    count = walk.count
    return {
        **count.plain(),
        "largest": heapq.nlargest(asked["largest"], count.largest),
        "newest": count.newest if count.files else None,
        "oldest": count.oldest if count.files else None,
        "twins": twins_of(count.sizes),
        "access": told_by(access(_text(place), mounts), count.foreign, _read("/proc/self/status")),
        "gone": _gone(place, first),
    }


def _share(walk: Walk, waiting: list[bytes], largest: int, another: Callable[[], Walk]) -> None:
    """Two processes draw tickets from one pipe: the kernel gives each of them to one reader only."""
    tickets, desk = os.pipe()
    os.write(desk, array.array("I", range(min(len(waiting), _TICKETS))).tobytes())
    os.close(desk)
    answer, pen = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(answer)
            other = another()
            _serve(other, tickets, waiting)
            text = json.dumps(other.count.plain()).encode("ascii")
            with os.fdopen(pen, "wb") as sink:
                sink.write(len(text).to_bytes(8, "big") + text + other.count.sizes.tobytes())
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - a child must not go on into its parent's code
            os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
            os._exit(1)
    os.close(pen)
    _serve(walk, tickets, waiting)
    with os.fdopen(answer, "rb") as source:
        told = source.read()
    if os.waitpid(child, 0)[1] or len(told) < 8:
        raise RuntimeError("the second process failed")
    size = int.from_bytes(told[:8], "big")
    walk.count.add(json.loads(told[8 : 8 + size]), told[8 + size :], largest)


def _serve(walk: Walk, tickets: int, waiting: list[bytes]) -> None:
    while not walk.count.cut:
        ticket = os.read(tickets, 4)
        if not ticket:
            return
        for folder in waiting[int.from_bytes(ticket, sys.byteorder) :: _TICKETS]:
            walk.deep(folder)


def twins_of(sizes: array.array[int]) -> list[int]:
    """Files whose size another one has too, and what all but one of each size weigh."""
    files = extra = 0
    parts = len(sizes) // _SORTED + 1
    for part in range(parts):
        last = run = 0
        for size in sorted(sizes if parts == 1 else [item for item in sizes if item % parts == part]):
            if run and size == last:
                files += 2 if run == 1 else 1
                extra += size
                run += 1
            else:
                last, run = size, 1
    return [files, extra]


def access(place: str, mounts: str) -> str:
    """What the mount of `place` does with access times: kept, relatime, noatime, or unknown.

    `mounts` is /proc/self/mountinfo (proc(5)). Network and layered file systems answer for a server, or
    for two layers: unknown. Read-only ones keep none now: noatime.
    """
    best, told = "", "unknown"
    for line in mounts.splitlines():
        left, dash, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if not dash or len(fields) < 6 or len(kind) < 3:
            continue
        point = _plain(fields[4])
        if not (place + "/").startswith(point.rstrip("/") + "/") or len(point) < len(best):
            continue
        best = point
        options = set(fields[5].split(",")) | set(kind[2].split(","))
        if kind[0] not in _KEEPS_ACCESS:
            told = "unknown"
        elif options & {"noatime", "ro"}:
            told = "noatime"
        else:
            told = "relatime" if "relatime" in options else "kept"
    return told


def told_by(kept: str, foreign: int, status: str) -> str:
    """`kept` (what `access` says), or touched: our account, when it reads files of others, marks them as opened.

    To read without a mark (O_NOATIME, open(2)) belongs to a file's owner and to CAP_FOWNER; `status` is
    /proc/self/status. Whether an audit has read them before, nobody knows: their access times prove nothing.
    """
    held = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")]
    ours = not foreign or any(one >> _FOWNER & 1 for one in held)
    return kept if ours or kept not in ("kept", "relatime") else "touched"


def unmounted(place: str, table: str, mounts: str) -> str:
    """The folder, `place` or above, where fstab(5) wants a disk and none is mounted; empty when there is none.

    `mounts` is /proc/self/mountinfo (proc(5)).
    """
    here = {_plain(fields[4]) for fields in map(str.split, mounts.splitlines()) if len(fields) > 4}
    for fields in map(str.split, table.splitlines()):
        point = _plain(fields[1]) if len(fields) > 2 and fields[0][0] != "#" else ""
        above = point[:1] == "/" != point and (place + "/").startswith(point.rstrip("/") + "/")
        if above and here and point not in here:
            return point
    return ""


def _plain(text: str) -> str:
    """Mount points write space, tab, newline and backslash in octal."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text


def _opened(path: bytes) -> int:
    """A folder's handle. Its access time stays as it is where we may ask for that (its owner, or root)."""
    try:
        return os.open(path, _OPEN | os.O_NOATIME)
    except PermissionError:
        return os.open(path, _OPEN)


def _gone(place: bytes, first: os.stat_result) -> bool:
    """Whether the share is no longer the one that we started on."""
    try:
        now = os.stat(place)
        os.close(_opened(place))
    except OSError:
        return True
    return (now.st_dev, now.st_ino) != (first.st_dev, first.st_ino)


def _peoples(path: bytes, name: str) -> bool:
    """Whether a folder is a person's own: not what programs keep in folders with a dot, mail programs apart."""
    if path.endswith(b"/.local"):
        return name == "share"
    if path.endswith(b"/.local/share"):
        return name in _MAIL_ROOTS
    return name[0] != "." or name == ".local" or name in _MAIL_ROOTS


def _in_mail(path: bytes) -> bool:
    """Below what a mail program keeps: there, a mailbox is a file without extension."""
    return any(b"/" + root.encode("ascii") + b"/" in path for root in _MAIL_ROOTS)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _text(path: bytes) -> str:
    """For people: what is not UTF-8 shows as U+FFFD."""
    return path.decode("utf-8", "replace")


def main(asked: dict[str, Any]) -> None:
    """Answer on the standard output."""
    sys.stdout.write(json.dumps(survey(asked)))
    sys.stdout.flush()
