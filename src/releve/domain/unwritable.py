"""What to say, and which exit code, when a place that the user chose cannot be written."""

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
    errno.ENOENT: "le dossier n'existe pas",
    errno.EISDIR: "c'est un dossier",
    errno.ENAMETOOLONG: "le chemin est trop long",
    errno.EFBIG: "la taille permise est dépassée",
    errno.ELOOP: "le chemin tourne en rond par des liens",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)


def unwritable(path: Path, error: OSError | ValueError, code: str = "output-unwritable") -> ReleveError:
    """The error for a `path` that could not be written: exit 6 on a full disk, 2 for all other reasons.

    ValueError: a path that no system call accepts (a NUL in it).
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return Unreachable(
            "disk-full",
            f"« {path} » ne peut pas être écrit : le disque est plein",
            hint="libérez de la place, ou choisissez un autre endroit avec --output",
        )
    why = _WHY.get(number or 0) or getattr(error, "strerror", None) or str(error)
    return BadInput(
        code,
        f"« {path} » ne peut pas être écrit : {why}",
        hint="choisissez avec --output un endroit où vous pouvez écrire",
    )
