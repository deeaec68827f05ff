"""The demo's shared documents: each professional keeps a notebook, saved whole at every line.

What a file server does for its users: it enters the folder with their rights, so a folder that is barred is
closed to it. A save is acknowledged once the file is whole and durable under its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.demo.dossier_store import NotWritten, Saved

_LINES = 25  # of a notebook; then the next one is begun
_OTHERS = 0o055  # without any of these rights users cannot enter the folder


class Documents:
    """The notebooks of a folder, behind the same face as the transmissions of the database."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._lock = threading.Lock()

    def save(self, values: dict[str, Any]) -> Saved:
        """Add a line to its author's notebook, or find it again by its `id`. Raises `NotWritten`."""
        path = self._root / str(values["author"]) / f"cahier {values['seq'] // _LINES}.txt"
        with self._lock:
            try:
                self._enter()
                path.parent.mkdir(mode=0o775, exist_ok=True)
                rows = read_notebook(path)
                for row in rows:
                    if row["id"] == values["id"]:
                        return Saved(row, created=False)
                row = {**values, "noted_at": datetime.now(UTC).isoformat()}
                _write(path, [*rows, row])
            except (OSError, ValueError) as error:
                raise NotWritten(f"le dossier partagé ne répond pas ({type(error).__name__})") from error
        return Saved(row, created=True)

    def after(self, rank: int, limit: int = 200) -> list[dict[str, Any]]:
        """Lines beyond the first `rank` ones. Raises `NotWritten`."""
        return [row for _, row in zip(range(limit), self._rows(rank), strict=False)]

    def last(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest lines, newest first. Raises `NotWritten`."""
        rows = sorted(self._rows(0), key=lambda row: str(row["noted_at"]))[-limit:]
        return [{**row, "noted_at": datetime.fromisoformat(row["noted_at"])} for row in reversed(rows)]

    def state(self) -> str:
        """Either "open", "closed" (barred) or "unreachable"."""
        try:
            self._enter()
        except PermissionError:
            return "closed"
        except OSError:
            return "unreachable"
        return "open"

    def drain(self, within: float) -> None:
        """Wait at most `within` seconds for the save in progress."""
        if self._lock.acquire(timeout=within):
            self._lock.release()

    def _enter(self) -> None:
        if not stat.S_IMODE(self._root.stat().st_mode) & _OTHERS:
            raise PermissionError("barred")

    def _rows(self, skip: int) -> Iterator[dict[str, Any]]:
        try:
            self._enter()
            rows = list(read_documents(self._root))
        except (OSError, ValueError) as error:
            raise NotWritten(f"le dossier partagé ne répond pas ({type(error).__name__})") from error
        yield from rows[max(0, skip) :]


def read_documents(root: Path) -> Iterator[dict[str, Any]]:
    """Every line of every notebook below `root`. Raises OSError, ValueError."""
    for path in sorted(root.glob("*/cahier *.txt")):
        yield from read_notebook(path)


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """The lines of one notebook; none when it is not begun. Raises OSError, ValueError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines()]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """As an office program does: a new file beside, made durable, put in the place of the old one."""
    draft = path.with_name(f".~{path.name}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
