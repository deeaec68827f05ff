"""A photo or a scan kept beside an answer (`releve audit answer --photo`), under the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from releve.adapters.notes import replace
from releve.domain.errors import BadInput, Unreachable
from releve.domain.os_errors import reason

LONGEST = 20_000_000  # bytes
_KINDS = (  # how each begins: JFIF and Exif, PNG, RIFF's WebP, ISO 14496-12 with the brands of HEIF, ISO 32000
    (".jpg", re.compile(rb"\xff\xd8\xff")),
    (".png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    (".webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    (".heic", re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)),
    (".pdf", re.compile(rb"%PDF-")),
)


def kept(folder: Path, photo: str) -> str:
    """The SHA-256 of a picture, once it is kept in `folder` under that name. Raises `BadInput`, `Unreachable`."""
    path = Path(photo)
    raw = _read(path)
    ending = next((ending for ending, begins in _KINDS if begins.match(raw)), "")
    if not ending:
        raise BadInput(
            "photo-kind",
            f"{path} n'est ni une image ni un PDF",
            hint="gardez une photo JPEG, PNG, WebP ou HEIC, ou un PDF",
        )
    digest = hashlib.sha256(raw).hexdigest()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        replace(folder / f"{digest}{ending}", raw)
    except OSError as error:
        said = f"{path} ne peut pas être gardé dans {folder} : {reason(error)}"
        raise Unreachable("photo-unwritable", said) from error
    return digest


def _read(path: Path) -> bytes:
    """The bytes of a regular file, which neither waits for anybody nor goes on without end."""
    try:
        # O_NONBLOCK: a pipe without a writer opens at once, and is then refused.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadInput(
                    "photo-no-file", f"{path} n'est pas un fichier", hint="donnez le fichier de la photo"
                )
            raw = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        raise Unreachable("photo-unreadable", f"{path} ne peut pas être lu : {reason(error)}") from error
    if len(raw) > LONGEST:
        raise BadInput("photo-big", f"{path} pèse plus de {LONGEST // 10**6} Mo")
    return raw
