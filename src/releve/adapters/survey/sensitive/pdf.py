"""Text of PDF files, in a process apart: a file made to crash PDFium, or to keep it busy, ends that process only.

Run as a program, this file is that process: on its standard input a length (8 bytes, big end first) and a PDF,
on its output a length and the text in UTF-8; a length with its highest bit set is a refusal, whose word follows.
"""

from __future__ import annotations

import contextlib
import resource
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, Self

from releve.adapters.survey.sensitive.refusals import Refusal, Unread

PAGES = 2_000
TEXT = 32 * 2**20  # characters of one document
SECONDS = 30.0  # for one document
_MEMORY = 2 * 2**30  # bytes of address space: PDFium itself maps some 300 MB
_REFUSED = 1 << 63
_LOCKED = 4  # FPDF_ERR_PASSWORD


class PdfReader:
    """Gives the text of PDF files. The process starts with the first one and is started again when it dies."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def text(self, data: bytes) -> str:
        """The text of a PDF, page after page. Raises `Refusal` (damaged, locked, slow, scan: no page has text)."""
        process = self._started()
        until = time.monotonic() + self._seconds
        if process.stdin is None or process.stdout is None:
            raise Refusal(Unread.DAMAGED)
        try:
            process.stdin.write(len(data).to_bytes(8, "big") + data)
            process.stdin.flush()
            size = int.from_bytes(self._take(process.stdout, 8, until), "big")
            told = self._take(process.stdout, size & ~_REFUSED, until).decode("utf-8", "replace")
        except TimeoutError as error:
            self.close()
            raise Refusal(Unread.SLOW) from error
        except (OSError, EOFError) as error:  # it died of this file
            self.close()
            raise Refusal(Unread.DAMAGED) from error
        if size & _REFUSED:
            raise Refusal(Unread(told))
        return told

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            argv = [
                sys.executable,
                "-P",
                "-m",
                "releve.adapters.survey.sensitive.pdf",
            ]  # -P: no code of a share
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
            )
        return self._process

    @staticmethod
    def _take(source: IO[bytes], size: int, until: float) -> bytes:
        parts: list[bytes] = []
        while size:
            if not select.select([source], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError
            part = source.read(min(size, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _text(data: bytes) -> str:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == _LOCKED
        raise Refusal(Unread.LOCKED if locked else Unread.DAMAGED) from error
    parts: list[str] = []
    size = 0
    try:
        if len(document) > PAGES:
            raise Refusal(Unread.LARGE)
        for number in range(len(document)):
            page = document[number]
            shown = page.get_textpage()
            parts.append(shown.get_text_range())
            size += len(parts[-1])
            shown.close()
            page.close()
            if size > TEXT:
                raise Refusal(Unread.BOMB)
    except pypdfium2.PdfiumError as error:
        raise Refusal(Unread.DAMAGED) from error
    finally:
        document.close()
    if parts and not any(map(str.strip, parts)):
        raise Refusal(Unread.SCAN)
    return "\n".join(parts)


def _serve(source: IO[bytes], sink: IO[bytes]) -> None:
    while len(head := source.read(8)) == 8:
        data = source.read(int.from_bytes(head, "big"))
        try:
            told, mark = _text(data).encode("utf-8", "replace"), 0
        except Refusal as refusal:
            told, mark = str(refusal.why).encode(), _REFUSED
        except MemoryError:
            told, mark = str(Unread.BOMB).encode(), _REFUSED
        sink.write((len(told) | mark).to_bytes(8, "big") + told)
        sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _serve(sys.stdin.buffer, sys.stdout.buffer)
