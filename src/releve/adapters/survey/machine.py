"""A machine as an audit sees it: its system, disks, services, listening sockets, pending updates and clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby
from time import time
from typing import Any

from releve.adapters.survey.asking import answered
from releve.adapters.survey.clock import clock
from releve.adapters.survey.sockets import HIDDEN, listening_of
from releve.adapters.survey.telling import count, flag, instant, joined, maybe, section, text
from releve.domain.audit import Found, Gap
from releve.domain.plan import HostSpec
from releve.domain.ports import Host
from releve.domain.seen import Disk, Listening, System, Unit, Updates

SYSTEM, SERVICES, UPDATES, DISKS, SOCKETS = (
    "système",
    "services",
    "mises à jour",
    "disques",
    "ports en écoute",
)
HEALTH = "santé des disques"
_PARTS = {"system": SYSTEM, "programs": "programmes installés", "units": SERVICES, "updates": UPDATES}
_PROGRAM_SHARE = 0.4  # of the time of a look: what one program of the machine may take of it

_SENTENCES = {
    "program-missing": "le programme qui le dirait n'est pas installé",
    "program-slow": "le programme qui le dit n'a pas fini à temps",
    "program-failed": "le programme qui le dit a échoué",
    "manager-unknown": "Relève ne sait interroger qu'apt (Debian, Ubuntu) ; regardez sur place",
    "lists-absent": "apt n'a aucune liste de paquets : il ne sait pas ce qui est à jour ; lancez apt update",
    "denied": "le compte de Relève n'a pas le droit de le lire",
    "unreadable": "ne se lit pas",
    "silent": "ce disque ne répond pas (serveur de fichiers absent ?)",
    "smart-missing": "santé inconnue : smartctl n'est pas installé (paquet smartmontools)",
    "smart-unknown": "santé inconnue : plusieurs disques derrière (RAID, LVM, ZFS, btrfs) ; regardez chacun d'eux sur place",
    "smart-silent": "santé inconnue : smartctl n'en dit rien (droits d'administration, ou disque derrière un contrôleur)",
}


def machine(host: Host, spec: HostSpec, *, timeout: float = 60.0, wall: Callable[[], float] = time) -> Found:
    """Look at one machine. Never raises for what it answers, or does not: each part unseen is a gap.

    `timeout`: seconds for each of its four questions. `wall`: our own clock, seconds since 1970.
    Facts: `System`, `Disk`, `Unit`, `Listening`, `Updates`, `Clock`. Programs are counted, never named.
    """
    told = answered(host, "machine", {"patience": timeout * _PROGRAM_SHARE}, what="", timeout=timeout)
    if isinstance(told, Gap):
        return Found(gaps=(told,))
    disks = answered(host, "disks", {"patience": min(3.0, timeout)}, what=DISKS, timeout=timeout)
    sockets = answered(host, "sockets", {}, what=SOCKETS, timeout=timeout)
    own = _machine(spec.id, told)
    listening = sockets if isinstance(sockets, Gap) else listening_of(spec.id, sockets, what=SOCKETS)
    return joined(
        own,
        disks if isinstance(disks, Gap) else _disks(spec.id, disks, physical=not _virtual(own)),
        listening,
        _services(spec.id, told, listening),
        clock(host, spec, synchronised=_synchronised(told), timeout=timeout, wall=wall),
    )


def _machine(host: str, told: Mapping[str, Any]) -> Found:
    def system(value: Any) -> tuple[System]:
        return (
            System(
                host,
                text(value["name"]),
                text(value["os"]),
                text(value["version"]),
                text(value["pretty"]),
                text(value["kernel"]),
                maybe(instant, value["started"]),
                maybe(count, value["memory"]),
                maybe(count, value["memory_free"]),
                maybe(count, value["swap_used"]),
                maybe(count, value["processors"]),
                maybe(count, told.get("programs")),
                maybe(flag, value["virtual"]),
                text(value["manager"]),
                tuple(text(one) for one in value.get("addresses", ())),
            ),
        )

    def units(value: Any) -> tuple[Unit, ...]:
        return tuple(Unit(host, text(name), text(state), maybe(flag, on)) for name, state, on in value)

    def updates(value: Any) -> tuple[Updates]:
        return (
            Updates(
                host, count(value["pending"]), maybe(count, value["security"]), maybe(instant, value["lists"])
            ),
        )

    return joined(
        section(told, "system", system, host=host, what=SYSTEM),
        section(told, "units", units, host=host, what=SERVICES),
        section(told, "updates", updates, host=host, what=UPDATES),
        Found(gaps=_gaps(host, told, _PARTS)),
    )


def _disks(host: str, told: Mapping[str, Any], *, physical: bool) -> Found:
    """`physical`: its disks are its own. Those of a virtual machine are its hypervisor's: their health stays unsaid."""

    def disks(value: Any) -> tuple[Disk, ...]:
        return tuple(
            Disk(
                host,
                text(one["mount"]),
                text(one["kind"]),
                count(one["size"]),
                count(one["free"]),
                count(one["inodes"]) or None,  # btrfs and others keep no such count
                count(one["inodes_free"]) if one["inodes"] else None,
                text(one["health"]),
            )
            for one in value
        )

    gaps = _gaps(host, told, {})
    kept = gaps if physical else tuple(gap for gap in gaps if not gap.code.startswith("smart-"))
    return joined(section(told, "disks", disks, host=host, what=DISKS), Found(gaps=kept))


def _gaps(host: str, told: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Gap, ...]:
    """What the probe itself says that it could not see: one gap a reason, its parts together.

    The health of disks is one part, whatever file systems lie on them.
    """
    try:
        pairs = sorted((text(code), text(part)) for part, code in told["gaps"])
    except (ValueError, TypeError, KeyError):
        return (Gap("answer-unclear", f"ce que {host} n'a pas pu regarder ne se comprend pas"),)
    found = []
    for code, same in groupby(pairs, key=lambda pair: pair[0]):
        what = ", ".join(names.get(part, part) for _, part in same)
        sentence = _SENTENCES.get(code, f"n'a pas pu être regardé ({code})")
        part = HEALTH if code.startswith("smart-") else what
        found.append(Gap(code, f"{host}, {what} : {sentence}", part))
    return tuple(found)


def _virtual(own: Found) -> bool:
    return any(isinstance(fact, System) and fact.virtual is True for fact in own.facts)


def _synchronised(told: Mapping[str, Any]) -> bool | None:
    system = told.get("system")
    value = system.get("synchronised") if isinstance(system, dict) else None
    return value if isinstance(value, bool) else None


def _services(host: str, told: Mapping[str, Any], listening: Found | Gap) -> Found:
    """Where no systemd says what runs: the programs that wait for others."""
    if told.get("units") is not None or not isinstance(listening, Found):
        return Found()
    if any(part == "units" for part, _ in _pairs(told)):
        return Found()  # systemd runs and did not answer: that is a gap already
    programs = {fact.program for fact in listening.facts if isinstance(fact, Listening) and fact.program}
    hidden = tuple(replace(gap, what=SERVICES) for gap in listening.gaps if gap.code == HIDDEN)
    return Found(tuple(Unit(host, name, "running") for name in sorted(programs)), hidden)


def _pairs(told: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    gaps = told.get("gaps")
    return (
        [tuple(pair) for pair in gaps if isinstance(pair, list) and len(pair) == 2]
        if isinstance(gaps, list)
        else []
    )
