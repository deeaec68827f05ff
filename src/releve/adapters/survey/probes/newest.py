"""How fresh a folder is: whether it is there, and when what it holds was last changed. Read-only.

Sent as source to `python3 -I -` with a last line `main({...})`; one JSON document comes back: no name ever does.
Symbolic links below the place are not followed, other file systems are entered.

Asked: place, seconds (to look at most).
"""

# ruff: noqa: PTH116 - names are bytes

from __future__ import annotations

import json
import os
import stat
import time
from typing import Any


def newest(place: bytes, seconds: float) -> dict[str, Any]:
    """`exists` (None: nobody may say), `files`, `newest` (epoch; None without a file), `unread` folders, `cut`."""
    found: dict[str, Any] = {"exists": True, "files": 0, "newest": None, "unread": 0, "cut": False}
    try:
        top = os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return {**found, "exists": False}
    except OSError:
        return {**found, "exists": None}
    if not stat.S_ISDIR(top.st_mode):
        return {**found, "files": 1, "newest": top.st_mtime}
    until = time.monotonic() + seconds
    latest = float("-inf")
    folders = [place]
    while folders:
        if time.monotonic() > until:
            found["cut"] = True
            break
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(seen.st_mode):
                        folders.append(entry.path)
                    elif stat.S_ISREG(seen.st_mode):
                        found["files"] += 1
                        latest = max(latest, seen.st_mtime)
        except FileNotFoundError:
            continue  # removed while we walked: a copy that is being made
        except OSError:
            found["unread"] += 1
    found["newest"] = latest if found["files"] else None
    return found


def main(asked: dict[str, Any]) -> None:
    """Look; print what was found."""
    place = asked["place"].encode("utf-8", "surrogateescape")
    print(json.dumps(newest(place, float(asked["seconds"]))))  # noqa: T201 - this is the answer
