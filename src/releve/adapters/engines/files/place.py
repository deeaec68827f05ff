"""Whether a folder is still the one that was known. A disk that is not mounted leaves another one under its name."""

from __future__ import annotations

import os
from collections.abc import Iterable

from releve.adapters.engines.files.events import join
from releve.domain.errors import Unreachable

_MAKERS = b"lost+found"  # every new ext file system has one (mke2fs(8)): it says nothing


def shown(path: bytes) -> str:
    """A path in a sentence: bytes that are no UTF-8 are escaped."""
    return path.decode("utf-8", "backslashreplace")


def absent(root: bytes, names: Iterable[bytes]) -> bytes:
    """One of the `names`, when the folder has none of them any more; empty when one is there, or none was known."""
    example = b""
    for name in names:
        if name == _MAKERS:
            continue
        if os.path.lexists(join(root, name)):
            return b""
        example = example or name
    return example


def elsewhere(root: bytes, example: bytes, way_out: str) -> Unreachable:
    """The error to raise. `example`: a name that is missing; `way_out`: what to do when it is meant, in French."""
    return Unreachable(
        "share-missing",
        f"« {shown(root)} » est un autre dossier qu'avant, sans rien de ce qu'il contenait : disque non monté ?",
        hint=f"remontez le disque ; tant qu'il manque, rien n'est effacé. {way_out}",
        context={"manque": shown(example)},
        retryable=True,
    )
