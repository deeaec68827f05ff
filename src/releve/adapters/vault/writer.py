"""Puts blobs into packs: packs first, then the index, and only then may a snapshot name them."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from releve.adapters.vault.helping import Claims
from releve.adapters.vault.index import FULL
from releve.adapters.vault.pack import TARGET, BlobKind, Draft, Placed
from releve.adapters.vault.repository import Repository, squeeze, squeeze_pieces
from releve.adapters.vault.scratch import Scratch
from releve.adapters.vault.store import Kind

_IN_FLIGHT = 4  # packs on their way to the store: 64 MiB of memory
_LISTED = 64  # packs, about 1 GiB: an upload that is cut goes on from the last list
_EVERY = 30.0  # seconds of work: the same on a slow line, where 1 GiB takes hours
_LARGE = 64 * 1024  # bytes: above, a sealed blob is kept in parts rather than copied together
_SENDERS = 2  # while one waits for its fsync, the other hashes
_SIDE_BY_SIDE = 2  # drafts filled at random, so that pack sizes do not tell chunk lengths (restic PR 5295)


class Writer:
    """Saves blobs from several threads. `flush` makes everything durable and known."""

    def __init__(
        self,
        repository: Repository,
        still_ours: Callable[[], None] = lambda: None,
        *,
        claims: Claims | None = None,
        tell: Callable[[Mapping[str, list[Placed]]], object] | None = None,
    ) -> None:
        self._repository = repository
        self._still_ours = still_ours
        self._claims = claims
        self._tell = tell or repository.put_index
        self._gate = threading.Lock()
        self._new: set[bytes] = set()  # being written: not in the index yet
        self._drafts: dict[BlobKind, list[Draft]] = {kind: [] for kind in BlobKind}
        self._sender = ThreadPoolExecutor(_SENDERS, thread_name_prefix="vault-store")
        self._room = threading.BoundedSemaphore(_IN_FLIGHT)
        self._sent: list[Future[None]] = []
        self._stored: dict[str, list[Placed]] = {}
        self._began = 0.0  # when the work on the next list began; 0: it has not
        self._chances = b""
        self.added_blobs = 0
        self.added_bytes = 0  # uncompressed
        self.stored_bytes = 0

    def save(self, kind: BlobKind, plain: bytes | memoryview) -> bytes:
        """Keep a blob unless the vault has it; its id. Safe to call from several threads."""
        identity = hashlib.sha256(plain).digest()
        with self._gate:
            if self._known(identity):
                return identity
            self._new.add(identity)
        self._keep(kind, identity, plain)
        return identity

    def save_parts(self, kind: BlobKind, parts: Callable[[], Iterator[bytes]]) -> bytes:
        """The same for a blob too large for the memory: `parts` gives its bytes, twice, the same."""
        digest, size = hashlib.sha256(), 0
        for part in parts():
            digest.update(part)
            size += len(part)
        identity = digest.digest()
        with self._gate:
            if self._known(identity):
                return identity
            self._new.add(identity)
        sealed = Scratch()
        for piece in self._repository.key.seal_pieces(squeeze_pieces(parts(), size)):
            sealed.write(piece)
        draft = Draft.alone(kind, identity, sealed, size)
        with self._gate:
            self._count(draft.blobs[-1], size)
        self._send(draft)
        return identity

    def _known(self, identity: bytes) -> bool:
        """Whether it is in the vault, or on its way there by us or by another process. Under the gate."""
        if identity in self._new or identity in self._repository.index:
            return True
        return self._claims is not None and self._claims.taken(identity)

    def _keep(self, kind: BlobKind, identity: bytes, plain: bytes | memoryview) -> None:
        key = self._repository.key
        if len(plain) > _LARGE:
            self._place(kind, identity, key.seal_parts(squeeze(plain)), len(plain))
        else:
            self._place(kind, identity, (key.seal(squeeze(plain) if plain else b""),), len(plain))

    def keep_sealed(self, kind: BlobKind, identity: bytes, sealed: bytes, plain: int) -> None:
        """Move a blob that is sealed already (a pruning); it was compared with its id by the caller."""
        self._place(kind, identity, (sealed,), plain)

    def _place(self, kind: BlobKind, identity: bytes, sealed: Sequence[bytes], plain: int) -> None:
        full: Draft | None = None
        with self._gate:
            self._began = self._began or time.monotonic()
            drafts = self._drafts[kind]
            while len(drafts) < _SIDE_BY_SIDE:
                drafts.append(Draft(kind))
            draft = drafts[self._chance() % _SIDE_BY_SIDE]
            draft.add(identity, sealed, plain)
            self._count(draft.blobs[-1], plain)
            if draft.full:
                drafts.remove(draft)
                full = draft
        if full is not None:
            self._send(full)

    def _count(self, blob: Placed, plain: int) -> None:
        self.added_blobs += 1
        self.added_bytes += plain
        self.stored_bytes += blob.length

    def _chance(self) -> int:
        """A byte of the system's random source, drawn by the hundred. Under the gate."""
        if not self._chances:
            self._chances = os.urandom(256)
        drawn, self._chances = self._chances[0], self._chances[1:]
        return drawn

    def _send(self, draft: Draft) -> None:
        self._room.acquire()
        try:
            sending = self._sender.submit(self._store, draft)
        except BaseException:
            self._room.release()
            raise
        with self._gate:
            self._sent.append(sending)
            done = [one for one in self._sent if one.done()]
            self._sent = [one for one in self._sent if not one.done()]
        for one in done:
            one.result()

    def _store(self, draft: Draft) -> None:
        try:
            self._still_ours()
            name, parts = draft.close(self._repository.key)
            self._repository.store.write(Kind.DATA, name, parts)
            with self._gate:
                self._stored[name] = draft.blobs
                self._repository.index.add(name, draft.blobs)
                self._new.difference_update(blob.id for blob in draft.blobs)
                ready = self._due()
            if ready:
                self._tell(ready)
        finally:
            self._room.release()

    def adopt(self, packs: Mapping[str, list[Placed]]) -> None:
        """Durable packs that another process filled: they go into the next index file."""
        with self._gate:
            self._began = self._began or time.monotonic()
            self._stored |= packs
            ready = self._due()
        if ready:
            self._tell(ready)

    def _due(self) -> dict[str, list[Placed]]:
        """The packs of the next list, when it is time to write it; none otherwise. Under the gate."""
        if (
            sum(map(len, self._stored.values())) < FULL
            and len(self._stored) < _LISTED
            and time.monotonic() - self._began < _EVERY
        ):
            return {}
        ready, self._stored, self._began = self._stored, {}, time.monotonic()
        return ready

    def flush(self) -> None:
        """Everything saved so far is in durable packs and in durable index files when this returns."""
        self.settle()
        with self._gate:
            ready, self._stored, self._began = self._stored, {}, 0.0
        if ready:
            self._tell(ready)

    def settle(self) -> None:
        """Everything saved so far is in durable packs when this returns."""
        with self._gate:
            drafts = [draft for kind in BlobKind for draft in self._merged(self._drafts[kind])]
            self._drafts = {kind: [] for kind in BlobKind}
        for draft in drafts:
            self._send(draft)
        with self._gate:
            waiting, self._sent = self._sent, []
        for one in waiting:
            one.result()

    @staticmethod
    def _merged(drafts: list[Draft]) -> list[Draft]:
        """Left-overs in one pack when they fit into one."""
        drafts = [draft for draft in drafts if draft.blobs]
        if len(drafts) == _SIDE_BY_SIDE and sum(draft.size for draft in drafts) < TARGET:
            drafts[0].take(drafts[1])
            return drafts[:1]
        return drafts

    def close(self) -> None:
        """Give the threads back. What is in no list yet, some 30 s of work, is sent again; `prune` removes those packs."""
        self._sender.shutdown(wait=True)
