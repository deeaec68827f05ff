"""Where the files of a vault lie. The vault needs these few verbs; a folder is the first that has them.

Every file is written once, appears whole or not at all, and is durable when `write` returns.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable
from releve.domain.os_errors import reason


class Kind(StrEnum):
    """The folders of a vault; `config` is a file of its own."""

    CONFIG = "config"
    KEYS = "keys"
    SNAPSHOTS = "snapshots"
    INDEX = "index"
    DATA = "data"
    LOCKS = "locks"


class Absent(Exception):
    """There is no such file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the store. `seen` is the store's own time of it, nanoseconds since 1970; 0: it has none."""

    name: str
    size: int
    seen: int = 0


class Store(Protocol):
    """What the vault asks of a place. Each raises `Unreachable` or `Refused` when the place says no."""

    where: str

    def clock(self) -> datetime | None:
        """What time it is there, when the place tells it apart from its files; None: only its files do."""
        ...

    def make(self) -> Sequence[str]:
        """Make an empty place; what the server there does not do, in words. Raises `BadInput` on one that is not empty."""
        ...

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """Every file of a kind, in no order. Names that are not 64 hexadecimal digits are not ours."""
        ...

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        """Bytes of a file; `length` -1: to its end. Raises `Absent`."""
        ...

    def write(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """Make a file of these parts, which may be asked for twice; one that is already there keeps its bytes."""
        ...

    def replace(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """Put whole bytes in the place of a damaged file, at once."""
        ...

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a file; no error when there is none."""
        ...


class Disk(Protocol):
    """The few calls by which a folder store changes a disk; a test may stand in between."""

    def create(self, path: Path, parts: Iterable[bytes]) -> None:
        """Make a new file and make its bytes durable."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its final name, over what may be there."""
        ...

    def sync(self, folder: Path) -> None:
        """Make the names of a folder durable."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        ...

    def mkdir(self, path: Path) -> None:
        """Make a folder and those above it; no error when it is there."""
        ...


class RealDisk:
    """The disk itself. A failed fsync is final: the file is given up, never synced again."""

    def create(self, path: Path, parts: Iterable[bytes]) -> None:
        """Write, then fsync; what was begun goes away on an error."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                for part in parts:
                    view = memoryview(part)
                    while view:
                        view = view[file.write(view) :]
                self.fsync(handle)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise

    def rename(self, old: Path, new: Path) -> None:
        """One rename."""
        old.rename(new)

    def sync(self, folder: Path) -> None:
        """One fsync of the folder."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.fsync(handle)
        finally:
            os.close(handle)

    def fsync(self, handle: int) -> None:
        """Make durable what this open file or folder holds."""
        os.fsync(handle)

    def unlink(self, path: Path) -> None:
        """One unlink."""
        path.unlink(missing_ok=True)

    def mkdir(self, path: Path) -> None:
        """Make it, private."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _pread(handle: int, wanted: int, offset: int) -> bytes:
    """So many bytes from there, fewer only at the end: one call seldom gives more than 2 GiB."""
    found = os.pread(handle, wanted, offset)
    if len(found) == wanted or not found:
        return found
    parts, missing = [found], wanted - len(found)
    while missing and (more := os.pread(handle, missing, offset + wanted - missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


_HEX = frozenset("0123456789abcdef")


def is_name(name: str) -> bool:
    """Whether a file of a vault may be called so."""
    return len(name) == 64 and _HEX.issuperset(name)


def not_empty(where: str) -> BadInput:
    """The error of a new vault where something lies already."""
    return BadInput(
        "vault-not-empty",
        f"« {where} » n'est pas vide",
        hint="choisissez un dossier neuf : un coffre ne se mêle à rien d'autre",
    )


class FolderStore:
    """A folder: a disk, a USB drive, a mounted NAS."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.where = str(root)
        self._disk: Disk = disk or RealDisk()

    def clock(self) -> datetime | None:
        """See `Store`."""
        return None

    def make(self) -> Sequence[str]:
        """See `Store`."""
        try:
            if self.root.exists() and any(self.root.iterdir()):
                raise not_empty(str(self.root))
            for kind in Kind:
                if kind is not Kind.CONFIG:
                    self._disk.mkdir(self.root / kind)
            for number in range(256):
                self._disk.mkdir(self.root / Kind.DATA / f"{number:02x}")
            self._disk.sync(self.root)
            self._disk.sync(self.root / Kind.DATA)
        except OSError as error:
            raise self._said(error) from error
        return ()

    def entries(self, kind: Kind) -> Iterator[Entry]:
        """See `Store`."""
        folder = self.root / kind
        try:
            if kind is Kind.DATA:
                for sub in sorted(folder.iterdir()):
                    if sub.is_dir():
                        yield from self._files(sub)
            else:
                yield from self._files(folder)
        except FileNotFoundError as error:
            raise self._missing() from error
        except OSError as error:
            raise self._said(error) from error

    def _files(self, folder: Path) -> Iterator[Entry]:
        with os.scandir(folder) as found:
            for item in found:
                if is_name(item.name):
                    with suppress(FileNotFoundError):  # removed since it was listed
                        facts = item.stat()
                        yield Entry(item.name, facts.st_size, facts.st_mtime_ns)

    def read(self, kind: Kind, name: str, offset: int = 0, length: int = -1) -> bytes:
        """See `Store`."""
        try:
            handle = os.open(self._text(kind, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                wanted = length if length >= 0 else max(0, os.fstat(handle).st_size - offset)
                return _pread(handle, wanted, offset)
            finally:
                os.close(handle)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Absent(f"{kind}/{name}") from error
        except OSError as error:
            raise self._said(error) from error

    def write(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`. Temporary file beside it, fsync, rename, fsync of the folder."""
        if not self._path(kind, name).exists():
            self.replace(kind, name, parts)

    def replace(self, kind: Kind, name: str, parts: Iterable[bytes]) -> None:
        """See `Store`."""
        path = self._path(kind, name)
        draft = path.with_name(f"{name}-tmp-{secrets.token_hex(4)}")
        try:
            try:
                self._disk.create(draft, parts)
            except FileNotFoundError:
                if not (self.root / "config").exists():
                    raise  # a disk that is not mounted: no vault is begun in the folder where it should be
                self._disk.mkdir(path.parent)
                self._disk.sync(path.parent.parent)
                self._disk.create(draft, parts)
            try:
                self._disk.rename(draft, path)
            except OSError:
                with suppress(OSError):
                    self._disk.unlink(draft)
                raise
            self._disk.sync(path.parent)
        except FileNotFoundError as error:
            raise self._missing() from error
        except OSError as error:
            raise self._said(error) from error

    def remove(self, kind: Kind, name: str) -> None:
        """See `Store`."""
        path = self._path(kind, name)
        try:
            self._disk.unlink(path)
            self._disk.sync(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._said(error) from error

    def _text(self, kind: Kind, name: str) -> str:
        """The same as `_path`, for what is read a million times."""
        if kind is Kind.DATA:
            return f"{self.where}/data/{name[:2]}/{name}"
        return f"{self.where}/config" if kind is Kind.CONFIG else f"{self.where}/{kind}/{name}"

    def _path(self, kind: Kind, name: str) -> Path:
        if kind is Kind.CONFIG:
            return self.root / "config"
        if kind is Kind.DATA:
            return self.root / kind / name[:2] / name
        return self.root / kind / name

    def _missing(self) -> Unreachable:
        return Unreachable(
            "vault-missing",
            f"il n'y a pas de coffre à cet endroit : {self.root}",
            hint="vérifiez le chemin et le montage ; un coffre neuf se fait par « releve vault init »",
            retryable=True,
        )

    def _said(self, error: OSError) -> ReleveError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Unreachable(
                "vault-full",
                f"le coffre {self.root} ne peut plus rien recevoir : {reason(error)}",
                hint="libérez de la place puis relancez : ce qui est déjà dans le coffre n'est pas renvoyé, à 30 s de travail près",
                retryable=True,
            )
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return Refused(
                "vault-denied",
                f"le coffre {self.root} refuse : {reason(error)}",
                hint="donnez ce dossier au compte de Relève, ou remontez-le en écriture",
            )
        return Unreachable(
            "vault-unreachable",
            f"le coffre {self.root} ne répond pas : {reason(error)}",
            hint="vérifiez le disque ou le montage, puis relancez",
            retryable=True,
        )
