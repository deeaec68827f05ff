"""Run a command and write what it took to a file, from a process so small that its own memory does not count.

A child's peak memory begins with that of the process it was forked from, and a benchmark holds 64 MB.
"""

import json
import os
import sys
import time


def launched(used: str, argv: list[str]) -> list[str]:
    """The command that runs `argv`, and writes to the file `used`: code, seconds, cpu (seconds), memory (peak, bytes)."""
    return [sys.executable, "-I", "-S", __file__, used, *argv]


def main() -> None:
    """As `launched` says."""
    began = time.monotonic()
    pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, used = os.wait4(pid, 0)
    took = {
        "seconds": time.monotonic() - began,
        "code": os.waitstatus_to_exitcode(status),
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024,
    }
    with open(sys.argv[1], "w", encoding="ascii") as file:  # noqa: PTH123 (pathlib is half of what this would hold)
        json.dump(took, file)


if __name__ == "__main__":
    main()
