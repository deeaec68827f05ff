"""A base against its own manifest: nothing missing, nothing else, every file as it was written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from releve.adapters.engines.postgresql.parse import lsn
from releve.domain.errors import PromiseBroken

MANIFEST = "backup_manifest"
WHOLE = "inventaire de la base"
SIZES = "inventaire de la base (noms et tailles : pg_verifybackup ne tourne pas ici)"


def check(program: str, data: Path) -> str:
    """What was compared, in French. Raises `PromiseBroken` with what is not as the manifest says.

    pg_verifybackup compares checksums. Where it is missing or crashes (that of one wheel of PostgreSQL 18 does), names and sizes
    are compared here; that the bytes are those which were saved, the vault's own seals have shown.
    """
    try:
        ran = subprocess.run(
            [program, "--exit-on-error", "--quiet", str(data)],
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return _sizes(data)
    if ran.returncode < 0:
        return _sizes(data)
    if ran.returncode:
        raise _damaged(ran.stderr.decode(errors="replace").strip()[-500:])
    return WHOLE


def wal_range(data: Path) -> tuple[int, int, int]:
    """Timeline, first and last position of the WAL without which the copy is not consistent."""
    try:
        ranges = json.loads((data / MANIFEST).read_text(encoding="utf-8"))["WAL-Ranges"]
        first, last = ranges[0], ranges[-1]
        return int(last["Timeline"]), lsn(first["Start-LSN"]), lsn(last["End-LSN"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PromiseBroken("base-manifest", f"l'inventaire de la base ne se lit pas : {error}") from error


def _sizes(data: Path) -> str:
    try:
        files = json.loads((data / MANIFEST).read_text(encoding="utf-8"))["Files"]
        listed = {_path(one): int(one["Size"]) for one in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PromiseBroken("base-manifest", f"l'inventaire de la base ne se lit pas : {error}") from error
    for path, size in listed.items():
        try:
            there = os.stat(os.fsencode(data) + b"/" + path).st_size
        except FileNotFoundError as error:
            raise _damaged(f"{os.fsdecode(path)} manque") from error
        if there != size:
            raise _damaged(f"{os.fsdecode(path)} a {there} octets au lieu de {size}")
    return SIZES


def _path(one: dict[str, str]) -> bytes:
    return bytes.fromhex(one["Encoded-Path"]) if "Encoded-Path" in one else os.fsencode(one["Path"])


def _damaged(said: str) -> PromiseBroken:
    return PromiseBroken(
        "base-damaged",
        "la base n'est pas celle que son inventaire décrit",
        hint="prenez-en une autre, ou restaurez à partir d'une base plus ancienne",
        context={"détail": said},
    )
