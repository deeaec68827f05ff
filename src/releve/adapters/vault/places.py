"""A vault's address -> its store: a folder, `s3:…` or `rest:…`, written as restic writes them."""

from __future__ import annotations

import re
from pathlib import Path

from releve.adapters.vault.store import FolderStore, Store
from releve.domain.errors import BadInput

_SCHEME = re.compile("[a-z][a-z0-9+.-]+:")  # sftp:, b2:, a letter that slipped: no folder is meant


def store_at(where: str) -> Store:
    """The store of that address. Raises `BadInput`."""
    if where.startswith("s3:"):
        from releve.adapters.vault.s3 import S3Store

        return S3Store(where)
    if where.startswith("rest:"):
        from releve.adapters.vault.rest import RestStore

        return RestStore(where)
    if _SCHEME.match(where) and not Path(where).exists():
        raise BadInput(
            "vault-address",
            f"« {where} » n'est pas une adresse que Relève connaît",
            hint="un dossier (disque, NAS monté), s3:https://serveur/seau/dossier ou rest:https://serveur/…",
        )
    return FolderStore(Path(where).absolute())
