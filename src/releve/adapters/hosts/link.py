"""One connection to an agent: frames through the standard streams of a program (ssh).

Requests of several threads share it, each with its number; a reader thread hands the answers out.
Every wait is bounded. A connection that fails is torn down whole and never mended: its owner opens
another one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

from releve.adapters.hosts import agent

_NOISE = 64 * 1024  # bytes that a login script may print before the agent speaks
_STALL = 10.0  # seconds without a byte leaving: nobody takes them at the other end
_SILENCE = 2.0  # seconds without a byte coming, once the time of a request is over
_ARRIVING = 300.0  # seconds beyond it for answers that come, however slowly: 32 MB take 270 at 1 Mb/s
_LARGEST = 256 * 2**20  # bytes of an answer: the longest of ours, a list of files, has some 100 MB
_CHUNK = 64 * 1024

# The whole remote command, constant. Isolated mode: the folder and the variables of the account we
# land in cannot change what runs. Exit 96: that Python is too old for the agent.
BOOTSTRAP = (
    "exec python3 -X utf8 -I -c 'import sys;sys.exit(96) if sys.version_info<(3,8) else 0;"
    'r=sys.stdin.buffer.read;exec(compile(r(int.from_bytes(r(8),"big")),"releve-agent","exec"))\''
)
TOO_OLD = 96

Answered = tuple[dict[str, Any], bytes]


class LinkDown(Exception):
    """The connection is gone. `code`: exit code of its program, None when we ended it ourselves."""

    def __init__(self, reason: str, code: int | None = None, stderr: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.stderr = stderr


class Late(Exception):
    """One request has no answer in time; the connection may well live, and others use it."""


class Slow(Late):
    """Bytes came all the while, and its answer had not ended `_ARRIVING` seconds after its time."""


class Link:
    """An agent at the end of `argv`, started at once.

    `opening`: seconds until the agent has spoken. Raises `LinkDown`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        config: Mapping[str, Any],
        opening: float,
    ) -> None:
        self._errors = os.memfd_create("releve-ssh")
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._errors)
            raise LinkDown(f"{argv[0]} : {error.strerror}") from None
        self._sending = threading.Lock()
        self._state = threading.Lock()
        self._waiting: dict[int, Future[Answered]] = {0: Future()}
        self._numbers = itertools.count(1)
        self._down: LinkDown | None = None
        self._heard = time.monotonic()
        self._receiving = False
        hello = self._waiting[0]
        self._reader = threading.Thread(target=self._listen, name="releve-link", daemon=True)
        self._reader.start()
        source = Path(agent.__file__).read_bytes()
        self._send(len(source).to_bytes(8, "big") + source + agent.pack(config))
        try:
            self._await(0, hello, opening)
        except Late:
            self._tear("la connexion n'a pas abouti à temps")
            raise LinkDown("la connexion n'a pas abouti à temps") from None

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return self._down is None

    def ask(self, header: Mapping[str, Any], body: bytes, limit: float) -> Answered:
        """The answer to one request, begun within `limit` seconds. Raises `LinkDown`, `Late`, `Slow`."""
        number, future = next(self._numbers), Future[Answered]()
        with self._state:
            if self._down is not None:
                raise self._down
            self._waiting[number] = future
        self._send(agent.pack({"id": number, **header}, body))
        return self._await(number, future, limit)

    def close(self) -> None:
        """End the connection; what still ran through it is killed at the other end."""
        self._tear("connexion fermée")
        self._reader.join(timeout=5)

    def _await(self, number: int, future: Future[Answered], limit: float) -> Answered:
        until = time.monotonic() + limit
        while True:
            # an answer, ours or one before it, may be arriving when the time is over: silence decides
            end = max(until, self._heard + _SILENCE) if self._receiving else until
            last = until + _ARRIVING
            wait = min(end, last) - time.monotonic()
            if wait <= 0:
                with self._state:
                    self._waiting.pop(number, None)
                raise Slow if end > last else Late
            with contextlib.suppress(FutureTimeout):
                return future.result(min(wait, threading.TIMEOUT_MAX))

    def _send(self, data: bytes) -> None:
        with self._sending:
            stream = self._process.stdin
            if self._down is not None or stream is None or stream.closed:
                return  # the future of the request says why
            handle, left = stream.fileno(), memoryview(data)
            os.set_blocking(handle, False)
            poller = select.poll()
            poller.register(handle, select.POLLOUT)
            while left:
                if not poller.poll(_STALL * 1000):
                    self._tear("l'autre bout ne lit plus")
                    return
                try:
                    left = left[os.write(handle, left) :]
                except BlockingIOError:
                    continue
                except OSError:
                    return  # the reader sees the same end, and says why

    def _read(self, size: int) -> bytes:
        stream = self._process.stdout
        parts = bytearray()
        while stream is not None and len(parts) < size:
            part = os.read(stream.fileno(), min(size - len(parts), _CHUNK))
            if not part:
                break
            self._heard = time.monotonic()
            parts += part
        return bytes(parts)

    def _listen(self) -> None:
        reason = "la connexion s'est coupée"
        try:
            if self._greeted():
                while (frame := agent.take(self._read)) is not None:
                    header, size = frame
                    if size > _LARGEST:
                        reason = (
                            f"sa réponse serait de {size} octets : plus de {_LARGEST}, elle n'est pas prise"
                        )
                        break
                    self._receiving = True
                    body = self._read(size)
                    self._receiving = False
                    if len(body) < size:
                        break
                    with self._state:
                        future = self._waiting.pop(header["id"], None)
                    if future is not None:
                        _settle(future, (header, body))
        except (OSError, ValueError, KeyError, RecursionError) as error:
            reason = f"la connexion ne se lit plus : {error}"
        finally:
            self._bury(reason)

    def _greeted(self) -> bool:
        noise = b""
        while not noise.endswith(agent.MAGIC):
            byte = self._read(1)
            if not byte or len(noise) > _NOISE:
                return False
            noise += byte
        return True

    def _tear(self, reason: str) -> None:
        """End the program; the reader sees it and does the rest."""
        with self._state:
            if self._down is None:
                self._down = LinkDown(reason)
        self._process.kill()

    def _bury(self, reason: str) -> None:
        """In the reader alone: reap the program, close everything, and tell all who wait."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # after its last byte it ends by itself, with its reason in its code
        self._process.kill()
        code = self._process.wait()
        with self._sending:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        stderr = os.pread(self._errors, _CHUNK, 0).decode("utf-8", "replace")
        os.close(self._errors)
        with self._state:
            if self._down is None:
                self._down = LinkDown(reason, code, stderr)
            else:
                self._down.stderr = stderr
            down, waiting = self._down, list(self._waiting.values())
            self._waiting.clear()
        for future in waiting:
            _settle(future, down)


def _settle(future: Future[Answered], value: Answered | LinkDown) -> None:
    with contextlib.suppress(InvalidStateError):
        if isinstance(value, LinkDown):
            future.set_exception(value)
        else:
            future.set_result(value)
