"""Client of a site's supervisor: `python -I -S supctl.py SOCKET start|stop|status NAME`.

What a plan names as a service of manager `command`. It stands alone and imports little, because
each call is a process of its own on the way of a switch: about 20 ms.

Exit codes: 0 done (status: running), 1 failed, 3 stopped (status), 4 nobody can tell.
"""

import _socket  # what `socket` wraps; with `json` it would double the time that this program takes
import sys

UNKNOWN = 4
_LIMIT = 60.0  # seconds; longer than any time limit of the supervisor itself


def talk(path: str, question: bytes) -> bytes:
    """One line to the supervisor that listens on `path`, one line back. Raises OSError."""
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.settimeout(_LIMIT)
        line.connect(path)
        line.send(question + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = line.recv(65536)
            if not part:
                raise OSError("the supervisor hung up")
            answer += part
        return answer
    finally:
        line.close()


def ask(path: str, question: "dict[str, object]") -> "dict[str, object]":
    """One question to the supervisor that listens on `path`. Raises OSError, ValueError."""
    import json

    answer = json.loads(talk(path, json.dumps(question).encode()))
    if not isinstance(answer, dict):
        raise ValueError("the supervisor did not answer with an object")
    return answer


def main(arguments: "list[str]") -> int:
    """The command: the supervisor's answer as it is, its code as the exit code."""
    if len(arguments) < 2:
        sys.stderr.write("usage: supctl.py SOCKET start|stop|status|list|shutdown [NAME]\n")
        return 2
    path, verb, name = arguments[0], arguments[1], (arguments[2:] or [""])[0]
    if not all(part.replace("-", "").isalnum() for part in (verb, name) if part):
        sys.stderr.write("verbs and names are letters, digits and dashes\n")
        return 2
    try:
        answer = talk(path, f'{{"do": "{verb}", "name": "{name}"}}'.encode())
    except OSError as error:
        sys.stderr.write(f"supervisor unreachable: {error}\n")
        return UNKNOWN
    sys.stdout.write(answer.decode())
    code = answer.partition(b'"code": ')[2].lstrip()[:1]  # one digit, first in what the supervisor writes
    return int(code) if code.isdigit() else UNKNOWN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
