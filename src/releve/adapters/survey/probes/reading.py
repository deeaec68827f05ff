"""Files of a folder, read gently for what they hold: first their list, then their bytes, batch after batch.

Sent as source to `python3 -I -` with a last line `main({...})`. Read-only; access times stay as they are where we
may ask for that; links are not followed, other file systems below not entered. What is neither text, PDF nor
an office document (told by its first bytes, whatever its name) is not sent at all.

Asked `list`: place, most, hidden (folders whose name begins with a dot too). Answer: a line of JSON, then the paths, each ended by a null byte.
Asked `send`: place, root (as `list` told it), names, budget (bytes), cap (bytes a file), rate (bytes a second, 0: no limit). Answer: for each
name, in order, a letter, a length (8 bytes, big end first) and so many bytes; last, the letter E and JSON.
W whole, C its beginning only (text beyond the cap), L too large, P a picture or an archive, O holds no text, D denied,
F failed, G gone. In the answer to `list`, `closed` is null unless the place itself could not be entered; `root`
(device, inode) tells the place from another that stands there later, `bare` is true where it holds no entry at all.
"""

# ruff: noqa: PTH110, PTH112, PTH118, PTH123 - names are bytes

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from typing import Any, Iterable  # noqa: UP035 - Python 3.8

_SAMPLE = 8192
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe left there must not hold us
# First bytes of pictures and archives, which may hold text: JPEG, PNG, GIF, TIFF (both orders), RAR, 7z, gzip, xz,
# Zstandard, cabinet; BMP, WebP, HEIC, bzip2 and tar say so a little further.
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_ARCHIVES = (
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"MSCF\0",
)
_WHOLE_ONLY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def listed(place: bytes, most: int, *, hidden: bool = True) -> tuple[dict[str, Any], list[bytes]]:
    """Paths of regular files, in no order, at most so many; and what could not be looked at."""
    told: dict[str, Any] = {"denied": 0, "failed": 0, "elsewhere": 0, "more": 0, "closed": None}
    names: list[bytes] = []
    try:
        root = os.path.realpath(place)
        first = _standing(root)
    except OSError as error:
        told["closed"] = _closed(place, error)
        return told, names
    if away := unmounted(os.fsdecode(root), _read("/etc/fstab"), _read("/proc/self/mountinfo")):
        told["closed"] = {"absent": False, "denied": False, "plain": False, "unmounted": away}
        return told, names
    device, seen = first[0], 0
    stack = [root]
    while stack:
        folder = stack.pop()
        try:
            handle = _opened(folder, _FOLDER)
        except OSError as error:
            if error.errno not in _GONE:
                told["denied" if isinstance(error, PermissionError) else "failed"] += 1
            continue
        try:
            if os.fstat(handle).st_dev != device:
                told["elsewhere"] += 1
                continue
            with os.scandir(handle) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name[0] == "." and not hidden:
                            continue
                        stack.append(os.path.join(folder, os.fsencode(entry.name)))
                    elif not entry.is_file(follow_symlinks=False):
                        continue
                    elif len(names) < most:
                        names.append(os.path.join(folder, os.fsencode(entry.name)))
                    else:
                        told["more"] += 1
        except OSError:
            told["failed"] += 1
        finally:
            os.close(handle)
    told.update(root=first, bare=not (seen or told["denied"] or told["failed"]), gone=gone(place, first))
    return told, names


def send(asked: dict[str, Any], sink: Any) -> None:
    """Frames of files until the budget is spent or the names are."""
    budget, cap, rate = asked["budget"], asked["cap"], asked["rate"]
    begun, spent = time.monotonic(), 0
    for name in asked["names"]:
        letter, data, read = content(os.fsencode(name), cap)
        sink.write(letter + len(data).to_bytes(8, "big"))
        sink.write(data)
        spent += read
        if rate:
            time.sleep(max(spent / rate - (time.monotonic() - begun), 0))
        if spent >= budget:
            break
    last = json.dumps({"gone": gone(os.fsencode(asked["place"]), asked["root"])}).encode("ascii")
    sink.write(b"E" + len(last).to_bytes(8, "big") + last)
    sink.flush()


def gone(place: bytes, first: list[int]) -> bool:
    """Whether the place is no longer the one that was listed: a share that was unmounted leaves its empty folder."""
    try:
        return _standing(os.path.realpath(place)) != first
    except OSError:
        return True


def _standing(root: bytes) -> list[int]:
    """Device and inode of a folder that may be entered."""
    handle = _opened(root, _FOLDER)
    try:
        found = os.fstat(handle)
        return [found.st_dev, found.st_ino]
    finally:
        os.close(handle)


def _closed(place: bytes, error: OSError) -> dict[str, bool]:
    plain = os.path.exists(place) and not os.path.isdir(place)
    return {
        "absent": error.errno in _GONE and not plain,
        "denied": isinstance(error, PermissionError),
        "plain": plain,
    }


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


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def content(path: bytes, cap: int) -> tuple[bytes, bytes, int]:
    """The letter of a file, what is sent of it, and how many bytes were read."""
    try:
        handle = _opened(path, _FILE)
    except OSError as error:
        if error.errno in _GONE:
            return b"G", b"", 0
        return (b"D" if isinstance(error, PermissionError) else b"F"), b"", 0
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return b"O", b"", 0
        head = os.read(handle, _SAMPLE)
        whole = head.startswith(_WHOLE_ONLY) or b"%PDF-" in head[:1024]
        if not whole and pictured(head):
            return b"P", b"", len(head)
        if not whole and not readable(head):
            return b"O", b"", len(head)
        if whole and found.st_size > cap:
            return b"L", b"", len(head)
        parts, size = [head], len(head)
        while size < cap:
            part = os.read(handle, min(cap - size, 2**20))
            if not part:
                break
            parts.append(part)
            size += len(part)
        cut = size >= cap and os.read(handle, 1) != b""
        return (b"C" if cut else b"W"), b"".join(parts), size
    except OSError:
        return b"F", b"", 0
    finally:
        os.close(handle)


def pictured(head: bytes) -> bool:
    """Whether it is a picture or an archive, from its first bytes."""
    return (
        head.startswith(_PICTURES + _ARCHIVES)
        or (head[:2] == b"BM" and head[6:10] == bytes(4))
        or (head[:3] == b"BZh" and head[4:10] == b"1AY&SY")
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")
        or head[257:262] == b"ustar"
    )


def readable(head: bytes) -> bool:
    """Whether it may be text: no null byte but every second one (UTF-16)."""
    zeros = head.count(0)
    return not zeros or head[:2] in (b"\xff\xfe", b"\xfe\xff") or zeros * 3 > len(head)


def _opened(path: bytes, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        return os.open(path, flags)


def _paths(told: dict[str, Any], names: Iterable[bytes], sink: Any) -> None:
    sink.write(json.dumps(told).encode("ascii") + b"\n")
    for name in names:
        sink.write(name + b"\0")
    sink.flush()


def main(asked: dict[str, Any]) -> None:
    """Answer on the standard output."""
    sink = sys.stdout.buffer
    if asked["do"] == "list":
        _paths(*listed(os.fsencode(asked["place"]), asked["most"], hidden=asked["hidden"]), sink)
    else:
        send(asked, sink)
