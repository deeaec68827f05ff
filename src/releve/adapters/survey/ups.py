"""A UPS as NUT sees it, asked over NUT's own protocol: a few lines of text on a TCP port.

Protocol: Network UPS Tools, developer guide, "Network protocol information" (RFC 9271). One command is enough:
`LIST VAR name`; it needs no account. Where the server of NUT listens to its own machine alone, `upsc` of that
machine is run there instead.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from time import monotonic

from releve.adapters.survey.telling import text
from releve.domain.audit import Found, Gap
from releve.domain.errors import BadInput, ReleveError, Unreachable
from releve.domain.inventory import Equipment
from releve.domain.os_errors import reason
from releve.domain.ports import Host
from releve.domain.seen import Ups

PORT = 3493  # IANA: nut
_LARGEST = 256 * 1024  # bytes; a UPS has some eighty variables
_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_LINE = re.compile(r'^VAR (\S+) (\S+) "((?:[^"\\]|\\.)*)"$')

_REFUSALS = {
    "UNKNOWN-UPS": "le serveur NUT ne connaît pas cet onduleur : corrigez « nut » dans le plan",
    "DRIVER-NOT-CONNECTED": "le pilote NUT de cet onduleur ne tourne pas",
    "DATA-STALE": "l'onduleur ne répond plus à son pilote NUT (câble débranché ?)",
    "ACCESS-DENIED": "le serveur NUT refuse cette machine",
}


@dataclass(frozen=True, slots=True)
class NutPlace:
    """A UPS at its NUT server. `host` empty: the plan names none."""

    name: str
    host: str = ""
    port: int = PORT


def nut_place(written: str) -> NutPlace:
    """`name[@host[:port]]`, as NUT's own programs read it. Raises `BadInput`."""
    name, _, where = written.partition("@")
    host, colon, port = where.rpartition(":") if re.search(r":\d+$", where) else (where, "", "")
    host = host.removeprefix("[").removesuffix("]")
    if not _NAME.match(name) or host.startswith("-") or (colon and not 0 < int(port) < 65_536):
        raise BadInput(
            "nut-name",
            f"« {written} » ne désigne pas un onduleur",
            hint="écrivez onduleur@10.1.0.9, ou onduleur@10.1.0.9:3493",
        )
    return NutPlace(name, host, int(port) if colon else PORT)


def server(device: Equipment) -> str:
    """The server of NUT that has it: the one that `device.nut` names, else its own address, else this machine.

    Raises `BadInput` as `nut_place` does.
    """
    return nut_place(device.nut).host or device.address or "127.0.0.1"


def ups(device: Equipment, *, host: Host | None = None, timeout: float = 5.0) -> Found:
    """A `Ups`, or the gap that says why there is none. Never raises for what is answered.

    `host`: ask there, with its `upsc`, rather than its `server`. `timeout`: seconds in all. `simulated`: NUT's own driver of imaginary UPS speaks.
    """
    try:
        place = nut_place(device.nut)
        told = _through(host, place, timeout) if host is not None else _listed(place, server(device), timeout)
    except ReleveError as error:
        return Found(gaps=(Gap(error.code, error.sentence),))
    if told.get("ups.status", "WAIT") == "WAIT":  # upsd has not heard its driver yet
        return Found(gaps=(Gap("ups-mute", "NUT ne dit rien de son état"),))
    return Found((_fact(device.id, told),))


def _fact(device: str, told: Mapping[str, str]) -> Ups:
    return Ups(
        device,
        text(told["ups.status"]),
        _number(told.get("battery.charge")),
        _number(told.get("battery.runtime")),
        text(told.get("battery.date") or told.get("battery.mfr.date", "")),
        text(told.get("device.model") or told.get("ups.model", "")),
        told.get("driver.name", "").startswith("dummy-ups"),
    )


def _number(value: str | None) -> float | None:
    try:
        found = float(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and isfinite(found) else None


def _listed(place: NutPlace, address: str, timeout: float) -> Mapping[str, str]:
    """The variables, from the server itself. Raises `Unreachable`."""
    until = monotonic() + timeout
    end = f"END LIST VAR {place.name}\n".encode()
    raw = b""
    try:
        with socket.create_connection((address, place.port), timeout=timeout) as link:
            link.sendall(f"LIST VAR {place.name}\n".encode())
            while not raw.endswith(end) and not (raw.startswith(b"ERR ") and raw.endswith(b"\n")):
                link.settimeout(max(0.01, until - monotonic()))
                piece = link.recv(65_536)
                raw += piece
                if not piece or len(raw) > _LARGEST:
                    raise _unclear()
            link.sendall(b"LOGOUT\n")
    except OSError as error:
        raise Unreachable(
            "ups-silent",
            f"le serveur NUT {address}:{place.port} ne répond pas : {reason(error)}",
            retryable=True,
        ) from error
    return variables(raw)


def variables(raw: bytes) -> Mapping[str, str]:
    """What a NUT server answered to `LIST VAR`. Raises `Unreachable` when it refused, or said anything else."""
    lines = raw.decode("utf-8", "replace").splitlines()
    if lines and lines[0].startswith("ERR "):
        word = [*lines[0].split(), ""][1]
        said = _REFUSALS.get(word, f"le serveur NUT refuse de répondre ({text(word)})")
        raise Unreachable("ups-refused", said)
    found = [_LINE.match(line) for line in lines[1:-1]]
    if not lines or not lines[0].startswith("BEGIN LIST VAR ") or None in found:
        raise _unclear()
    return {one[2]: re.sub(r"\\(.)", r"\1", one[3]) for one in found if one}


def _through(host: Host, place: NutPlace, timeout: float) -> Mapping[str, str]:
    """The variables, from `upsc` of a machine. Raises `Unreachable`, `BadInput`."""
    done = host.run(("upsc", f"{place.name}@127.0.0.1:{place.port}"), timeout=timeout)
    if done.code:
        said = done.stderr.decode("utf-8", "replace")
        word = next((word for word in _REFUSALS if word.replace("-", " ").lower() in said.lower()), "")
        raise Unreachable(
            "ups-refused" if word else "ups-silent",
            _REFUSALS.get(word, f"le serveur NUT de {host.id} ne répond pas"),
        )
    pairs = (line.partition(": ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def _unclear() -> Unreachable:
    return Unreachable("answer-unclear", "ce que le serveur NUT a répondu ne se comprend pas")
