"""The faults that can be put in: what is really caused, and what an audit is expected to name.

Each is independent of the others. `caused` and `expected` are said in French, for the person who reads the
laboratory's own list; `fact` is the field of `releve.domain.seen` in which it shows.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import amend
from lab.estate import COPIES, LOCKED, POST, UNKNOWN, address_of
from lab.files import documents, release
from lab.programs import UPS_HEALTHY, Machine
from lab.traffic import flap, garbage, hold, plug_tap, serve

Work = Callable[[Machine], None]
Lines = dict[str, Any]  # the plan as it is written: sections of entries
NEVER_RESTORED = "never-restored"  # the one that people cause, by never having said otherwise
UNDECLARED_PORT = 9443
LOST_ONE_IN = 7  # a prime, so that no number of machines asked in turn falls in step with it
_OLD = 200 * 86_400  # seconds
_WORN: Mapping[str, str] = {"ups.status": "OL RB", "battery.charge": "41", "battery.runtime": "120"}


class Unavailable(Exception):
    """The kernel lacks what a fault needs; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    `named`: (code of a rule, subject) of what an audit must say. `before` is done on a machine before its servers start, `during` once they answer; `amends` changes the plan;
    `counters`: what the simulated agent of a switch makes grow, by port, a second.
    """

    id: str
    title: str
    caused: str
    expected: str
    fact: str
    named: tuple[tuple[str, str], ...]
    before: Mapping[str, Work] = field(default_factory=dict)
    during: Mapping[str, Work] = field(default_factory=dict)
    amends: Callable[[Lines], None] | None = None
    counters: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether an agent makes its figures up: no virtual cable can cause them."""
        return bool(self.counters)


def _half_duplex(_machine: Machine) -> None:
    """A network card at 100 Mb/s in half duplex: the tun driver keeps what ethtool is told."""
    try:
        plug_tap("lan1")
    except OSError as error:
        raise Unavailable(f"/dev/net/tun : {os.strerror(error.errno or 0)}") from error
    _must(["ethtool", "-s", "lan1", "speed", "100", "duplex", "half", "autoneg", "off"])
    _must(["ip", "link", "set", "lan1", "up"])


def _loss(_machine: Machine) -> None:
    """Every seventh ICMP packet and every fiftieth other one between the sites is thrown away by the router."""
    rules = (
        "add table ip labo",
        "add chain ip labo passage { type filter hook forward priority 0; }",
        f"add rule ip labo passage ip protocol icmp numgen inc mod {LOST_ONE_IN} == 0 drop",
        "add rule ip labo passage ip protocol != icmp numgen inc mod 50 == 0 drop",
    )
    try:
        _must(["nft", "\n".join(rules)])
    except Unavailable:
        _must(["tc", "qdisc", "add", "dev", "eth-siege", "root", "netem", "loss", "10%"])


