"""Where everything of a demo estate stands: folders, ports, sockets, marks. A value kept in a file.

folder/                 the plan, the secrets, what the witness writes: outside both sites
  estate.json           this layout
  plan.yaml
  secrets/
  coffre/                 the vault of the shared documents
ground/                 the two sites; the folder itself, or a short public place when it must be
  principal/            a site's disk: destroyed and remade with it
    pg/data  pg/run     owned by the database's account
    app/  releve/  log/  documents/
  secours/
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from random import SystemRandom

from releve.demo.processes import started
from releve.demo.programs import Programs, reachable_by_all
from releve.domain.errors import BadInput, Unreachable

PRIMARY = "principal"
RELIEF = "secours"
SITES = (PRIMARY, RELIEF)
FILE = "estate.json"

_SOCKET_PATH = 100  # bytes of a Unix socket path: the kernel takes 107, PostgreSQL adds names of its own
_LONGEST_BELOW_GROUND = len("/principal/pg/run/.s.PGSQL.65535.lock")
_LOWEST_PORT = 20_000
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of a site, all on 127.0.0.1."""

    database: int
    application: int
    worker: int
    documents: int


@dataclass(frozen=True, slots=True)
class SiteLayout:
    """One site. `marker` is the value of the environment variable that its processes carry."""

    id: str
    folder: str
    marker: str
    ports: Ports

    @property
    def data_dir(self) -> Path:
        """The server's data. Its parent belongs to the server's account too: clones are made beside it."""
        return Path(self.folder, "pg", "data")

    @property
    def socket_dir(self) -> Path:
        """Where the database server puts its Unix socket."""
        return Path(self.folder, "pg", "run")

    @property
    def supervisor(self) -> Path:
        """The supervisor's Unix socket."""
        return Path(self.folder, "sup.sock")

    @property
    def gate(self) -> Path:
        """While this file is absent, the application keeps its users out."""
        return Path(self.folder, "app", "ouvert")

    @property
    def app_config(self) -> Path:
        """What the application reads when it starts."""
        return Path(self.folder, "app", "dossier.json")

    @property
    def documents(self) -> Path:
        """The share: the folder that people of this site work in, or its copy."""
        return Path(self.folder, "documents")

    @property
    def documents_gate(self) -> Path:
        """While this file is absent, the file server keeps its users out."""
        return Path(self.folder, "app", "documents-ouvert")

    @property
    def documents_config(self) -> Path:
        """What the file server reads when it starts."""
        return Path(self.folder, "app", "documents.json")

    @property
    def documents_url(self) -> str:
        """Where users find the shared documents of this site."""
        return f"http://127.0.0.1:{self.ports.documents}"

    @property
    def state(self) -> Path:
        """What Relève's own worker of this site keeps."""
        return Path(self.folder, "releve")

    def log(self, name: str) -> Path:
        """The log of one program."""
        return Path(self.folder, "log", f"{name}.log")

    @property
    def url(self) -> str:
        """Where users find the application of this site."""
        return f"http://127.0.0.1:{self.ports.application}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole estate. Paths as text, so that it is its own JSON.

    `owner`: pid and start (clock ticks since boot) of the process that made it. `share`: it also has shared
    documents, captured into a vault.
    """

    folder: str
    ground: str
    bin_dir: str
    os_user: str
    sites: tuple[SiteLayout, SiteLayout]
    owner: tuple[int, int] = (0, 0)
    share: bool = False

    @property
    def vault(self) -> Path:
        """The encrypted vault, at a third place: outside both sites."""
        return Path(self.folder, "coffre")

    @property
    def held(self) -> bool:
        """Whether another process made it and still lives."""
        pid, start = self.owner
        return pid not in (0, os.getpid()) and started(pid) == start

    def site(self, site_id: str) -> SiteLayout:
        """The site of that id. Raises KeyError."""
        for site in self.sites:
            if site.id == site_id:
                return site
        raise KeyError(site_id)

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return Path(self.folder, "secrets", name)

    @property
    def plan(self) -> Path:
        """The plan of this estate."""
        return Path(self.folder, "plan.yaml")

    def save(self) -> None:
        """Write it, so that a later process can take the estate up again or clear it away."""
        Path(self.folder, FILE).write_text(json.dumps(asdict(self), indent=1))


def new_layout(folder: Path, programs: Programs, *, share: bool = False) -> Layout:
    """A layout for an estate in `folder` (absolute, it exists): a ground, an id and free ports."""
    ground = _ground(folder)
    estate_id = secrets.token_hex(8)
    ports = iter(free_ports(4 * len(SITES)))
    principal, relief = (
        SiteLayout(site, str(ground / site), f"{estate_id}:{site}", Ports(*(next(ports) for _ in range(4))))
        for site in SITES
    )
    owner = (os.getpid(), started(os.getpid()))
    return Layout(
        str(folder), str(ground), str(programs.bin_dir), programs.os_user, (principal, relief), owner, share
    )


def read_layout(folder: Path) -> Layout:
    """The layout kept in `folder`. Raises `BadInput` when there is no estate there."""
    try:
        values = json.loads((folder / FILE).read_text())
        sites = [SiteLayout(**{**site, "ports": Ports(**site["ports"])}) for site in values.pop("sites")]
        pid, start = values.pop("owner")
        return Layout(**values, sites=(sites[0], sites[1]), owner=(int(pid), int(start)))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInput(
            "demo-no-estate",
            f"{folder} ne contient pas de démonstration : {error}",
            hint="donnez le dossier d'une démonstration, ou relancez-la",
        ) from error


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, below those that the kernel lends to clients.

    A port of that range may be taken by anybody's outgoing connection while our server is down, and a
    client that knocks at a closed port of it may, by chance, be connected to itself.
    """
    highest = _first_lent_port() - 1
    chosen: list[int] = []
    random = SystemRandom()
    for _ in range(_TRIES):
        port = random.randint(_LOWEST_PORT, highest)
        if port not in chosen and _free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise Unreachable("demo-no-port", "aucun port libre n'a été trouvé sur 127.0.0.1")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _first_lent_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768  # the kernel's own default
    return first if first > _LOWEST_PORT + 100 else 65_536


def _ground(folder: Path) -> Path:
    """Where the sites stand: `folder` if its sockets are short and the server's account can walk there."""
    root = os.geteuid() == 0
    if len(os.fsencode(folder)) + _LONGEST_BELOW_GROUND <= _SOCKET_PATH and (
        not root or reachable_by_all(folder)
    ):
        return folder
    for base in ("/var/tmp", tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it ours alone
        if not os.access(base, os.W_OK) or (root and not reachable_by_all(Path(base))):
            continue
        ground = Path(tempfile.mkdtemp(prefix="releve-demo-", dir=base))
        if len(os.fsencode(ground)) + _LONGEST_BELOW_GROUND <= _SOCKET_PATH:
            ground.chmod(0o711)  # others may walk through to what is theirs, not list
            return ground
        ground.rmdir()
    raise Unreachable("demo-no-place", "aucun dossier temporaire ne convient à la démonstration")
