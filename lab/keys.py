"""Keys and passwords of one run of the laboratory, and the files through which a plan names them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.estate import Node

SNMP_USER = "audit"
DATABASE_USER = "audit"


@dataclass(frozen=True, slots=True)
class Keys:
    """`client` and `hosts` hold (private, public) of OpenSSH; the rest are words."""

    client: tuple[str, str]
    hosts: Mapping[str, tuple[str, str]]
    snmp_auth: str
    snmp_privacy: str
    database: str


def made(folder: Path, nodes: tuple[Node, ...]) -> Keys:
    """New ones, in `folder`: client, client.pub, known_hosts, snmp-auth, snmp-privacy, database."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = ["client", *(node.name for node in nodes if "sshd" in node.services)]
    pairs = _pairs(folder, names)
    client = pairs.pop("client")
    words = {name: secrets.token_hex(12) for name in ("snmp-auth", "snmp-privacy", "database")}
    known = "".join(f"{node.address} {pairs[node.name][1]}" for node in nodes if node.name in pairs)
    for name, text in {"known_hosts": known, **words}.items():
        (folder / name).write_text(text if name == "known_hosts" else f"{text}\n", encoding="utf-8")
        (folder / name).chmod(0o600)
    return Keys(client, pairs, words["snmp-auth"], words["snmp-privacy"], words["database"])


def _pairs(folder: Path, names: list[str]) -> dict[str, tuple[str, str]]:
    making = {}
    for name in names:
        for old in (folder / name, folder / f"{name}.pub"):
            old.unlink(missing_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "labo", "-f", str(folder / name)]
        making[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    found = {}
    for name, process in making.items():
        _out, said = process.communicate()
        if process.returncode:
            raise RuntimeError(f"ssh-keygen: {said.decode('utf-8', 'replace').strip()}")
        found[name] = ((folder / name).read_text(), (folder / f"{name}.pub").read_text())
        if name != "client":
            (folder / name).unlink()
            (folder / f"{name}.pub").unlink()
    return found
