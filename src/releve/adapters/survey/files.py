"""What a share holds: sorts, ages, twins, the largest, what nobody opens; and what could not be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from releve.adapters.survey.asking import answered, unclear
from releve.adapters.survey.kinds import KIND_OF
from releve.domain.audit import Found, Gap
from releve.domain.ports import Host
from releve.domain.seen import TWIN, Files, Tally

AGES: Sequence[tuple[str, int]] = (("30d", 30), ("1y", 365), ("3y", 1096), ("5y", 1826), ("10y", 3652))
OLDER = "older"
LARGEST = 20
_MARGIN = 0.9  # share of the time given to the walk itself: the rest is for starting and answering
TOUCHED = "touched"
_ACCESS = frozenset({"kept", "relatime"})  # access time <= change time means "not read since", in both


def inventory(host: Host, subject: str, place: str, *, timeout: float) -> Found:
    """Look at a folder of a machine, read-only. `timeout` seconds in all; never raises.

    Names of ages: 30d, 1y, 3y, 5y, 10y (changed less than that ago), older. With `relatime` a first reading
    after a change is always noted (mount(8)): unopened files are known there too; not with `noatime`, nor
    behind a network or layered file system, whose server does as it likes, nor to an account whose own reading
    (`sensitive`) would mark the files of others. A copying program that reads
    files counts as a reader. Sizes are those that files show: a hole counts, a file with two names counts twice.
    """
    asked = question(place, timeout=timeout, largest=LARGEST)
    told = answered(host, "inventory", asked, what=place, timeout=timeout)
    if isinstance(told, Gap):
        return Found(gaps=(told,))
    return read(told, host.id, subject, place)


def question(place: str, *, timeout: float, largest: int, hidden: bool = True) -> dict[str, Any]:
    """What the probe is asked. `hidden`: whether folders whose name begins with a dot are entered."""
    return {
        "place": place,
        "kinds": dict(KIND_OF),
        "ages": [days for _, days in AGES],
        "largest": largest,
        "twin": TWIN,
        "seconds": timeout * _MARGIN,
        "hidden": hidden,
    }


def read(told: Mapping[str, Any], host: str, subject: str, place: str) -> Found:
    """The fact and the gaps of an answer; a gap alone when it is not one."""
    if gap := closed(told, place):
        return Found(gaps=(gap,))
    try:
        if _bare(told):
            return Found(gaps=(bare(place),))
        fact = _fact(told, host, subject, place)
        gaps = (*troubles(told, place), *((_touched(place),) if fact.access == TOUCHED else ()))
        return Found((fact,) if fact.files or fact.whole else (), gaps)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, OSError):
        return Found(gaps=(unclear(host, place),))


def _fact(told: Mapping[str, Any], host: str, subject: str, place: str) -> Files:
    idle, idle_bytes = told["unopened"]
    twins, twin_bytes = told["twins"]
    names = [*(name for name, _ in AGES), OLDER]
    return Files(
        subject=subject,
        host=host,
        place=place,
        files=int(told["files"]),
        folders=int(told["folders"]),
        bytes=int(told["bytes"]),
        kinds=tallies(told["kinds"]),
        ages=tuple(Tally(n, int(f), int(b)) for n, (f, b) in zip(names, told["ages"], strict=True)),
        largest=tuple(Tally(str(kind), 1, int(size)) for size, kind in told["largest"]),
        twins=int(twins),
        twin_bytes=int(twin_bytes),
        unopened=Tally("unopened", int(idle), int(idle_bytes)) if told["access"] in _ACCESS else None,
        unread=sum(int(told["trouble"].get(sort, 0)) for sort in ("denied", "failed")),
        newest=_instant(told["newest"]),
        oldest=_instant(told["oldest"]),
        access=str(told["access"]),
        whole=not (told["gone"] or told["cut"]),
    )


def tallies(kinds: Mapping[str, Sequence[int]]) -> tuple[Tally, ...]:
    """Heaviest first."""
    found = (Tally(str(kind), int(files), int(size)) for kind, (files, size) in kinds.items())
    return tuple(sorted(found, key=lambda item: (-item.bytes, item.name)))


def closed(told: Mapping[str, Any], place: str) -> Gap | None:
    """The gap of a place that could not be entered at all."""
    if told.get("denied"):
        return Gap("place-denied", "le compte utilisé n'a pas le droit d'entrer dans ce dossier", place)
    if away := told.get("unmounted"):
        sentence = f"/etc/fstab veut un disque monté à {away}, et il n'y en a pas"
        return Gap("place-unmounted", sentence, place)
    if told.get("plain"):
        return Gap("place-plain", "ce n'est pas un dossier", place)
    if told.get("absent"):
        return Gap("place-absent", "ce dossier n'existe pas sur cette machine", place)
    if "absent" in told:
        return Gap("place-failed", "ce dossier ne répond pas (disque ou partage en défaut)", place)
    return None


def _touched(place: str) -> Gap:
    return Gap(
        "access-touched",
        "le compte utilisé marque comme ouverts les fichiers d'autrui qu'il lit : ceux que personne n'ouvre ne se savent "
        "pas (il faut root, ou leur propriétaire)",
        place,
    )


def bare(place: str) -> Gap:
    """The gap of a declared folder that holds nothing at all: a share that is not mounted looks just so."""
    return Gap(
        "place-bare", "rien n'y est, pas même un dossier : le disque ou le partage est-il monté ?", place
    )


def _bare(told: Mapping[str, Any]) -> bool:
    counted = any(told[key] for key in ("files", "links", "others", "vanished", "gone", "cut", "trouble"))
    return int(told["folders"]) == 1 and not counted


_TROUBLES: Mapping[str, tuple[str, str]] = {
    "denied": ("folder-denied", "dossiers dont la lecture est refusée"),
    "failed": ("folder-failed", "dossiers en défaut"),
    "elsewhere": ("folder-elsewhere", "disques montés plus bas, qui n'ont pas été regardés"),
}


def troubles(told: Mapping[str, Any], place: str) -> tuple[Gap, ...]:
    """What was not looked at, by number."""
    gaps: list[Gap] = []
    if told["gone"]:
        gaps.append(Gap("share-gone", "le partage a disparu pendant qu'il était regardé", place))
    if told["cut"]:
        gaps.append(Gap("time-over", "le temps donné n'a pas suffi pour tout regarder", place))
    for sort, (code, what) in _TROUBLES.items():
        if number := int(told["trouble"].get(sort, 0)):
            gaps.append(Gap(code, f"nombre de {what} : {number}", place))
    return tuple(gaps)


def _instant(seconds: float | None) -> datetime | None:
    """None too for an instant that no calendar holds: a file may bear any."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
