"""The demo's application, a small *dossier de l'usager*: `python -m releve.demo.dossier --config F`.

Professionals post transmissions about (fictional) residents. One instance a site, each on its own
site's database. Given a folder instead of a database, it is the demo's file server: the same notes go into
shared documents. While the gate file is absent its users are answered 503; the health paths answer
always. A write is acknowledged (201, or 200 for an id already there) only after its commit; whatever
is not sure is a 503, and the caller sends the same id again, here or at the other site.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import signal
import socketserver
import sys
import threading
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from releve.demo.documents import Documents
from releve.demo.dossier_store import NotWritten, Store

GATE_HEADER = "X-Releve-Gate"
_LARGEST = 64 * 1024  # bytes of a request
_LONGEST = 4000  # characters of a field
_LEAVING = 1.0  # seconds for the requests in progress when told to stop
_BIGINT = 2**63


class Server(ThreadingHTTPServer):
    """The HTTP server with what its requests need."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, config: dict[str, Any]) -> None:
        self.gate = str(config["gate"])
        self.site = str(config["site"])
        self.store: Store | Documents = (
            Documents(str(config["documents"])) if "documents" in config else Store(str(config["dsn"]))
        )
        host, port = config["listen"]
        super().__init__((str(host), int(port)), Dossier)

    def server_bind(self) -> None:
        """Without the library's question to the DNS about our own name: it can last seconds."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no fault; anything else goes to the log."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def open(self) -> bool:
        """Whether users are let in: one look at the disk, each time."""
        return os.path.exists(self.gate)  # noqa: PTH110 - twice as fast, on every request


class Dossier(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "Dossier"
    sys_version = ""
    timeout = 30  # seconds without a word: the connection is closed
    wbufsize = 16_384  # head and body leave together: two packets would wait for each other
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Health, the list, or the page."""
        where = urlsplit(self.path)
        if where.path in ("/sante", "/sante/ecriture"):
            self._health(writing=where.path.endswith("/ecriture"))
        elif not self.server.open:
            self._closed()
        elif where.path == "/transmissions":
            self._list(parse_qs(where.query))
        elif where.path == "/":
            self._page()
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "not-found", "message": "cette page n'existe pas"})

    def do_POST(self) -> None:
        """A transmission to write."""
        body = self._body()
        if body is None:
            return
        if not self.server.open:
            self._closed()
            return
        if self.path != "/transmissions":
            self._json(HTTPStatus.NOT_FOUND, {"error": "not-found", "message": "cette page n'existe pas"})
            return
        try:
            values = transmission(body)
        except ValueError as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid", "message": str(error)})
            return
        try:
            saved = self.server.store.save(values)
        except NotWritten as error:
            self._unavailable(error)
            return
        self._json(HTTPStatus.CREATED if saved.created else HTTPStatus.OK, saved.row)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nothing: two hundred requests a second would fill the log, and answers speak for themselves."""

    def _health(self, *, writing: bool) -> None:
        """The state of the database. /sante/ecriture is well only when it can be written."""
        state = self.server.store.state()
        good = state == "open" or (state == "closed" and not writing)
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        self._json(
            status,
            {"database": state, "gate": "open" if self.server.open else "closed", "site": self.server.site},
        )

    def _list(self, query: dict[str, list[str]]) -> None:
        try:
            after = int(query.get("after", ["0"])[0])
        except ValueError:
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid", "message": "after est un nombre"})
            return
        try:
            rows = self.server.store.after(max(-1, min(after, _BIGINT - 1)))
        except NotWritten as error:
            self._unavailable(error)
            return
        self._json(HTTPStatus.OK, {"transmissions": rows})

    def _page(self) -> None:
        try:
            rows = self.server.store.last()
        except NotWritten as error:
            self._unavailable(error)
            return
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page(self.server.site, rows).encode())

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self.close_connection = True
            message = f"un corps de {_LARGEST} octets au plus est attendu, avec sa longueur"
            self._json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "invalid", "message": message})
            return None
        return self.rfile.read(int(length))

    def _closed(self) -> None:
        message = "le dossier n'est pas ouvert sur ce site ; essayez l'autre adresse"
        self._json(
            HTTPStatus.SERVICE_UNAVAILABLE, {"error": "closed", "message": message}, {GATE_HEADER: "closed"}
        )

    def _unavailable(self, error: NotWritten) -> None:
        self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "not-written", "message": str(error)})

    def _json(self, status: HTTPStatus, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value, ensure_ascii=False, default=str).encode()
        self._send(status, "application/json; charset=utf-8", body, headers)

    def _send(
        self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def transmission(body: bytes) -> dict[str, Any]:
    """The fields of a posted transmission. Raises ValueError with a French sentence."""
    try:
        values = json.loads(body)
    except ValueError as error:
        raise ValueError("un objet JSON est attendu") from error
    if not isinstance(values, dict):
        raise ValueError("un objet JSON est attendu")
    given: dict[str, Any] = {}
    try:
        given["id"] = str(uuid.UUID(str(values.get("id"))))
    except ValueError as error:
        raise ValueError("id : un identifiant UUID est attendu") from error
    for name in ("author", "resident", "text"):
        value = values.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or "\0" in value:
            raise ValueError(f"{name} : un texte de {_LONGEST} caractères au plus est attendu")
        given[name] = value
    seq = values.get("seq")
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < _BIGINT:
        raise ValueError("seq : un nombre entier positif est attendu")
    given["seq"] = seq
    return given


def page(site: str, rows: list[dict[str, Any]]) -> str:
    """The last transmissions, for a person to look at."""
    lines = "\n".join(
        f"<tr><td>{row['noted_at']:%d/%m/%Y %H:%M:%S}</td>"
        + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in ("author", "resident", "text"))
        + "</tr>"
        for row in rows
    )
    return f"""<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>Transmissions</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #767676}}</style>
</head><body>
<h1>Transmissions</h1>
<p>Démonstration : personnes et faits sont inventés. Cette page vient du site « {html.escape(site)} ».</p>
<table><caption>Les {len(rows)} dernières transmissions</caption>
<thead><tr><th scope="col">Heure</th><th scope="col">Professionnel</th><th scope="col">Usager</th>
<th scope="col">Transmission</th></tr></thead>
<tbody>
{lines}
</tbody></table>
</body></html>
"""


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(description="Dossier de l'usager (démonstration)")
    parser.add_argument("--config", required=True, type=Path)
    config = json.loads(parser.parse_args().config.read_text())
    server = Server(config)
    # Listening comes first; the database library (a quarter of a second) is read meanwhile.
    threading.Thread(target=server.store.state, daemon=True).start()
    stop = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    while not stop.wait(0.25):
        pass  # a signal that another thread took is heard at the next turn: Python handles it here only
    server.shutdown()
    server.store.drain(_LEAVING)
    sys.stdout.flush()
    os._exit(0)  # threads that still serve must not keep a stopped service alive


if __name__ == "__main__":
    main()
