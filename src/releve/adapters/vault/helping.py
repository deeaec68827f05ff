"""A second process for a saving or a restore: an interpreter works on one core, and small files are its work.

It is forked before any thread, with the key and the list of blobs already in memory, and is given whole
folders. What it saves goes into packs of its own; which packs is told to the first process, which alone
writes the index and the snapshot: the order packs, index, snapshot holds whoever dies when.

Messages on a pair of sockets: 4 bytes of length, then a marshalled tuple whose first item says what it is.
"""

from __future__ import annotations

import marshal
import mmap
import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from releve.adapters.vault.pack import BlobKind, Placed
from releve.domain.errors import BadInput, PromiseBroken, Refused, ReleveError, Unreachable

_LENGTH = struct.Struct("<I")
_GO = b"g"
_ID = 32
_SLOTS = 1 << 20  # ids that the two remember together: 32 MiB, of which only what is used is taken
_TRIES = 8
_AHEAD = 2  # folders given before the first is back

_ERRORS: Mapping[str, type[ReleveError]] = {
    kind.__name__: kind for kind in (BadInput, PromiseBroken, Refused, Unreachable)
}

Packs = Mapping[str, list[Placed]]
Counted = tuple[Any, ...]  # what a process counted, in the order of its own fields
Counts = tuple[int, int, int]  # blobs added, their bytes, their bytes as stored


class Claims:
    """Ids that one of the two processes has taken upon itself to store. A blob stored twice would be legal, and a waste."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _SLOTS * _ID)

    def taken(self, identity: bytes) -> bool:
        """Whether somebody claimed it before; it is claimed now, if there is room. Two at once may both hear no."""
        first = int.from_bytes(identity[:4], "big")
        for number in range(_TRIES):
            at = (first + number) % _SLOTS * _ID
            held = self._map[at : at + _ID]
            if held == identity:
                return True
            if not any(held):
                self._map[at : at + _ID] = identity
                return False
        return False

    def close(self) -> None:
        """Give the memory back."""
        self._map.close()


class Worker(Protocol):
    """What the second process does: made after the fork, by the function that `Helper` is given."""

    def folder(self, path: bytes, name: bytes, past: bytes) -> tuple[bytes, Counted]:
        """Work on a folder; its encoded node (empty: it is gone) and what was counted since the last call."""
        ...

    def finish(self) -> Counts:
        """Make every pack durable."""
        ...

    def close(self) -> None:
        """Give the threads back."""
        ...


class Line:
    """What the second process may say and ask of the first."""

    def __init__(self, link: socket.socket, go: int) -> None:
        self._link = link
        self._go = go
        self._gate = threading.Lock()
        self._waiting = threading.Lock()
        self._gone = False

    def tell(self, *message: Any) -> None:
        """Send a message whole, from any thread."""
        raw = marshal.dumps(message)
        with self._gate:
            self._link.sendall(_LENGTH.pack(len(raw)) + raw)

    def sure(self) -> None:
        """Wait until the first process has made sure of the lock. Raises `Refused` when it could not."""
        with self._waiting:
            if not self._gone and os.read(self._go, 1) != _GO:
                raise Refused("vault-locked", "le verrou du coffre n'a pas été obtenu", retryable=True)
            self._gone = True

    def packs(self, packs: Packs) -> None:
        """Tell of packs that are durable."""
        self.tell("packs", {name: [_plain(blob) for blob in blobs] for name, blobs in packs.items()})


class Ticket:
    """A folder that was given away. `encoded` once it is back; empty: it has gone."""

    __slots__ = ("encoded", "path")

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.encoded: bytes | None = None


class Helper:
    """The first process's end. `sure` makes sure of the lock; `back` takes what was counted, `adopt` durable packs."""

    def __init__(
        self,
        work: Callable[[Line], Worker],
        *,
        sure: Callable[[], None] = lambda: None,
        adopt: Callable[[Packs], None] = lambda _packs: None,
    ) -> None:
        self.back: Callable[[Counted], None] = lambda _counted: None
        self.counts: Counts = (0, 0, 0)
        self._sure = sure
        self._adopt = adopt
        self._tickets: dict[int, Ticket] = {}
        self._number = 0
        self._held = b""
        self._ended = False
        ours, theirs = socket.socketpair()
        go, self._let_go = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            ours.close()
            os.close(self._let_go)
            _serve(theirs, Line(theirs, go), work)
        theirs.close()
        os.close(go)
        self._link = ours

    @property
    def free(self) -> bool:
        """Whether it can be given another folder."""
        return len(self._tickets) < _AHEAD

    def give(self, path: bytes, name: bytes, past: bytes) -> Ticket:
        """Give it a folder; `past`: the id of its last tree, or nothing."""
        ticket = Ticket(path)
        self._number += 1
        self._tickets[self._number] = ticket
        self._send("folder", self._number, path, name, past)
        return ticket

    def go(self) -> None:
        """The lock is ours: packs may be written."""
        with suppress(BrokenPipeError):
            os.write(self._let_go, _GO)

    def look(self) -> None:
        """Take what it has said, without waiting."""
        while select.select([self._link], [], [], 0)[0]:
            self._hear()

    def wait(self, ticket: Ticket) -> None:
        """Wait until that folder is back."""
        self._sure()
        while ticket.encoded is None:
            self._hear()

    def end(self) -> None:
        """Nothing more will be given to it."""
        self._send("finish")

    def finish(self) -> None:
        """Wait until all it did is in durable packs, and known."""
        self._sure()
        while not self._ended:
            self._hear()

    def close(self) -> None:
        """End it, whatever it does."""
        self._link.close()
        os.close(self._let_go)
        if not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _send(self, *message: Any) -> None:
        raw = marshal.dumps(message)
        try:
            self._link.sendall(_LENGTH.pack(len(raw)) + raw)
        except OSError as error:
            raise _died() from error

    def _hear(self) -> None:
        match _receive(self._link):
            case ("back", int(number), bytes(encoded), tuple(counted)):
                self._tickets.pop(number).encoded = encoded
                self.back(counted)
            case ("packs", dict(packs)):
                self._adopt({name: [_placed(*blob) for blob in blobs] for name, blobs in packs.items()})
            case ("finished", tuple(counts)):
                self.counts, self._ended = counts, True
            case ("error", str(kind), str(code), str(sentence), str(hint), bool(retryable)):
                raise _ERRORS.get(kind, ReleveError)(code, sentence, hint=hint, retryable=retryable)
            case _:
                raise _died()


