"""What people and devices do on the laboratory's network: connections held open, small servers, bad packets.

Each function runs as a process of its own on a machine, for ever; the machine's end is its end.
"""

from __future__ import annotations

import fcntl
import http.server
import socket
import socketserver
import struct
import subprocess
import time
from pathlib import Path

_AGAIN = 1.0  # seconds before a connection that was lost is made again
_TAP, _NO_HEADER, _SET = 0x0002, 0x1000, 0x400454CA  # if_tun.h: IFF_TAP, IFF_NO_PI, TUNSETIFF
_GREETING = b"\xff\xfd\x18\xff\xfd\x20\xff\xfb\x01\r\nautomate login: "  # telnet: RFC 854, a few options


def hold(address: str, port: int) -> None:
    """Keep one connection open; make it again when it is lost."""
    while True:
        try:
            with socket.create_connection((address, port), 5.0) as line:
                line.settimeout(None)
                while line.recv(4096):
                    pass
        except OSError:  # the server is not there yet, or went away: that is what "again" is for
            time.sleep(_AGAIN)


class _Silent(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """One short page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>Appareil</title>\n")

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def serve_pages(port: int) -> None:
    """A web server that says one line."""
    with http.server.ThreadingHTTPServer(("0.0.0.0", port), _Silent) as server:  # noqa: S104 - the laboratory's own network
        server.serve_forever()


class _Greeted(socketserver.BaseRequestHandler):
    greeting = b""

    def handle(self) -> None:
        """Greet, then keep the line as long as the other end does."""
        self.request.sendall(self.greeting)
        while self.request.recv(4096):
            pass


class _Telnet(_Greeted):
    greeting = _GREETING


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(port: int, *, telnet: bool = False) -> None:
    """A server that takes connections and keeps them; with telnet's greeting when it is one."""
    with _Server(("0.0.0.0", port), _Telnet if telnet else _Greeted) as server:  # noqa: S104 - as above
        server.serve_forever()


def garbage(address: str, every: float = 0.2) -> None:
    """Malformed VXLAN packets to the tunnel of `address`, which its kernel counts as frame and length errors.

    Two sorts: an Ethernet frame cut short in its IPv4 header (length), and one whose inner packet says that it
    knows nothing of congestion marks while the outer one bears such a mark (frame; RFC 6040, section 4.2).
    """
    header = struct.pack("!II", 0x08000000, 71 << 8)
    frame = bytes.fromhex("0200000000020200000000010800")
    inner = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20, 0, 0, 64, 17, 0, b"\x0a\x47\x09\x02", b"\x0a\x47\x09\x01"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x03)  # "congestion experienced"
        while True:
            line.sendto(header + frame + inner, (address, 4789))
            line.sendto(header + frame + inner[:7], (address, 4789))
            time.sleep(every)


def flap(device: str, times: int, every: float, down: float = 0.01) -> None:
    """Take a cable out and put it back: `times` at once, then every `every` seconds."""
    while True:
        for _turn in range(times):
            for state in ("down", "up"):
                subprocess.run(["ip", "link", "set", device, state], check=True)
                time.sleep(down)
        times = 1
        time.sleep(every)


def plug_tap(name: str) -> int:
    """A network card of this process (TAP), up as long as its handle is open. Raises OSError."""
    with Path("/dev/net/tun").open("r+b", buffering=0) as made:
        handle = fcntl.fcntl(made, fcntl.F_DUPFD, 3)
    fcntl.ioctl(handle, _SET, struct.pack("16sH22x", name.encode(), _TAP | _NO_HEADER))
    return handle
