"""A machine reached with OpenSSH.

Nothing is ever formatted into a remote shell: the remote command is one constant, and what is asked
goes as data to the agent that it starts. Host keys are always checked, against the file of the plan
and no other; the configuration, the agent and the other keys of the account are left aside.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Self, TypeVar

from releve.adapters.hosts.agent import Failed
from releve.adapters.hosts.failures import error_of
from releve.adapters.hosts.link import BOOTSTRAP, TOO_OLD, Late, Link, LinkDown, Slow
from releve.domain.errors import BadInput, Unreachable
from releve.domain.plan import HostSpec, SshSpec
from releve.domain.ports import Completed
from releve.domain.terminal import printable

T = TypeVar("T")
_OPENING = 5.0  # seconds beyond the connection itself: login, start of python3 on a busy machine
_GRACE = 2.0  # seconds beyond the time of a program: its answer comes from afar
_FILE_LIMIT = 30.0  # seconds for a file, when nothing of it moves
_ALIVE_INTERVAL = 3  # seconds; with three unanswered in a row a dead link is seen in about 12 s
_ALIVE_COUNT = 3
_ADDRESS = re.compile(r"^[A-Za-z0-9_:.][A-Za-z0-9_:.%-]*$")
_USER = re.compile(r"^[A-Za-z0-9_.][A-Za-z0-9_.@-]*$")


def ssh_argv(spec: SshSpec, program: Sequence[str] = ("ssh",)) -> list[str]:
    """The whole command line. Pure. Raises `BadInput` when a value could mean something else to ssh."""
    if not _ADDRESS.match(spec.address) or not _USER.match(spec.user):
        raise BadInput(
            "ssh-address-invalid",
            f"« {spec.user}@{spec.address} » n'est pas un compte et une adresse SSH",
            hint="écrivez un nom de machine ou une adresse IP, et un nom de compte, sans espace",
        )
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(spec.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "CheckHostIP": "no",
        "CanonicalizeHostname": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": _quoted(spec.key),
        "PreferredAuthentications": "publickey",
        "ConnectTimeout": str(max(1, ceil(spec.connect_timeout))),
        "ConnectionAttempts": "1",
        "ServerAliveInterval": str(_ALIVE_INTERVAL),
        "ServerAliveCountMax": str(_ALIVE_COUNT),
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "RequestTTY": "no",
        "EscapeChar": "none",
        "LogLevel": "ERROR",
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    target = ["-p", str(spec.port), "-l", spec.user, "--", spec.address]
    return [*program, "-F", "/dev/null", *flags, *target, BOOTSTRAP]


def _quoted(path: str) -> str:
    """A path for an option of ssh, which splits at spaces and expands % and ${}."""
    if not path.startswith("/") or any(sign in path for sign in ('"', "\\", "\n", "\0", "${")):
        raise BadInput(
            "ssh-path-invalid",
            f"« {path} » ne peut pas servir de fichier à SSH",
            hint="donnez un chemin absolu sans guillemet, barre oblique inverse ni « ${ »",
        )
    return '"' + path.replace("%", "%%") + '"'


_WHY_FR = {  # what the system says of a connection (errno(3)), and ssh of a name or of a door that closes
    "No route to host": "rien ne répond à cette adresse",
    "Network is unreachable": "aucun chemin ne mène à ce réseau",
    "Connection refused": "aucun service n'écoute sur ce port",
    "timed out": "pas de réponse à temps",
    "Could not resolve hostname": "ce nom n'a pas d'adresse",
    "Connection reset": "la connexion a été coupée",
    "Connection closed": "la machine a fermé la connexion",
}


def refusal(host: str, spec: SshSpec, down: LinkDown) -> Unreachable:
    """What a connection that failed or was lost means. Pure: read from what ssh (OpenSSH) said.

    The other end may say anything there: its words stand in the context alone, the sentence is ours.
    """
    said = down.stderr.strip()
    where = f"{spec.user}@{spec.address}:{spec.port}"
    context = {
        "host": host,
        "ssh": where,
        **({"said": "\n".join(map(printable, said[-500:].splitlines()))} if said else {}),
    }
    if "Host key verification failed" in said or "HOST IDENTIFICATION HAS CHANGED" in said:
        changed = "HAS CHANGED" in said
        return Unreachable(
            "host-key-refused",
            f"la clé de la machine {host} {'a changé' if changed else 'est inconnue'} : connexion refusée",
            hint=f"comparez son empreinte sur place (ssh-keygen -lf), puis mettez-la dans {spec.known_hosts} ; "
            "une clé qui change sans raison connue peut être une usurpation",
            context=context,
        )
    if "UNPROTECTED PRIVATE KEY" in said or "Permission denied" in said or "invalid format" in said:
        return Unreachable(
            "ssh-auth-refused",
            f"la machine {host} refuse la clé SSH de Relève pour le compte {spec.user}",
            hint=f"mettez {spec.key}.pub dans authorized_keys de ce compte, et {spec.key} en chmod 600",
            context=context,
        )
    if down.code in (127, TOO_OLD):
        return Unreachable(
            "python-missing",
            f"python3 (3.8 ou plus récent) manque sur {host}",
            hint="installez le paquet python3 sur cette machine",
            context=context,
        )
    last = said.splitlines()[-1] if said else ""
    ours = down.reason if down.code is None or not said else f"connexion refusée (code {down.code})"
    plain = next((words for sign, words in _WHY_FR.items() if sign in last), ours)
    return Unreachable(
        "host-unreachable",
        f"la machine {host} ({where}) n'est pas joignable : {plain}",
        hint="vérifiez qu'elle est allumée, que son réseau passe et que son service SSH tourne",
        context=context,
        retryable=True,
    )


class SshHost:
    """`domain.ports.Host` on a distant machine. Safe to call from several threads.

    One connection serves all calls; it opens at the first one and again when it was lost. A call
    that was cut is not repeated: only its owner knows whether that is safe. `ssh`: the program that
    connects.
    """

    def __init__(self, spec: HostSpec, *, ssh: Sequence[str] = ("ssh",)) -> None:
        if spec.ssh is None:
            raise BadInput("host-without-ssh", f"la machine {spec.id} n'a pas de rubrique « ssh »")
        self.id = spec.id
        self._spec = spec.ssh
        self._root = spec.root
        self._argv = ssh_argv(spec.ssh, ssh)
        self._opening = threading.Lock()
        self._link: Link | None = None
        self._attempts = 0
        self._failure: LinkDown | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program, never through a shell. Raises `Unreachable`, `BadInput`."""
        asked = {"do": "run", "argv": list(argv), "user": user, "timeout": timeout, "env": dict(env or {})}
        return self._ask(asked, stdin, timeout + _GRACE, _completed)

    def read(self, path: str) -> bytes | None:
        """Bytes of a file; None when there is none. Raises `Unreachable`."""
        asked = {"do": "read", "path": path}
        return self._ask(asked, b"", _FILE_LIMIT, lambda header, body: body if header["found"] else None)

    def folder(self, path: str) -> int | None:
        """Permissions of a folder; None when there is no folder of that name. Raises `Unreachable`."""
        return self._ask({"do": "folder", "path": path}, b"", _FILE_LIMIT, _mode)

    def write(self, path: str, data: bytes, *, user: str = "", mode: int = 0o600) -> None:
        """Write a file whole, owned by `user`; on error the old content stands. Raises `Unreachable`."""
        asked = {"do": "write", "path": path, "user": user, "mode": mode}
        self._ask(asked, data, _FILE_LIMIT, _nothing)

    def remove(self, path: str) -> None:
        """Remove a file; no error when there is none. Raises `Unreachable`."""
        self._ask({"do": "remove", "path": path}, b"", _FILE_LIMIT, _nothing)

    def close(self) -> None:
        """End the connection. Another call opens a new one."""
        with self._opening:
            if self._link is not None:
                self._link.close()
                self._link = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, asked: dict[str, Any], body: bytes, limit: float, read: Callable[[Any, bytes], T]) -> T:
        """What `read` makes of the answer; one that it can't read is the other end's fault, not ours."""
        try:
            header, answered = self._connected().ask(asked, body, limit)
        except LinkDown as down:
            raise refusal(self.id, self._spec, down) from None
        except Slow:
            raise Unreachable(
                "host-slow",
                f"la réponse de la machine {self.id} arrive trop lentement : elle n'était pas finie à temps",
                hint="son réseau est peut-être saturé ; ce qui lui était demandé a pu être fait : regardez "
                "avant de recommencer",
                context={"host": self.id},
                retryable=True,
            ) from None
        except Late:
            raise Unreachable(
                "host-silent",
                f"la machine {self.id} n'a pas répondu en {limit:g} s",
                hint="son réseau est peut-être coupé, ou elle est saturée ; ce qui lui était demandé "
                "a pu être fait : regardez avant de recommencer",
                context={"host": self.id},
                retryable=True,
            ) from None
        try:
            if "failed" not in header:
                return read(header, answered)
            failure = error_of(self.id, Failed(header["failed"], **header["detail"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreachable(
                "host-answer",
                f"la machine {self.id} a répondu autre chose que ce qui lui était demandé",
                hint="regardez ce que son compte lance à la connexion, et qui y est entré",
                context={"host": self.id},
            ) from None
        raise failure

    def _connected(self) -> Link:
        seen = self._attempts
        link = self._link
        if link is not None and link.alive:
            return link
        with self._opening:
            if self._link is not None and self._link.alive:
                return self._link
            if self._attempts != seen and self._failure is not None:
                raise self._failure  # another thread has just waited for nothing: do not wait again
            self._check_files()
            try:
                self._link = Link(
                    self._argv,
                    env=_ssh_environment(),
                    config={"root": self._root},
                    opening=self._spec.connect_timeout + _OPENING,
                )
            except LinkDown as down:
                self._failure = down
                raise
            finally:
                self._attempts += 1
            self._failure = None
            return self._link

    def _check_files(self) -> None:
        for path, code in (
            (self._spec.key, "ssh-key-missing"),
            (self._spec.known_hosts, "known-hosts-missing"),
        ):
            if not Path(path).is_file():
                why = "n'est pas un fichier ordinaire" if Path(path).exists() else "n'existe pas"
                raise Unreachable(
                    code,
                    f"le fichier {path}, nécessaire pour joindre {self.id}, {why}",
                    hint="voyez le guide : une clé par plan (ssh-keygen -t ed25519) et les clés des machines "
                    "(ssh-keyscan, empreintes vérifiées sur place)",
                    context={"host": self.id},
                )


def _completed(header: Any, body: bytes) -> Completed:
    out = int(header["out"])
    return Completed(int(header["code"]), body[:out], body[out:])


def _mode(header: Any, _body: bytes) -> int | None:
    return None if header["mode"] is None else int(header["mode"])


def _nothing(_header: Any, _body: bytes) -> None:
    """A gesture that answers nothing."""


def _ssh_environment() -> dict[str, str]:
    """English messages (they are read), and no agent."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LOGNAME") if name in os.environ}
    return {**kept, "LC_ALL": "C"}