def _plain(blob: Placed) -> tuple[bytes, int, int, int, int]:
    return blob.id, int(blob.kind), blob.offset, blob.length, blob.plain


def _placed(identity: bytes, kind: int, offset: int, length: int, plain: int) -> Placed:
    return Placed(identity, BlobKind(kind), offset, length, plain)


def _died() -> Unreachable:
    return Unreachable(
        "vault-helper-died",
        "le second processus s'est arrêté sans rien dire",
        hint="relancez : ce qui est déjà dans le coffre n'est pas renvoyé, à 30 s de travail près ; « dmesg » dit si la mémoire a manqué",
        retryable=True,
    )


def _receive(link: socket.socket) -> tuple[Any, ...] | None:
    """A message; None at the end."""
    head = _exactly(link, _LENGTH.size)
    raw = _exactly(link, _LENGTH.unpack(head)[0]) if head else b""
    message = marshal.loads(raw) if raw else None  # noqa: S302 (of our own other half)
    return message if isinstance(message, tuple) else None


def _exactly(link: socket.socket, wanted: int) -> bytes:
    parts = []
    while wanted:
        try:
            part = link.recv(min(wanted, 1 << 20))
        except ConnectionResetError:  # it died with an order that it had not read
            return b""
        if not part:
            return b""
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _serve(link: socket.socket, line: Line, work: Callable[[Line], Worker]) -> None:
    """The second process, which never returns: nothing of the first one's may be undone by it."""
    code = 1
    try:
        worker = work(line)
        try:
            while order := _receive(link):
                match order:
                    case ("folder", int(number), bytes(path), bytes(name), bytes(past)):
                        line.tell("back", number, *worker.folder(path, name, past))
                    case _:
                        line.tell("finished", worker.finish())
                        code = 0
        finally:
            worker.close()
    except BrokenPipeError:
        pass  # the first process has gone: what we wrote is in no index
    except ReleveError as error:
        with suppress(OSError):
            line.tell("error", type(error).__name__, error.code, error.sentence, error.hint, error.retryable)
    except BaseException:  # noqa: BLE001 (nothing stands above us: the first process says that we died)
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
