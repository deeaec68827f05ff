"""What the system refused, in French; and which exit code a place that cannot be written means."""

from __future__ import annotations

import errno
from pathlib import Path

from releve.domain.errors import BadInput, ReleveError, Unreachable

_WHY = {
    errno.EACCES: "droits insuffisants",
    errno.EPERM: "droits insuffisants",
    errno.EROFS: "ce disque est en lecture seule",
    errno.EEXIST: "c'est un fichier, pas un dossier",
    errno.ENOTDIR: "le chemin passe par un fichier",
    errno.ENOENT: "le fichier ou le dossier n'existe pas",
    errno.EISDIR: "c'est un dossier",
    errno.ENOSPC: "le disque est plein",
    errno.EDQUOT: "le quota est atteint",
    errno.EIO: "le disque répond par une erreur",
    errno.ENAMETOOLONG: "le chemin est trop long",
    errno.EFBIG: "la taille permise est dépassée",
    errno.ELOOP: "le chemin tourne en rond par des liens",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)


def reason(error: OSError | ValueError) -> str:
    """Why a path could not be used, in French where the reason is a usual one.

    ValueError: a path that no system call accepts (a NUL in it).
    """
    number = error.errno if isinstance(error, OSError) else None
    return _WHY.get(number or 0) or getattr(error, "strerror", None) or str(error)


def unwritable(path: Path, error: OSError | ValueError, code: str = "output-unwritable") -> ReleveError:
    """The error for a `path` that could not be written: exit 6 on a full disk, 2 for all other reasons."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return Unreachable(
            "disk-full",
            f"« {path} » ne peut pas être écrit : le disque est plein",
            hint="libérez de la place, ou choisissez un autre endroit avec --output",
        )
    return BadInput(
        code,
        f"« {path} » ne peut pas être écrit : {reason(error)}",
        hint="choisissez avec --output un endroit où vous pouvez écrire",
    )
