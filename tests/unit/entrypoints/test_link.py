"""The two links on real sockets: answers to who may ask, and never an answer that is not one."""

from __future__ import annotations

import json
import socket
import socketserver
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.domain.errors import BadInput, Refused, ReleveError, Unreachable, WaitsForPerson
from releve.entrypoints.worker import link
from releve.entrypoints.worker.link import ask_local, ask_site, serve_local, serve_site

SECRET = "un secret fictif"
HELD = {"epoch": 4, "site": "secours", "run": "bascule-1", "claimed_by": "", "claimed_for": ""}


@contextmanager
def closing(server: socketserver.BaseServer) -> Iterator[str]:
    """Its address, and its end."""
    try:
        host, port = server.server_address[:2] if isinstance(server.server_address, tuple) else ("", 0)
        yield f"{host}:{port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def site(secret: str = SECRET) -> Iterator[str]:
    """The real other site."""
    with closing(serve_site("127.0.0.1:0", secret, lambda _name: HELD)) as address:
        yield address


@contextmanager
def impostor(reply: bytes, *, hang: bool = False) -> Iterator[str]:
    """A server that answers every question with those bytes; `hang`: and then keeps the line open."""
    done = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(reply)
            if hang:
                done.wait(10)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    with closing(server) as address:
        try:
            yield address
        finally:
            done.set()


def raw(address: str, line: bytes) -> bytes:
    """What a site answers to those very bytes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as plug:
        plug.sendall(line)
        plug.shutdown(socket.SHUT_WR)
        with plug.makefile("rb") as stream:
            return stream.readline()


def test_signed_question_is_answered() -> None:
    """Both sites hold the secret: the answer comes through whole."""
    with site() as address:
        assert ask_site(address, SECRET, "dossiers") == HELD


def test_wrong_secret_is_no_answer() -> None:
    """A site with another secret neither answers us nor is believed."""
    with site("un autre secret") as address, pytest.raises(Unreachable) as caught:
        ask_site(address, SECRET, "dossiers")
    assert caught.value.code == "site-answer-unsigned"


def test_nobody_is_told_without_the_secret() -> None:
    """An unsigned question, or one signed otherwise, gets an error and not a word of who holds what."""
    questions: list[object] = [{}, {"body": json.dumps({"nonce": "n", "data_set": "dossiers"}), "mac": "00"}]
    questions += [[1], "texte", link._sealed("faux", {"nonce": "n", "data_set": "dossiers"})]
    with site() as address:
        for question in questions:
            found = json.loads(raw(address, json.dumps(question).encode() + b"\n"))
            assert set(found) == {"error"}, question


def test_old_answer_is_not_an_answer() -> None:
    """A true answer to an earlier question, played again, is refused: its nonce is not ours."""
    with site() as address:
        asked = link._sealed(SECRET, {"nonce": "0" * 32, "data_set": "dossiers"})
        old = raw(address, json.dumps(asked).encode() + b"\n")
    assert link._opened(SECRET, old)["answer"] == HELD
    with impostor(old) as address, pytest.raises(Unreachable) as caught:
        ask_site(address, SECRET, "dossiers")
    assert caught.value.code == "site-answer-unsigned"


def signed(body: Mapping[str, object]) -> bytes:
    """A line signed with the true secret."""
    return json.dumps(link._sealed(SECRET, body)).encode() + b"\n"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"n'importe quoi\n", id="garbage"),
        pytest.param(b"\xff\xfe\x00\n", id="not text"),
        pytest.param(b"[" * 100_000 + b"\n", id="100,000 levels deep"),
        pytest.param(b"[]\n", id="not an object"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b'{"body": "{}", "mac": ""}\n', id="unsigned"),
        pytest.param(b'{"body": "{}", "mac": "' + "é".encode() + b'"}\n', id="a signature that is not one"),
        pytest.param(signed({"nonce": "x"}), id="signed, without an answer"),
        pytest.param(signed({})[:-20], id="cut"),
        pytest.param(b"", id="closed without a word"),
        pytest.param(b"x" * (link.LINE_LIMIT + 10) + b"\n", id="over-long"),
    ],
)
def test_what_is_not_an_answer_is_unreachable(reply: bytes) -> None:
    """Garbage, cut, over-long, unsigned: the guard hears "no answer", never something else."""
    with impostor(reply) as address, pytest.raises(Unreachable):
        ask_site(address, SECRET, "dossiers")


def test_silent_site_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that takes the question and says nothing is given up at the time limit."""
    monkeypatch.setattr(link, "SITE_TIMEOUT", 0.2)
    with impostor(b"", hang=True) as address:
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            ask_site(address, SECRET, "dossiers")
        assert 0.15 < time.monotonic() - began < 2
    assert (caught.value.code, caught.value.retryable) == ("site-silent", True)


def test_nobody_listens() -> None:
    """A refused connection is a silent site, and a missing socket is an absent worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(Unreachable, match=address):
            ask_site(address, SECRET, "dossiers")


@pytest.mark.parametrize("kind", [BadInput, Refused, WaitsForPerson, Unreachable, ReleveError])
def test_local_errors_come_back_as_they_were(tmp_path: Path, kind: type[ReleveError]) -> None:
    """Class, code, sentence, hint, context and exit code cross the socket."""
    error = kind("un-code", "une phrase", hint="un conseil", context={"a": "b"}, retryable=True)

    def fail(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        raise error

    path = tmp_path / "w.sock"
    with closing(serve_local(path, {"fail": fail})), pytest.raises(kind) as caught:
        ask_local(path, "fail", {})
    assert type(caught.value) is kind
    assert caught.value.as_json() == error.as_json()


def test_local_orders(tmp_path: Path) -> None:
    """An order reaches its verb with its arguments; an unknown one is bad input; the socket is private."""
    path = tmp_path / "w.sock"
    with closing(serve_local(path, {"echo": lambda given: {"given": dict(given)}})):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask_local(path, "echo", {"a": 1}) == {"given": {"verb": "echo", "a": 1}}
        with pytest.raises(BadInput) as caught:
            ask_local(path, "autre", {})
        assert caught.value.code == "unknown-verb"


def test_absent_worker(tmp_path: Path) -> None:
    """No socket, or one left by a dead worker, is "no worker"; a new worker takes its place."""
    path = tmp_path / "w.sock"
    for _ in range(2):
        with pytest.raises(Unreachable) as caught:
            ask_local(path, "ping", {})
        assert caught.value.code == "no-worker"
        with closing(serve_local(path, {"ping": lambda _given: {"ok": True}})):
            assert ask_local(path, "ping", {}) == {"ok": True}
        assert path.exists(), "left behind, as by a dead worker"


def test_state_folder_too_long_for_a_socket(tmp_path: Path) -> None:
    """A path that the kernel would refuse is bad input that says so."""
    with pytest.raises(BadInput) as caught:
        serve_local(tmp_path / ("x" * 120), {})
    assert caught.value.code == "path-too-long"
