"""The witness: writes through the application all along, and remembers what was acknowledged.

It runs as a process of its own (`python -P -m releve.demo.witness`), so that the orchestrator's load
does not shape the figures. It stops when its standard input closes: it never outlives who started it.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from releve.demo.journal import Ack, Journal, Miss, Outage, outage, read_journal, silences
from releve.demo.writers import Counters, Writer
from releve.domain.errors import ReleveError, Unreachable

JOURNAL = "journal.jsonl"
_LIVE = "live.json"
_PERIOD = 0.1  # seconds between two states of the live counters
_START = 10.0  # seconds for the process to be ready; it takes 0.2
_STOP = 10.0  # seconds for the writers to end their last round
_FULL = (errno.ENOSPC, errno.EDQUOT)  # its exit codes too: on a full disk no log can say so


@dataclass(frozen=True, slots=True)
class Live:
    """The counters at an instant. `silence`: seconds since the last acknowledgement (None: none yet)."""

    acknowledged: int
    missed: int
    by_url: dict[str, int]
    last_url: str
    silence: float | None


class Witness:
    """The witness's process, seen from the orchestrator. `journal` is the file to judge by."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.journal = folder / JOURNAL
        self._process = process
        self._stopped_at: float | None = None

    @classmethod
    def start(cls, urls: tuple[str, ...], folder: Path, *, writers: int = 4, rate: float = 200.0) -> Witness:
        """Start `writers` people who write `rate` transmissions a second together.

        `folder` is outside both sites. What an earlier witness wrote there is removed: its journal speaks of
        another estate, and all of it would be counted as lost. Raises `Unreachable` when the process does
        not come up, OSError when that is for want of room.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JOURNAL, _LIVE):
            (folder / name).unlink(missing_ok=True)
        with (folder / "witness.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "releve.demo.witness", "--folder", str(folder),
                 "--writers", str(writers), "--rate", str(rate), *urls],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        witness = cls(folder, process)
        assert process.stdout is not None  # noqa: S101 - it is a pipe, asked for above
        ready, _, _ = select.select([process.stdout], [], [], _START)
        if not ready or process.stdout.readline() != b"ready\n":
            process.kill()
            witness._close_pipes()
            _raise_if_full(process.wait(), folder)
            raise Unreachable("demo-witness", f"le témoin ne démarre pas ; voir {folder / 'witness.log'}")
        return witness

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> None:
        """Let each writer end its round, flush the journal, and see the process gone. Safe to repeat.

        Raises `ReleveError` when the witness failed: its journal then proves nothing. OSError when it was
        for want of room.
        """
        if self._stopped_at is not None:
            return
        self._stopped_at = time.monotonic()
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe, asked for at the start
        self._process.stdin.close()
        try:
            code = self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._close_pipes()
        _raise_if_full(code, self.folder)
        if code != 0:
            raise ReleveError(
                "demo-witness", f"le témoin a failli (code {code}) ; voir {self.folder / 'witness.log'}"
            )

    def live(self) -> Live:
        """The counters, at most a tenth of a second old."""
        values = json.loads((self.folder / _LIVE).read_text())
        last = values.pop("last")
        return Live(**values, silence=None if last is None else max(0.0, time.monotonic() - last))

    def acks(self) -> list[Ack]:
        """What was acknowledged so far, in order."""
        return read_journal(self.journal)[0]

    def outage(self, after: float, until: float | None = None) -> Outage:
        """The longest silence that touches [`after`, `until`], in seconds of `time.monotonic()`.

        `until` defaults to now, or to the witness's stop.
        """
        end = until if until is not None else (self._stopped_at or time.monotonic())
        return outage(self.acks(), after, end)

    def gaps(self, longer_than: float = 0.5) -> list[Outage]:
        """Every silence of more than `longer_than` seconds."""
        return silences(self.acks(), longer_than=longer_than)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _raise_if_full(code: int, folder: Path) -> None:
    if code in _FULL:
        raise OSError(code, os.strerror(code), str(folder))


def _show(counters: Counters, folder: Path) -> None:
    """Put the counters where `live` reads them, whole or not at all."""
    with counters.lock:
        last = counters.last
        values = {
            "acknowledged": counters.acknowledged,
            "missed": counters.missed,
            "by_url": dict(counters.by_url),
            "last_url": last.url if last else "",
            "last": last.monotonic if last else None,
        }
    draft = folder / f"{_LIVE}.new"
    draft.write_text(json.dumps(values))
    draft.replace(folder / _LIVE)


def _until_stdin_closes(stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()


def main() -> int:
    """Entry point of the process; 0 when the journal holds everything, ENOSPC or EDQUOT on a full disk."""
    try:
        return _witness()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return error.errno


def _witness() -> int:
    parser = argparse.ArgumentParser(description="Témoin de la démonstration")
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    stop, counters, journal = threading.Event(), Counters(), Journal(given.folder / JOURNAL)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_until_stdin_closes, args=(stop,), daemon=True).start()
    pace = given.writers / given.rate
    writers = [
        Writer(number, tuple(given.urls), pace, journal, counters, stop)
        for number in range(1, given.writers + 1)
    ]
    try:
        _show(counters, given.folder)
        for writer in writers:
            writer.start()
        _say_ready(stop)
        while not stop.wait(_PERIOD):
            _show(counters, given.folder)
    finally:  # a thread left running would keep a failed witness alive, and its starter waiting
        stop.set()
        for writer in writers:
            if writer.is_alive():
                writer.join()
        journal.close()
    _show(counters, given.folder)
    return 1 if any(writer.failed for writer in writers) else 0


def _say_ready(stop: threading.Event) -> None:
    try:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
    except BrokenPipeError:  # who started us died meanwhile
        stop.set()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would fail again on its last flush


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["JOURNAL", "Ack", "Live", "Miss", "Outage", "Witness"]
