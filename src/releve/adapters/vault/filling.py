"""A node -> a file on disk, with what the vault holds.

One thread writes; the chunks of large files are read and opened by two others (as in `reading`).
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from releve.adapters.vault.node import Node, format_of
from releve.adapters.vault.repository import Repository, damaged

_THREADS = 2
_AHEAD = 4  # chunks of one file on their way: bounds the memory
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
        with suppress(FileNotFoundError):
            os.unlink(place)
        if node.kind == "symlink":
            os.symlink(node.target, place)
        elif node.kind == "fifo":
            os.mkfifo(place, 0o600)
        elif node.kind in {"dev", "chardev", "socket"}:
            os.mknod(place, format_of(node.kind) | 0o600, node.device)
        elif node.kind == "file":
            self._content(place, node, former)
        else:
            raise PermissionError(1, "genre de fichier inconnu")

    def _content(self, place: bytes, node: Node, former: tuple[bytes, Node] | None) -> None:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size, hole = 0, False
            for chunk in self._chunks(node.content, former if node.size >= _NEAR else None):
                hole = _write(handle, chunk, size)
                size += len(chunk)
            if hole:
                os.ftruncate(handle, size)
        finally:
            os.close(handle)
        if size != node.size:
            raise damaged(os.fsdecode(place), f"{size} octets au lieu de {node.size}")

    def _chunks(self, content: Sequence[bytes], former: tuple[bytes, Node] | None) -> Iterator[bytes]:
        if len(content) < 2:
            yield from map(self._repository.blob, content)
            return
        source, near = self._near(former)
        jobs: deque[Future[bytes]] = deque()
        try:
            for identity in content:
                jobs.append(self._pool.submit(self._chunk, identity, source, near.get(identity, -1)))
                if len(jobs) > _AHEAD:
                    yield jobs.popleft().result()
            while jobs:
                yield jobs.popleft().result()
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


def _write(handle: int, chunk: bytes, offset: int) -> bool:
    """Write a chunk at its place, runs of zeros left as holes; whether it ends in one."""
    if _HOLE not in chunk:
        _whole(handle, memoryview(chunk), offset)
        return False
    view = memoryview(chunk)
    hole = False
    for at in range(0, len(chunk), len(_HOLE)):
        part = view[at : at + len(_HOLE)]
        hole = part == memoryview(_HOLE)[: len(part)]
        if not hole:
            _whole(handle, part, offset + at)
    return hole


def _whole(handle: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
