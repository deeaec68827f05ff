"""Servers behind which a vault may lie, and a line to them that a test may cut."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx

KEYS = {"AWS_ACCESS_KEY_ID": "essai", "AWS_SECRET_ACCESS_KEY": "essai-secret"}
RCLONE = Path(sys.executable).parent / "rclone"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with closing(socket.socket()) as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


def until_it_answers(port: int) -> None:
    """Wait for a server of this machine."""
    deadline = time.monotonic() + 60
    while True:
        with closing(socket.socket()) as plug:
            if plug.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.05)


def restic_server(folder: Path, at: str, *options: str) -> Sequence[str]:
    """The command line of `rclone serve restic` in front of a folder."""
    return [str(RCLONE), "serve", "restic", "--addr", at, *options, str(folder)]


class Rclone:
    """`rclone serve restic` in front of a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.where = f"rest:http://127.0.0.1:{self.port}/"
        self._process = subprocess.Popen(
            restic_server(folder, f"127.0.0.1:{self.port}", *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until_it_answers(self.port)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def s3_server() -> Iterator[int]:
    """An S3 server of moto's, with an empty bucket "seau"; its port. The keys are the caller's to set."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _host, port = server.get_host_and_port()
    base = f"http://127.0.0.1:{port}"
    boto3.client("s3", endpoint_url=base, region_name="us-east-1").create_bucket(Bucket="seau")
    try:
        yield int(port)
    finally:
        httpx.post(f"{base}/moto-api/reset")
        server.stop()


class Line:
    """A line to a server. Cut, it refuses whoever comes and ends who was there; dead, it takes bytes and gives none."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._gate = threading.Lock()
        self._plugs: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self.passed = 0  # bytes upstream
        self._listen = self._open(0)
        self.port = int(self._listen.getsockname()[1])

    def _open(self, port: int) -> socket.socket:
        listen = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listen,), daemon=True).start()
        return listen

    def _accept(self, listen: socket.socket) -> None:
        while True:
            try:
                near, _ = listen.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            with self._gate:
                self._plugs |= {near, far}
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if up:
                    self.passed += len(data)
                target.sendall(data)
        for plug in (source, target):
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)
        with self._gate:
            self._plugs -= {source, target}

    def cut(self) -> None:
        """End every connection, refuse the next ones."""
        with contextlib.suppress(OSError):
            self._listen.shutdown(socket.SHUT_RDWR)  # wakes the one who waits in accept
        self._listen.close()
        with self._gate:
            plugs = set(self._plugs)
        for plug in plugs:
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)

    def die(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        """As before."""
        self._flows.set()
        if self._listen.fileno() < 0:
            self._listen = self._open(self.port)

    def close(self) -> None:
        self._flows.set()
        self.cut()


class Cutter:
    """A way to a server that lets so many bytes pass, then cuts, for so many connections."""

    def __init__(self, port: int, passing: int) -> None:
        self.passing = passing  # bytes upstream, all connections together; -1: no end
        self._to = port
        self._listen = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listen.getsockname()[1])
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listen.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(65536):
                if up and self.passing >= 0:
                    self.passing -= len(data)
                    if self.passing < 0:
                        self.passing = 0
                        self.cuts += 1
                        break
                target.sendall(data)
        except OSError:
            pass
        for plug in (source, target):
            try:
                plug.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listen.close()
