"""How the command speaks to the worker of its site, and how two sites ask each other one question.

Both are one JSON line each way. The local one is a Unix socket of mode 600 in the state folder:
whoever may open it may order. The one between sites answers a single question, "who may write this
data set?", and both lines carry an HMAC-SHA256 of their content under the plan's shared secret; the
answer repeats the question's nonce, so that an old answer cannot be replayed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from releve.domain.errors import BadInput, Exit, Refused, ReleveError, Unreachable, WaitsForPerson

LINE_LIMIT = 1 << 20  # a status of 60 establishments is about 100 kB; more is not ours
READY = "prêt : site"  # what a worker's log says, with the site, once it watches
SITE_TIMEOUT = 2.0  # seconds: the guard asks several times a second and must not queue behind a dead link
Verbs = Mapping[str, Callable[[Mapping[str, object]], Mapping[str, object]]]

_ERRORS = {
    Exit.BAD_INPUT: BadInput,
    Exit.REFUSED_FOR_SAFETY: Refused,
    Exit.WAITS_FOR_PERSON: WaitsForPerson,
    Exit.NOT_REACHABLE: Unreachable,
}


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve_local(path: Path, verbs: Verbs) -> socketserver.BaseServer:
    """Answer `verbs` on the Unix socket `path`, in threads. The caller holds the site's lock."""
    if len(str(path)) > 100:  # the kernel's limit is 107 bytes
        raise BadInput("path-too-long", f"le dossier d'état est trop long pour une prise Unix : {path}")
    path.unlink(missing_ok=True)  # a socket left by a dead worker: the lock says that nobody uses it

    def reply(line: bytes) -> Mapping[str, object]:
        return _call(verbs, json.loads(line))

    server = _UnixServer(str(path), _handler(reply))
    path.chmod(0o600)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def serve_site(
    listen: str, secret: str, answer: Callable[[str], Mapping[str, object]]
) -> socketserver.BaseServer:
    """Answer signed questions of the other site on `host:port`. `answer(data_set)` is JSON-ready."""
    host, _, port = listen.rpartition(":")

    def reply(line: bytes) -> Mapping[str, object]:
        asked = _opened(secret, line)
        body = {"nonce": asked["nonce"], "answer": answer(str(asked["data_set"]))}
        return _sealed(secret, body)

    server = _TcpServer((host, int(port)), _handler(reply))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def ask_local(
    path: Path, verb: str, arguments: Mapping[str, object], timeout: float = 30.0
) -> Mapping[str, object]:
    """Ask the worker of this site. `Unreachable` when none answers; its own errors come back as they were."""
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.settimeout(timeout)
            plug.connect(str(path))
            found = _exchange(plug, {"verb": verb, **arguments})
    except OSError as error:
        raise Unreachable("no-worker", "aucun worker ne répond sur ce site", retryable=True) from error
    if "error" in found:
        raise _rebuilt(found["error"])
    return found


def ask_site(address: str, secret: str, data_set: str) -> Mapping[str, object]:
    """Ask the other site who may write `data_set`. `Unreachable` when it does not answer, or not as itself."""
    host, _, port = address.rpartition(":")
    nonce = secrets.token_hex(16)
    try:
        with socket.create_connection((host, int(port)), timeout=SITE_TIMEOUT) as plug:
            line = _exchange(plug, _sealed(secret, {"nonce": nonce, "data_set": data_set}))
    except OSError as error:
        raise Unreachable("site-silent", f"l'autre site ne répond pas ({address})", retryable=True) from error
    body = _opened(secret, json.dumps(line).encode())
    answer = body.get("answer")
    if body.get("nonce") != nonce or not isinstance(answer, Mapping):
        raise Unreachable("site-answer-unsigned", "la réponse de l'autre site n'est pas la sienne")
    return answer


def _handler(reply: Callable[[bytes], Mapping[str, object]]) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = 10.0

        def handle(self) -> None:
            line = self.rfile.readline(LINE_LIMIT)
            if not line.endswith(b"\n"):
                return  # cut in the middle, or too long: there is nobody to answer
            try:
                found = reply(line)
            except ReleveError as error:
                found = {"error": error.as_json()}
            except (ValueError, KeyError, TypeError) as error:
                found = {"error": BadInput("bad-request", f"demande illisible : {error}").as_json()}
            self.wfile.write(json.dumps(found, ensure_ascii=False, default=str).encode() + b"\n")

    return Handler


def _call(verbs: Verbs, asked: Mapping[str, object]) -> Mapping[str, object]:
    verb = verbs.get(str(asked.get("verb")))
    if verb is None:
        raise BadInput("unknown-verb", f"ordre inconnu : {asked.get('verb')}")
    return verb(asked)


def _exchange(plug: socket.socket, body: Mapping[str, object]) -> Mapping[str, object]:
    plug.sendall(json.dumps(body, ensure_ascii=False, default=str).encode() + b"\n")
    deadline = time.monotonic() + (plug.gettimeout() or SITE_TIMEOUT)
    line = b""
    while not line.endswith(b"\n") and len(line) <= LINE_LIMIT:
        # One limit for the whole answer: a peer that drips bytes must not hold the guard.
        plug.settimeout(max(0.001, deadline - time.monotonic()))
        part = plug.recv(65_536)
        if not part:
            break
        line += part
    if not line.endswith(b"\n"):
        raise ConnectionResetError("réponse coupée")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConnectionResetError("réponse illisible") from error
    return found if isinstance(found, dict) else {}


def _mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _sealed(secret: str, body: Mapping[str, object]) -> Mapping[str, object]:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)
    return {"body": text, "mac": _mac(secret, text)}


def _opened(secret: str, line: bytes) -> Mapping[str, object]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise BadInput("bad-request", "message entre sites illisible")
    text, mac = str(found.get("body", "")), str(found.get("mac", ""))
    if not hmac.compare_digest(_mac(secret, text).encode(), mac.encode()):
        raise Unreachable(
            "site-answer-unsigned",
            "un message entre sites n'est pas signé du secret du plan",
            hint="les deux sites doivent lire le même secret (worker: secret)",
        )
    body = json.loads(text)
    if not isinstance(body, dict):
        raise BadInput("bad-request", "message entre sites illisible")
    return body


def _rebuilt(found: object) -> ReleveError:
    if not isinstance(found, Mapping):
        return ReleveError("bad-answer", "réponse illisible du worker")
    code = Exit(int(str(found.get("exit_code", 1))))
    kind = _ERRORS.get(code, ReleveError)
    context = found.get("context")
    return kind(
        str(found.get("code")),
        str(found.get("message")),
        hint=str(found.get("hint", "")),
        context={str(k): str(v) for k, v in context.items()} if isinstance(context, Mapping) else None,
        retryable=bool(found.get("retryable")),
    )
