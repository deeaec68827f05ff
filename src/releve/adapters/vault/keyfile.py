"""Key files: the one master key of a vault, wrapped once for every password.

Source: restic's design document, "Keys, Encryption and MAC", and its `internal/repository/key.go`.
Removing a key file closes a door; it does not change the master key behind it.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import json
import os
import socket
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from releve.adapters.vault.clock import rfc3339
from releve.adapters.vault.seal import Key

_SALT = 64  # bytes; restic refuses any other length


@dataclass(frozen=True, slots=True)
class Cost:
    """The price of one guess. Memory is 128 * n * r bytes; time grows with n * r * p."""

    n: int = 32768
    r: int = 8
    p: int = 7


# What restic's own calibration (500 ms and 60 MiB at most) chose on the machine of decision 0012.
USUAL = Cost()


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file says without its password. `label`: what the key is for, where we made it for something."""

    id: str
    created: str
    username: str
    hostname: str
    label: str = ""


def wrap(
    key: Key, password: str, *, at: datetime, cost: Cost = USUAL, hostname: str = "", label: str = ""
) -> bytes:
    """The bytes of a key file that opens `key` with `password`; its name is their SHA-256.

    `label` is a field of ours, that restic passes over. Whoever holds the disk reads it.
    """
    salt = os.urandom(_SALT)
    master = {"mac": {"k": _b64(key.k), "r": _b64(key.r)}, "encrypt": _b64(key.encrypt)}
    plain = json.dumps(master, separators=(",", ":")).encode()
    value = {
        "created": rfc3339(at),
        "username": _account(),
        "hostname": hostname or socket.gethostname(),
        "kdf": "scrypt",
        "N": cost.n,
        "r": cost.r,
        "p": cost.p,
        "salt": _b64(salt),
        "data": _b64(_user_key(password, salt, cost).seal(plain)),
        **({"label": label} if label else {}),
    }
    return json.dumps(value, separators=(",", ":")).encode()


def unwrap(raw: bytes, password: str) -> Key:
    """The master key. Raises `Forged` for a wrong password, ValueError for a file that is not a key."""
    try:
        value = json.loads(raw)
        if value["kdf"] != "scrypt":
            raise ValueError(f"kdf {value['kdf']}")
        cost = Cost(int(value["N"]), int(value["r"]), int(value["p"]))
        user = _user_key(password, base64.b64decode(value["salt"]), cost)
        sealed = base64.b64decode(value["data"])
    except (KeyError, TypeError, binascii.Error, UnsupportedAlgorithm, MemoryError) as error:
        raise ValueError(f"not a key file: {error}") from error
    master = json.loads(user.unseal(sealed))
    return Key(
        base64.b64decode(master["encrypt"]),
        base64.b64decode(master["mac"]["k"]),
        base64.b64decode(master["mac"]["r"]),
    )


def describe(raw: bytes) -> KeyFile:
    """What the file says of itself. Raises ValueError."""
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("not a key file")
    return KeyFile(
        hashlib.sha256(raw).hexdigest(),
        str(value.get("created", "")),
        str(value.get("username", "")),
        str(value.get("hostname", "")),
        str(value.get("label", "")),
    )


def _user_key(password: str, salt: bytes, cost: Cost) -> Key:
    derived = Scrypt(salt=salt, length=64, n=cost.n, r=cost.r, p=cost.p).derive(password.encode())
    return Key.of(derived)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
