"""A node -> a file on disk, with what the vault holds.

The chunks of large files are read, opened and written by two threads, each chunk at its place.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from releve.adapters.vault.metadata import put_back, put_back_open
from releve.adapters.vault.node import Node, format_of
from releve.adapters.vault.repository import Repository, damaged

_THREADS = 2
_AHEAD = 6  # chunks of one file on their way: bounds the memory
_HOLE = bytes(64 * 1024)  # a run of zeros that long is left as a hole
_NEAR = 1 << 20  # bytes: below, what a former version still holds is not looked for

Near = Mapping[bytes, int]  # blob id -> where a former version of the file holds it


class Filler:
    """Makes files from their nodes, without owners, modes and dates (see `metadata.put_back`)."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault-restore")

    def close(self) -> None:
        """Give the threads back."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def make(self, place: bytes, node: Node, former: tuple[bytes, Node] | None = None) -> None:
        """Make what is not a folder, in the place of what is there.

        `former`: an older version (its path, its node), whose unchanged parts are taken from there, each
        compared with its id first. Raises `PromiseBroken` when the vault cannot give it, OSError.
        """
        if node.kind == "file":
            self._content(place, node, former, lambda _handle: [])
            return
        with suppress(FileNotFoundError):
            os.unlink(place)
        if node.kind == "symlink":
            os.symlink(node.target, place)
        elif node.kind == "fifo":
            os.mkfifo(place, 0o600)
        elif node.kind in {"dev", "chardev", "socket"}:
            os.mknod(place, format_of(node.kind) | 0o600, node.device)
        else:
            raise PermissionError(1, "genre de fichier inconnu")

    def bring(self, place: bytes, node: Node) -> list[str]:
        """Make it with its owner, mode, attributes and dates; what could not be given. Raises as `make`."""
        if node.kind == "file":
            return self._content(place, node, None, lambda handle: put_back_open(node, handle, place))
        self.make(place, node)
        return put_back(node, place)

    def _content(
        self,
        place: bytes,
        node: Node,
        former: tuple[bytes, Node] | None,
        finish: Callable[[int], list[str]],
    ) -> list[str]:
        parts = self._parts(place, node)
        handle = _new_file(place)
        try:
            if len(parts) == 1:
                _write(handle, self._repository.blob(node.content[0]), 0)
            elif parts:
                self._lay(handle, parts, former if node.size >= _NEAR else None)
            if os.fstat(handle).st_size != node.size:
                os.ftruncate(handle, node.size)  # it ends in a hole
            return finish(handle)
        finally:
            os.close(handle)

    def _parts(self, place: bytes, node: Node) -> list[tuple[bytes, int]]:
        """Each blob and its place in the file. Raises `PromiseBroken` when they do not make the file's size."""
        parts, at = [], 0
        for identity in node.content:
            parts.append((identity, at))
            at += self._repository.where(identity).blob.size
        if at != node.size:
            raise damaged(os.fsdecode(place), f"{at} octets au lieu de {node.size}")
        return parts

    def _lay(
        self, handle: int, parts: Sequence[tuple[bytes, int]], former: tuple[bytes, Node] | None
    ) -> None:
        """Read, open and write several blobs at a time, each at its place."""
        source, near = self._near(former)

        hollow: set[bytes] = set()  # blobs of this file that turned out to be zeros only

        def one(identity: bytes, at: int) -> None:
            if not _write(handle, self._chunk(identity, source, near.get(identity, -1)), at):
                hollow.add(identity)

        jobs: deque[Future[None]] = deque()
        try:
            for identity, at in parts:
                if identity in hollow:
                    continue
                jobs.append(self._pool.submit(one, identity, at))
                if len(jobs) > _AHEAD:
                    jobs.popleft().result()
            while jobs:
                jobs.popleft().result()
        finally:
            for job in jobs:
                job.cancel()
                with suppress(Exception):  # what they found no longer matters: an earlier one has failed
                    job.result()
            if source >= 0:
                os.close(source)

    def _near(self, former: tuple[bytes, Node] | None) -> tuple[int, Near]:
        if former is None:
            return -1, {}
        place, node = former
        near: dict[bytes, int] = {}
        offset = 0
        for identity in node.content:
            where = self._repository.index.find(identity)
            if where is None:
                break
            near.setdefault(identity, offset)
            offset += where.blob.size
        try:
            return os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), near
        except OSError:
            return -1, {}  # only a short cut: the vault has everything

    def _chunk(self, identity: bytes, source: int, offset: int) -> bytes:
        where = self._repository.index.find(identity)
        if offset >= 0 and where is not None:
            found = os.pread(source, where.blob.size, offset)
            if hashlib.sha256(found).digest() == identity:
                return found
        return self._repository.blob(identity)


def sane(node: Node) -> None:
    """Raises `PromiseBroken` for a name that would lead out of its folder."""
    if node.name in {b"", b".", b".."} or b"/" in node.name or b"\0" in node.name:
        raise damaged("arbre", f"un nom y est impossible : {node.name!r}")


def _new_file(place: bytes) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(place, flags, 0o600)
    except FileExistsError:
        os.unlink(place)
        return os.open(place, flags, 0o600)


def _write(handle: int, chunk: bytes, offset: int) -> bool:
    """Write a chunk at its place, runs of zeros left as holes; whether there was anything to write."""
    view = memoryview(chunk)
    begun, solid = 0, False
    for at in range(0, len(chunk) - len(_HOLE) + 1, len(_HOLE)):
        if not chunk[at] and chunk[at : at + len(_HOLE)] == _HOLE:
            _whole(handle, view[begun:at], offset + begun)
            solid, begun = solid or at > begun, at + len(_HOLE)
    _whole(handle, view[begun:], offset + begun)
    return solid or begun < len(chunk)


def _whole(handle: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