def _must(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError as error:
        raise Unavailable(f"programme absent : {argv[0]}") from error
    if done.returncode:
        raise Unavailable(f"{argv[0]} : {(done.stderr or done.stdout).strip()[:200]}")


def _bad_packets(machine: Machine) -> None:
    if not Path("/sys/class/net/vx0").exists():
        raise Unavailable(f"VXLAN : {Path('/var/log/tunnel.log').read_text(encoding='utf-8').strip()}")
    machine.fork("paquets", lambda: garbage(address_of("srv-dossiers")))


def _flapping(machine: Machine) -> None:
    machine.fork("faux-contact", lambda: flap("port4", times=20, every=7.0))


def _old_system(_machine: Machine) -> None:
    release("9", "stretch")


def _desktop_documents(_machine: Machine) -> None:
    documents(Path("/home/accueil/Bureau"), 14, "usager")
    documents(Path("/home/accueil/Documents/planning"), 6, "planning")


def _copy_here(_machine: Machine) -> None:
    documents(Path(amend.SAME_SITE_COPY), 1)


def _old_copy(_machine: Machine) -> None:
    at = time.time() - _OLD
    for folder in (Path(COPIES) / "usagers", Path(LOCKED) / "usagers"):
        for path in (*folder.iterdir(), folder):
            os.utime(path, (at, at))


def _listen_undeclared(machine: Machine) -> None:
    machine.fork("interrogation", lambda: serve(UNDECLARED_PORT))


def _talk_undeclared(machine: Machine) -> None:
    machine.fork("interrogation", lambda: hold(address_of("srv-gestion"), UNDECLARED_PORT))


def _telnet(machine: Machine) -> None:
    machine.fork("automate", lambda: serve(23, telnet=True))


def _worn_battery(machine: Machine) -> None:
    machine.ups = {**UPS_HEALTHY, **_WORN}


FAULTS: tuple[Fault, ...] = (
    Fault(
        "cable",
        "Câble abîmé",
        "l'agent SNMP du laboratoire fait croître les erreurs CRC du port port3 de sw-siege (simulé)",
        "un mauvais câble ou une mauvaise prise, nommée par son étiquette (A-12)",
        "Port.crc et Port.grown['crc']",
        (("CAB-01", "sw-siege:port3"),),
        counters={"sw-siege": {"port3": {"crc": 3.0}}},
    ),
    Fault(
        "collisions",
        "Collisions tardives",
        "l'agent SNMP du laboratoire fait croître les collisions tardives du port port3 de sw-foyer (simulé)",
        "des collisions tardives : duplex en désaccord, ou câble trop long (B-03)",
        "Port.late et Port.grown['late']",
        (("CAB-03", "sw-foyer:port3"),),
        counters={"sw-foyer": {"port3": {"late": 2.0}}},
    ),
    Fault(
        "half-duplex",
        "Carte en 100 Mb/s half duplex",
        "une vraie interface (TAP) de poste-foyer, mise à 100 Mb/s half duplex",
        "une carte à 100 Mb/s half duplex",
        "Port.duplex == 'half', Port.speed == 100000000",
        (("CAB-02", "poste-foyer:lan1"),),
        during={"poste-foyer": _half_duplex},
    ),
    Fault(
        "frames",
        "Trames abîmées",
        "de vrais paquets VXLAN malformés envoyés à srv-dossiers : le noyau compte erreurs de trame et de longueur",
        "des erreurs de trame ou de longueur sur une interface",
        "Port.frame et Port.length",
        (("CAB-07", "srv-dossiers:vx0"),),
        during={POST: _bad_packets},
    ),
    Fault(
        "flapping",
        "Lien qui va et vient",
        "le port port4 de sw-siege est débranché et rebranché vingt fois, puis une fois toutes les 7 s",
        "un lien qui va et vient (faux contact)",
        "Port.changes et Port.grown['changes']",
        (("CAB-05", "poste-accueil:eth0"),),
        during={"sw-siege": _flapping},
    ),
    Fault(
        "loss",
        "Pertes entre les sites",
        "le routeur jette un paquet ICMP sur sept et un autre sur cinquante (netfilter, sinon netem)",
        "des paquets perdus sur le chemin entre le foyer et le siège",
        "Path.lost",
        tuple(("RES-09", name) for name in ("srv-dossiers", "srv-gestion", "poste-accueil")),
        during={"routeur": _loss},
    ),
    Fault(
        "system",
        "Système sans corrections",
        "srv-gestion se dit Debian 9 (son propre /etc/os-release)",
        "un système qui ne reçoit plus de corrections de sécurité",
        "System.os et System.version",
        (("POS-01", "srv-gestion"),),
        before={"srv-gestion": _old_system},
    ),
    Fault(
        "desktop",
        "Documents gardés sur un poste",
        "vingt documents sous /home/accueil de poste-accueil",
        "des documents gardés sur un poste de travail",
        "Documents.kinds",
        (("POS-10", "poste-accueil"),),
        before={"poste-accueil": _desktop_documents},
    ),
    Fault(
        "same-site",
        "Copie sur le même site que l'original",
        "les copies du partage sont sur srv-gestion, au siège comme l'original, et nulle part ailleurs",
        "aucune copie hors du site",
        "Copy.site",
        (("COP-02", "partage"),),
        before={"srv-gestion": _copy_here},
        amends=amend.copy_on_the_same_site,
    ),
    Fault(
        NEVER_RESTORED,
        "Copie jamais restaurée",
        "personne n'a jamais restauré la base de paie : la réponse n'est pas donnée au registre",
        "une copie qui n'a jamais été restaurée",
        "Restored absent",
        (("COP-05", "paie"),),
    ),
    Fault(
        "old-copy",
        "Copie trop vieille",
        "la copie de la base des usagers a plus de six mois",
        "une copie trop vieille",
        "Copy.at",
        (("COP-04", "usagers"),),
        before={POST: _old_copy},
    ),
    Fault(
        "single-link",
        "Un seul lien vers l'internet",
        "le foyer n'a plus au plan qu'un lien vers l'extérieur",
        "un site qui ne tient que par un seul lien",
        "le plan (links)",
        (("RES-06", "foyer"),),
        amends=amend.single_link,
    ),
    Fault(
        "flow",
        "Échange non déclaré",
        f"poste-foyer tient une vraie connexion vers srv-gestion, port {UNDECLARED_PORT}",
        "un échange entre sites que rien ne déclare",
        "Connection",
        (("ECH-01", "poste-foyer→srv-gestion:9443"),),
        during={"srv-gestion": _listen_undeclared, "poste-foyer": _talk_undeclared},
    ),
    Fault(
        UNKNOWN,
        "Machine que personne n'a déclarée",
        "une machine de plus répond au siège (10.71.1.77), avec une page sur le port 80",
        "un appareil inconnu sur le réseau",
        "Neighbour",
        (("RES-01", "10.71.1.77"),),
    ),
    Fault(
        "battery",
        "Batterie d'onduleur à changer",
        "l'onduleur du siège (dummy-ups) dit RB : batterie à remplacer",
        "un onduleur dont la batterie est à changer",
        "Ups.status",
        (("ALI-02", "onduleur-siege"),),
        before={"onduleur-siege": _worn_battery},
    ),
    Fault(
        "telnet",
        "Administration en clair",
        "srv-gestion répond en telnet (port 23)",
        "un service d'administration en clair",
        "Neighbour.services et Listening",
        (("RES-02", "srv-gestion:23"),),
        during={"srv-gestion": _telnet},
    ),
)
BY_ID: Mapping[str, Fault] = {fault.id: fault for fault in FAULTS}


def chosen(words: str) -> tuple[Fault, ...]:
    """`all`, `none`, or identifiers between commas. Raises KeyError with the first that nobody knows."""
    if words == "all":
        return FAULTS
    return tuple(BY_ID[word.strip()] for word in words.split(",") if word.strip() and word.strip() != "none")


def counters_of(faults: Sequence[Fault], switch: str) -> dict[str, Mapping[str, float]]:
    """What the simulated agent of `switch` makes grow, by port."""
    return {port: grows for fault in faults for port, grows in fault.counters.get(switch, {}).items()}


def do_before(faults: Sequence[Fault], machine: Machine) -> dict[str, str]:
    """What must be there before the servers start; why each of them could not be caused, by fault."""
    return _done([(fault.id, fault.before.get(machine.node.name)) for fault in faults], machine)


def do_during(faults: Sequence[Fault], machine: Machine) -> dict[str, str]:
    """What is caused once the servers answer; the same."""
    return _done([(fault.id, fault.during.get(machine.node.name)) for fault in faults], machine)


def _done(works: Sequence[tuple[str, Work | None]], machine: Machine) -> dict[str, str]:
    found = {}
    for name, work in works:
        if work is None:
            continue
        try:
            work(machine)
        except Unavailable as lacking:
            found[name] = str(lacking)
        else:
            found[name] = ""
    return found


__all__ = ["BY_ID", "FAULTS", "Fault", "chosen", "counters_of", "do_before", "do_during"]
