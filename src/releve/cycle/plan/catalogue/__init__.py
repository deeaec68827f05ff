"""The catalogue of applications of the sector, carried in the package as data.

`applications.yaml` holds proposed values, each to be settled by the users of an association; the
one thing taken from it without a question is the order in which things depend on each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from releve.cycle.plan.source import plain, read_source
from releve.domain.errors import BadInput

_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """An application of the catalogue. Durations are written as in a plan; empty: nothing to lose."""

    code: str
    name: str
    family: str
    rank: str  # restart order, P0 to P3
    rto: str
    rto_by_day: str  # for a service that closes at night
    rto_critical: str  # during `critical_period`
    critical_period: str
    rpo: str
    without_it: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of establishment. `protected`: the application whose data are copied in real time."""

    key: str
    name: str
    night: bool
    protected: str
    applications: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The whole of it. `owners` and `do_not` go by family."""

    entries: Mapping[str, Entry]
    profiles: Mapping[str, Profile]
    owners: Mapping[str, str]
    do_not: Mapping[str, tuple[str, ...]]

    def profile(self, name: str) -> Profile:
        """The profile of that name, accents and case aside. Raises BadInput."""
        key = name.strip().lower().replace("è", "e").replace("é", "e")
        if key not in self.profiles:
            raise BadInput(
                "profile-unknown",
                f"profil inconnu : « {name} »",
                hint="profils connus : " + ", ".join(self.profiles),
            )
        return self.profiles[key]

    def chosen(self, profile: Profile) -> tuple[Entry, ...]:
        """The applications of a profile and all that they depend on, in restart order."""
        wanted: set[str] = set()
        pending = list(profile.applications)
        while pending:
            code = pending.pop()
            if code not in wanted:
                wanted.add(code)
                pending.extend(self.entries[code].needs)
        return tuple(sorted((e for e in self.entries.values() if e.code in wanted), key=lambda e: e.rank))


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue of the package."""
    data = files(__name__).joinpath("applications.yaml").read_bytes()
    source = read_source(data, "applications.yaml")
    if source.root is None or source.faults:
        raise ValueError(f"the catalogue of the package is damaged: {source.faults}")
    values: dict[str, Any] = plain(source.root)
    return Catalogue(
        {item["code"]: _entry(item) for item in values["applications"]},
        {
            key: Profile(key, item["nom"], item["nuit"], item["protege"], tuple(item["applications"]))
            for key, item in values["profils"].items()
        },
        values["responsables"],
        {family: tuple(lines) for family, lines in values["consignes"].items()},
    )


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(
        item["code"],
        item["nom"],
        item["famille"],
        item["classe"],
        duration(item["dmia"]),
        duration(item.get("dmia_jour")),
        duration(item.get("dmia_critique")),
        item.get("periode_critique", ""),
        duration(item.get("pdma")),
        item["degrade"],
        tuple(item["depend"]),
    )


def duration(value: dict[str, str] | None) -> str:
    """`{v: PT8H, base: ouv}` as a plan writes it: "8 h ouvrées". Empty for None. Raises ValueError."""
    if value is None:
        return ""
    match = _ISO.fullmatch(value["v"])
    if match is None:
        raise ValueError(f"not an ISO 8601 duration of the catalogue: {value['v']}")
    business = value.get("base") == "ouv"
    amounts = [(int(number), unit) for number, unit in zip(match.groups(), "jhms", strict=True) if number]
    if len(amounts) != 1:
        raise ValueError(f"one unit at a time: {value['v']}")
    number, unit = amounts[0]
    if number == 0:
        return "0"
    if unit == "j" and number == 1 and not business:
        return "24 h"
    word = {"j": "j", "h": "h", "m": "min", "s": "s"}[unit]
    if not business:
        return f"{number} {word}"
    ending = {"j": "ouvré" if number == 1 else "ouvrés"}.get(unit, "ouvrées")
    return f"{number} {word} {ending}"
