"""Client of a site's supervisor: `python -I -S supctl.py SOCKET start|stop|status NAME`.

What a plan names as a service of manager `command`. It stands alone and imports little, because
each call is a process of its own on the way of a switch: about 20 ms.

Exit codes: 0 done (status: running), 1 failed, 3 stopped (status), 4 nobody can tell.
"""

import json
import socket
import sys

UNKNOWN = 4
_LIMIT = 60.0  # seconds; longer than any time limit of the supervisor itself


def ask(path: str, question: "dict[str, object]") -> "dict[str, object]":
    """One question to the supervisor that listens on `path`. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_LIMIT)
        line.connect(path)
        line.sendall(json.dumps(question).encode() + b"\n")
        with line.makefile("rb") as answers:
            answer = json.loads(answers.readline())
    if not isinstance(answer, dict):
        raise ValueError("the supervisor did not answer with an object")
    return answer


def main(arguments: "list[str]") -> int:
    """The command."""
    if len(arguments) < 2:
        sys.stderr.write("usage: supctl.py SOCKET start|stop|status|list|shutdown [NAME]\n")
        return 2
    path, verb, name = arguments[0], arguments[1], (arguments[2:] or [""])[0]
    try:
        answer = ask(path, {"do": verb, "name": name})
    except (OSError, ValueError) as error:
        sys.stderr.write(f"supervisor unreachable: {error}\n")
        return UNKNOWN
    if answer.get("error"):
        sys.stderr.write(f"{answer['error']}\n")
    if verb in ("list", "status"):
        sys.stdout.write(json.dumps(answer) + "\n")
    return int(str(answer.get("code", UNKNOWN)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
