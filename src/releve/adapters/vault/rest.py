"""A vault behind a REST server: rest-server, or `rclone serve restic` in front of what rclone knows.

Source of the protocol: restic's `doc/REST_backend.rst`. What a server does not check (rclone does not compare
a name with its content) the reader checks; a server in append-only mode refuses to remove anything but locks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from releve.adapters.vault.store import Absent, Entry, Kind, is_name, not_empty
from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable

_VERSION = "application/vnd.x.restic.rest.v2"
_PAUSES = (0.5, 2.0, 5.0)  # seconds between tries of a request that the network cut
_PATIENCE = httpx.Timeout(120.0, connect=10.0)


class RestStore:
    """`rest:http://user:password@server:8000/path/`, as restic writes it.

    An address without account takes RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, as restic does since 0.16: a plan,
    or a list of processes, then shows no secret.
    """

    def __init__(self, where: str, environment: Mapping[str, str] | None = None) -> None:
        """Raises `BadInput` for an address that is not one."""
        known = os.environ if environment is None else environment
        try:
            url = httpx.URL(where.removeprefix("rest:"))
        except httpx.InvalidURL as error:
            raise _no_address(where) from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise _no_address(where)
        self.where = f"rest:{url.copy_with(username=None, password=None)}"
        if not url.userinfo and known.get("RESTIC_REST_USERNAME"):
            url = url.copy_with(
                username=known["RESTIC_REST_USERNAME"], password=known.get("RESTIC_REST_PASSWORD", "")
            )
        self._client = httpx.Client(
            base_url=url.copy_with(path=url.path.rstrip("/") + "/"),
            headers={"Accept": _VERSION},
            timeout=_PATIENCE,
            trust_env=False,
        )
        self._clock: datetime | None = None

    def clock(self) -> datetime | None:
        """See `Store`: the date that the server gave with its last answer."""
        return self._clock

    def make(self) -> Sequence[str]:
        """See `Store`."""
        if self._ask("HEAD", "config", missing=True) is not None:
            raise not_empty(self.where)
        self._ask("POST", "?create=true")
        if next(iter(self.entries(Kind.KEYS)), None) or next(iter(self.entries(Kind.SNAPSHOTS)), None):
            raise not_empty(self.where)
        return []

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Store`. A REST server tells no times of its files."""
        found = self._ask("GET", f"{kind.value}/", missing=True)
        if found is None:
            if kind is Kind.KEYS:
                raise Unreachable(
                    "vault-missing",
                    f"il n'y a pas de coffre à cette adresse : {self.where}",
                    hint="vérifiez l'adresse ; un coffre neuf se fait par « releve vault init »",
                )
            return
        try:
            items = found.json() or []
        except ValueError as error:
            raise self._odd("une liste illisible") from error
        for item in items:
            name, size = (item.get("name"), item.get("size")) if isinstance(item, Mapping) else (item, None)
            if not isinstance(name, str) or not is_name(name):
                continue
            yield Entry(name, size if isinstance(size, int) else self._size(kind, name))

    def _size(self, kind: Kind, name: str) -> int:
        found = self._ask("HEAD", _path(kind, name), missing=True)
        return 0 if found is None else int(found.headers.get("Content-Length", 0))

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See `Store`."""
        if length == 0:
            return b""
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"} if length > 0 else {}
        found = self._ask("GET", _path(kind, name), headers=asked, missing=True)
        if found is None:
            raise Absent(f"{kind}/{name}")
        if length < 0:
            return found.content[offset:]
        return (
            found.content
            if found.status_code == httpx.codes.PARTIAL_CONTENT
            else found.content[offset:][:length]
        )

    def write(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`."""
        whole = b"".join(parts)
        try:
            self._ask("POST", _path(kind, name), content=whole)
        except Refused:
            # An append-only server refuses a name that exists: then it is ours, or the write was not allowed.
            if kind is Kind.CONFIG or self._size(kind, name) != len(whole):
                raise

    def replace(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`. Not at once here: the protocol has no way to put one file in the place of another."""
        self.remove(kind, name)
        self._ask("POST", _path(kind, name), content=b"".join(parts))

    def remove(self, kind: Kind, name: str) -> None:
        """See `Store`."""
        self._ask("DELETE", _path(kind, name), missing=True)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        missing: bool = False,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response | None:
        """One request, tried again when the network cuts it: each of them may be repeated. None: `missing`."""
        for pause in (*_PAUSES, None):
            try:
                found = self._client.request(method, path, content=content, headers=dict(headers or {}))
            except httpx.TransportError as error:
                if pause is None:
                    raise self._cut(error) from error
                time.sleep(pause)
                continue
            if found.is_server_error and found.status_code != httpx.codes.INSUFFICIENT_STORAGE and pause:
                time.sleep(pause)
                continue
            break
        with suppress(ValueError, TypeError):
            self._clock = parsedate_to_datetime(found.headers.get("Date", "")).astimezone(UTC)
        if found.is_success:
            return found
        if found.status_code == httpx.codes.NOT_FOUND and missing:
            return None
        raise self._refusal(found, path)

    def _refusal(self, found: httpx.Response, path: str) -> ReleveError:
        code = found.status_code
        if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return Refused(
                "vault-denied",
                f"le serveur {self.where} refuse ({code}) : {path}",
                hint="vérifiez le compte (dans l'adresse, ou RESTIC_REST_USERNAME et RESTIC_REST_PASSWORD) ; un serveur d'ajout seul (append-only) ne laisse rien retirer ni remplacer",
            )
        if code == httpx.codes.INSUFFICIENT_STORAGE:
            return Unreachable(
                "vault-full",
                f"le coffre {self.where} ne peut plus rien recevoir",
                hint="libérez de la place puis relancez : ce qui est déjà dans le coffre n'est pas renvoyé, à 30 s de travail près",
                retryable=True,
            )
        return self._odd(f"réponse {code} pour {path}")

    def _odd(self, what: str) -> ReleveError:
        return Unreachable(
            "vault-unreachable",
            f"le serveur {self.where} ne répond pas comme un coffre : {what}",
            hint="vérifiez l'adresse : est-ce bien un serveur REST de restic ?",
            retryable=True,
        )

    def _cut(self, error: httpx.TransportError) -> ReleveError:
        return Unreachable(
            "vault-unreachable",
            f"le serveur {self.where} ne répond pas",
            hint="vérifiez le réseau, puis relancez : ce qui est déjà dans le coffre n'est pas renvoyé, à 30 s de travail près",
            context={"dit": f"{type(error).__name__} {error}".strip()[:200]},
            retryable=True,
        )


def _path(kind: Kind, name: str) -> str:
    return "config" if kind is Kind.CONFIG else f"{kind.value}/{name}"


def _no_address(where: str) -> BadInput:
    return BadInput(
        "vault-address",
        f"« {where} » n'est pas une adresse REST",
        hint="écrivez rest:http://serveur:8000/coffre",
    )
