"""Until when a system is mended, as data with its sources. Pure.

Source: `systems.yaml`, in which each publisher's page and the day it was read are written. A system that is not
in it is unknown: that is said, and is never taken for "still mended".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from releve.cycle.plan.source import plain, read_source

_EDITIONS = frozenset({"pro", "professionnel", "famille", "home"})


@dataclass(frozen=True, slots=True)
class Support:
    """One system: `until` is the last day with free security updates.

    `source`: the publisher's page; `by`: the transcription of it that was really read, and `read` the day.
    `note`: what the reader must know of the date; it begins with "recall" when the date comes from memory.
    """

    os: str
    version: str
    name: str
    until: date
    source: str
    by: str
    read: date
    note: str = ""


@lru_cache(maxsize=1)
def systems() -> Mapping[tuple[str, str], Support]:
    """Every known system, by (os, version)."""
    source = read_source(files(__name__).joinpath("systems.yaml").read_bytes(), "systems.yaml")
    if source.root is None or source.faults:
        raise ValueError(f"the list of systems of the package is damaged: {source.faults}")
    values: Mapping[str, Any] = plain(source.root)
    return {(item.os, item.version): item for item in _read(values)}


def _read(values: Mapping[str, Any]) -> Iterator[Support]:
    for row in values["systems"]:
        origin = values["sources"][row["os"]]
        yield Support(
            row["os"],
            row["version"],
            row["name"],
            date.fromisoformat(row["until"]),
            origin["url"],
            origin["by"],
            date.fromisoformat(origin["read"]),
            row.get("note", ""),
        )


def support_of(os: str, version: str) -> Support | None:
    """What is known of a system, as it names itself; None when it is in no list.

    A version more precise than the list's ("8.10", "16.4 (Debian 16.4-1)") is looked up under each shorter
    beginning of it, the longest first.
    """
    known, words = systems(), version.split(" (", maxsplit=1)[0].strip().split("-", maxsplit=1)[0]
    parts = words.split(".")
    for length in range(len(parts), 0, -1):
        found = known.get((os.strip().lower(), ".".join(parts[:length])))
        if found is not None:
            return found
    return None


def support_named(said: str) -> Support | None:
    """What is known of a system as a person writes it ("Windows 10 Pro 22H2", "DSM 7.2"); None: in no list.

    The words Pro, Professionnel, Famille and Home are left out: the list's dates are theirs. No other edition is.
    """
    words = [word for word in said.split() if word.lower() not in _EDITIONS]
    for length in (2, 1):
        os, version = "-".join(words[:length]).lower(), " ".join(words[length:]).upper()
        if any(known == os for known, _version in systems()):
            return support_of(os, version)
    return None
