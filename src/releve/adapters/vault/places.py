"""A vault's address -> its store: a folder, `s3:…` or `rest:…`, written as restic writes them."""

from __future__ import annotations

from pathlib import Path

from releve.adapters.vault.store import FolderStore, Store


def store_at(where: str) -> Store:
    """The store of that address. Raises `BadInput`."""
    if where.startswith("s3:"):
        from releve.adapters.vault.s3 import S3Store

        return S3Store(where)
    if where.startswith("rest:"):
        from releve.adapters.vault.rest import RestStore

        return RestStore(where)
    return FolderStore(Path(where).absolute())
