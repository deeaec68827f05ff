"""A vault in an S3 bucket (Amazon's, a hosted one, MinIO…), through obstore.

Not every server called S3 does what S3 says: some ignore ranges, some overwrite what should only be created.
The first is noticed at each read, and the whole object is read instead; the second harms only `config` (every
other name is the hash of its bytes), so `make` looks before it writes, and tells.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import obstore
from obstore import exceptions as said
from obstore.store import S3Store as Bucket

from releve.adapters.vault.store import Absent, Entry, Kind, is_name, not_empty
from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable

_TRIES = 5
_PATIENCE = timedelta(seconds=60)  # for all tries of one request
_CHUNK = 1000  # entries asked for at once: what S3 gives in one answer


class S3Store:
    """`s3:https://server/bucket/prefix`, as restic writes it; keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""

    def __init__(self, where: str, environment: Mapping[str, str] | None = None) -> None:
        """Raises `BadInput` for an address that is not one, or without keys."""
        self.where = where
        found = os.environ if environment is None else environment
        url = urlsplit(where.removeprefix("s3:"))
        bucket, _, prefix = url.path.strip("/").partition("/")
        if url.scheme not in {"http", "https"} or not bucket:
            raise BadInput(
                "vault-address",
                f"« {where} » n'est pas une adresse S3",
                hint="écrivez s3:https://serveur/seau/dossier",
            )
        try:
            keys = found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]
        except KeyError as error:
            raise BadInput(
                "vault-credentials",
                f"il manque {error.args[0]} pour entrer chez {url.netloc}",
                hint="donnez AWS_ACCESS_KEY_ID et AWS_SECRET_ACCESS_KEY dans l'environnement",
            ) from error
        self._bucket = Bucket(
            bucket,
            prefix=prefix or None,
            endpoint=f"{url.scheme}://{url.netloc}",
            region=found.get("AWS_DEFAULT_REGION", "us-east-1"),
            access_key_id=keys[0],
            secret_access_key=keys[1],
            virtual_hosted_style_request=False,
            client_options={"allow_http": url.scheme == "http", "timeout": timedelta(seconds=120)},
            retry_config={"max_retries": _TRIES, "retry_timeout": _PATIENCE},
        )
        self._ranges = True

    def clock(self) -> datetime | None:
        """See `Store`."""
        return None

    def make(self) -> Sequence[str]:
        """See `Store`."""
        with self._saying():
            if next(iter(obstore.list(self._bucket, chunk_size=1)), None):
                raise not_empty(self.where)
        return self._probe()

    def _probe(self) -> list[str]:
        """What this server does not do, found by doing it on an object of no use."""
        name = f"releve-essai-{secrets.token_hex(8)}"
        lacking = []
        with self._saying():
            obstore.put(self._bucket, name, b"0123456789", mode="create")
            try:
                obstore.put(self._bucket, name, b"----------", mode="create")
                lacking.append("il laisse écraser un objet qui existe")
            except said.AlreadyExistsError:
                pass
            except said.BaseError:
                lacking.append("il ne connaît pas la création exclusive")
            obstore.put(self._bucket, name, b"0123456789")
            try:
                whole = bytes(obstore.get_range(self._bucket, name, start=3, length=4)) == b"3456"
            except said.BaseError:
                whole = False
            if not whole:
                self._ranges = False
                lacking.append("il ne sait pas lire une partie d'un objet")
            obstore.delete(self._bucket, name)
        return lacking

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Store`."""
        with self._saying():
            for some in obstore.list(self._bucket, prefix=kind.value, chunk_size=_CHUNK):
                for one in some:
                    name = one["path"].rpartition("/")[2]
                    if is_name(name):
                        yield Entry(name, one["size"], int(one["last_modified"].timestamp() * 1e9))

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See `Store`."""
        path = _path(kind, name)
        if length == 0:
            return b""
        with self._saying(path):
            if length >= 0 and self._ranges:
                try:
                    found = bytes(obstore.get_range(self._bucket, path, start=offset, length=length))
                except said.NotFoundError:
                    raise
                except said.GenericError:
                    found = b""
                if len(found) == length:
                    return found
                # Cut short, or not a range at all: what the whole object says is believed instead.
            whole = bytes(obstore.get(self._bucket, path).bytes())
        return whole[offset:] if length < 0 else whole[offset : offset + length]

    def write(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`."""
        with self._saying():
            try:
                obstore.put(self._bucket, _path(kind, name), b"".join(parts), mode="create")
            except said.AlreadyExistsError:
                return
            except (said.NotSupportedError, said.PreconditionError):
                self.replace(kind, name, parts)

    def replace(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`."""
        with self._saying():
            obstore.put(self._bucket, _path(kind, name), b"".join(parts), mode="overwrite")

    def remove(self, kind: Kind, name: str) -> None:
        """See `Store`."""
        with self._saying():
            try:
                obstore.delete(self._bucket, _path(kind, name))
            except said.NotFoundError:
                return

    @contextmanager
    def _saying(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except (said.NotFoundError, FileNotFoundError) as error:
            if path:
                raise Absent(path) from error
            raise Unreachable(
                "vault-missing",
                f"il n'y a rien à cette adresse : {self.where}",
                hint="faites d'abord le seau chez l'hébergeur, puis releve vault init",
            ) from error
        except (said.PermissionDeniedError, said.UnauthenticatedError) as error:
            raise Refused(
                "vault-denied",
                f"le serveur refuse : {self.where}",
                hint="vérifiez les clés d'accès et leurs droits ; une clé d'ajout seul ne peut rien retirer",
            ) from error
        except said.BaseError as error:
            raise _unreachable(self.where, error) from error


def _path(kind: Kind, name: str) -> str:
    if kind is Kind.CONFIG:
        return "config"
    return f"data/{name[:2]}/{name}" if kind is Kind.DATA else f"{kind.value}/{name}"


def _unreachable(where: str, error: Exception) -> ReleveError:
    first = str(error).strip().splitlines()
    return Unreachable(
        "vault-unreachable",
        f"le coffre {where} ne répond pas",
        hint="vérifiez l'adresse et le réseau, puis relancez : ce qui est déjà dans le coffre n'est pas renvoyé, à 30 s de travail près",
        context={"dit": first[0][:200] if first else type(error).__name__},
        retryable=True,
    )
